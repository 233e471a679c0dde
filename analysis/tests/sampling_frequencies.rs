//! Over many draws units come as often as their stated probabilities say, and Horvitz–Thompson totals are right
//! on average. Seeds are fixed, so a run is repeatable; thresholds are those of a test at one in a thousand.

mod sampling_fit;

use std::collections::HashMap;

use analysis::sampling::probabilities::{equal, proportional_to_size};
use analysis::sampling::selection::{Method, select};
use analysis::sampling::{Drawn, Plan, draw_from, draw_listing_from, joint};
use analysis::table::{Table, Types};
use sampling_fit::{Counts, assert_below};
use serde_json::json;
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

const METHODS: [Method; 8] = [
    Method::Srs,
    Method::Systematic,
    Method::PpsSystematic,
    Method::PpsSampford,
    Method::PpsBrewer,
    Method::PpsPoisson,
    Method::PpsCorrelated,
    Method::LocalPivotal,
];

fn probabilities(method: Method) -> Vec<f64> {
    match method {
        Method::Srs | Method::Systematic => equal(SIZES.len(), 4),
        _ => proportional_to_size(&SIZES, 4),
    }
    .expect("nine units are enough for four")
}

fn units_come_as_often_as_they_should(draws: u64) {
    for method in METHODS {
        let pi = probabilities(method);
        let mut chance = Chance::new(4, method.name());
        let mut counts = Counts::new(pi.len());
        for _ in 0..draws {
            let drawn = select(method, &pi, None, &PLACES, &mut chance);
            assert!(method == Method::PpsPoisson || drawn.len() == 4, "{} drew {drawn:?}", method.name());
            counts.add(&drawn);
        }
        counts.assert_fit(method.name(), &pi);
        let pairs = &counts.pairs;
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

fn plan(method: Method, how: Dwellings) -> Plan {
    let first = json!({
        "unit": "village", "size": "size", "method": method.name(), "coordinates": ["x", "y"], "reserve": 1,
        "allocation": {"method": "given", "n": {"A": 4, "B": 2}}
    });
    let segments = match how {
        Dwellings::SegmentsEqual => json!({"method": "equal"}),
        _ => json!({"method": "size"}),
    };
    let second = json!({
        "unit": "dwelling", "of": "dwellings", "method": "srs", "take": 2, "reserve": 1, "segments": segments
    });
    let plan = json!({"frame": "frame.csv", "strata": ["area"], "stages": [first, second]});
    Plan::from_json(&plan.to_string()).expect("a plan")
}

/// How the second stage is told the number of dwellings.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Dwellings {
    OfTheFrame,
    /// Listed: other numbers than the frame's.
    Listed,
    /// Listed, and one reserve released in every third village.
    Released,
    /// Divided into three segments, one drawn by its listed number.
    SegmentsBySize,
    /// One drawn by a quick count that differs from what is listed then.
    SegmentsByEstimate,
    SegmentsEqual,
}

/// The listing of the villages in `names`.
fn listing(names: &[String], how: Dwellings) -> Table {
    let mut text = String::from("village,segment,estimate,dwellings,released\n");
    for name in names {
        let i: usize = name[1..].parse().expect("a number");
        match how {
            Dwellings::OfTheFrame => text.push_str(&format!("{name},,,{},\n", 3 + i % 4)),
            Dwellings::Listed => text.push_str(&format!("{name},,,{},\n", listed(i))),
            Dwellings::Released => {
                text.push_str(&format!("{name},,,{},{}\n", listed(i), u8::from(i.is_multiple_of(3))));
            }
            _ => {
                for (segment, dwellings) in segments(i).into_iter().enumerate() {
                    let estimate = match how {
                        Dwellings::SegmentsByEstimate => (dwellings + 2 - segment).to_string(),
                        _ => String::new(),
                    };
                    text.push_str(&format!("{name},{segment},{estimate},{dwellings},\n"));
                }
            }
        }
    }
    Table::parse_csv(&text, "listing.csv", &Types::new()).expect("a listing")
}

/// Dwellings that the field finds: one more in every second village.
fn listed(village: usize) -> usize {
    3 + village % 4 + village % 2
}

fn segments(village: usize) -> [usize; 3] {
    [3 + village % 2, 4, 6 + village % 3]
}

/// Draws the whole plan again and again. Villages must come at their stated probabilities (chi-square), dwellings too
/// given their village, reserves included (chi-square of simple random draws: (N − 1)/N Σ (O − E)² / (E (1 − p))), and the
/// weighted total of y = village² + 10 segment + dwelling must be right on average, within four of its own standard errors.
fn whole_plans_are_unbiased(draws: u64, how: Dwellings) {
    for method in METHODS {
        let what = format!("{} {how:?}", method.name());
        let (frame, plan) = (frame(), plan(method, how));
        let mut villages = Counts::new(14);
        let mut p_1 = vec![f64::NAN; 14];
        // (village, segment) → times drawn, dwelling → times in the main sample and times in it or its reserve.
        let mut seen: HashMap<(usize, String), Below> = HashMap::new();
        let (mut sum, mut squares) = (0.0, 0.0);
        for seed in 0..draws {
            let first = draw_from(&frame, &plan, Some(seed)).expect("a sample");
            let drawn = if how == Dwellings::OfTheFrame {
                first
            } else {
                let mut names = texts(&first, "village");
                names.dedup();
                draw_listing_from(&frame, &plan, 2, &listing(&names, how), Some(seed)).expect("a sample")
            };
            let numbers = |name: &str| drawn.sample.numbers(name).expect("numbers").into_owned();
            let (weight, p, dwelling) = (numbers("weight"), numbers("p_1"), numbers("dwelling"));
            let (p_2, probability) = (numbers("p_2"), numbers("probability"));
            let village: Vec<usize> =
                texts(&drawn, "village").iter().map(|v| v[1..].parse().expect("a number")).collect();
            let divided = drawn.sample.get("segment").is_some();
            let segment = if divided { texts(&drawn, "segment") } else { vec![String::new(); village.len()] };
            let p_segment = if divided { numbers("p_segment") } else { vec![1.0; village.len()] };
            let mut main: Vec<usize> = Vec::new();
            let mut total = 0.0;
            for row in (0..village.len()).filter(|row| !weight[*row].is_nan()) {
                assert!(
                    (p[row] * p_2[row] * p_segment[row] / probability[row] - 1.0).abs() < 1e-12,
                    "{what}"
                );
                total += weight[row] * value(village[row], &segment[row], dwelling[row]);
                if !main.contains(&village[row]) {
                    main.push(village[row]);
                    let before = p_1[village[row]];
                    assert!(before.is_nan() || before == p[row], "{what}: a probability depends on the draw");
                    p_1[village[row]] = p[row];
                }
            }
            for row in (0..village.len()).filter(|row| main.contains(&village[*row])) {
                let key = (village[row], segment[row].clone());
                let below = seen.entry(key).or_default();
                if below.last != Some(seed) {
                    (below.last, below.times) = (Some(seed), below.times + 1.0);
                }
                (below.p, below.p_segment) = (p_2[row], p_segment[row]);
                let counts = below.dwellings.entry(dwelling[row] as u64).or_default();
                counts.0 += f64::from(u8::from(!weight[row].is_nan()));
                counts.1 += 1.0;
            }
            villages.add(&main);
            sum += total;
            squares += total * total;
        }
        villages.assert_fit(&format!("{what}: villages"), &p_1);
        let (mut dwellings, mut with_reserve, mut degrees) = (0.0, 0.0, 0.0);
        let mut by_village: HashMap<usize, Vec<&Below>> = HashMap::new();
        for ((village, segment), below) in &seen {
            by_village.entry(*village).or_default().push(below);
            let units = units_of(*village, segment, how) as f64;
            let both = below.dwellings.values().map(|c| c.1).sum::<f64>() / below.times / units;
            let (main, all) =
                (below.statistic(below.p, units, |c| c.0), below.statistic(both, units, |c| c.1));
            (dwellings, with_reserve) = (dwellings + main, with_reserve + all);
            degrees += units - 1.0;
        }
        assert_below(&format!("{what}: dwellings"), dwellings, degrees);
        assert_below(&format!("{what}: dwellings and reserves"), with_reserve, degrees);
        let several: Vec<&Vec<&Below>> = by_village.values().filter(|parts| parts.len() > 1).collect();
        if !several.is_empty() {
            let statistic = several.iter().map(|parts| {
                let times: f64 = parts.iter().map(|part| part.times).sum();
                let square =
                    |part: &&Below| (part.times - times * part.p_segment).powi(2) / (times * part.p_segment);
                parts.iter().map(square).sum::<f64>()
            });
            assert_below(&format!("{what}: segments"), statistic.sum(), 2.0 * several.len() as f64);
        }
        let runs = draws as f64;
        let mean = sum / runs;
        let error = ((squares / runs - mean * mean) / runs).sqrt();
        let truth = truth(how);
        assert!((mean - truth).abs() < 4.0 * error, "{what}: {mean} instead of {truth} ± {error}");
        println!("{what}: total {mean:.1} of {truth} ± {error:.1}");
    }
}

/// What was seen below a village, or below one of its segments.
#[derive(Default)]
struct Below {
    times: f64,
    last: Option<u64>,
    p: f64,
    p_segment: f64,
    dwellings: HashMap<u64, (f64, f64)>,
}

impl Below {
    fn statistic(&self, p: f64, units: f64, count: impl Fn(&(f64, f64)) -> f64) -> f64 {
        if p >= 1.0 {
            assert!(self.dwellings.values().all(|c| count(c) == self.times), "all dwellings come each time");
            return units - 1.0;
        }
        let expected = self.times * p;
        let never = (units - self.dwellings.len() as f64) * expected * expected;
        let squares: f64 = self.dwellings.values().map(|c| (count(c) - expected).powi(2)).sum();
        (squares + never) / (expected * (1.0 - p)) * (units - 1.0) / units
    }
}

fn units_of(village: usize, segment: &str, how: Dwellings) -> usize {
    match (how, segment.parse::<usize>()) {
        (Dwellings::OfTheFrame, _) => 3 + village % 4,
        (_, Ok(segment)) => segments(village)[segment],
        _ => listed(village),
    }
}

fn truth(how: Dwellings) -> f64 {
    let divided =
        matches!(how, Dwellings::SegmentsBySize | Dwellings::SegmentsByEstimate | Dwellings::SegmentsEqual);
    let names: &[&str] = if divided { &["0", "1", "2"] } else { &[""] };
    (0..14)
        .flat_map(|village| names.iter().map(move |segment| (village, *segment)))
        .flat_map(|(village, segment)| {
            (1..=units_of(village, segment, how))
                .map(move |dwelling| value(village, segment, dwelling as f64))
        })
        .sum()
}

fn value(village: usize, segment: &str, dwelling: f64) -> f64 {
    (village * village) as f64 + 10.0 * segment.parse::<f64>().unwrap_or_default() + dwelling
}

fn texts(drawn: &Drawn, name: &str) -> Vec<String> {
    let column = drawn.sample.column(name).expect("a column of the sample");
    (0..drawn.sample.height()).map(|row| column.text(row).unwrap_or_default().into_owned()).collect()
}

#[test]
fn whole_draws_are_unbiased_with_certainty_and_reserves() {
    whole_plans_are_unbiased(SHORT / 2, Dwellings::OfTheFrame);
}

#[test]
fn draws_from_a_listing_that_differs_from_the_frame_are_unbiased() {
    whole_plans_are_unbiased(SHORT / 8, Dwellings::Listed);
    whole_plans_are_unbiased(SHORT / 8, Dwellings::Released);
}

#[test]
fn draws_of_one_segment_of_each_village_are_unbiased() {
    for how in [Dwellings::SegmentsBySize, Dwellings::SegmentsByEstimate, Dwellings::SegmentsEqual] {
        whole_plans_are_unbiased(SHORT / 8, how);
    }
}

#[test]
#[ignore = "20,000 draws a method: ./dev test --all"]
fn whole_draws_are_unbiased_in_20_000_draws() {
    whole_plans_are_unbiased(LONG, Dwellings::OfTheFrame);
}

#[test]
#[ignore = "20,000 draws a method: ./dev test --all"]
fn draws_from_listings_are_unbiased_in_20_000_draws() {
    whole_plans_are_unbiased(LONG, Dwellings::Listed);
    whole_plans_are_unbiased(LONG, Dwellings::Released);
}

#[test]
#[ignore = "20,000 draws a method: ./dev test --all"]
fn draws_of_segments_are_unbiased_in_20_000_draws() {
    for how in [Dwellings::SegmentsBySize, Dwellings::SegmentsByEstimate, Dwellings::SegmentsEqual] {
        whole_plans_are_unbiased(LONG, how);
    }
}

/// Four districts of five villages, both by the same method, then two dwellings: the product of the stated
/// probabilities is the share of draws in which a village comes, and the weights give the number of dwellings.
fn three_stages_are_unbiased(draws: u64) {
    let mut text = String::from("district,village,size,x,y,dwellings\n");
    for d in 0..4 {
        for v in 0..5 {
            text.push_str(&format!(
                "d{d},v{d}{v},{},{},{},{}\n",
                10 + d * 5 + v * v,
                d * 5 + v,
                v % 2,
                3 + v % 3
            ));
        }
    }
    let frame = Table::parse_csv(&text, "frame.csv", &Types::new()).expect("a frame");
    let truth = 4.0 * (3.0 + 4.0 + 5.0 + 3.0 + 4.0);
    for method in METHODS {
        let name = method.name();
        let stage = |unit: &str| json!({"unit": unit, "size": "size", "method": name, "coordinates": ["x", "y"], "take": 2, "reserve": 1});
        let last = json!({"unit": "dwelling", "of": "dwellings", "method": "systematic", "take": 2});
        let plan = json!({"frame": "frame.csv", "stages": [stage("district"), stage("village"), last]});
        let plan = Plan::from_json(&plan.to_string()).expect("a plan");
        let (mut villages, mut stated) = (Counts::new(20), vec![f64::NAN; 20]);
        let (mut sum, mut squares) = (0.0, 0.0);
        for seed in 0..draws {
            let drawn = draw_from(&frame, &plan, Some(seed)).expect("a sample");
            let numbers = |name: &str| drawn.sample.numbers(name).expect("numbers").into_owned();
            let (weight, p_1, p_2) = (numbers("weight"), numbers("p_1"), numbers("p_2"));
            let mut main = Vec::new();
            for (row, village) in texts(&drawn, "village").iter().enumerate() {
                let digit = |at: usize| village[at..=at].parse::<usize>().expect("a digit");
                let place = digit(1) * 5 + digit(2);
                if !weight[row].is_nan() && !main.contains(&place) {
                    main.push(place);
                    stated[place] = p_1[row] * p_2[row];
                }
            }
            villages.add(&main);
            let total: f64 = weight.iter().filter(|w| !w.is_nan()).sum();
            sum += total;
            squares += total * total;
        }
        villages.assert_fit(&format!("{name}: villages of three stages"), &stated);
        let runs = draws as f64;
        let mean = sum / runs;
        let error = ((squares / runs - mean * mean) / runs).sqrt();
        assert!((mean - truth).abs() < 4.0 * error, "{name}: {mean} instead of {truth} ± {error}");
    }
}

#[test]
fn three_stages_come_at_the_product_of_their_probabilities() {
    three_stages_are_unbiased(SHORT / 8);
}

#[test]
#[ignore = "20,000 draws a method: ./dev test --all"]
fn three_stages_come_at_the_product_of_their_probabilities_in_20_000_draws() {
    three_stages_are_unbiased(LONG);
}
