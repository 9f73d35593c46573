//! `burgee export`: the stored projects on standard output.

use super::{CliError, open};
use crate::config::ExportArgs;
use crate::project_file;
use std::io::{BufWriter, Write};

pub(super) async fn run(args: &ExportArgs, out: &mut (impl Write + Send)) -> Result<u8, CliError> {
    let url = args.database.resolve()?;
    let store = open(&url, false).await?;
    let mut out = BufWriter::new(out);
    project_file::export(&store, args.project, args.format, &mut out).await?;
    out.flush()?;
    Ok(0)
}
