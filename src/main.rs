//! The program `langnghe`.

use std::process::ExitCode;

fn main() -> ExitCode {
    langnghe::cli::run()
}
