//! Every shared estimation plan, run through the public door and compared with R `survey`.
//! Prints agreed / disagreed / not offered by topic; a topic below its recorded level fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use analysis::estimation::{self, Results, Row};
use serde_json::Value;

/// What each topic must reach: requests that agree at their topic's tolerance.
const LEVELS: &[(&str, usize)] = &[
    ("crosstabs", 55),
    ("deff_variance", 25),
    ("design", 101),
    ("domains", 33),
    ("lonely_psu", 34),
    ("means_totals", 79),
    ("multistage_pps", 44),
    ("proportion_ci", 46),
    ("quantiles", 27),
    ("ratios", 15),
    ("regression", 11),
    ("replication", 82),
    ("tests_contrasts", 38),
    ("trimming_nonresponse", 9),
    ("weighting", 70),
];

/// Requests answered otherwise on purpose: id, fields left out of the comparison, reason.
const OTHERWISE: &[(&str, &[&str], &str)] = &[
    (
        "cdf.strat",
        &["se", "cv", "ci_low", "ci_high"],
        "R gives no errors for svycdf; here every share has one",
    ),
    ("raoscott.2x2.clus1:L", &["p_value"], SERIES),
    ("raoscott.zero.clus1:L", &["p_value"], SERIES),
    ("ciprop.rare.likelihood.clus1", ZERO, PROFILE),
    ("ciprop.90.likelihood.strat", ZERO, PROFILE),
    ("ciprop.zero.mean.strat", ZERO, CLOPPER),
    ("ciprop.zero.xlogit.strat", ZERO, CLOPPER),
    ("ciprop.zero.asin.strat", ZERO, CLOPPER),
    ("ciprop.zero.beta.strat", ZERO, CLOPPER),
];

const SERIES: &str =
    "the topic file's exact_lincom_F_p_value is this program's; the plan's figure stops 1e-13 off";
const PROFILE: &str = "R interpolates the profile between eleven points; here the limit is solved for";
const ZERO: &[&str] = &["ci_low", "ci_high"];
const CLOPPER: &str =
    "a share of 0 has the limits of Clopper and Pearson (1934), as the contract says; R gives none or 0";

#[derive(Default)]
struct Tally {
    agreed: usize,
    disagreed: Vec<String>,
    not_offered: Vec<String>,
}

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

fn json_file(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the reference file can be read");
    serde_json::from_str(&text).expect("the reference file is JSON")
}

fn plans(folder: &str) -> Vec<PathBuf> {
    let mut plans: Vec<PathBuf> = std::fs::read_dir(reference().join(folder))
        .expect("the folder is there")
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.ends_with(".json") && !name.ends_with(".expected.json")
        })
        .collect();
    plans.sort();
    plans
}

/// Equal within the topic's relative tolerance, with the floor the reference states.
fn near(got: Option<f64>, expected: &Value, tolerance: f64, scale: f64) -> bool {
    match (got, expected.as_f64()) {
        (None, None) => true,
        (Some(got), Some(expected)) => {
            (got - expected).abs() <= tolerance * expected.abs().max(1e-300)
                || (got - expected).abs() <= 1e-9 * scale
        }
        _ => false,
    }
}

/// What distinguishes the rows of one request, as JSON text.
fn identity_of_expected(row: &Value) -> String {
    let group = match &row["group"] {
        Value::Object(group) => group
            .iter()
            .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(","),
        _ => String::new(),
    };
    let test = row.get("test").is_some_and(|t| !t.is_null());
    let variable = if test { "" } else { row["variable"].as_str().unwrap_or_default() };
    format!(
        "{variable}|{}|{group}|{:?}|{:?}|{}|{}|{}",
        row["category"].as_str().unwrap_or_default(),
        row["prob"].as_f64(),
        row["at"].as_f64(),
        row["row"],
        row["col"],
        row["measure"]
    )
}

fn identity(row: &Row) -> String {
    let group: Vec<String> = row.group.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let more = |key: &str| row.more.get(key).cloned().unwrap_or(Value::Null);
    let test = row.more.contains_key("test");
    format!(
        "{}|{}|{}|{:?}|{:?}|{}|{}|{}",
        if test { "" } else { row.variable.as_deref().unwrap_or_default() },
        row.category.as_deref().unwrap_or_default(),
        group.join(","),
        more("prob").as_f64(),
        more("at").as_f64(),
        more("row"),
        more("col"),
        more("measure")
    )
}

fn compare_row(got: &Row, expected: &Value, tolerance: f64, skip: &[&str]) -> Vec<String> {
    let more = |key: &str| got.more.get(key).and_then(Value::as_f64);
    let estimate = expected["estimate"].as_f64().unwrap_or(0.0).abs();
    let mut problems = Vec::new();
    let mut check = |field: &str, value: Option<f64>, scale: f64| {
        let Some(wanted) = expected.get(field) else { return };
        if !skip.contains(&field) && !near(value, wanted, tolerance, scale) {
            problems.push(format!("{field} {value:?} is not {wanted}"));
        }
    };
    check("estimate", got.estimate, estimate);
    check("se", got.se, estimate);
    // A se of 0 up to rounding has a cv of rounding.
    check("cv", got.cv, 1.0);
    check("ci_low", got.ci_low, estimate);
    check("ci_high", got.ci_high, estimate);
    check("deff", got.deff, 0.0);
    check("n", got.n.map(|n| n as f64), 0.0);
    check("value", more("value"), 0.0);
    check("p_value", more("p_value"), 0.0);
    let list = |value: &Value| -> Vec<f64> {
        match value {
            Value::Array(items) => items.iter().filter_map(Value::as_f64).collect(),
            other => other.as_f64().into_iter().collect(),
        }
    };
    let (df, wanted) = (list(&got.df), list(&expected["df"]));
    let same =
        df.len() == wanted.len() && df.iter().zip(&wanted).all(|(a, b)| (a - b).abs() <= tolerance * b.abs());
    if !same && !skip.contains(&"df") {
        problems.push(format!("df {df:?} is not {wanted:?}"));
    }
    problems
}

fn compare(results: &Results, expected: &Value, id: &str, tolerance: f64, skip: &[&str]) -> Vec<String> {
    let got: Vec<&Row> = results.results.iter().filter(|r| r.id == id).collect();
    let mut problems = Vec::new();
    let rows = expected["results"].as_array().expect("results is a list");
    let wanted: Vec<&Value> = rows.iter().filter(|r| r["id"] == id).collect();
    for row in &wanted {
        let key = identity_of_expected(row);
        match got.iter().find(|r| identity(r) == key) {
            None => problems.push(format!("no row {key}")),
            Some(found) => {
                problems.extend(
                    compare_row(found, row, tolerance, skip).into_iter().map(|p| format!("{key}: {p}")),
                );
            }
        }
    }
    if let Some(covariance) = expected["covariances"].get(id).filter(|_| !skip.contains(&"covariance")) {
        let found = results.covariances.get(id);
        let keys: Vec<&str> =
            covariance["keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let matrix = covariance["matrix"].as_array();
        for (i, row) in matrix.into_iter().flatten().enumerate() {
            for (j, value) in row.as_array().into_iter().flatten().enumerate() {
                let place = |key: &str| found.and_then(|f| f.keys.iter().position(|k| k == key));
                let cell = match (place(keys[i]), place(keys[j]), found) {
                    (Some(a), Some(b), Some(found)) => Some(found.matrix[a][b]),
                    _ => None,
                };
                let of = |key: &str| {
                    let row = got.iter().find(|r| r.key() == key);
                    row.and_then(|r| r.estimate).unwrap_or(0.0).abs()
                };
                // A covariance is as exact as the two standard errors it stands between.
                let spread = |k: usize| matrix.map_or(0.0, |m| m[k][k].as_f64().unwrap_or(0.0).abs().sqrt());
                let scale = (of(keys[i]) * of(keys[j]) * 1e-9).max(spread(i) * spread(j));
                if !near(cell, value, tolerance, scale) {
                    problems
                        .push(format!("covariance of {} and {}: {cell:?} is not {value}", keys[i], keys[j]));
                }
            }
        }
    }
    problems
}

#[test]
fn every_shared_plan_agrees_with_r() {
    let cases = json_file(&reference().join("cases.json"));
    let mut topics: BTreeMap<String, Tally> = BTreeMap::new();
    for path in plans("plans") {
        let name = path.file_stem().and_then(|n| n.to_str()).expect("the name is UTF-8").to_owned();
        let expected = json_file(&path.with_file_name(format!("{name}.expected.json")));
        let plan = estimation::load_plan(&path).expect("every plan can be read");
        let answer = estimation::run(&plan, path.parent().expect("a plan lies in a folder"));
        for request in &plan.requests {
            let case = &cases[&request.id];
            let topic = case["topic"].as_str().expect("every request has a topic");
            let tolerance = case["tolerance"].as_f64().expect("every request has a tolerance");
            let tally = topics.entry(topic.to_owned()).or_default();
            let skip =
                OTHERWISE.iter().find(|(id, ..)| *id == request.id).map_or(&[][..], |(_, skip, _)| skip);
            match (&answer, expected.get("exit")) {
                (Err(_), Some(_)) => tally.agreed += 1,
                (Ok(_), Some(_)) => tally.disagreed.push(format!("{name} {}: should fail", request.id)),
                (Err(error), None) if error.to_string().contains("not offered") => {
                    tally.not_offered.push(format!("{name} {}: {error}", request.id));
                }
                (Err(error), None) => tally.disagreed.push(format!("{name} {}: {error}", request.id)),
                (Ok(results), None) => {
                    let problems = compare(results, &expected, &request.id, tolerance, skip);
                    match problems.first() {
                        None => tally.agreed += 1,
                        Some(first) => tally.disagreed.push(format!(
                            "{name} {}: {first}{}",
                            request.id,
                            if problems.len() > 1 {
                                format!(" (and {} more)", problems.len() - 1)
                            } else {
                                String::new()
                            }
                        )),
                    }
                }
            }
        }
        if let (Ok(results), None) = (&answer, expected.get("exit")) {
            let (got, wanted) = (&results.design, &expected["design"]);
            let tally = topics.entry("design".into()).or_default();
            let same = got.n as f64 == wanted["n"].as_f64().unwrap_or(-1.0)
                && got.psus as f64 == wanted["psus"].as_f64().unwrap_or(-1.0)
                && got.strata as f64 == wanted["strata"].as_f64().unwrap_or(-1.0)
                && near(Some(got.df), &wanted["df"], 1e-9, 0.0)
                && near(Some(got.sum_of_weights), &wanted["sum_of_weights"], 1e-9, 0.0);
            if same {
                tally.agreed += 1;
            } else {
                tally.disagreed.push(format!("{name}: {got:?} is not {wanted}"));
            }
        }
    }
    let mut fallen = Vec::new();
    for (topic, tally) in &topics {
        println!(
            "{topic}: {} agreed, {} disagreed, {} not offered",
            tally.agreed,
            tally.disagreed.len(),
            tally.not_offered.len()
        );
        tally.disagreed.iter().chain(&tally.not_offered).for_each(|line| println!("    {line}"));
        let level = LEVELS.iter().find(|(name, _)| name == topic).map_or(usize::MAX, |(_, level)| *level);
        if tally.agreed < level {
            fallen.push(format!("{topic}: {} agreed, {level} are on record", tally.agreed));
        }
    }
    OTHERWISE.iter().for_each(|(id, _, reason)| println!("otherwise on purpose: {id}: {reason}"));
    assert!(fallen.is_empty(), "{fallen:#?}");
}

/// Weights by row, empty rows absent.
fn expected_weights(path: &Path) -> BTreeMap<usize, f64> {
    let text = std::fs::read_to_string(path).expect("the expected weights can be read");
    text.lines()
        .skip(1)
        .map(|line| {
            let (row, weight) = line.split_once(',').expect("row and weight");
            let row = row.trim_matches('"').parse().expect("a row number");
            (row, weight.parse().expect("a weight"))
        })
        .collect()
}

#[test]
fn every_shared_weighting_agrees_with_r() {
    let mut count = 0;
    for path in plans("weights") {
        let name = path.file_stem().and_then(|n| n.to_str()).expect("the name is UTF-8").to_owned();
        let folder = path.parent().expect("a plan lies in a folder");
        let plan = estimation::load_plan(&path).expect("every plan can be read");
        let data = estimation::read_data(&plan, folder).expect("the data can be read");
        let weighted = analysis::weighting::weight(&data, &plan).expect("the weights converge");
        let expected = expected_weights(&path.with_file_name(format!("{name}.expected.csv")));
        for (row, weight) in weighted.weights.iter().enumerate() {
            match (weight, expected.get(&(row + 1))) {
                (None, None) => {}
                (Some(got), Some(wanted)) => {
                    assert!(
                        (got - wanted).abs() <= 1e-9 * wanted.abs(),
                        "{name}, row {}: {got} is not {wanted}",
                        row + 1
                    );
                }
                other => panic!("{name}, row {}: {other:?}", row + 1),
            }
        }
        count += 1;
    }
    assert_eq!(count, 21);
}
