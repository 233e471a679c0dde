//! Over many draws units come as often as their stated probabilities say, and Horvitz–Thompson totals are right
//! on average. Seeds are fixed, so a run is repeatable; thresholds are those of a test at one in a thousand.

use std::collections::HashMap;

use analysis::sampling::probabilities::{equal, proportional_to_size};
use analysis::sampling::selection::{Method, select};
use analysis::sampling::{Plan, draw_from, draw_listing_from, joint};
use analysis::table::{Table, Types};
use serde_json::json;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use surveys::chance::Chance;

const SHORT: u64 = 2_000;
const LONG: u64 = 20_000;

/// Sizes of nine units; with n = 4 the first is certain.
const SIZES: [f64; 9] = [90.0, 12.0, 30.0, 18.0, 7.0, 25.0, 41.0, 9.0, 16.0];
/// Places on a line and beside it.
const PLACES: [(f64, f64); 9] = [
    (0.0, 0.0),
    (1.0, 0.5),
    (2.0, 0.0),
    (3.0, 2.0),
    (4.0, 0.0),
    (5.0, 1.0),
    (6.0, 0.0),
    (7.0, 3.0),
    (8.0, 0.0),
];

const METHODS: [Method; 7] = [
    Method::Srs,
    Method::Systematic,
    Method::PpsSystematic,
    Method::PpsSampford,
    Method::PpsBrewer,
    Method::PpsPoisson,
    Method::LocalPivotal,
];

fn probabilities(method: Method) -> Vec<f64> {
    match method {
        Method::Srs | Method::Systematic => equal(SIZES.len(), 4),
        _ => proportional_to_size(&SIZES, 4),
    }
    .expect("nine units are enough for four")
}

/// Σ (O − Rπ)² / (R π (1 − π)) · (N − 1)/N is about chi-square with N − 1 degrees of freedom for designs of fixed
/// size (exactly so for srs), and with N without the factor for independent draws. Systematic draws in a fixed
/// order tie units together, which widens its spread; their bound is three times the quantile.
fn assert_frequencies(what: &str, counts: &[f64], pi: &[f64], draws: u64, tied: bool) {
    let open: Vec<usize> = (0..pi.len()).filter(|i| pi[*i] > 0.0 && pi[*i] < 1.0).collect();
    for i in (0..pi.len()).filter(|i| !open.contains(i)) {
        assert_eq!(counts[i], pi[i] * draws as f64, "{what}: unit {i} is certain or impossible");
    }
    let runs = draws as f64;
    let sum: f64 =
        open.iter().map(|i| (counts[*i] - runs * pi[*i]).powi(2) / (runs * pi[*i] * (1.0 - pi[*i]))).sum();
    let degrees = open.len() as f64 - 1.0;
    let bound = ChiSquared::new(degrees).expect("degrees").inverse_cdf(0.999) * if tied { 3.0 } else { 1.0 };
    let statistic = sum * degrees / open.len() as f64;
    assert!(statistic < bound, "{what}: {statistic:.1} is above {bound:.1}: {counts:?} of {pi:?} · {draws}");
}

fn units_come_as_often_as_they_should(draws: u64) {
    for method in METHODS {
        let pi = probabilities(method);
        let mut chance = Chance::new(4, method.name());
        let mut counts = vec![0.0; pi.len()];
        let mut pairs = vec![vec![0.0; pi.len()]; pi.len()];
        for _ in 0..draws {
            let drawn = select(method, &pi, None, &PLACES, &mut chance);
            assert!(method == Method::PpsPoisson || drawn.len() == 4, "{} drew {drawn:?}", method.name());
            for i in &drawn {
                counts[*i] += 1.0;
                for j in &drawn {
                    pairs[*i][*j] += 1.0;
                }
            }
        }
        let tied = matches!(method, Method::Systematic | Method::PpsSystematic);
        assert_frequencies(method.name(), &counts, &pi, draws, tied);
        let all: Vec<usize> = (0..pi.len()).collect();
        let joint = match method {
            Method::Srs => joint::simple_random(pi.len(), 4, pi.len()),
            Method::Systematic | Method::PpsSystematic => joint::systematic(&pi, &all),
            Method::PpsSampford => joint::sampford(&pi, &all),
            Method::PpsPoisson => joint::poisson(&pi, &all),
            Method::PpsBrewer | Method::PpsCorrelated | Method::LocalPivotal => continue,
        };
        for i in 0..pi.len() {
            for j in 0..i {
                let p = joint[i][j];
                let room = 4.5 * (draws as f64 * p * (1.0 - p)).sqrt() + 1e-6;
                let off = (pairs[i][j] - draws as f64 * p).abs();
                assert!(
                    off <= room,
                    "{}: pair {i}, {j} came {} times, not {}",
                    method.name(),
                    pairs[i][j],
                    draws as f64 * p
                );
            }
        }
    }
}

#[test]
fn every_method_draws_units_and_pairs_at_their_probabilities() {
    units_come_as_often_as_they_should(SHORT);
}

#[test]
#[ignore = "20,000 draws a method: ./dev test --all"]
fn every_method_draws_units_and_pairs_at_their_probabilities_in_20_000_draws() {
    units_come_as_often_as_they_should(LONG);
}

/// Neighbours on the line exclude one another: the mean number of adjacent pairs is well under that of srs.
#[test]
fn the_local_pivotal_method_spreads_the_sample() {
    let places: Vec<(f64, f64)> = (0..20).map(|i| (f64::from(i), 0.0)).collect();
    let pi = vec![0.25; 20];
    let adjacent = |method: Method| -> f64 {
        let mut chance = Chance::new(9, "spread");
        let pairs: usize = (0..500)
            .map(|_| {
                let mut drawn = select(method, &pi, None, &places, &mut chance);
                drawn.sort_unstable();
                drawn.windows(2).filter(|w| w[1] - w[0] == 1).count()
            })
            .sum();
        pairs as f64 / 500.0
    };
    assert!(adjacent(Method::LocalPivotal) < 0.3 * adjacent(Method::Srs));
}

fn frame() -> Table {
    let mut text = String::from("village,area,size,x,y,dwellings\n");
    for (i, size) in SIZES.iter().chain(&SIZES[1..6]).enumerate() {
        let area = if i < 9 { "A" } else { "B" };
        text.push_str(&format!("v{i},{area},{size},{i},{},{}\n", i % 3, 3 + i % 4));
    }
    Table::parse_csv(&text, "frame.csv", &Types::new()).expect("a frame")
}

fn plan(method: Method) -> Plan {
    let first = json!({
        "unit": "village", "size": "size", "method": method.name(), "coordinates": ["x", "y"], "reserve": 1,
        "allocation": {"method": "given", "n": {"A": 4, "B": 2}}
    });
    let second = json!({"unit": "dwelling", "of": "dwellings", "method": "srs", "take": 2, "reserve": 1});
    let plan = json!({"frame": "frame.csv", "strata": ["area"], "stages": [first, second]});
    Plan::from_json(&plan.to_string()).expect("a plan")
}

/// Dwellings that the field finds: one more in every second village.
fn listing() -> Table {
    let mut text = String::from("village,dwellings\n");
    for i in 0..14 {
        text.push_str(&format!("v{i},{}\n", 3 + i % 4 + i % 2));
    }
    Table::parse_csv(&text, "listing.csv", &Types::new()).expect("a listing")
}

/// Draws the whole plan again and again: each dwelling must come at its stated probability, and the weighted
/// total of y = village² + dwelling must be right on average, within four of its own standard errors.
fn whole_plans_are_unbiased(draws: u64, listed: bool) {
    for method in METHODS {
        let (frame, plan, mut counts) = (frame(), plan(method), HashMap::<(String, u64), (f64, f64)>::new());
        let (mut sum, mut squares) = (0.0, 0.0);
        for seed in 0..draws {
            let drawn = if listed {
                // The listing holds the villages that were drawn.
                let first = draw_from(&frame, &plan, Some(seed)).expect("a sample");
                let names = first.sample.column("village").expect("the unit");
                let drawn: Vec<String> = (0..first.sample.height())
                    .filter_map(|r| names.text(r).map(|t| t.into_owned()))
                    .collect();
                let all = listing();
                let village = all.column("village").expect("the unit");
                let rows: Vec<usize> = (0..all.height())
                    .filter(|r| village.text(*r).is_some_and(|v| drawn.iter().any(|d| *d == v)))
                    .collect();
                draw_listing_from(&frame, &plan, 2, &all.take(&rows), Some(seed)).expect("a sample")
            } else {
                draw_from(&frame, &plan, Some(seed)).expect("a sample")
            };
            let village = drawn.sample.column("village").expect("the unit");
            let dwelling = drawn.sample.numbers("dwelling").expect("numbers");
            let weight = drawn.sample.numbers("weight").expect("numbers");
            let p = drawn.sample.numbers("probability").expect("numbers");
            let mut total = 0.0;
            for row in (0..drawn.sample.height()).filter(|row| !weight[*row].is_nan()) {
                let name = village.text(row).expect("a name").into_owned();
                total += weight[row] * value(&name, dwelling[row]);
                let entry = counts.entry((name, dwelling[row] as u64)).or_insert((0.0, p[row]));
                entry.0 += 1.0;
                assert_eq!(entry.1, p[row], "a dwelling's probability does not depend on the draw");
            }
            sum += total;
            squares += total * total;
        }
        let runs = draws as f64;
        let truth: f64 = (0..14)
            .flat_map(|i| {
                let dwellings = 3 + i % 4 + if listed { i % 2 } else { 0 };
                (1..=dwellings).map(move |d| value(&format!("v{i}"), d as f64))
            })
            .sum();
        let mean = sum / runs;
        let error = ((squares / runs - mean * mean) / runs).sqrt();
        assert!((mean - truth).abs() < 4.0 * error, "{}: {mean} instead of {truth} ± {error}", method.name());
        for ((village, dwelling), (count, p)) in counts {
            let room = 4.5 * (runs * p * (1.0 - p)).sqrt();
            assert!(
                (count - runs * p).abs() <= room,
                "{}: {village}/{dwelling} came {count} times, not {}",
                method.name(),
                runs * p
            );
        }
    }
}

fn value(village: &str, dwelling: f64) -> f64 {
    village[1..].parse::<f64>().expect("a number").powi(2) + dwelling
}

#[test]
fn whole_draws_are_unbiased_with_certainty_and_reserves() {
    whole_plans_are_unbiased(SHORT, false);
}

#[test]
fn draws_from_a_listing_that_differs_from_the_frame_are_unbiased() {
    whole_plans_are_unbiased(SHORT / 4, true);
}

#[test]
#[ignore = "20,000 draws a method: ./dev test --all"]
fn whole_draws_are_unbiased_in_20_000_draws() {
    whole_plans_are_unbiased(LONG, false);
}
