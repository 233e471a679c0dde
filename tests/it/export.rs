//! `export`: a wave's records for other programs, as an analyst types it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use analysis::table::{Declared, Table, Types};
use langnghe::demo::outputs::LABEL;
use langnghe::demo::{outputs, simulation};
use langnghe::jobs::analysis_file::AnalysisFile;
use langnghe::jobs::analysis_files::AnalysisFiles;
use langnghe::jobs::export::{self, Format};
use langnghe::keys::KeyFolder;

use crate::databases::TemporaryFolder;

/// The demo's sample, interviewed in memory; its answers are those that the sample's people would give.
fn wave() -> &'static AnalysisFile {
    static WAVE: OnceLock<AnalysisFile> = OnceLock::new();
    WAVE.get_or_init(|| {
        let instrument = langnghe::demo::instrument::read().expect("the bundled instrument is sound");
        let truth = simulation::Truth::new(&instrument).expect("a population");
        let sample = simulation::draw(&instrument, &truth, 7).expect("a sample");
        let fieldwork = simulation::work(&instrument, &truth, &sample, 7).expect("fieldwork");
        let records = simulation::records(&truth, &fieldwork).expect("records");
        outputs::analysis_file(&instrument, &truth, &fieldwork, 3, "Đợt thử", records, 7)
            .expect("an analysis file")
    })
}

/// A data folder with the wave's analysis file and its key.
fn installed() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    let keys = KeyFolder::open(folder.path().join("keys")).expect("a key folder");
    AnalysisFiles::open(folder.path().join("analysis"))
        .expect("a folder")
        .keep(wave(), &keys.analysts(3).expect("a key").to_public())
        .expect("it is kept");
    folder
}

fn run(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_langnghe"));
    for setting in ["DATA", "FIELD", "ANSWERS", "FILES", "KEYS", "KEY_PASSPHRASE"] {
        command.env_remove(format!("LANGNGHE_{setting}"));
    }
    command.args(words).args(["--data", "."]).current_dir(folder).stdin(Stdio::null());
    command.output().expect("the program runs")
}

fn refused(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    told
}

#[test]
fn an_analyst_exports_every_format_and_the_log_says_so() {
    let folder = installed();
    let place = folder.path();
    for (_, ending) in Format::ALL {
        let name = format!("wave{ending}");
        let ended = run(place, &["export", "3", "--analysts", "--output", &name]);
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{name}: {told}");
        assert!(told.contains("for the analysts' room only"), "{told}");
        let mode = fs::metadata(place.join(&name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name} is its owner's alone");
    }
    let csv = fs::read_to_string(place.join("wave.csv")).expect("text");
    let respondents = wave().records.iter().filter(|record| record.answers.is_some()).count();
    let types: Types = ["psu", "b3"].iter().map(|name| ((*name).to_owned(), Declared::Category)).collect();
    let table = Table::parse_csv(&csv, "wave.csv", &types).expect("a table");
    assert_eq!(table.height(), respondents);
    for column in ["b3", "c1", "stratum", "psu", "person_weight", "weight", "c1_satisfied", "rake_ethnic"] {
        assert!(table.get(column).is_some(), "{column}");
    }
    for kept_back in ["disposition", "responded", "instanceID", "deviceid"] {
        assert!(table.get(kept_back).is_none(), "{kept_back} is exported");
    }
    let script = fs::read_to_string(place.join("wave.R")).expect("text");
    assert!(script.contains("else \"wave.csv\"") && script.contains("calfun = \"raking\""));
    assert!(fs::read_to_string(place.join("wave.do")).expect("text").contains("use \"wave.dta\", clear"));
    let documentation = fs::read_to_string(place.join("wave.ddi.xml")).expect("text");
    assert!(
        documentation.contains("<fileName ID=\"file-name\">wave.csv</fileName>")
            && documentation.contains(LABEL)
    );
    let verified = run(place, &["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(String::from_utf8_lossy(&verified.stdout).starts_with("8 mục"), "each export stands in the log");
}

#[test]
fn the_same_wave_gives_the_same_bytes_in_every_format() {
    let records = export::analysts(wave()).expect("records");
    let again = export::analysts(wave()).expect("records");
    for (format, ending) in Format::ALL {
        let first = export::write(&records, format, "wave", false).expect(ending);
        assert!(first == export::write(&again, format, "wave", false).expect(ending), "{ending} differs");
        assert!(!first.is_empty());
    }
    let marked = export::write(&records, Format::Csv, "wave", true).expect("a file");
    assert!(marked.starts_with("\u{feff}".as_bytes()));
}

#[test]
fn without_the_flag_nothing_is_released_and_the_message_says_why() {
    let folder = installed();
    let told = refused(&run(folder.path(), &["export", "3", "--output", "wave.sav"]));
    for words in ["người thứ hai duyệt", "rule 21", "--analysts"] {
        assert!(told.contains(words), "{told}");
    }
    assert!(!folder.path().join("wave.sav").exists());
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let folder = installed();
    let place = folder.path();
    let told = refused(&run(place, &["export", "3", "--analysts", "--output", "wave.sas7bdat"]));
    assert!(told.contains(".ddi.xml"), "{told}");
    let told = refused(&run(place, &["export", "4", "--analysts", "--output", "wave.csv"]));
    assert!(told.contains("wave freeze 4"), "{told}");
    assert!(!place.join("keys/analysts-4.key").exists(), "asking makes no key");
    let told =
        refused(&run(place, &["export", "3", "--analysts", "--snapshot", "9", "--output", "wave.csv"]));
    assert!(told.contains("no snapshot 9"), "{told}");
    let told =
        refused(&run(place, &["export", "3", "--analysts", "--keys", "empty", "--output", "wave.csv"]));
    assert!(told.contains("analysts-3.key") && told.contains("--keys"), "{told}");
    let told = refused(&run(place, &["export", "3", "--analysts", "--output", "nowhere/wave.csv"]));
    assert!(told.contains("nowhere/wave.csv: cannot be written"), "{told}");
}

/// R on the whole simulated wave: four margins, 10 headlines.
#[test]
#[ignore = "needs R with the package survey: ./dev test --all"]
fn r_repeats_the_headlines_of_the_wave() {
    let folder = TemporaryFolder::new();
    let records = export::analysts(wave()).expect("records");
    for (format, name) in [(Format::Csv, "wave.csv"), (Format::R, "wave.R")] {
        let bytes = export::write(&records, format, "wave", true).expect(name);
        fs::write(folder.path().join(name), bytes).expect("it is written");
    }
    let ended =
        Command::new("Rscript").arg("wave.R").current_dir(folder.path()).output().expect("R is installed");
    let told =
        [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    println!("{told}");
    assert!(ended.status.success(), "{told}");
    assert!(told.contains("Lech nhieu nhat so voi Lang Nghe"), "{told}");
}
