//! JavaRosa, the engine of ODK Collect, from the jar of ODK Validate that pyxform ships.

use std::path::{Path, PathBuf};
use std::process::Command;

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The jar, installed into the build folder when it is not there yet.
pub fn jar(build: &Path) -> PathBuf {
    let environment = build.join("pyxform-4.5.0");
    let installed = || {
        let folders = std::fs::read_dir(environment.join("lib")).ok()?;
        let jar = "site-packages/pyxform/validators/odk_validate/bin/ODK_Validate.jar";
        folders.flatten().map(|folder| folder.path().join(jar)).find(|jar| jar.exists())
    };
    if installed().is_none() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", "pyxform==4.5.0"]));
    }
    installed().expect("pyxform ships the jar")
}

/// Runs a Java source file with two arguments in Vietnam's zone; the lines that it prints.
pub fn java(jar: &Path, source: &Path, arguments: [&Path; 2]) -> Vec<String> {
    let mut command = Command::new("java");
    command.env("TZ", "Asia/Ho_Chi_Minh").args(["-Dfile.encoding=UTF-8", "-cp"]);
    let output = command.arg(jar).arg(source).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("java (a JDK is due, not a JRE alone): {error}"));
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let last: Vec<&str> = errors.lines().rev().take(20).collect();
    assert!(output.status.success(), "java (a JDK is due, not a JRE alone): {last:#?}");
    told.lines().map(str::to_owned).collect()
}
