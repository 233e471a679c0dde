//! The files opened by the programs they are for: pandas, pyreadstat, pyarrow, DuckDB, openpyxl, ipumspy, PSPP,
//! LibreOffice and R. `./dev test --all` installs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use analysis::estimation::{self, Plan};
use analysis::export::records::{
    Analysts, Design, Records, csv, ddi, dta, parquet, r_script, sav, stata_script, xlsx,
};
use analysis::table::{Column, Table};
use serde_json::{Value, json};

use super::{codebook, notes, records};

/// The Python that `./dev test --all` prepares.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python/bin/python");
    assert!(python.exists(), "{} is missing; ./dev test --all installs it", python.display());
    python
}

fn run(command: &mut Command) -> String {
    let ended = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; ./dev test --all installs it"));
    let text =
        [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(ended.status.success(), "{command:?}: {text}");
    text
}

/// A folder with all files of the records, and `expected.json` beside them.
fn written(name: &str, records: &Records<Analysts>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("it is written");
    put("records.csv", &csv(records, true));
    put("records.xlsx", &xlsx(records).expect("a workbook"));
    put("records.sav", &sav(records).expect("a file"));
    put("records.dta", &dta(records).expect("a file"));
    put("records.parquet", &parquet(records).expect("a file"));
    put("records.ddi.xml", ddi(records, "records.csv").as_bytes());
    put("records.R", r_script(records, "records.csv").expect("a script").as_bytes());
    put("records.do", stata_script(records, "records.dta").expect("a script").as_bytes());
    folder
}

/// What the codebook and the table say, without the exporter: cells as the CSV of the table has them.
fn expected(table: &Table) -> Value {
    let book = codebook();
    let mut columns = serde_json::Map::new();
    for (name, column) in table.columns() {
        let cells: Vec<Value> = (0..table.height())
            .map(|row| match column {
                Column::Number(values) if values[row].is_nan() => Value::Null,
                Column::Number(values) => json!(values[row]),
                Column::Category { .. } => column.text(row).map_or(Value::Null, |text| json!(text)),
            })
            .collect();
        let mut about = json!({ "cells": cells });
        if let Some(variable) = book.variables.get(name) {
            about["label"] = json!(variable.label["vi"]);
            about["values"] =
                variable.values.iter().map(|v| (v.code.clone(), json!(v.label["vi"]))).collect();
            about["missing"] =
                variable.values.iter().filter(|v| v.missing.is_some()).map(|v| json!(v.code)).collect();
        }
        columns.insert(name.to_owned(), about);
    }
    Value::Object(columns)
}

#[test]
#[ignore = "needs pandas, pyreadstat, pyarrow, DuckDB, openpyxl and ipumspy: ./dev test --all"]
fn python_reads_labels_missing_codes_and_vietnamese_as_they_were() {
    let folder = written("records-python", &records());
    fs::write(folder.join("expected.json"), expected(&super::table()).to_string()).expect("it is written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/output/records/read_files.py");
    let told = run(Command::new(python()).arg(script).arg(&folder));
    println!("{told}");
    assert!(told.contains("all files agree"), "{told}");
}

#[test]
#[ignore = "needs LibreOffice: ./dev test --all"]
fn libreoffice_opens_the_workbook_and_finds_its_codes_and_labels() {
    let folder = written("records-libreoffice", &records());
    let profile = format!("-env:UserInstallation=file://{}", folder.join("profile").display());
    let told = run(Command::new("soffice")
        .args([
            "--headless",
            &profile,
            "--convert-to",
            "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1",
        ])
        .arg("--outdir")
        .arg(&folder)
        .arg(folder.join("records.xlsx")));
    // It looks for Java on its way, which no spreadsheet needs.
    let said =
        told.lines().filter(|line| !line.contains("javaldx")).collect::<Vec<_>>().join("\n").to_lowercase();
    assert!(!said.contains("warning") && !said.contains("error"), "{told}");
    let sheet = |name: &str| {
        fs::read_to_string(folder.join(format!("records-{name}.csv")))
            .unwrap_or_else(|e| panic!("{name}: {e}; {told}"))
    };
    let codes = Table::parse_csv(&sheet("Mã"), "Mã", &super::as_text(&["c1", "b3", "psu"])).expect("a table");
    let source = super::table();
    for name in ["c1", "b3", "tuoi", "person_weight", "y_kien"] {
        for row in 0..40 {
            let (read, was) =
                (codes.column(name).expect("it is there"), source.column(name).expect("it is there"));
            assert_eq!(read.text(row), was.text(row), "{name}, row {row}");
        }
    }
    let labels = sheet("Nhãn");
    assert!(labels.contains("Hài lòng,Mông,18") && labels.contains("Không muốn trả lời"));
}

/// PSPP reads system files with code of its own; the frequencies are weighted, because the file says so.
#[test]
#[ignore = "needs PSPP: ./dev test --all"]
fn pspp_counts_with_the_weight_and_leaves_out_dont_know_and_refused() {
    let folder = written("records-pspp", &records());
    let syntax = "GET FILE='records.sav'.\nDISPLAY DOCUMENTS.\nFREQUENCIES /VARIABLES=c1 b3 kenh.\n";
    fs::write(folder.join("frequencies.sps"), syntax).expect("it is written");
    let told = run(Command::new("pspp")
        .args(["-O", "format=csv", "frequencies.sps"])
        .env("LC_ALL", "C.UTF-8")
        .current_dir(&folder));
    assert!(!told.contains("warning") && !told.contains("error"), "{told}");
    for line in [
        "Total,,550.000000,100.0%",
        "Valid,Kinh,",
        ",Mông,240.000000,",
        ",Truyền hình tỉnh,",
        "DỮ LIỆU MÔ PHỎNG",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let (_, after) = told.split_once("Missing,.,").expect("system-missing answers");
    assert!(after.contains(",Không biết,") && after.contains(",Không muốn trả lời,"), "{told}");
}

#[test]
#[ignore = "needs R with the package survey: ./dev test --all"]
fn r_repeats_our_estimates_and_errors_from_the_exported_script() {
    let mut figures = 0;
    for (name, records) in [
        ("records-r", records()),
        ("records-r-large", large()),
        ("records-r-post", poststratified()),
        ("records-r-lonely", lonely()),
    ] {
        let folder = written(name, &records);
        for locale in ["C", "C.UTF-8"] {
            let told =
                run(Command::new("Rscript").arg("records.R").env("LC_ALL", locale).current_dir(&folder));
            let line = told
                .lines()
                .find(|line| line.starts_with("Lech nhieu nhat"))
                .unwrap_or_else(|| panic!("{told}"));
            let off: f64 = line
                .split(": ")
                .nth(1)
                .and_then(|n| n.trim().parse().ok())
                .unwrap_or_else(|| panic!("{line}"));
            println!("{name}, {locale}: largest relative difference {off:.1e}");
            assert!(off < 1e-8, "{told}");
            figures += 1;
        }
    }
    assert_eq!(figures, 8);
}

#[test]
#[ignore = "needs R with the package survey: ./dev test --all"]
fn the_r_script_fails_when_a_figure_of_ours_is_another() {
    let folder = written("records-r-wrong", &records());
    let script = fs::read_to_string(folder.join("records.R")).expect("it is there");
    let line = script.lines().find(|line| line.starts_with("  se = c(")).expect("a line of errors");
    let wrong = line.replacen("c(0.", "c(1.", 1);
    assert_ne!(line, wrong);
    fs::write(folder.join("records.R"), script.replace(line, &wrong)).expect("it is written");
    let ended = Command::new("Rscript").arg("records.R").current_dir(&folder).output().expect("R starts");
    assert!(!ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("the figures differ"));
}

/// 600 respondents of 29 strata with two or three PSUs, with margins far from the sample, one of them crossed, and
/// empty answers in whole PSUs, so that domains lose some.
fn large() -> Records<Analysts> {
    let rows = 600;
    let mut state = 7_u64;
    let mut chance = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let text = |texts: Vec<String>| {
        Column::from_texts(texts.iter().map(|t| Some(t.as_str()).filter(|t| !t.is_empty())))
    };
    let (stratum, psu) = (|row: usize| row / 21, |row: usize| row / 7);
    let answers: Vec<String> = (0..rows)
        .map(|row| {
            if psu(row) % 11 == 4 {
                String::new()
            } else {
                ["1", "2", "2", "98"][chance(4) as usize].to_owned()
            }
        })
        .collect();
    let pick = |from: &[&str], chance: &mut dyn FnMut(u64) -> u64| -> Vec<String> {
        (0..rows).map(|_| from[chance(from.len() as u64) as usize].to_owned()).collect()
    };
    let table = Table::from_columns([
        ("stratum", text((0..rows).map(|row| format!("tầng {}", stratum(row))).collect())),
        ("psu", text((0..rows).map(|row| format!("{:04}", psu(row))).collect())),
        (
            "person_weight",
            Column::Number((0..rows).map(|row| 20.0 + chance(100) as f64 + psu(row) as f64).collect()),
        ),
        ("c1", text(answers)),
        ("b3", text(pick(&["01", "08", "08"], &mut chance))),
        ("tuoi", Column::Number((0..rows).map(|_| 18.0 + chance(60) as f64).collect())),
        ("kenh", text(pick(&["truyen_hinh_tinh", "khong_ro", ""], &mut chance))),
    ])
    .expect("columns of one height");
    let mut plan = super::plan();
    plan.derive.insert("heavy".into(), "CASE WHEN person_weight < 100 THEN 'no' ELSE 'yes' END".into());
    let crossed =
        |age: &str, heavy: &str, total: u32| json!({ "rake_age": age, "heavy": heavy, "total": total });
    plan.adjust = serde_json::from_value(json!([{ "method": "rake", "tolerance": 1e-12, "margins": [
        { "by": "rake_ethnic", "totals": [{ "rake_ethnic": "Mông", "total": 30_000 }, { "rake_ethnic": "khác", "total": 30_000 }] },
        { "by": ["rake_age", "heavy"], "totals": [
            crossed("18–39", "no", 21_000), crossed("18–39", "yes", 14_000),
            crossed("40+", "no", 9_000), crossed("40+", "yes", 16_000)
        ] }
    ] }]))
    .expect("steps");
    with_plan(table, plan)
}

/// One stratum has a single PSU; without calibration every version of the package centres it as we do.
fn lonely() -> Records<Analysts> {
    let mut table = super::table();
    let strata: Vec<&str> =
        (0..40).map(|row| if row < 4 { "lẻ" } else { ["núi", "thấp"][row / 20] }).collect();
    table.replace("stratum", Column::from_texts(strata.into_iter().map(Some))).expect("the same height");
    let mut plan = super::plan();
    plan.adjust.clear();
    with_plan(table, plan)
}

fn poststratified() -> Records<Analysts> {
    let mut plan = super::plan();
    plan.adjust = serde_json::from_value(json!([{ "method": "poststratify", "by": ["rake_age", "stratum"], "totals": [
        { "rake_age": "18–39", "stratum": "núi", "total": 300 }, { "rake_age": "18–39", "stratum": "thấp", "total": 20 },
        { "rake_age": "40+", "stratum": "thấp", "total": 250 }, { "rake_age": "40+", "stratum": "núi", "total": 12 }
    ] }]))
    .expect("steps");
    with_plan(super::table(), plan)
}

fn with_plan(mut table: Table, plan: Plan) -> Records<Analysts> {
    let weighted = analysis::weighting::weight(&table, &plan).expect("weights");
    let weights = weighted.weights.iter().map(|w| w.unwrap_or(f64::NAN)).collect();
    table.push("weight", Column::Number(weights)).expect("a new column");
    let answers = estimation::estimate(&table, &plan).expect("estimates").results;
    let design = Design { plan, weight: "weight".into(), answers };
    Records::new(&table, &codebook(), notes(), design).expect("records")
}
