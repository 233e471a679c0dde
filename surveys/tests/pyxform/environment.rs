//! pyxform 4.5.0 from PyPI, for the tests that compare with it. Needs Python with `venv`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether a command succeeded, and all it said.
pub fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), text.concat())
}

/// The folder of an environment with pyxform, installed into the build folder when it is not there yet.
pub fn installed() -> PathBuf {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyxform-4.5.0");
    if jar_in(&environment).is_none() {
        let (made, told) = run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        assert!(made, "python3 -m venv: {told}");
        let pip = environment.join("bin/pip");
        let (made, told) = run(Command::new(pip).args(["install", "--quiet", "pyxform==4.5.0"]));
        assert!(made, "pip install pyxform==4.5.0: {told}");
    }
    environment
}

/// The jar of ODK Validate that pyxform ships.
pub fn jar_in(environment: &Path) -> Option<PathBuf> {
    let folders = std::fs::read_dir(environment.join("lib")).ok()?;
    let jar = "site-packages/pyxform/validators/odk_validate/bin/ODK_Validate.jar";
    folders.flatten().map(|folder| folder.path().join(jar)).find(|jar| jar.exists())
}

/// `count` forms of `generate.py` from a seed on, as JSON, with what pyxform makes of them now.
pub fn generated(environment: &Path, seed: u64, count: u64) -> Vec<serde_json::Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pyxform/generate.py");
    let mut command = Command::new(environment.join("bin/python"));
    let output = command
        .args([script, &seed.to_string(), &count.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("{script}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {told}");
    serde_json::from_slice(&output.stdout).expect("the script writes JSON")
}
