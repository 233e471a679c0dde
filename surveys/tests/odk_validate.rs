//! ODK Validate (JavaRosa, the engine of ODK Collect) over the XForms of our corpus, of generated
//! forms and of the bundled questionnaires.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use surveys::{xform, xlsform};

#[path = "pyxform/environment.rs"]
mod environment;

/// Forms of the corpus that ODK Validate refuses as it refuses pyxform's: how their names begin, what
/// it says, and why the form itself is at fault. They are there to compare the writing of paths.
const REFUSED: [(&str, &str, &str); 9] = [
    ("default date", "to type Date", "the default computes a number or a text for a date"),
    ("default image", "Invalid XPath in value set action", "an expression cannot name a picture"),
    ("default ", "nodeset union operation", "`a|b` joins nodesets"),
    ("from ", "This field is repeated", "reads one answer of a repeat from outside it"),
    ("container in", "This field is repeated", "a calculation reads the many answers of a repeat as one"),
    ("expression . + 1", "Cycle detected", "the calculation reads itself"),
    (
        "texts guidance_hint audio::vi",
        "not localizable for default locale",
        "no text in the default language",
    ),
    ("choice {'label': ''}", "<label> node for itemset", "the first choice has no label"),
    ("entity {'entity_id'", "Instance referenced by", "the list of entities is attached by the server"),
];

#[test]
#[ignore = "needs Java, Python and the package pyxform 4.5.0, and takes minutes; ./dev test --all runs it"]
fn odk_validate_accepts_every_xform_of_the_corpus() {
    let build = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let environment = environment::installed();
    let jar = environment::jar_in(&environment).expect("pyxform ships the jar");
    let folder = build.join("odk-validate");
    std::fs::create_dir_all(&folder).expect("a folder in the build folder");
    let corpus: Vec<Value> =
        serde_json::from_str(include_str!("pyxform/forms.json")).expect("the corpus is JSON");
    let generated = environment::generated(&environment, 20_260_000, 300);
    let mut forms: Vec<(String, String)> = Vec::new();
    for form in corpus.iter().chain(&generated) {
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
    let names: Vec<String> = (0..forms.len()).map(|number| format!("{number:04}.xml")).collect();
    for (file, (_, xml)) in names.iter().zip(&forms) {
        std::fs::write(folder.join(file), xml).expect("the build folder can be written");
    }
    let mut command = Command::new("java");
    command.current_dir(&folder).arg("-Djava.awt.headless=true").arg("-jar").arg(&jar).args(&names);
    // Verdicts and their reasons come on two channels: only one file keeps their order.
    let told = folder.join("told.txt");
    let file = std::fs::File::create(&told).expect("the build folder can be written");
    command.stdout(file.try_clone().expect("a second handle")).stderr(file);
    command.status().expect("java runs");
    let told = String::from_utf8_lossy(&std::fs::read(&told).expect("it is there")).into_owned();
    let verdicts: Vec<&str> = told.split("Validating: ").skip(1).collect();
    assert_eq!(verdicts.len(), forms.len(), "one verdict a form: {told}");
    let mut refused = Vec::new();
    let mut met = [false; REFUSED.len()];
    for (verdict, (name, _)) in verdicts.iter().zip(&forms) {
        if verdict.contains("Xform is valid!") {
            continue;
        }
        let listed =
            |(prefix, words, _): &(&str, &str, &str)| name.starts_with(prefix) && verdict.contains(words);
        match REFUSED.iter().position(listed) {
            Some(reason) => met[reason] = true,
            None => {
                let lines: Vec<&str> =
                    verdict.lines().filter(|line| !line.trim().is_empty()).take(5).collect();
                refused.push(format!("{name}: {}", lines.join(" | ")));
            }
        }
    }
    assert!(forms.len() > 600, "the corpus and the generated forms are there");
    assert!(refused.is_empty(), "{} of {} forms:\n{}", refused.len(), forms.len(), refused.join("\n"));
    for ((prefix, words, reason), met) in REFUSED.iter().zip(met) {
        assert!(met, "no form is refused any more for `{prefix}`, `{words}`: {reason}");
    }
}
