//! Rule 21: the reduced file, its risk measures, and the curves in place of replicates.

use analysis::disclosure::{
    Diversity, MicrodataError, MicrodataPlan, Rules, SafeRow, gate, individual_risk, microdata,
    variance_curves, variance_table,
};
use analysis::estimation::result::Row;
use analysis::estimation::{self, Plan};
use analysis::table::{Table, Types};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use surveys::chance::Chance;

fn close(a: f64, b: f64, within: f64) {
    assert!((a - b).abs() <= within, "{a} is not {b}");
}

/// p = 1/10: (p/q) ln 10 = 0.2558; p = 2/20: 1/9 − (1/9)² ln 10 = 0.0827; p = 3/30: (1/9)(1/2 − 0.0827) = 0.0464.
#[test]
fn the_individual_risk_is_that_of_benedetti_and_franconi() {
    close(individual_risk(1, 10.0), 10.0_f64.ln() / 9.0, 1e-12);
    close(individual_risk(2, 20.0), 1.0 / 9.0 - 10.0_f64.ln() / 81.0, 1e-12);
    close(individual_risk(3, 30.0), (0.5 - (1.0 / 9.0 - 10.0_f64.ln() / 81.0)) / 9.0, 1e-12);
}

/// Σ over F ≥ f of (1/F) C(F−1, f−1) p^f q^(F−f), added up.
#[test]
fn the_individual_risk_is_the_expectation_of_one_over_the_class_in_the_population() {
    for (f, population) in
        [(1, 1.5), (2, 3.0), (2, 40.0), (5, 7.0), (5, 300.0), (12, 13.0), (12, 100.0), (40, 700.0)]
    {
        let p = f as f64 / population;
        let mut probability = p.powi(f);
        let mut sum = 0.0;
        for size in f..40_000 {
            sum += probability / f64::from(size);
            probability *= f64::from(size) / f64::from(size - f + 1) * (1.0 - p);
        }
        close(individual_risk(f as usize, population), sum, 1e-7);
    }
}

#[test]
fn a_class_that_is_wholly_in_the_sample_has_one_over_its_size() {
    close(individual_risk(1, 1.0), 1.0, 1e-9);
    close(individual_risk(8, 8.0), 0.125, 1e-9);
    assert!(individual_risk(8, 9.0) < 0.125);
}

/// Shares 3/4 and 1/4: entropy 0.5623, exp 1.7548.
#[test]
fn diversity_counts_answers_and_their_entropy() {
    let found = Diversity::of(["a", "a", "b", "a"]);
    assert_eq!(found.distinct, 2);
    close(found.entropy, 1.7548, 1e-4);
    close(found.largest_share, 0.75, 1e-12);
}

/// 8 communes in two districts, 5 villages each, 12 respondents a village; commune 7 is of one ethnic group, whose few
/// people elsewhere are rare.
fn data(seed: u64) -> Table {
    let mut chance = Chance::new(seed, "microdata");
    let mut text = "village,stratum,commune,ethnic,sex,age,opinion,trust,w\n".to_owned();
    for commune in 0..8 {
        for village in 0..5 {
            let weight = 40.0 + 20.0 * chance.unit() + 5.0 * f64::from(commune);
            for _ in 0..12 {
                let ethnic = match commune {
                    7 => "08",
                    _ => {
                        ["01", "02", "08", "52"][chance.weighted(&[0.6, 0.33, 0.05, 0.02]).expect("weights")]
                    }
                };
                let sex = 1 + chance.below(2);
                let age = 18 + chance.below(65);
                let opinion = ["yes", "no", "unsure"][chance.weighted(&[0.6, 0.3, 0.1]).expect("weights")];
                let trust = 1 + chance.below(5);
                text.push_str(&format!(
                    "c{commune}v{village},s{commune},c{commune},{ethnic},{sex},{age},{opinion},{trust},{weight:.4}\n"
                ));
            }
        }
    }
    let types: Types =
        serde_json::from_value(json!({ "ethnic": "category", "sex": "category" })).expect("types");
    Table::parse_csv(&text, "data.csv", &types).expect("a table")
}

fn whole_plan() -> Value {
    json!({
        "keys": [
            { "column": "commune", "steps": [{ "groups": { "d1": ["c0", "c1", "c2", "c3"], "d2": ["c4", "c5", "c6", "c7"] } }] },
            { "column": "sex" },
            { "column": "age", "steps": [{ "bands": [18, 30, 45, 60] }, { "groups": { "18–44": ["18–29", "30–44"], "45+": ["45–59", "60+"] } }] },
            { "column": "ethnic", "steps": [{ "groups": { "other": ["08", "52"] } }, { "all": "any" }] }
        ],
        "sensitive": [{ "column": "opinion" }],
        "others": [{ "column": "trust" }],
        "weight": "w", "cluster": "village", "strata": ["stratum"], "weight_cells": ["commune", "sex", "age"]
    })
}

fn plan(value: Value) -> MicrodataPlan {
    serde_json::from_value(value).expect("a plan")
}

/// Rows of the released file by their keys.
fn classes(table: &Table, keys: &[&str]) -> BTreeMap<Vec<String>, Vec<usize>> {
    let mut classes: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for row in 0..table.height() {
        let text = |key: &&str| table.column(key).expect("a key").text(row).unwrap_or_default().into_owned();
        classes.entry(keys.iter().map(text).collect()).or_default().push(row);
    }
    classes
}

const KEYS: [&str; 4] = ["commune", "sex", "age", "ethnic"];

#[test]
fn every_class_of_the_file_has_ten_respondents() {
    for seed in 1..5 {
        let data = data(seed);
        let raw = classes(&data, &KEYS);
        assert!(raw.values().any(|rows| rows.len() == 1), "somebody is alone in the data");
        let (file, report) = microdata(&data, &plan(whole_plan())).expect("a file");
        let table = file.to_table();
        assert_eq!(table.height(), data.height());
        let smallest = classes(&table, &KEYS).values().map(Vec::len).min().expect("rows");
        assert!(smallest >= 10, "{smallest}");
        assert_eq!(report.after.smallest_class, smallest);
        assert!(report.before.smallest_class < 10 && report.before.rows_in_small_classes > 0);
        assert_eq!(report.after.rows_in_small_classes, 0);
        assert!(report.after.largest_risk < report.before.largest_risk);
        let share = report.left_out["ethnic"] as f64 / data.height() as f64;
        assert!(share < 0.2, "{share} of a key is left out: {report:?}");
    }
}

#[test]
fn only_named_columns_and_a_weight_go_in() {
    let (file, _) = microdata(&data(1), &plan(whole_plan())).expect("a file");
    let table = file.to_table();
    let names: Vec<&str> = table.names().collect();
    assert_eq!(names, ["commune", "sex", "age", "ethnic", "opinion", "trust", "weight"]);
}

#[test]
fn a_plan_that_would_let_the_place_out_is_refused() {
    for (field, column) in [("keys", "village"), ("others", "stratum"), ("sensitive", "w")] {
        let mut value = whole_plan();
        value[field].as_array_mut().expect("a list").push(json!({ "column": column }));
        let refused = microdata(&data(1), &plan(value));
        assert!(matches!(&refused, Err(MicrodataError::Place { column: c }) if c == column), "{refused:?}");
    }
    let mut exact_age = whole_plan();
    exact_age["keys"][2]["steps"] = json!([]);
    assert!(matches!(microdata(&data(1), &plan(exact_age)), Err(MicrodataError::TooFine { .. })));
    let few = data(1).take(&[0, 1, 2, 3, 4, 5]);
    assert!(matches!(microdata(&few, &plan(whole_plan())), Err(MicrodataError::Vanishes { .. })));
}

#[test]
fn thresholds_can_be_tightened_but_not_loosened() {
    let mut value = whole_plan();
    value["k"] = json!(2);
    assert_eq!(microdata(&data(1), &plan(value.clone())).expect("a file").1.k, 10);
    value["k"] = json!(25);
    let (file, report) = microdata(&data(1), &plan(value)).expect("a file");
    assert!(report.k == 25 && classes(&file.to_table(), &KEYS).values().all(|rows| rows.len() >= 25));
}

/// In district d1 every woman says yes: the file leaves the answer out there and keeps it elsewhere.
#[test]
fn a_class_of_one_opinion_does_not_tell_it() {
    let data = data(2);
    let text: String = data
        .to_csv()
        .lines()
        .map(|line| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if cells[4] == "2" && ["c0", "c1", "c2", "c3"].contains(&cells[2]) {
                cells[6] = "yes";
            }
            cells.join(",") + "\n"
        })
        .collect();
    let types: Types =
        serde_json::from_value(json!({ "ethnic": "category", "sex": "category" })).expect("types");
    let data = Table::parse_csv(&text, "data.csv", &types).expect("a table");
    let (file, report) = microdata(&data, &plan(whole_plan())).expect("a file");
    let table = file.to_table();
    let opinion = table.column("opinion").expect("a column");
    let mut told = 0;
    for (key, rows) in classes(&table, &KEYS) {
        let answers: Vec<String> =
            rows.iter().filter_map(|r| opinion.text(*r).map(|t| t.into_owned())).collect();
        if key[0] == "d1" && key[1] == "2" {
            assert!(answers.is_empty(), "{key:?}");
        } else if !answers.is_empty() {
            told += answers.len();
            let found = Diversity::of(&answers);
            assert!(found.distinct >= 2 && found.largest_share <= 0.9, "{key:?}: {found:?}");
        }
    }
    assert!(told > data.height() / 2 && report.left_out["opinion"] > 0);
    assert!(report.diversity["opinion"].distinct >= 2);
}

#[test]
fn the_order_of_the_rows_tells_nothing() {
    let data = data(3);
    let backwards: Vec<usize> = (0..data.height()).rev().collect();
    let (file, _) = microdata(&data, &plan(whole_plan())).expect("a file");
    let (other, _) = microdata(&data.take(&backwards), &plan(whole_plan())).expect("a file");
    assert_eq!(file.to_table(), other.to_table());
}

#[test]
fn averaged_weights_keep_the_population() {
    let (_, report) = microdata(&data(4), &plan(whole_plan())).expect("a file");
    close(report.weights.total_ratio, 1.0, 0.002);
    assert!(report.weights.distinct_after < report.weights.distinct_before);
    assert!(report.weights.kish_after <= report.weights.kish_before + 1e-9);
}

fn total(domain: &str, x: f64, se: f64, deff: f64) -> Row {
    Row {
        id: "t".into(),
        statistic: "total".into(),
        variable: Some("y".into()),
        group: (!domain.is_empty()).then(|| ("area".to_owned(), domain.to_owned())).into_iter().collect(),
        estimate: Some(x),
        se: Some(se),
        deff: Some(deff),
        n: Some(500),
        psus: Some(40),
        ..Row::default()
    }
}

fn shown(rows: &[Row]) -> Vec<SafeRow> {
    gate(rows, &Rules::default()).expect("nothing refused")
}

/// Totals on the curve −0.0001 + 300/x: x = 10 000 has a relative variance of 0.0299 and a standard error of 1 729.
#[test]
fn a_variance_curve_is_found_again_from_its_totals() {
    let points = [1_000.0, 4_000.0, 10_000.0, 50_000.0, 200_000.0, 900_000.0];
    let rows: Vec<Row> =
        points.iter().map(|x| total("A", *x, x * (-0.0001 + 300.0 / x).sqrt(), 2.25)).collect();
    let curves = variance_curves(&shown(&rows));
    let own = curves.iter().find(|c| c.domain == "area=A").expect("a curve");
    close(own.a, -0.0001, 1e-9);
    close(own.b, 300.0, 1e-4);
    close(own.standard_error(10_000.0), 1_729.16, 0.01);
    close(own.deff.expect("asked for"), 2.25, 1e-9);
    // p = 0.2 of 100 000: √(300/100 000 · 0.16)
    close(own.standard_error_of_share(0.2, 100_000.0), 0.021_909, 1e-6);
    assert!(!own.pooled && own.typical_miss < 1e-6);
}

#[test]
fn a_domain_with_few_totals_takes_the_curve_of_all() {
    let mut rows: Vec<Row> =
        [1e3, 1e4, 1e5, 5e5, 9e5].iter().map(|x| total("A", *x, (200.0 * x).sqrt(), 2.0)).collect();
    rows.push(total("B", 3e4, (200.0_f64 * 3e4).sqrt(), 2.0));
    let curves = variance_curves(&shown(&rows));
    let few = curves.iter().find(|c| c.domain == "area=B").expect("a curve");
    assert!(few.pooled && few.points == 1);
    close(few.b, 200.0, 1e-3);
    assert_eq!(variance_curves(&shown(&rows[..4])), []);
    let table = variance_table(&curves);
    assert_eq!(table.rows().len(), curves.len());
    assert!(table.notes.iter().any(|n| n.starts_with("Ví dụ")));
}

/// Totals of a sample of clusters: the curve's standard errors are near those that the design gives.
#[test]
fn the_curve_of_a_sample_is_near_its_direct_errors() {
    let plan: Plan = serde_json::from_value(json!({
        "types": { "trust": "category", "age": "number" },
        "derive": { "older": "CASE WHEN age >= 45 THEN 'old' ELSE 'young' END" },
        "design": { "clusters": ["village"], "strata": ["stratum"], "weights": "w" },
        "requests": [
            { "id": "all", "statistic": "total", "of": ["trust", "opinion", "older"], "deff": true },
            { "id": "sex", "statistic": "total", "of": ["trust", "opinion", "older"], "by": ["sex"], "deff": true }
        ]
    }))
    .expect("a plan");
    let results = estimation::estimate(&data(5), &plan).expect("estimates");
    let curves = variance_curves(&shown(&results.results));
    assert_eq!(curves.iter().map(|c| c.domain.as_str()).collect::<Vec<_>>(), ["", "sex=1", "sex=2"]);
    for curve in &curves {
        assert!(curve.typical_miss < 0.25 && !curve.pooled, "{curve:?}");
        assert!(curve.deff.is_some_and(|d| d > 0.3 && d < 4.0), "{curve:?}");
    }
}
