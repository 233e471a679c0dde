//! ODK Validate (JavaRosa, the engine of ODK Collect) over the XForms of our corpus and of the
//! bundled questionnaires.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use surveys::{xform, xlsform};

/// Forms that ODK Validate refuses, and why that is not our mistake.
const REFUSED: [(&str, &str); 0] = [];

fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), text.concat())
}

/// The jar that pyxform ships, installed into the build folder when it is not there yet.
fn jar(build: &Path) -> PathBuf {
    let environment = build.join("pyxform-4.5.0");
    let installed = || {
        let folders = std::fs::read_dir(environment.join("lib")).ok()?;
        let jar = "site-packages/pyxform/validators/odk_validate/bin/ODK_Validate.jar";
        folders.flatten().map(|folder| folder.path().join(jar)).find(|jar| jar.exists())
    };
    if installed().is_none() {
        let (made, told) = run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        assert!(made, "python3 -m venv: {told}");
        let pip = environment.join("bin/pip");
        let (made, told) = run(Command::new(pip).args(["install", "--quiet", "pyxform==4.5.0"]));
        assert!(made, "pip install pyxform==4.5.0: {told}");
    }
    installed().expect("pyxform ships the jar")
}

#[test]
#[ignore = "needs Java, Python and the package pyxform 4.5.0, and takes minutes; ./dev test --all runs it"]
fn odk_validate_accepts_every_xform_of_the_corpus() {
    let build = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let jar = jar(&build);
    let folder = build.join("odk-validate");
    std::fs::create_dir_all(&folder).expect("a folder in the build folder");
    let corpus: Vec<Value> =
        serde_json::from_str(include_str!("pyxform/forms.json")).expect("the corpus is JSON");
    let mut forms: Vec<(String, String)> = Vec::new();
    for form in &corpus {
        let text = form["form"].as_str().expect("a form");
        if let Ok(read) = xlsform::read("form.md", text.as_bytes())
            && let Ok(xml) = xform::write(&read.questionnaire)
        {
            forms.push((form["name"].as_str().expect("a name").to_owned(), xml));
        }
    }
    for (name, bytes) in [
        ("questionnaire.xlsx", &include_bytes!("../instruments/2026/questionnaire.xlsx")[..]),
        ("listing.xlsx", &include_bytes!("../instruments/2026/listing.xlsx")[..]),
    ] {
        let form = xlsform::read(name, bytes).expect("a form").questionnaire;
        forms.push((name.to_owned(), xform::write(&form).expect("a form")));
    }
    let mut refused = Vec::new();
    for (number, (name, xml)) in forms.iter().enumerate() {
        let file = folder.join(format!("{number:04}.xml"));
        std::fs::write(&file, xml).expect("the build folder can be written");
        let mut command = Command::new("java");
        command.arg("-Djava.awt.headless=true").arg("-XX:TieredStopAtLevel=1").arg("-jar");
        let (accepted, told) = run(command.arg(&jar).arg(&file));
        if accepted == REFUSED.iter().any(|(listed, _)| listed == name) {
            let told: Vec<&str> = told.lines().filter(|line| !line.trim().is_empty()).take(4).collect();
            refused.push(format!("{name} ({number:04}.xml): {}", told.join(" | ")));
        }
    }
    assert!(forms.len() > 400, "the corpus is there");
    assert!(refused.is_empty(), "{} of {} forms:\n{}", refused.len(), forms.len(), refused.join("\n"));
}
