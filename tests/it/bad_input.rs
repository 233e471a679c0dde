//! Bad input, through the program itself: one clear message (where, what, what now), exit 1, and what was there
//! before stays as it was, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use analysis::export::{About, xlsx};
use chrono::Utc;
use langnghe::db::{AnswerVault, FieldVault, ProjectKind};

use crate::databases::TemporaryFolder;

const FRAME: &str = include_str!("../../surveys/instruments/2026/frame.csv");
const SAMPLING: &str = include_str!("../../surveys/instruments/2026/sampling.json");
const QUESTIONNAIRE: &[u8] = include_bytes!("../../surveys/instruments/2026/questionnaire.xlsx");
const STRATIFIED: &str = include_str!("../../analysis/tests/reference/data/apistrat.csv");

/// A folder with files, and the program run in it.
struct Desk(TemporaryFolder);

impl Desk {
    fn with(files: &[(&str, &[u8])]) -> Self {
        let desk = Self(TemporaryFolder::new());
        for (name, bytes) in files {
            desk.put(name, bytes);
        }
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().expect("a file lies in a folder")).expect("a folder is made");
        fs::write(file, bytes).expect("a file is written");
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_langnghe"));
        for setting in ["DATA", "FIELD", "ANSWERS", "FILES", "KEYS", "LISTEN"] {
            command.env_remove(format!("LANGNGHE_{setting}"));
        }
        command.args(words).current_dir(self.path()).stdin(Stdio::null()).output().expect("the program runs")
    }

    /// Every file below, with its bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).expect("the folder is read").flatten() {
                if entry.path().is_dir() {
                    collect(&entry.path(), found);
                } else {
                    found.insert(entry.path(), fs::read(entry.path()).expect("the file is read"));
                }
            }
        }
        let mut found = BTreeMap::new();
        collect(self.path(), &mut found);
        found
    }

    /// The command is refused with exit 1 and a message that holds all of `told`; no file comes, goes or changes.
    fn refuses(&self, words: &[&str], told: &[&str]) {
        let before = self.files();
        self.refuses_and_may_begin(words, told);
        assert!(before == self.files(), "{words:?} changed the folder");
    }

    /// As [`Self::refuses`], but new files may come beside the old ones, which stay as they were.
    fn refuses_and_may_begin(&self, words: &[&str], told: &[&str]) {
        let before = self.files();
        let ended = self.run(words);
        let message = String::from_utf8(ended.stderr).expect("the message is text");
        assert_eq!(ended.status.code(), Some(1), "{words:?} ended otherwise: {message}");
        assert!(!message.contains("panicked"), "{message}");
        assert!(message.contains("langnghe: "), "{words:?} says nothing: {message}");
        for part in told {
            assert!(message.contains(part), "{words:?}: `{part}` is not said in: {message}");
        }
        let after = self.files();
        for (file, bytes) in before {
            assert!(after.get(&file) == Some(&bytes), "{words:?} changed {}", file.display());
        }
    }
}

/// The frame with one cell replaced: `line` counts from 1, the header is line 1.
fn frame_with(line: usize, column: &str, value: &str) -> String {
    let mut lines: Vec<String> = FRAME.lines().map(str::to_owned).collect();
    let place = lines[0].split(',').position(|name| name == column).expect("the frame has this column");
    let mut cells: Vec<&str> = lines[line - 1].split(',').collect();
    cells[place] = value;
    lines[line - 1] = cells.join(",");
    lines.join("\n") + "\n"
}

/// Drawing from this frame is refused; an earlier sample stays.
fn frame_is_refused(frame: &str, told: &[&str]) {
    let desk = Desk::with(&[
        ("frame.csv", frame.as_bytes()),
        ("sampling.json", SAMPLING.as_bytes()),
        ("sample.csv", b"an earlier sample\n"),
        ("sample.csv.design.json", b"{}\n"),
    ]);
    desk.refuses(&["sample", "draw", "sampling.json", "--output", "sample.csv"], told);
}

fn plan_is_refused(command: &[&str], plan: &str, told: &[&str]) {
    let desk = Desk::with(&[
        ("plan.json", plan.as_bytes()),
        ("apistrat.csv", STRATIFIED.as_bytes()),
        ("villages.csv", b"village,size\nA,10\nB,20\nC,30\n"),
    ]);
    desk.refuses(command, told);
}

#[test]
fn a_workbook_that_cannot_be_read_is_named() {
    let desk = Desk::with(&[
        ("letter.xlsx", b"K\xc3\xadnh g\xe1\xbb\xadi"),
        ("half.xlsx", &QUESTIONNAIRE[..QUESTIONNAIRE.len() / 2]),
        ("almost.xlsx", &QUESTIONNAIRE[..QUESTIONNAIRE.len() - 30]),
        ("empty.xlsx", b""),
        ("questionnaire.xml", b"an earlier form"),
    ]);
    for workbook in ["letter.xlsx", "half.xlsx", "almost.xlsx", "empty.xlsx"] {
        let told = [workbook, "cannot be opened", "save it as .xlsx"];
        desk.refuses(&["form", "check", workbook], &told);
        desk.refuses(&["form", "convert", workbook, "questionnaire.xml"], &told);
        desk.refuses(&["form", "answer", workbook, "--seed", "1", "--output", "answers"], &told);
    }
    desk.refuses(&["form", "check", "nowhere.xlsx"], &["nowhere.xlsx", "cannot be read", "check the path"]);
}

#[test]
fn a_workbook_without_questions_is_named() {
    let tables = xlsx(&[], &About { title: "Bảng".into(), created: (2026, 1, 1), ..About::default() });
    let desk = Desk::with(&[
        ("tables.xlsx", &tables.expect("a workbook is made")),
        ("choices.md", b"| choices |\n| --- |\n| | list_name | name | label |\n| | a | 1 | x |\n"),
    ]);
    let told = ["choices.md", "no sheet `survey`", "go into a sheet of that name"];
    desk.refuses(&["form", "check", "choices.md"], &told);
    // The only sheet of a workbook is taken for the survey, whatever its name.
    desk.refuses(
        &["form", "check", "tables.xlsx"],
        &["tables.xlsx", "row 1", "the column `type` is missing"],
    );
}

#[test]
fn a_form_is_not_written_over_the_workbook_it_is_made_from() {
    let desk = Desk::with(&[("form.xml", b"| survey |\n")]);
    desk.refuses(&["form", "convert", "form.xml", "form.xml"], &["form.xml", "would be overwritten"]);
}

#[test]
fn a_unit_that_stands_twice_in_the_frame_is_named_with_both_lines() {
    let frame = frame_with(4, "village_id", "SYN-00002");
    frame_is_refused(&frame, &["frame.csv, line 4", "`SYN-00002` stands on line 3 already", "one row"]);
}

#[test]
fn an_area_code_that_is_in_no_list_is_named_with_the_code_that_was_meant() {
    // Line 3 is in `Phường Hà Giang 1` (00694) and in the former district 024.
    frame_is_refused(
        &frame_with(3, "commune_code", "99694"),
        &[
            "frame.csv, line 3 (village_id SYN-00002), column `commune_code`",
            "`99694`",
            "did you mean `00694` (Phường Hà Giang 1)?",
        ],
    );
    frame_is_refused(
        &frame_with(3, "old_district_code", "025"),
        &[
            "line 3",
            "column `old_district_code`",
            "`025`",
            "no code of a district before 1 July 2025",
            "did you mean `024`",
        ],
    );
}

/// A commune that was merged on 1 July 2025 into one with another code.
#[test]
fn a_code_of_former_times_is_no_code_of_today() {
    let former = FRAME
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(5).expect("the old commune's code"))
        .find(|code| !FRAME.lines().skip(1).any(|line| line.split(',').nth(3) == Some(code)))
        .expect("some commune was merged into another");
    frame_is_refused(
        &frame_with(2, "commune_code", former),
        &["line 2", "column `commune_code`", former, "since 1 July 2025"],
    );
}

#[test]
fn codes_that_lost_their_zeros_in_a_spreadsheet_are_recognised() {
    frame_is_refused(
        &frame_with(3, "old_district_code", "24"),
        &["line 3", "`24`", "did you mean `024`", "leading zeros"],
    );
}

#[test]
fn codes_of_somebodys_own_are_left_alone() {
    let desk = Desk::with(&[
        ("frame.csv", b"village,commune_code\nA,east\nB,west\nC,west\n"),
        ("plan.json", br#"{"frame": "frame.csv", "strata": ["commune_code"], "stages": [{"unit": "village", "method": "srs", "take": 1}], "seed": 1}"#),
    ]);
    let drawn = desk.run(&["sample", "draw", "plan.json", "--output", "sample.csv"]);
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
}

#[test]
fn shares_that_do_not_add_to_one_are_named() {
    frame_is_refused(
        &frame_with(2, "share_01", "0.91320"),
        &["frame.csv, line 2 (village_id SYN-00001)", "add to 1.1", "not to 1", "correct them"],
    );
    frame_is_refused(&frame_with(2, "share_01", "-0.5"), &["line 2", "`share_01`", "`-0.5`", "from 0 to 1"]);
}

#[test]
fn a_negative_size_is_named() {
    frame_is_refused(
        &frame_with(7, "adults", "-440"),
        &["frame.csv, line 7", "column `adults`", "`-440`", "give a number, 0 or more"],
    );
    frame_is_refused(&frame_with(7, "households", ""), &["line 7", "column `households`", "is empty"]);
    let command = ["sample", "size", "plan.json"];
    let plan = r#"{"requests": [{"id": "a", "want": "n.prop", "p": 0.5, "moe": -0.03}]}"#;
    plan_is_refused(&command, plan, &["request `a`, `moe`", "-0.03", "between 0 and 1"]);
    let command = ["sample", "allocate", "plan.json"];
    let plan = r#"{"strata": [{"stratum": "E", "population": -4421, "sd": 130}], "method": "proportional", "total": 20}"#;
    plan_is_refused(&command, plan, &["stratum `E`", "-4421", "give at least 1"]);
    let plan = r#"{"strata": [{"stratum": "E", "population": 100, "sd": 130}], "method": "proportional", "total": -2}"#;
    plan_is_refused(&command, plan, &["plan.json", "`-2`", "a whole number, 0 or more"]);
}

#[test]
fn everything_that_is_wrong_with_a_frame_is_said_at_once() {
    let frame = frame_with(2, "adults", "-1").replace(",024,", ",025,");
    frame_is_refused(&frame, &["`-1`", "column `old_district_code`", "more lines"]);
}

#[test]
fn a_sample_larger_than_the_frame_is_refused() {
    let draw = ["sample", "draw", "plan.json", "--output", "sample.csv"];
    let plan = r#"{"frame": "villages.csv", "stages": [{"unit": "village", "method": "srs", "take": 5}], "seed": 1}"#;
    plan_is_refused(&draw, plan, &["5 units are asked for", "it has 3", "ask for 3 or fewer"]);
    let plan = r#"{"strata": [{"stratum": "E", "population": 100, "sd": 130}], "method": "proportional", "total": 200}"#;
    plan_is_refused(&["sample", "allocate", "plan.json"], plan, &["`total`", "200", "100", "lower `total`"]);
}

#[test]
fn a_margin_without_respondents_is_refused_and_no_weights_are_written() {
    let plan = r#"{"data": "apistrat.csv", "design": {"strata": ["stype"], "weights": "pw"},
        "adjust": [{"method": "rake", "margins": [{"by": ["stype"], "totals": [
            {"stype": "E", "total": 4421}, {"stype": "H", "total": 755}, {"stype": "M", "total": 1018}, {"stype": "X", "total": 50}]}]}],
        "requests": [{"id": "m", "statistic": "mean", "of": ["api00"]}]}"#;
    let told = ["plan.json", "margin `stype`", "category `X`", "no respondents", "merge it"];
    plan_is_refused(&["weight", "plan.json", "--output", "weights.csv"], plan, &told);
    plan_is_refused(&["estimate", "plan.json", "--output", "results.json"], plan, &told);
}

#[test]
fn a_column_that_is_not_there_is_named_with_the_one_that_was_meant() {
    let estimate = ["estimate", "plan.json"];
    let plan = r#"{"data": "apistrat.csv", "design": {"strata": ["stype"], "weights": "pww"}, "requests": [{"id": "m", "statistic": "mean", "of": ["api00"]}]}"#;
    plan_is_refused(&estimate, plan, &["plan.json", "no column `pww`", "did you mean `pw`?"]);
    let plan = r#"{"data": "apistrat.csv", "requests": [{"id": "m", "statistic": "mean", "of": ["api0"]}]}"#;
    plan_is_refused(&estimate, plan, &["request `m`", "no column `api0`", "did you mean `api00`?"]);
    let plan =
        r#"{"frame": "villages.csv", "stages": [{"unit": "vilage", "method": "srs", "take": 2}], "seed": 1}"#;
    let draw = ["sample", "draw", "plan.json", "--output", "sample.csv"];
    plan_is_refused(&draw, plan, &["stage 1, `unit`", "no column `vilage`", "did you mean `village`?"]);
    let plan = r#"{"data": "apistrat.csv", "cluster": "snumm", "tables": [{"id": "t", "by": ["stype"]}]}"#;
    plan_is_refused(&["protect", "plan.json"], plan, &["plan.json", "`snumm`", "did you mean `snum`?"]);
}

#[test]
fn a_plan_that_is_no_json_is_named_with_its_line() {
    for command in [
        vec!["sample", "size", "plan.json"],
        vec!["sample", "allocate", "plan.json"],
        vec!["sample", "draw", "plan.json", "--output", "sample.csv"],
        vec!["weight", "plan.json", "--output", "weights.csv"],
        vec!["estimate", "plan.json", "--output", "results.json"],
        vec!["protect", "plan.json", "--output", "safe.json"],
    ] {
        plan_is_refused(
            &command,
            "{\n  \"data\": ",
            &["plan.json", "is not a valid plan", "line 2", "correct it"],
        );
    }
    plan_is_refused(&["estimate", "plan.json"], r#"{"desing": {}}"#, &["plan.json", "`desing`", "`design`"]);
    plan_is_refused(
        &["estimate", "nowhere.json"],
        "{}",
        &["nowhere.json", "cannot be read", "check the path"],
    );
    let plan = r#"{"data": "nowhere.csv", "requests": [{"id": "m", "statistic": "mean", "of": ["y"]}]}"#;
    plan_is_refused(&["estimate", "plan.json"], plan, &["nowhere.csv", "cannot be read", "check the path"]);
}

#[test]
fn no_command_writes_over_what_it_reads() {
    let draw = r#"{"frame": "villages.csv", "stages": [{"unit": "village", "method": "srs", "take": 2}], "seed": 1}"#;
    let told = ["would be overwritten", "choose another --output"];
    plan_is_refused(&["sample", "draw", "plan.json", "--output", "villages.csv"], draw, &told);
    plan_is_refused(&["sample", "draw", "plan.json", "--output", "./plan.json"], draw, &told);
    plan_is_refused(&["sample", "draw", "plan.json", "--joint", "villages.csv"], draw, &told);
    let mean = r#"{"data": "apistrat.csv", "design": {"strata": ["stype"], "weights": "pw"}, "requests": [{"id": "m", "statistic": "mean", "of": ["api00"]}]}"#;
    plan_is_refused(&["weight", "plan.json", "--output", "apistrat.csv"], mean, &told);
    plan_is_refused(&["estimate", "plan.json", "--output", "apistrat.csv"], mean, &told);
    plan_is_refused(&["estimate", "plan.json", "--output", "plan.json"], mean, &told);
    let counts = r#"{"data": "apistrat.csv", "tables": [{"id": "t", "by": ["stype"]}]}"#;
    plan_is_refused(&["protect", "plan.json", "--output", "apistrat.csv"], counts, &told);
}

/// Below a regular file nobody can make a folder, not even the superuser.
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let draw = r#"{"frame": "villages.csv", "stages": [{"unit": "village", "method": "srs", "take": 2}], "seed": 1}"#;
    let command = ["sample", "draw", "plan.json", "--output", "villages.csv/sample.csv"];
    plan_is_refused(
        &command,
        draw,
        &["villages.csv/sample.csv", "cannot be written", "check that the folder"],
    );
    let mean = r#"{"data": "apistrat.csv", "design": {"strata": ["stype"], "weights": "pw"}, "requests": [{"id": "m", "statistic": "mean", "of": ["api00"]}]}"#;
    let command = ["weight", "plan.json", "--output", "apistrat.csv/weights.csv"];
    plan_is_refused(
        &command,
        mean,
        &["apistrat.csv/weights.csv", "cannot be written", "choose another place"],
    );
    let command = ["estimate", "plan.json", "--output", "apistrat.csv/results.json"];
    plan_is_refused(
        &command,
        mean,
        &["apistrat.csv/results.json", "cannot be written", "choose another --output"],
    );
    for command in [vec!["demo", "--no-serve"], vec!["serve", "--listen", "127.0.0.1:0"]] {
        let command = [command, vec!["--data", "apistrat.csv/data"]].concat();
        plan_is_refused(&command, mean, &["apistrat.csv/data", "folder cannot be", "another"]);
    }
    let keys = ["serve", "--listen", "127.0.0.1:0", "--data", "data", "--keys", "apistrat.csv/keys"];
    let desk = Desk::with(&[("apistrat.csv", STRATIFIED.as_bytes())]);
    desk.refuses_and_may_begin(&keys, &["apistrat.csv/keys", "another with --keys"]);
}

#[test]
fn an_error_is_told_once() {
    let desk = Desk::with(&[("taken", b"a file")]);
    let ended = desk.run(&["serve", "--listen", "127.0.0.1:0", "--data", "taken/data"]);
    let message = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(message.matches("os error").count(), 1, "{message}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    for command in ["demo", "serve"] {
        let desk = Desk::with(&[("notes.txt", b"ours")]);
        let told = [address.as_str(), "cannot listen", "another with --listen"];
        desk.refuses(&[command, "--data", "data", "--listen", &address], &told);
    }
}

/// Two vaults with a wave each in a data folder.
fn vaults(desk: &Desk) {
    let data = desk.path().join("data");
    let url = |name: &str| format!("sqlite://{}", data.join(name).display());
    let field = FieldVault::open(&url("field.db")).expect("the field vault opens");
    let made = field.transaction(|db| db.create_project("Đợt 2026", ProjectKind::Survey, Utc::now()));
    made.expect("a wave is stored");
    drop(AnswerVault::open(&url("answers.db")).expect("the answer vault opens"));
}

#[test]
fn a_half_written_database_is_named_and_left_as_it_was() {
    for vault in ["field.db", "answers.db"] {
        for kept in [100, 4096 + 17, 20_480, usize::MAX] {
            let desk = Desk(TemporaryFolder::new());
            vaults(&desk);
            let file = desk.path().join("data").join(vault);
            let whole = fs::read(&file).expect("the vault is read");
            // `usize::MAX`: all but the last page.
            fs::write(&file, &whole[..kept.min(whole.len() - 4096)]).expect("it is cut");
            for command in [vec!["demo", "--no-serve"], vec!["serve", "--listen", "127.0.0.1:0"]] {
                let command = [command, vec!["--data", "data"]].concat();
                let told = [vault, "left as it", "backup"];
                desk.refuses_and_may_begin(&command, &told);
            }
        }
    }
}

#[test]
fn a_file_that_is_no_database_is_named_and_left_as_it_was() {
    for vault in ["field.db", "answers.db"] {
        let desk = Desk(TemporaryFolder::new());
        vaults(&desk);
        desk.put(&format!("data/{vault}"), "họ tên;tuổi\n");
        for command in [vec!["demo", "--no-serve"], vec!["serve", "--listen", "127.0.0.1:0"]] {
            let command = [command, vec!["--data", "data"]].concat();
            desk.refuses_and_may_begin(&command, &[vault, "not a database of this program", "left as it is"]);
        }
    }
}

#[test]
fn wrong_usage_ends_with_two() {
    let desk = Desk(TemporaryFolder::new());
    for words in [
        vec!["frobnicate"],
        vec![],
        vec!["demo", "--seed", "many"],
        vec!["sample", "draw"],
        vec!["sample", "draw", "plan.json", "--stage", "2"],
        vec!["form", "answer", "form.xlsx", "--count", "1", "--output", "answers"],
        vec!["estimate", "plan.json", "--format", "poem"],
        vec!["weight", "plan.json"],
    ] {
        let ended = desk.run(&words);
        let message = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{words:?}: {message}");
        assert!(message.contains("--help"), "{words:?}: {message}");
    }
    assert!(desk.files().is_empty());
}
