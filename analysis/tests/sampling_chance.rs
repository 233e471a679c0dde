//! The draws that server and tablet share: one file of cases, made by an implementation of its own.

use std::path::Path;
use std::process::Command;

use analysis::sampling::{Plan, draw_listing_from, household};
use analysis::table::{Table, Types};
use serde_json::{Value, json};
use surveys::chance::Chance;

const CASES: &str = include_str!("reference_chance/cases.json");

fn cases(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(CASES).expect("it is JSON");
    all[kind].as_array().expect("a list of cases").clone()
}

fn seed(case: &Value) -> u64 {
    case["seed"].as_str().expect("a text").parse().expect("64 bits")
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().expect("a text")
}

fn count(case: &Value, field: &str) -> usize {
    case[field].as_u64().expect("a count") as usize
}

#[test]
fn streams_give_the_same_bytes_and_numbers() {
    for case in cases("streams") {
        let fresh = || Chance::new(seed(&case), text(&case, "label"));
        let mut chance = fresh();
        let bits: Vec<String> = (0..40).map(|_| chance.bits().to_string()).collect();
        assert_eq!(json!(bits), case["bits"]);
        let mut chance = fresh();
        let bytes: String =
            (0..16).flat_map(|_| chance.bits().to_le_bytes()).map(|b| format!("{b:02x}")).collect();
        assert_eq!(bytes, text(&case, "bytes"));
        let mut chance = fresh();
        let unit: Vec<f64> = (0..5).map(|_| chance.unit()).collect();
        assert_eq!(json!(unit), case["unit"]);
    }
    for case in cases("below") {
        let mut chance = Chance::new(seed(&case), text(&case, "label"));
        let n: usize = text(&case, "n").parse().expect("64 bits");
        let wanted = case["draws"].as_array().expect("draws");
        let draws: Vec<String> = wanted.iter().map(|_| chance.below(n).to_string()).collect();
        assert_eq!(json!(draws), case["draws"], "below {n}");
    }
    for case in cases("weighted") {
        let mut chance = Chance::new(seed(&case), text(&case, "label"));
        let weights: Vec<f64> = serde_json::from_value(case["weights"].clone()).expect("weights");
        let draws: Vec<Option<usize>> = (0..15).map(|_| chance.weighted(&weights)).collect();
        assert_eq!(json!(draws), case["draws"]);
    }
    for case in cases("shuffles") {
        let mut items: Vec<usize> = (0..count(&case, "n")).collect();
        Chance::new(seed(&case), text(&case, "label")).shuffle(&mut items);
        assert_eq!(json!(items), case["order"]);
    }
}

/// Through the server's own door: the village is drawn with certainty, its dwellings from the listing.
#[test]
fn dwellings_are_drawn_from_a_listing_as_on_the_tablet() {
    for case in cases("dwellings") {
        let village = text(&case, "village");
        let plan = json!({
            "frame": "frame.csv", "seed": seed(&case),
            "stages": [
                {"unit": "village_id", "method": "srs", "take": 1},
                {"unit": "household", "of": "households", "method": "srs", "take": case["take"], "reserve": case["reserve"]}
            ]
        });
        let table =
            |content: String| Table::parse_csv(&content, "frame.csv", &Types::new()).expect("a table");
        let frame = table(format!("village_id,households\n{village},50\n"));
        let listing = table(format!(
            "village_id,households,released\n{village},{},{}\n",
            case["listed"], case["released"]
        ));
        let plan = Plan::from_json(&plan.to_string()).expect("a plan");
        let drawn = draw_listing_from(&frame, &plan, 2, &listing, None).expect("a sample");
        let role =
            |row: usize| drawn.sample.get("role").and_then(|c| c.text(row)).expect("a role").into_owned();
        let serial = drawn.sample.numbers("household").expect("serial numbers");
        let of = |wanted: &str| -> Vec<u64> {
            (0..drawn.sample.height())
                .filter(|row| role(*row) == wanted)
                .map(|row| serial[row] as u64)
                .collect()
        };
        assert_eq!(json!(of("main")), case["main"], "{village}");
        assert_eq!(json!(of("reserve")), case["spare"], "{village}");
        let p = drawn.sample.numbers("p_2").expect("probabilities");
        assert_eq!(p[0], case["p"].as_f64().expect("a probability"), "{village}");
    }
}

#[test]
fn respondents_are_drawn_as_on_the_tablet_and_as_on_paper() {
    for case in cases("respondents") {
        let adults = count(&case, "adults");
        let person = household::drawn_respondent(seed(&case), text(&case, "case"), adults).expect("adults");
        assert_eq!(person, count(&case, "person"), "{case}");
        let weight = household::respondent_weight(1.0 / adults as f64).expect("a chance");
        assert!((weight - case["weight"].as_f64().expect("a weight")).abs() < 1e-12);
    }
    for case in cases("grid_letters") {
        let letters = household::grid_letters(count(&case, "forms"), seed(&case));
        assert_eq!(json!(letters), case["letters"]);
    }
    for case in cases("grid") {
        let (adults, person) = (count(&case, "adults"), count(&case, "person"));
        assert_eq!(household::grid_respondent(text(&case, "letter"), adults), Some(person), "{case}");
        let twelfths = household::grid_probability(person, adults) * 12.0;
        assert!((twelfths - case["twelfths"].as_f64().expect("twelfths")).abs() < 1e-12, "{case}");
    }
}

#[test]
#[ignore = "runs Python"]
fn the_other_implementation_makes_the_very_file() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference_chance/make_cases.py");
    let made = Command::new("python3").arg(script).output().expect("python3 runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(String::from_utf8_lossy(&made.stdout), CASES);
}
