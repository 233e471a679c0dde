//! `sample document`, `sample cost`, `sample kish`: from the year's instrument to pages and a budget.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::databases::TemporaryFolder;

fn run(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_langnghe")).args(words).current_dir(folder).output().expect("it runs")
}

fn done(folder: &Path, words: &[&str]) -> Output {
    let output = run(folder, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn instrument() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("surveys/instruments/2026")
}

#[test]
fn a_drawn_sample_becomes_a_page_that_is_the_same_every_time() {
    let folder = TemporaryFolder::new();
    let folder = folder.path();
    let plan = instrument().join("sampling.json");
    done(folder, &["sample", "draw", plan.to_str().expect("a path"), "--output", "sample.csv"]);
    for file in ["design.html", "design.docx"] {
        done(folder, &["sample", "document", "sample.csv", "--output", file]);
        let first = fs::read(folder.join(file)).expect("the page");
        done(folder, &["sample", "document", "sample.csv", "--output", file]);
        assert_eq!(first, fs::read(folder.join(file)).expect("the page"), "{file}");
    }
    let page = fs::read_to_string(folder.join("design.html")).expect("the page");
    for part in ["NỘI BỘ", "Hạt giống (seed)", "120 đơn vị giai đoạn 1 nằm ở đâu", "(điền tay)"]
    {
        assert!(page.contains(part), "`{part}` is not on the page");
    }
    let refused = run(folder, &["sample", "document", "sample.csv", "--output", "sample.csv"]);
    assert_eq!(refused.status.code(), Some(1));
    let refused = run(folder, &["sample", "document", "sample.csv", "--output", "design.pdf"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("end the name in .html or .docx"));
    let refused = run(folder, &["sample", "document", "sample.csv", "--output", "a.html", "--icc", "2"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn the_years_budget_is_the_sum_of_its_parts() {
    let folder = TemporaryFolder::new();
    let plan = instrument().join("cost.json");
    let plan = plan.to_str().expect("a path");
    let answer = done(folder.path(), &["sample", "cost", plan]);
    let estimate: Value = serde_json::from_slice(&answer.stdout).expect("it is JSON");
    assert_eq!((estimate["villages"].as_u64(), estimate["households"].as_u64()), (Some(120), Some(1920)));
    let sum = |rows: &Value| -> f64 {
        rows.as_array().expect("rows").iter().filter_map(|row| row["amount"].as_f64()).sum()
    };
    assert_eq!(Some(sum(&estimate["lines"])), estimate["total"].as_f64());
    assert!(sum(&estimate["strata"]) < sum(&estimate["lines"]));
    assert_eq!(estimate["schedule"]["visits"].as_array().map(Vec::len), Some(120));
    // The example starts in the harvest, and says so.
    assert!(String::from_utf8_lossy(&answer.stderr).contains("harvest"));
    let table = done(folder.path(), &["sample", "cost", plan, "--format", "table"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("Tổng cộng (total)"));
    let csv = done(folder.path(), &["sample", "cost", plan, "--format", "csv"]);
    assert!(String::from_utf8_lossy(&csv.stdout).starts_with("line,stratum,amount\n"));
}

#[test]
fn the_paper_grid_is_printed_for_the_forms_that_were_asked_for() {
    let folder = TemporaryFolder::new();
    done(folder.path(), &["sample", "kish", "--forms", "24", "--seed", "5", "--output", "kish.html"]);
    let page = fs::read_to_string(folder.path().join("kish.html")).expect("the page");
    assert!(page.contains("24 phiếu, hạt giống 5"));
    let refused =
        run(folder.path(), &["sample", "kish", "--forms", "0", "--seed", "5", "--output", "kish.html"]);
    assert_eq!(refused.status.code(), Some(2));
}
