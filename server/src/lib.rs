//! The HTTP edge and the command line.

pub mod project_file;
