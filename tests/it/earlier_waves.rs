//! Waves before this program: SPSS, Stata and printed tables, and how they stand in reviews.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use langnghe::demo::instrument;
use langnghe::demo::simulation::Truth;
use langnghe::jobs::analysis_files::AnalysisFiles;
use langnghe::jobs::earlier_waves::{self, ImportPlan, TablePlan};
use langnghe::jobs::export::{self, Format};
use langnghe::jobs::freeze::real_chance;
use langnghe::keys::KeyFolder;
use serde_json::{Value, json};

use crate::databases::{Place, TemporaryFolder, on_both_backends};
use crate::report::{NOW, data, seen, wave, well};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A plan for the six rows of `labelled_files`.
fn six(file: &str, codes: &Value) -> Value {
    json!({
        "data": repository(&format!("analysis/tests/labelled_files/{file}")),
        "year": 2024, "taken": "2024-11-30", "instrument": repository("surveys/instruments/2026"),
        "design": { "weight": "quyen_so", "clusters": ["thon"], "probability_sample": false },
        "variables": { "c1": { "from": "q1", "codes": codes }, "b3": "dan_toc" }
    })
}

fn run(place: &Place, folder: &TemporaryFolder, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_langnghe"))
        .args(words)
        .env("LANGNGHE_DATA", folder.path().join("data"))
        .env("LANGNGHE_FIELD", &place.field_url)
        .env("LANGNGHE_ANSWERS", &place.answers_url)
        .env_remove("LANGNGHE_KEY_PASSPHRASE")
        .output()
        .expect("the program runs")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

on_both_backends! {
    fn an_earlier_wave_is_brought_in_sealed_with_its_own_words(place) {
        let folder = TemporaryFolder::new();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let good = |words: &[&str]| {
            let output = run(place, &folder, words);
            assert!(output.status.success(), "{words:?}: {}", told(&output));
            told(&output)
        };
        let bad = |words: &[&str]| {
            let output = run(place, &folder, words);
            assert_eq!(output.status.code(), Some(1), "{words:?}: {}", told(&output));
            told(&output)
        };
        good(&["project", "add", "Khảo sát 2024"]);
        // The file says that 98 and 99 are no answers, and a person must say what they are.
        fs::write(file("plan.json"), six("zlib.zsav", &json!({})).to_string()).expect("written");
        let why = bad(&["wave", "import", "1", &file("plan.json")]);
        assert!(why.contains("`98` (Không biết) is no answer") && why.contains("not asked"), "{why}");
        let codes = json!({ "98": "98", "99": "99", "5": "6" });
        fs::write(file("plan.json"), six("zlib.zsav", &codes).to_string()).expect("written");
        let why = bad(&["wave", "import", "1", &file("plan.json")]);
        assert!(why.contains("variables, c1") || why.contains("b3"), "{why}");
        let codes = json!({ "98": "98", "99": "99" });
        fs::write(file("plan.json"), six("zlib.zsav", &codes).to_string()).expect("written");
        let said = good(&["wave", "import", "1", &file("plan.json")]);
        assert!(said.contains("6 phiếu, 3 đơn vị cấp một"), "{said}");
        assert!(bad(&["wave", "import", "1", &file("plan.json")]).contains("--replace"));
        good(&["wave", "import", "1", &file("plan.json"), "--replace"]);
        let keys = KeyFolder::open(folder.path().join("data/keys")).expect("the folder opens");
        let files = AnalysisFiles::open(folder.path().join("data/analysis")).expect("a folder");
        assert_eq!(files.snapshots(1).expect("listed"), [2], "the first one is gone");
        let read = files.read(1, None, &keys.analysts(1).expect("the key")).expect("it opens");
        assert!(read.about.imported);
        let mut said: Vec<(String, i64)> = read
            .records
            .iter()
            .map(|r| {
                let answers = r.answers.as_ref().expect("a respondent");
                (answers.get("c1").cloned().unwrap_or_default(), (1000.0 / r.probability).round() as i64)
            })
            .collect();
        said.sort();
        let wanted = [("", 3000), ("1", 120_250), ("2", 88_000), ("5", 1_000_000_000), ("98", 500), ("99", 77_125)];
        assert_eq!(said, wanted.map(|(code, weight)| (code.to_owned(), weight)));
        assert!(read.records.iter().all(|r| !r.variance_psu.contains("Thôn")), "villages are numbers");
        let form = read.read_questionnaire().expect("a form");
        let c1 = form.outline().places.iter().find(|p| p.node.name == "c1").expect("c1").node.clone();
        assert!(c1.wording.label.values().any(|text| text == "Mức hài lòng chung"), "{:?}", c1.wording.label);
        assert_eq!(read.plan["probability_sample"], json!(false));
        let headlines: Vec<&str> = read.template.headlines.iter().map(|h| h.id.as_str()).collect();
        assert_eq!(headlines, ["c1_satisfied"], "what the file cannot answer is left out");
        // It is for comparisons alone: nothing is known of its contacts.
        let why = bad(&["report", "1", "--output", &file("report.html")]);
        assert!(why.contains("--previous"), "{why}");
        assert!(good(&["audit", "verify"]).len() > 1);
    }
}

/// What this program exports for analysts comes back from SPSS, Stata and CSV with the same answers and weights, and
/// stands on the trend line with its change.
#[test]
fn an_exported_wave_that_is_imported_gives_the_same_figures_in_a_review() {
    let truth = Truth::new(&instrument::read().expect("the instrument")).expect("a population");
    let original = wave(&truth, 40, 9);
    let records = export::analysts(&original).expect("records");
    let folder = TemporaryFolder::new();
    let keys = KeyFolder::open(data().join("keys")).expect("keys");
    let files = AnalysisFiles::open(data().join("analysis")).expect("a folder");
    let mut shown = Vec::new();
    for (project, ending, format) in
        [(41, "sav", Format::Spss), (42, "dta", Format::Stata), (43, "csv", Format::Csv)]
    {
        let bytes = export::write(&records, format, "old", false).expect("written");
        fs::write(folder.path().join(format!("old.{ending}")), bytes).expect("written");
        let csv = ending == "csv";
        let words: Value = if csv {
            json!({ "from": "c1", "label": "Hài lòng?", "labels": { "1": "kém", "2": "hơi kém", "3": "vừa", "4": "khá", "5": "tốt",
                    "98": "không biết", "99": "không trả lời" } })
        } else {
            let marks = if ending == "dta" { [".a", ".b"] } else { ["98", "99"] };
            json!({ "from": "c1", "codes": { marks[0]: "98", marks[1]: "99" } })
        };
        let plan: ImportPlan = serde_json::from_value(json!({
            "data": format!("old.{ending}"), "year": 2024, "taken": "2024-11-30", "asked": "as_here",
            "instrument": repository("surveys/instruments/2026"),
            "design": { "weight": "weight", "strata": ["stratum"], "clusters": ["psu"] },
            "variables": { "c1": words }
        }))
        .expect("a plan");
        let imported =
            earlier_waves::import(&plan, folder.path(), (project, "Khảo sát 2024", 1), real_chance())
                .unwrap_or_else(|e| panic!("{ending}: {e:#}"));
        let known = original.records.iter().filter(|r| r.answers.is_some()).count();
        assert_eq!((imported.file.records.len(), imported.left_out), (known, 0), "{ending}");
        let count = |file: &langnghe::jobs::analysis_file::AnalysisFile, code: &str| {
            let said = file.records.iter().filter_map(|r| r.answers.as_ref());
            said.filter(|a| a.get("c1").map(String::as_str) == Some(code)).count()
        };
        for code in ["1", "3", "5", "98", "99"] {
            assert_eq!(count(&imported.file, code), count(&original, code), "{ending}: {code}");
        }
        files.keep(&imported.file, &keys.analysts(project).expect("a key").to_public()).expect("kept");
        let review = json!({
            "front": { "layout": "party", "parent_body": "A", "issuing_body": "B", "number": "1", "place_and_date": "C",
                       "kind": "BÁO CÁO", "about": "d", "recipients": [] },
            "waves": [{ "name": "năm 2024", "project": project }, { "name": "năm 2026", "project": NOW }],
            "headlines": ["c1_satisfied"]
        });
        let plan = folder.path().join("review.json").display().to_string();
        fs::write(&plan, review.to_string()).expect("written");
        let output = folder.path().join("review.html").display().to_string();
        well(&["years", &plan, "--output", &output]);
        let text = seen(&output);
        // The words of the CSV are others: no change is told.
        assert_eq!(text.contains("năm 2026: so với năm 2024: giảm"), !csv, "{ending}: {text}");
        assert_eq!(text.contains("sửa lời"), csv, "{ending}: {text}");
        if !csv {
            shown.push(text);
        }
    }
    let line = |text: &str| text.lines().find(|l| l.contains("so với năm 2024")).map(str::to_owned);
    assert_eq!(line(&shown[0]), line(&shown[1]), "SPSS and Stata give the same change");
}

#[test]
fn a_printed_table_becomes_figures_with_errors() {
    let folder = TemporaryFolder::new();
    let table = "Chỉ tiêu,Địa bàn,Tỷ lệ (%),Sai số ±,Số phiếu\nHài lòng chung,Toàn tỉnh,31.5,2.94,1800\nHài lòng chung,Huyện Một,\
                 28,5.88,400\nTin tưởng,Toàn tỉnh,60,3,1800\n";
    fs::write(folder.path().join("bang.csv"), table).expect("written");
    let plan = json!({
        "data": "bang.csv", "indicator": "Chỉ tiêu", "area": "Địa bàn", "estimate": "Tỷ lệ (%)", "margin": "Sai số ±",
        "n": "Số phiếu", "percent": true, "indicators": { "Hài lòng chung": "c1_satisfied" },
        "areas": { "Toàn tỉnh": null, "Huyện Một": "01" }
    });
    let read = |plan: &Value| -> anyhow::Result<(String, Vec<String>)> {
        let plan: TablePlan = serde_json::from_value(plan.clone()).expect("a plan");
        earlier_waves::published(&plan, folder.path())
    };
    let (csv, unnamed) = read(&plan).expect("figures");
    let lines: Vec<&str> = csv.lines().collect();
    assert!(
        lines[1].starts_with("c1_satisfied,c1_satisfied,,0.315,0.015") && lines[1].ends_with(",1800"),
        "{csv}"
    );
    assert!(lines[2].starts_with("c1_satisfied_by_area,c1_satisfied,01,0.28,0.03"), "{csv}");
    assert_eq!(unnamed, ["“Tin tưởng”"]);
    let mut wrong = plan.clone();
    wrong["percent"] = json!(false);
    let why = read(&wrong).expect_err("a share over 1").to_string();
    assert!(why.contains("row 1") && why.contains("\"percent\""), "{why}");
    wrong = plan.clone();
    wrong["se"] = json!("Sai số ±");
    assert!(read(&wrong).expect_err("two kinds of error").to_string().contains("give one of"));
}
