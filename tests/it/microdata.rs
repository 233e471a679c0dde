//! What leaves of one wave together: reports, their log, and a file of respondents that a second person approved.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use analysis::table::{Table, Types};
use chrono::Utc;
use langnghe::demo::instrument;
use langnghe::demo::simulation::Truth;
use langnghe::jobs::analysis_file::AnalysisFile;
use langnghe::jobs::analysis_files::AnalysisFiles;
use langnghe::keys::KeyFolder;
use serde_json::json;

use crate::databases::TemporaryFolder;
use crate::people::code_of;

const PASSWORD: &str = "một mật khẩu đủ dài";

fn wave() -> &'static AnalysisFile {
    static WAVE: OnceLock<AnalysisFile> = OnceLock::new();
    WAVE.get_or_init(|| {
        let truth = Truth::new(&instrument::read().expect("the instrument")).expect("a population");
        crate::report::wave(&truth, 1, 8)
    })
}

/// An installation with one frozen wave.
struct Office {
    folder: TemporaryFolder,
}

impl Office {
    fn new() -> Self {
        let folder = TemporaryFolder::new();
        let keys = KeyFolder::open(folder.path().join("keys")).expect("a key folder");
        AnalysisFiles::open(folder.path().join("analysis"))
            .expect("a folder")
            .keep(wave(), &keys.analysts(1).expect("a key").to_public())
            .expect("it is kept");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_langnghe"));
        for setting in ["DATA", "FIELD", "ANSWERS", "FILES", "KEYS", "KEY_PASSPHRASE"] {
            command.env_remove(format!("LANGNGHE_{setting}"));
        }
        command.args(words).args(["--data", "."]).envs(variables.iter().copied());
        command.current_dir(self.path()).stdin(Stdio::null()).output().expect("the program runs")
    }

    fn well(&self, words: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.run(words, variables);
        assert!(output.status.success(), "{words:?}: {}", told(&output));
        told(&output)
    }

    /// Adds a person and returns the secret of the second factor.
    fn person(&self, login: &str, role: &str) -> String {
        let output = self.run(
            &["user", "add", login, "--role", role, "--second-factor"],
            &[("LANGNGHE_PASSWORD", PASSWORD)],
        );
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().nth(1).unwrap_or_else(|| panic!("{}", told(&output))).to_owned()
    }

    fn export(&self, words: &[&str], approver: &str, code: &str) -> Output {
        let all = [&["export", "1", "--requester", "an", "--approver", approver], words].concat();
        self.run(&all, &[("LANGNGHE_APPROVER_PASSWORD", PASSWORD), ("LANGNGHE_APPROVER_TOTP", code)])
    }

    fn table(&self, name: &str) -> Table {
        let csv = fs::read_to_string(self.path().join(name)).expect("the file");
        Table::parse_csv(&csv, name, &Types::default()).expect("a table")
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn now_code(secret: &str) -> String {
    code_of(secret, Utc::now().timestamp())
}

fn text(table: &Table, column: &str, row: usize) -> String {
    table.column(column).expect("a column").text(row).unwrap_or_default().into_owned()
}

/// Rows by their values in some columns.
fn classes(table: &Table, columns: &[&str]) -> BTreeMap<Vec<String>, Vec<usize>> {
    let mut found: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for row in 0..table.height() {
        found.entry(columns.iter().map(|c| text(table, c, row)).collect()).or_default().push(row);
    }
    found
}

#[test]
fn the_same_report_leaves_again_with_the_same_bytes_and_its_log_tells_nobody_anything() {
    let office = Office::new();
    for name in ["first.html", "again.html"] {
        office.well(&["report", "1", "--output", name], &[]);
    }
    let bytes = |name: &str| fs::read(office.path().join(name)).expect("the report");
    assert!(bytes("first.html") == bytes("again.html"), "the two reports differ");
    let sealed = fs::read(office.path().join("analysis/wave-1-releases.age")).expect("the log");
    assert!(sealed.starts_with(b"age-encryption.org") && sealed.len() > 1_000);
    for word in ["c1_satisfied", "hidden", "interviews"] {
        assert!(!sealed.windows(word.len()).any(|window| window == word.as_bytes()), "`{word}` can be read");
    }
    let entries = office.well(&["audit", "verify"], &[]);
    assert!(entries.starts_with("2 "), "{entries}");
    // Another report in between changes nothing of what was released.
    office.well(&["report", "1", "--kind", "quick", "--output", "quick.html"], &[]);
    office.well(&["report", "1", "--output", "third.html"], &[]);
    assert!(bytes("first.html") == bytes("third.html"), "a report in between changed it");
    for name in ["first.html", "quick.html"] {
        assert!(office.well(&["report", "verify", name], &[]).contains("equal"), "{name}");
    }
    // A log that somebody else wrote does not open, and nothing leaves without it.
    fs::write(office.path().join("analysis/wave-1-releases.age"), b"no log").expect("written");
    let output = office.run(&["report", "1", "--output", "fourth.html"], &[]);
    assert!(told(&output).contains("log of releases"), "{}", told(&output));
    assert!(!output.status.success() && !office.path().join("fourth.html").exists());
}

#[test]
fn a_reduced_file_leaves_with_another_persons_approval_only() {
    let office = Office::new();
    let own = office.person("an", "analyst");
    let other = office.person("binh", "custodian");
    let office_head = office.person("chi", "administrator");
    let refused = |words: &[&str], approver: &str, code: &str| {
        let output = office.export(words, approver, code);
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(
            !office.path().join("public.csv").exists()
                && !office.path().join("public.variances.csv").exists()
        );
        told(&output)
    };
    let output = ["--output", "public.csv"];
    assert!(refused(&output, "an", &now_code(&own)).contains("another person"));
    refused(&output, "binh", "000000");
    assert!(refused(&output, "chi", &now_code(&office_head)).contains("may not approve"));
    assert!(refused(&["--output", "public.R"], "binh", "000000").contains("no design"));
    for (place, word) in [("psu", "place"), ("village_majority", "place"), ("adults", "place")] {
        let plan = json!({ "keys": [{ "column": "sex" }, { "column": place }], "answers": [], "weight_cells": ["sex"] });
        fs::write(office.path().join("own.json"), plan.to_string()).expect("written");
        let why = refused(&["--plan", "own.json", "--output", "public.csv"], "binh", "000000");
        assert!(why.contains(word), "{place}: {why}");
    }
    let plan =
        json!({ "keys": [{ "column": "sex" }], "answers": [{ "column": "b3" }], "weight_cells": ["sex"] });
    fs::write(office.path().join("own.json"), plan.to_string()).expect("written");
    let why = refused(&["--plan", "own.json", "--output", "public.csv"], "binh", "000000");
    assert!(why.contains("rule 19"), "{why}");
    assert!(!office.path().join("analysis/wave-1-releases.age").exists(), "what was refused is not out");

    let output = office.export(&output, "binh", &now_code(&other));
    assert!(output.status.success(), "{}", told(&output));
    let said = told(&output);
    assert!(said.contains("Rủi ro") && said.contains("expected identifications"), "{said}");
    let variances = fs::read_to_string(office.path().join("public.variances.csv")).expect("the table");
    assert!(variances.lines().count() > 3, "{variances}");
    let entries = office.well(&["audit", "verify"], &[]);
    assert!(entries.starts_with("4 "), "three people, one release: {entries}");
}

/// Somebody who knows all sampled villages with their weights, and somebody who knows a respondent's area, sex, age and
/// ethnic group: both find people in the analysts' file and nobody in the released one.
#[test]
fn who_knows_the_villages_or_a_person_finds_nobody_in_the_released_file() {
    let office = Office::new();
    office.person("an", "analyst");
    let other = office.person("binh", "custodian");
    office.well(&["report", "1", "--output", "report.html"], &[]);
    office.well(&["export", "1", "--analysts", "--output", "room.csv"], &[]);
    let output = office.export(&["--output", "public.csv"], "binh", &now_code(&other));
    assert!(output.status.success(), "after a report: {}", told(&output));
    let (room, public) = (office.table("room.csv"), office.table("public.csv"));
    assert_eq!(room.height(), public.height());
    let known = ["area_large", "sex", "age", "ethnic_large"];
    let keys: Vec<&str> = known.into_iter().filter(|name| public.get(name).is_some()).collect();
    assert!(!keys.is_empty());
    for hidden in ["psu", "stratum", "base", "person_weight", "adults", "b1", "b2", "b3", "village_majority"]
    {
        assert!(public.get(hidden).is_none(), "`{hidden}` left");
    }

    let alone = |table: &Table, columns: &[&str]| {
        classes(table, columns).values().filter(|rows| rows.len() == 1).count()
    };
    assert!(alone(&room, &known) > 10, "the attack works on the data");
    for (key, rows) in classes(&public, &keys) {
        assert!(rows.len() >= 10, "{key:?}: {} rows", rows.len());
    }

    // The weight before raking tells the village in the data; in the file it tells what the keys tell.
    let told_villages = classes(&room, &["person_weight", "area_large", "adults"]);
    let told_villages = told_villages.values().filter(|rows| {
        let villages: BTreeSet<String> = rows.iter().map(|row| text(&room, "psu", *row)).collect();
        villages.len() == 1
    });
    assert!(told_villages.map(Vec::len).sum::<usize>() > room.height() / 2, "the attack works on the data");
    for (key, rows) in classes(&public, &keys) {
        let weights: BTreeSet<String> = rows.iter().map(|row| text(&public, "weight", *row)).collect();
        assert_eq!(weights.len(), 1, "{key:?}");
    }
    // After the file the report is what it was.
    office.well(&["report", "1", "--output", "again.html"], &[]);
    let bytes = |name: &str| fs::read(office.path().join(name)).expect("the report");
    assert!(bytes("report.html") == bytes("again.html"));
}
