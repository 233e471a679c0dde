//! `weight` and `estimate` as an analyst types them: files that are written, words that are printed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use analysis::table::{Table, Types};

use crate::databases::TemporaryFolder;

const FORM: &str = "\
| survey  |                |      |                        |                     |
|         | type           | name | label::Tiếng Việt (vi) | label::English (en) |
|         | select_one s   | c1   | Ông bà có hài lòng với cuộc sống hiện nay của gia đình mình không? | Are you satisfied with your family's life? |
| choices |                |      |                        |                     |
|         | list_name      | name | label::Tiếng Việt (vi) | label::English (en) |
|         | s              | 1    | Hài lòng               | Satisfied           |
|         | s              | 2    | Chưa hài lòng          | Not satisfied       |
";

/// Forty cases in two strata of five villages; every tenth did not answer.
fn cases() -> String {
    let mut text = String::from("stratum,village,base,end,responded,sex,c1\n");
    for i in 0..40 {
        let answered = i % 10 != 9;
        text += &format!(
            "{},{},{},{},{},{},{}\n",
            ["núi", "thấp"][i / 20],
            i / 4,
            10 + i % 7,
            if answered { "11" } else { ["22", "31"][i / 20] },
            u8::from(answered),
            ["Nam", "Nữ"][i / 2 % 2],
            if answered { ["1", "1", "2"][i % 3] } else { "" },
        );
    }
    text
}

const PLAN: &str = r#"{
  "data": "cases.csv", "codebook": "form.md", "types": {"c1": "category", "end": "category"},
  "dispositions": {"column": "end"},
  "design": {"strata": "stratum", "clusters": "village", "weights": "base"},
  "adjust": [
    {"method": "nonresponse", "responded": "responded", "classes": "stratum"},
    {"method": "poststratify", "by": "sex", "assumed": true, "totals": [{"sex": "Nam", "total": 260}, {"sex": "Nữ", "total": 260}]}
  ],
  "requests": [{"id": "c1", "statistic": "mean", "of": "c1"}, {"id": "by_sex", "statistic": "mean", "of": "c1", "by": "sex"}]
}"#;

fn run(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_langnghe"))
        .args(words)
        .current_dir(folder)
        .output()
        .expect("the program runs")
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_analyst_gets_weights_their_diagnosis_and_labelled_tables() {
    let folder = TemporaryFolder::new();
    let at = folder.path();
    for (file, text) in [("cases.csv", cases().as_str()), ("form.md", FORM), ("plan.json", PLAN)] {
        fs::write(at.join(file), text).expect("the file can be written");
    }
    let weights = run(at, &["weight", "plan.json", "--output", "weights.csv", "--diagnosis", "page.html"]);
    let told = printed(&weights);
    for part in
        ["Kish effect", "assumed sex: Nam at 45.0% in place of 50.0%", "c1=1 moves by", "RR3", "stratum núi"]
    {
        assert!(told.contains(part), "{part} is missing in\n{told}");
    }
    let page = fs::read_to_string(at.join("page.html")).expect("the page is there");
    assert!(page.contains("<svg") && page.contains("Tỷ lệ trả lời (AAPOR)"));
    let table = printed(&run(at, &["estimate", "plan.json", "--format", "table"]));
    assert!(
        table.contains("Ông bà có hài lòng với cuộc sống hiện nay của gia đình mình không?\n    Hài lòng "),
        "{table}"
    );
    let table = printed(&run(at, &["estimate", "plan.json", "--format", "table", "--language", "en"]));
    assert!(table.contains("Not satisfied | sex: Nữ"), "{table}");
    printed(&run(at, &["estimate", "plan.json", "--output", "results.parquet"]));
    let rows = Table::read(&at.join("results.parquet"), &Types::new()).expect("a table");
    assert_eq!(rows.height(), 6);
    assert!(rows.get("by_sex").is_some());
}

#[test]
fn a_diagnosis_under_another_ending_is_refused_before_anything_is_written() {
    let folder = TemporaryFolder::new();
    let at = folder.path();
    for (file, text) in [("cases.csv", cases().as_str()), ("form.md", FORM), ("plan.json", PLAN)] {
        fs::write(at.join(file), text).expect("the file can be written");
    }
    let refused = run(at, &["weight", "plan.json", "--output", "weights.csv", "--diagnosis", "page.pdf"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains(".html or .json"));
    assert!(!at.join("weights.csv").exists());
}
