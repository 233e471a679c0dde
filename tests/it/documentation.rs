//! What docs/protection.md and docs/security.md cite as held by a test is a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Names between back quotes that look like the sentence of a test.
fn cited(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_sentence = |name: &&str| {
        name.matches('_').count() >= 3
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    quoted.filter(is_sentence).collect()
}

#[test]
fn every_test_that_the_rules_and_threats_cite_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "surveys", "analysis"] {
        sources(&root.join(folder), &mut files);
    }
    let code: String = files.iter().map(|file| fs::read_to_string(file).expect("text")).collect();
    for (document, at_least) in [("docs/protection.md", 60), ("docs/security.md", 40)] {
        let text = fs::read_to_string(root.join(document)).expect("text");
        let cited = cited(&text);
        assert!(cited.len() >= at_least, "{document} cites {} tests", cited.len());
        // A flag of submissions reads like a sentence too.
        let gone: Vec<&&str> = cited
            .iter()
            .filter(|name| !code.contains(&format!("fn {name}(")) && !code.contains(&format!("\"{name}\"")))
            .collect();
        assert!(gone.is_empty(), "{document} cites tests that are not there: {gone:?}");
    }
}
