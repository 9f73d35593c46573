//! `burgee doctor`: would a server with these settings get on here? A table, and an exit code.

use super::{CliError, FAILED};
use crate::config::DoctorArgs;
use crate::doctor::{self, Examination};
use std::io::Write;

pub(super) fn run(args: &DoctorArgs, out: &mut impl Write) -> Result<u8, CliError> {
    let report = match args.serve.resolve() {
        Ok(config) => {
            let how = Examination {
                replicas: args.replicas.max(1),
                limit: args.limit(),
                root: args.system_root.clone(),
            };
            let runtime = actix_web::rt::System::new();
            let report = runtime.block_on(doctor::examine(&config, &how));
            // A disk or a name service that does not answer holds a thread for ever: nobody waits for it.
            std::mem::forget(runtime);
            report
        }
        Err(faults) => doctor::bad_settings(&faults.0),
    };
    if args.json {
        report.write_json(out)?;
    } else {
        report.write_table(out)?;
    }
    Ok(if report.is_good(args.strict) {
        0
    } else {
        FAILED
    })
}
