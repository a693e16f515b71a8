//! The program `tureen`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tureen_server::cli::run()
}
