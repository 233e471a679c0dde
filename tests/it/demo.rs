//! The demonstration, run as a newcomer runs it: what it writes, that it repeats itself byte for byte, that a kill in
//! the middle changes nothing, and that what the simulated respondents said is what the tables are made from.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use langnghe::db::{AnswerVault, FieldVault, Standing};
use langnghe::demo::outputs::LABEL;
use langnghe::demo::simulation::{self, Truth};
use langnghe::demo::{SEED, instrument, wave};
use langnghe::jobs::analysis_file::CaseRecord;
use langnghe::keys::KeyFolder;
use serde_json::Value;

use crate::databases::{TemporaryFolder, execute};

/// A finished demonstration.
struct Run {
    folder: PathBuf,
    page: String,
    took: Duration,
}

fn demo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_langnghe"));
    for setting in ["DATA", "FIELD", "ANSWERS", "FILES", "KEYS", "LISTEN"] {
        command.env_remove(format!("LANGNGHE_{setting}"));
    }
    command.args(["demo", "--no-serve", "--data"]).arg(folder).stdin(Stdio::null());
    command
}

fn run_to_the_end(folder: &Path) -> Run {
    let start = Instant::now();
    let ended = demo(folder).output().expect("the program runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let page = String::from_utf8(ended.stdout).expect("the page is text");
    Run { folder: folder.to_owned(), page, took: start.elapsed() }
}

/// One undisturbed run for all tests that only look at it. A run is long, so there is one; its folder lies in the
/// target folder, because nothing ends after the last test that could remove it.
fn undisturbed() -> &'static Run {
    static RUN: OnceLock<Run> = OnceLock::new();
    RUN.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo");
        let _ = fs::remove_dir_all(&folder);
        run_to_the_end(&folder)
    })
}

/// What must have the same bytes on every run and machine (contracts.md), by path below the folder.
fn comparable(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut take = |name: String| {
        let bytes = fs::read(folder.join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        files.insert(name, bytes);
    };
    take("sample.csv".to_owned());
    take("weights.csv".to_owned());
    for (kind, ending) in [("tables", "csv"), ("charts", "svg")] {
        for entry in fs::read_dir(folder.join(kind)).expect("the folder is there").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(name.ends_with(&format!(".{ending}")), "{name} lies in {kind}");
            take(format!("{kind}/{name}"));
        }
    }
    files
}

/// Names of the files that differ or are in one of the two only.
fn differences(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    names.into_iter().filter(|name| a.get(*name) != b.get(*name)).cloned().collect()
}

/// Cases with a current submission of the survey, and versions of any standing.
fn stored(folder: &Path) -> (usize, usize) {
    let field = FieldVault::open(&url(folder, "field.db")).expect("the field vault opens");
    let keys = KeyFolder::open(folder.join("keys")).expect("the key folder opens");
    let survey = field.read(|db| db.list_projects()).expect("read").first().expect("a wave is there").id;
    let key = keys.load(survey).expect("the key is there");
    let all = field.read(|db| db.list_submissions(survey, &key)).expect("submissions open");
    (all.iter().filter(|s| s.standing == Standing::Current).count(), all.len())
}

fn url(folder: &Path, name: &str) -> String {
    format!("sqlite://{}", folder.join(name).display())
}

/// A CSV file's rows; the demo quotes cells with commas.
fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .map(|line| {
            let mut cells = vec![String::new()];
            let mut quoted = false;
            for letter in line.chars() {
                match letter {
                    '"' => quoted = !quoted,
                    ',' if !quoted => cells.push(String::new()),
                    other => cells.last_mut().expect("there is one").push(other),
                }
            }
            cells
        })
        .collect()
}

#[test]
fn everything_that_the_page_names_lies_there() {
    let run = undisturbed();
    for file in [
        "sample.csv",
        "sample.csv.design.json",
        "weights.csv",
        "report.docx",
        "report.html",
        "tables.xlsx",
        "index.html",
    ] {
        assert!(fs::metadata(run.folder.join(file)).is_ok_and(|m| m.len() > 1000), "{file}");
    }
    let files = comparable(&run.folder);
    let many = |kind: &str| files.keys().filter(|name| name.starts_with(kind)).count();
    assert!(many("tables/") >= 10 && many("charts/") >= 8, "{:?}", files.keys());
    for told in
        ["RR3", "deff", "report.docx", "report.html", "tables.xlsx", "sample.csv", "weights.csv", LABEL]
    {
        assert!(run.page.contains(told), "{told} is not on the page:\n{}", run.page);
    }
    let marks = run.page.lines().filter(|line| line.contains('✓') || line.contains('✗')).count();
    assert_eq!(marks, 10, "ten headline figures stand beside the truth:\n{}", run.page);
}

#[test]
fn a_second_run_in_the_same_folder_is_quick_and_changes_nothing() {
    let run = undisturbed();
    let folder = TemporaryFolder::new();
    copy(&run.folder, folder.path());
    let (before, count) = (comparable(folder.path()), stored(folder.path()));
    let again = run_to_the_end(folder.path());
    assert!(again.took < run.took / 3, "{:?} the second time, {:?} the first", again.took, run.took);
    assert_eq!(differences(&before, &comparable(folder.path())), Vec::<String>::new());
    assert_eq!(stored(folder.path()), count, "nothing is doubled");
    assert_eq!(again.page, run.page);
}

/// Copies a data folder. Databases are copied by SQLite itself: a program that ended may have left its last commits in
/// the file beside them, and other tests look into them meanwhile.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder is made");
    for entry in fs::read_dir(from).expect("the folder is read").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match source.extension().and_then(|ending| ending.to_str()) {
            Some("db-wal" | "db-shm") => {}
            Some("db") => execute(
                &format!("sqlite://{}", source.display()),
                &format!("vacuum into '{}'", target.display()),
            ),
            _ if source.is_dir() => copy(&source, &target),
            _ => drop(fs::copy(source, target).expect("a file is copied")),
        }
    }
}

/// Killed with SIGKILL while interviews are being sent, started again in the same folder, and held against the run in
/// the other folder that nobody disturbed.
#[test]
fn a_demo_that_was_killed_ends_with_the_same_bytes_as_one_in_another_folder_that_was_not() {
    let folder = TemporaryFolder::new();
    let mut program =
        demo(folder.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    let told = BufReader::new(program.stderr.take().expect("its messages are read"));
    // Lines as `  500/2341` count the acknowledged interviews.
    let seen = told.lines().map_while(Result::ok).any(|line| line.trim_start().starts_with("500/"));
    program.kill().expect("it is killed");
    assert!(!program.wait().expect("it ended").success());
    assert!(seen, "500 interviews were acknowledged before the kill");
    assert!(!folder.path().join("demo.json").exists(), "it was not finished");
    let (before, _) = stored(folder.path());

    let run = run_to_the_end(folder.path());
    let (after, versions) = stored(folder.path());
    assert!((500..after).contains(&before), "{before} of {after} were stored at the kill");
    assert_eq!(after, versions, "an interview that came again is one version");

    let other = undisturbed();
    assert_eq!(stored(&other.folder), (after, versions));
    let files = comparable(&other.folder);
    assert_eq!(differences(&files, &comparable(folder.path())), Vec::<String>::new());
    let figures = |page: &str| {
        page.lines().filter(|l| l.contains('✓') || l.contains('✗')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(figures(&run.page), figures(&other.page));
}

#[test]
fn as_many_interviews_are_stored_as_were_acknowledged() {
    let run = undisturbed();
    let line = run.page.lines().find(|line| line.contains("sent")).expect("the page counts what was sent");
    let acknowledged: usize = line
        .split("sent")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| panic!("no count in: {line}"));
    assert!(acknowledged > 1_800, "about 2,000 interviews: {acknowledged}");
    assert_eq!(stored(&run.folder), (acknowledged, acknowledged));
}

/// The whole road: form, sealed blocks, HTTP, two vaults, freeze. Nothing is lost, changed or swapped between people.
#[test]
fn the_frozen_records_are_what_the_simulated_respondents_said() {
    let run = undisturbed();
    let folder = TemporaryFolder::new();
    copy(&run.folder, folder.path());
    let instrument = instrument::read().expect("the instrument is read");
    let truth = Truth::new(&instrument).expect("a population");
    let sample = simulation::draw(&instrument, &truth, SEED).expect("a sample");
    let fieldwork = simulation::work(&instrument, &truth, &sample, SEED).expect("fieldwork");
    let mut said: Vec<(String, usize, CaseRecord)> = fieldwork
        .visited
        .iter()
        .zip(simulation::records(&truth, &fieldwork).expect("records"))
        .map(|(visit, record)| (truth.population.villages[visit.village].id.clone(), visit.serial, record))
        .collect();
    said.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));

    let field = FieldVault::open(&url(folder.path(), "field.db")).expect("the field vault opens");
    let answers = AnswerVault::open(&url(folder.path(), "answers.db")).expect("the answer vault opens");
    let keys = KeyFolder::open(folder.path().join("keys")).expect("the key folder opens");
    let wave = wave::prepare(field, answers, &keys, &instrument, SEED).expect("the wave is found");
    // By village and serial number, as `said`.
    let frozen: Vec<CaseRecord> = wave
        .join(&instrument)
        .expect("the freeze opens everything")
        .into_iter()
        .map(|joined| joined.record)
        .collect();

    assert_eq!(frozen.len(), said.len());
    let mut compared = 0;
    for ((village, serial, said), frozen) in said.iter().zip(&frozen) {
        let case = format!("dwelling {serial} of {village}");
        let place = |r: &CaseRecord| {
            (
                r.stratum.clone(),
                r.variance_stratum.clone(),
                r.variance_psu.clone(),
                r.area.clone(),
                r.disposition,
                r.adults,
            )
        };
        assert_eq!(place(frozen), place(said), "{case}");
        assert_eq!(frozen.probability.to_bits(), said.probability.to_bits(), "{case}");
        assert_eq!(frozen.answers.is_some(), said.answers.is_some(), "{case}");
        for (question, code) in said.answers.iter().flatten() {
            let stored = frozen.answers.as_ref().and_then(|answers| answers.get(question));
            assert_eq!(stored, Some(code), "{case}, question {question}");
            compared += 1;
        }
    }
    assert!(compared > 18_000, "more than ten answers of each of 1,800 people: {compared}");
}

#[test]
fn every_page_and_file_says_that_it_is_synthetic() {
    let folder = &undisturbed().folder;
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    for name in ["report.html", "index.html", "summary.txt"] {
        assert!(text(name).contains(LABEL), "{name}");
    }
    for name in comparable(folder).into_keys() {
        if name.ends_with(".svg") {
            assert!(text(&name).contains(LABEL), "{name}");
            continue;
        }
        // The sample and the weights as the frame has it, the tables in words.
        let (head, mark) =
            if name.starts_with("tables/") { ("Ghi chú", LABEL) } else { ("synthetic", "yes") };
        let table = rows(&text(&name));
        let place = table[0].iter().position(|known| known == head).unwrap_or_else(|| panic!("{name}"));
        assert!(table.len() > 1 && table[1..].iter().all(|row| row[place] == mark), "{name}");
    }
    for (name, parts) in [
        ("report.docx", &["word/document.xml"][..]),
        ("tables.xlsx", &["xl/sharedStrings.xml", "xl/worksheets/sheet2.xml"]),
    ] {
        let bytes = fs::read(folder.join(name)).expect("the file is read");
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("it is a zip");
        for part in parts {
            let mut xml = String::new();
            archive.by_name(part).expect("the part is there").read_to_string(&mut xml).expect("it is text");
            assert!(xml.contains(LABEL), "{name}: {part}");
        }
    }
}

/// The demo's own report is what `report` makes of the wave's analysis file, and its inputs give its numbers again.
#[test]
fn the_report_of_the_analysis_file_is_the_one_that_the_demo_wrote() {
    let folder = &undisturbed().folder;
    let place = TemporaryFolder::new();
    let field = FieldVault::open(&url(folder, "field.db")).expect("the field vault opens");
    let wave = field.read(|db| db.list_projects()).expect("read").first().expect("a wave").id.to_string();
    let report = |words: &[&str]| {
        let ended = Command::new(env!("CARGO_BIN_EXE_langnghe"))
            .arg("report")
            .args(words)
            .arg("--data")
            .arg(folder)
            .env_remove("LANGNGHE_KEYS")
            .output()
            .expect("the program runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8_lossy(&ended.stdout).into_owned()
    };
    for name in ["report.docx", "report.html"] {
        let made = place.path().join(name);
        report(&[&wave, "--output", &made.display().to_string()]);
        let (made, demo) = (fs::read(made).expect("it is there"), fs::read(folder.join(name)).expect("too"));
        assert!(made == demo, "{name}: the bytes differ");
        let told = report(&["verify", &folder.join(name).display().to_string()]);
        assert!(told.contains("equal"), "{name}: {told}");
    }
}

/// Protection.md rule 17 as it shows in the files: no percentage on a base under 30, no count from 1 to 9.
#[test]
fn no_table_cell_is_under_the_threshold() {
    let folder = &undisturbed().folder;
    let (mut bases, mut without, mut counts) = (0, 0, 0);
    for (name, bytes) in comparable(folder).into_iter().filter(|(name, _)| name.starts_with("tables/")) {
        let table = rows(std::str::from_utf8(&bytes).expect("UTF-8"));
        let heads = &table[0];
        let column = |wanted: &[&str]| heads.iter().position(|head| wanted.contains(&head.as_str()));
        for row in &table[1..] {
            assert_eq!(row.len(), heads.len(), "{name}: {row:?}");
            if let Some(place) = column(&["n", "Số phiếu (n)"]) {
                match row[place].as_str() {
                    "…" => {
                        let shown = row.iter().filter(|cell| cell.parse::<f64>().is_ok()).count();
                        assert_eq!(shown, 0, "{name}: a figure stands on a hidden base: {row:?}");
                    }
                    // A base that was kept back, because its difference to another one would tell a few people. That
                    // the figure beside it rests on 30 is held by the gate's own tests.
                    "" => without += 1,
                    n => assert!(n.parse::<f64>().expect("a number") >= 30.0, "{name}: {row:?}"),
                }
                bases += 1;
            }
            if let Some(place) = column(&["Số phiếu"]) {
                let n = &row[place];
                assert!(n == "…" || n == "0" || n.parse::<f64>().is_ok_and(|n| n >= 10.0), "{name}: {row:?}");
                counts += 1;
            }
        }
    }
    assert!(bases > 50 && counts > 3, "{bases} bases, {counts} counts were looked at");
    assert!(2 * without < bases, "{without} of {bases} figures stand without their base");
}

/// Figures of R `survey` (analysis/tests/reference/SOURCE.md), `svymean(~api00+api99+enroll, strat)` and `svytotal(~enroll+api.stu, strat)`.
#[test]
fn estimate_agrees_with_the_reference() {
    let folder = TemporaryFolder::new();
    let data = include_bytes!("../../analysis/tests/reference/data/apistrat.csv");
    fs::write(folder.path().join("apistrat.csv"), data).expect("written");
    let plan = r#"{
        "data": "apistrat.csv",
        "design": { "strata": ["stype"], "weights": "pw", "fpc": ["fpc"] },
        "requests": [
            { "id": "mean.strat", "statistic": "mean", "of": ["api00", "api99", "enroll"] },
            { "id": "total.strat", "statistic": "total", "of": ["enroll", "api.stu"], "missing": "drop" }
        ]
    }"#;
    fs::write(folder.path().join("plan.json"), plan).expect("written");
    let ended = Command::new(env!("CARGO_BIN_EXE_langnghe"))
        .args(["estimate", "plan.json", "--format", "json"])
        .current_dir(folder.path())
        .output()
        .expect("the program runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let results: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert_eq!(results["design"]["n"], 200);
    // Estimate, standard error, 95% interval by t with 197 degrees of freedom.
    let expected = [
        ("mean.strat", "api00", [662.2873631593208, 9.40894080278458, 643.7321882720862, 680.8425380465553]),
        ("mean.strat", "api99", [629.3948447839612, 9.963947298666884, 609.7451532225863, 649.044536345336]),
        (
            "mean.strat",
            "enroll",
            [595.2821371355038, 18.508510958577386, 558.7818907276337, 631.782383543374],
        ),
        (
            "total.strat",
            "enroll",
            [3687177.532438278, 114641.7161007803, 3461095.0077195424, 3913260.057157014],
        ),
        (
            "total.strat",
            "api.stu",
            [3086008.629146576, 99477.39020071644, 2889831.35359674, 3282185.904696412],
        ),
    ];
    for (id, variable, figures) in expected {
        let found = results["results"].as_array().expect("a list");
        let row = found
            .iter()
            .find(|row| row["id"] == id && row["variable"] == variable)
            .expect("the row is there");
        assert_eq!(row["df"].as_f64(), Some(197.0));
        for (field, expected) in ["estimate", "se", "ci_low", "ci_high"].into_iter().zip(figures) {
            let got = row[field].as_f64().expect("a number");
            assert!((got / expected - 1.0).abs() < 1e-9, "{id} {variable} {field}: {got}, not {expected}");
        }
    }
}
