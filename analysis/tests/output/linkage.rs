//! Linkage: somebody with a list of all villages (commune, adults, largest ethnic group) tries to say from which village
//! the rows of the released file come. The same attacks are run on the data as they are, where they succeed.

use analysis::disclosure::{MicrodataPlan, SafeMicrodata, microdata};
use analysis::table::{Table, Types};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use surveys::chance::Chance;

/// What is publicly known of a village, and that it is in the sample.
struct Village {
    name: String,
    district: String,
    commune: String,
    adults: f64,
    majority: String,
}

const DISTRICTS: usize = 3;
const COMMUNES: usize = 6;
const VILLAGES: usize = 4;
/// Interviews in every village.
const TAKE: usize = 14;

fn villages(chance: &mut Chance) -> Vec<Village> {
    let mut villages = Vec::new();
    for district in 0..DISTRICTS {
        for commune in 0..COMMUNES {
            for village in 0..VILLAGES {
                let groups = ["01", "02", "08"];
                villages.push(Village {
                    name: format!("d{district}c{commune}v{village}"),
                    district: format!("d{district}"),
                    commune: format!("d{district}c{commune}"),
                    adults: (120.0 + 500.0 * chance.unit()).round(),
                    majority: groups[chance.weighted(&[0.5, 0.35, 0.15]).expect("weights")].to_owned(),
                });
            }
        }
    }
    villages
}

/// Villages drawn by the same chance, `TAKE` adults in each: the weight is proportional to the village's adults.
fn data(villages: &[Village], chance: &mut Chance) -> Table {
    let mut text = "village,stratum,commune,ethnic,sex,age,opinion,w\n".to_owned();
    for village in villages {
        let weight = 5.0 * village.adults / TAKE as f64;
        for _ in 0..TAKE {
            let ethnic = match chance.happens(0.85) {
                true => village.majority.as_str(),
                false => ["01", "02", "08"][chance.below(3)],
            };
            let (sex, age) = (1 + chance.below(2), 18 + chance.below(60));
            let opinion = ["yes", "no", "unsure"][chance.weighted(&[0.5, 0.4, 0.1]).expect("weights")];
            let Village { name, commune, district, .. } = village;
            text.push_str(&format!("{name},{district},{commune},{ethnic},{sex},{age},{opinion},{weight}\n"));
        }
    }
    let types: Types =
        serde_json::from_value(json!({ "ethnic": "category", "sex": "category" })).expect("types");
    Table::parse_csv(&text, "data.csv", &types).expect("a table")
}

fn plan(villages: &[Village]) -> MicrodataPlan {
    let mut districts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for village in villages {
        districts.entry(&village.district).or_default().insert(&village.commune);
    }
    serde_json::from_value(json!({
        "keys": [
            { "column": "commune", "steps": [{ "groups": districts }] },
            { "column": "sex" },
            { "column": "age", "steps": [{ "bands": [18, 35, 55] }] },
            { "column": "ethnic" }
        ],
        "sensitive": [{ "column": "opinion" }],
        "weight": "w", "cluster": "village", "strata": ["stratum"], "weight_cells": ["commune", "sex", "age"]
    }))
    .expect("a plan")
}

/// The file and, known to the judge alone, the village of each of its rows: rows with the same values are told apart by
/// nothing, so a row's village is any of theirs.
struct Case {
    villages: Vec<Village>,
    data: Table,
    file: Table,
}

fn case(seed: u64) -> Case {
    let mut chance = Chance::new(seed, "linkage");
    let villages = villages(&mut chance);
    let data = data(&villages, &mut chance);
    let (file, _): (SafeMicrodata, _) = microdata(&data, &plan(&villages)).expect("a file");
    Case { file: file.to_table(), villages, data }
}

fn text(table: &Table, column: &str, row: usize) -> String {
    table.column(column).expect("a column").text(row).unwrap_or_default().into_owned()
}

/// Rows by what the attacker sees, with the respondents' villages. In the file the villages are found by the values that
/// were not changed beyond their steps.
fn seen(table: &Table, columns: &[&str]) -> BTreeMap<Vec<String>, Vec<usize>> {
    let mut groups: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for row in 0..table.height() {
        groups.entry(columns.iter().map(|c| text(table, c, row)).collect()).or_default().push(row);
    }
    groups
}

/// By weight: the weight tells the village's adults, and few villages have as many. Returns, of all rows, the share whose
/// weight fits exactly one village of the district that the row names.
fn told_by_weight(
    villages: &[Village],
    table: &Table,
    weight: &str,
    district_of: impl Fn(usize) -> String,
) -> f64 {
    let weights = table.numbers(weight).expect("weights");
    let told = (0..table.height()).filter(|row| {
        let adults = weights[*row] * TAKE as f64 / 5.0;
        let fits = |v: &&Village| v.district == district_of(*row) && (v.adults - adults).abs() < 0.5;
        villages.iter().filter(fits).count() == 1
    });
    told.count() as f64 / table.height() as f64
}

#[test]
fn weights_tell_the_village_in_the_data_and_not_in_the_file() {
    for seed in 1..4 {
        let case = case(seed);
        let raw = told_by_weight(&case.villages, &case.data, "w", |row| {
            text(&case.data, "commune", row)[..2].to_owned()
        });
        assert!(raw > 0.7, "the attack works on the data: {raw}");
        // Weights within half an adult of some village by accident say nothing, unless they are right more often than
        // by accident.
        let weights = case.file.numbers("weight").expect("weights");
        let keys = seen(&case.file, &["commune", "sex", "age"]);
        for (key, rows) in &keys {
            let different: BTreeSet<u64> = rows.iter().map(|row| weights[*row].to_bits()).collect();
            assert_eq!(different.len(), 1, "{key:?}: a weight that the keys do not tell already");
        }
    }
}

/// The best guess of whoever knows the sample's villages: for each row the village to which most respondents with the
/// same visible values belong. Nobody can guess better without more knowledge. The judge knows the truth.
fn best_guess(data: &Table, visible: &BTreeMap<Vec<String>, Vec<usize>>) -> f64 {
    let right: usize = visible
        .values()
        .map(|rows| {
            let mut of: BTreeMap<String, usize> = BTreeMap::new();
            rows.iter().for_each(|row| *of.entry(text(data, "village", *row)).or_default() += 1);
            of.into_values().max().unwrap_or(0)
        })
        .sum();
    right as f64 / data.height() as f64
}

/// The file's classes with the data's rows in them. The file has the rows in another order; what was left out is left
/// out of the data's rows by matching values, class by class.
fn rows_of_classes(case: &Case, columns: &[&str]) -> BTreeMap<Vec<String>, Vec<usize>> {
    let band = |age: f64| {
        if age < 35.0 {
            "18–34"
        } else if age < 55.0 {
            "35–54"
        } else {
            "55+"
        }
    };
    let age = case.data.numbers("age").expect("ages");
    let value = |column: &str, row: usize| match column {
        "commune" => text(&case.data, "commune", row)[..2].to_owned(),
        "age" => band(age[row]).to_owned(),
        other => text(&case.data, other, row),
    };
    let mut free: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    let all = ["commune", "sex", "age", "ethnic"];
    for row in 0..case.data.height() {
        free.entry(all.iter().map(|c| value(c, row)).collect()).or_default().push(row);
    }
    // Classes with all their values take theirs first; those with values left out take what is left.
    let mut classes: Vec<(Vec<String>, Vec<usize>)> = seen(&case.file, &all).into_iter().collect();
    classes.sort_by_key(|(key, _)| key.iter().filter(|v| v.is_empty()).count());
    let mut found: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for (key, rows) in classes {
        let mut taken = Vec::new();
        for (full, left) in &mut free {
            let fits = key.iter().zip(full).all(|(k, f)| k.is_empty() || k == f);
            while fits && taken.len() < rows.len() {
                let Some(row) = left.pop() else { break };
                taken.push(row);
            }
        }
        assert_eq!(taken.len(), rows.len(), "{key:?}");
        let visible =
            all.iter().zip(&key).filter(|(c, _)| columns.contains(c)).map(|(_, v)| v.clone()).collect();
        found.entry(visible).or_default().extend(taken);
    }
    found
}

/// With every row's weight the attacker names the village of nearly all; from the file no better than one who knows only
/// how many interviews each village has and what the keys tell.
#[test]
fn no_row_of_the_file_is_brought_home_better_than_by_guessing() {
    for seed in 1..4 {
        let case = case(seed);
        let raw = best_guess(&case.data, &seen(&case.data, &["commune", "sex", "age", "ethnic", "w"]));
        assert!(raw > 0.95, "{raw}");
        let file = best_guess(&case.data, &rows_of_classes(&case, &["commune", "sex", "age", "ethnic"]));
        assert!(file < 0.35, "seed {seed}: {file}");
        let in_district = 1.0 / (COMMUNES * VILLAGES) as f64;
        let by_ethnic = best_guess(&case.data, &rows_of_classes(&case, &["commune", "ethnic"]));
        assert!(by_ethnic < 6.0 * in_district, "seed {seed}: {by_ethnic}");
    }
}

/// Somebody who knows a respondent's commune, sex, age and ethnic group finds most of them alone in the data; in the file
/// each is one of ten at least, from three villages, and half of them at most from one.
#[test]
fn a_known_person_is_one_of_ten_from_three_villages() {
    for seed in 1..4 {
        let case = case(seed);
        let keys = ["commune", "sex", "age", "ethnic"];
        let alone = seen(&case.data, &keys).values().filter(|rows| rows.len() == 1).count();
        assert!(alone > case.data.height() / 4, "{alone}");
        for (key, rows) in rows_of_classes(&case, &keys) {
            if key.iter().any(String::is_empty) {
                continue;
            }
            let mut of: BTreeMap<String, usize> = BTreeMap::new();
            rows.iter().for_each(|row| *of.entry(text(&case.data, "village", *row)).or_default() += 1);
            let most = of.values().copied().max().unwrap_or(0);
            assert!(rows.len() >= 10 && of.len() >= 3 && 2 * most <= rows.len(), "{key:?}: {of:?}");
        }
    }
}
