//! The Python with the other engines, which `./dev` prepares in `target/python`.

use std::path::{Path, PathBuf};

/// Its path; an error where `./dev bench` has not installed it.
pub fn python() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python/bin/python");
    match python.exists() {
        true => Ok(python),
        false => Err(format!("{} is missing; ./dev bench installs it", python.display()).into()),
    }
}
