//! Laws that hold for every design, on generated ones.

use super::{answer, plan, table};
use analysis::estimation::{Results, Row};
use analysis::weighting;
use surveys::chance::Chance;

struct Line {
    stratum: usize,
    psu: String,
    w: f64,
    y: f64,
    x: f64,
    sex: &'static str,
    age: &'static str,
}

/// A sample of two to four strata with two to five PSUs each, of one to six rows.
fn sample(seed: u64) -> Vec<Line> {
    let mut chance = Chance::new(seed, "laws");
    let mut lines = Vec::new();
    for stratum in 0..2 + chance.below(3) {
        for psu in 0..2 + chance.below(4) {
            for _ in 0..1 + chance.below(6) {
                lines.push(Line {
                    stratum,
                    psu: format!("{stratum}-{psu}"),
                    w: 1.0 + 20.0 * chance.unit(),
                    y: 10.0 + 3.0 * chance.normal(),
                    x: 1.0 + 5.0 * chance.unit(),
                    sex: if chance.happens(0.5) { "F" } else { "M" },
                    age: if chance.happens(0.4) { "old" } else { "young" },
                });
            }
        }
    }
    // Every category is there, so that every law has something to say.
    let kinds = [("F", "old"), ("M", "old"), ("F", "young"), ("M", "young")];
    lines.iter_mut().zip(kinds).for_each(|(line, (sex, age))| (line.sex, line.age) = (sex, age));
    lines
}

fn csv<'a>(lines: impl IntoIterator<Item = &'a Line>, weight: impl Fn(&Line) -> f64) -> String {
    let mut text = String::from("stratum,psu,w,y,x,sex,age\n");
    for line in lines {
        let w = weight(line);
        text +=
            &format!("s{},{},{w},{},{},{},{}\n", line.stratum, line.psu, line.y, line.x, line.sex, line.age);
    }
    text
}

const REQUESTS: &str = r#"
    {"id": "m", "statistic": "mean", "of": ["y", "sex"], "by": "age"},
    {"id": "t", "statistic": "total", "of": ["y", "sex"]},
    {"id": "r", "statistic": "ratio", "numerator": "y", "denominator": "x"},
    {"id": "p", "statistic": "proportion", "of": "y > 10"},
    {"id": "v", "statistic": "cdf", "of": "y", "at": [9, 11]},
    {"id": "c", "statistic": "table", "rows": "sex", "cols": "age"},
    {"id": "g", "statistic": "regression", "formula": "y ~ x + sex"}"#;

fn with(more: &str, requests: &str) -> String {
    format!(
        r#"{{"design": {{"strata": "stratum", "clusters": "psu", "weights": "w"}}{more}, "requests": [{requests}]}}"#
    )
}

/// Same rows, same figures; totals and counts times `factor`.
fn assert_same(one: &Results, other: &Results, factor: f64) {
    assert_eq!(one.results.len(), other.results.len());
    for (a, b) in one.results.iter().zip(&other.results) {
        assert_eq!(a.key(), b.key());
        let count = a.more.get("measure").is_some_and(|m| m == "count");
        let scale = if a.statistic == "total" || count { factor } else { 1.0 };
        let size = a.estimate.unwrap_or(0.0).abs().max(1.0) * scale;
        for (x, y) in [(a.estimate, b.estimate), (a.se, b.se), (a.ci_low, b.ci_low)] {
            assert_eq!(x.is_some(), y.is_some(), "{}: {x:?} and {y:?}", a.key());
            let (Some(x), Some(y)) = (x, y) else { continue };
            assert!((x * scale - y).abs() <= 1e-9 * size, "{} {}: {x} and {y}", a.id, a.key());
        }
    }
}

const SEEDS: std::ops::Range<u64> = 0..25;

#[test]
fn the_order_of_rows_says_nothing() {
    for seed in SEEDS {
        let mut lines = sample(seed);
        let one = answer(&csv(&lines, |l| l.w), &with("", REQUESTS));
        Chance::new(seed, "order").shuffle(&mut lines);
        assert_same(&one, &answer(&csv(&lines, |l| l.w), &with("", REQUESTS)), 1.0);
    }
}

#[test]
fn a_row_in_two_parts_says_the_same() {
    for seed in SEEDS {
        let lines = sample(seed);
        let one = answer(&csv(&lines, |l| l.w), &with("", REQUESTS));
        let halves = csv(lines.iter().flat_map(|l| [l, l]), |l| l.w / 2.0);
        assert_same(&one, &answer(&halves, &with("", REQUESTS)), 1.0);
    }
}

#[test]
fn scaled_weights_scale_totals_alone() {
    for seed in SEEDS {
        let lines = sample(seed);
        let one = answer(&csv(&lines, |l| l.w), &with("", REQUESTS));
        assert_same(&one, &answer(&csv(&lines, |l| 3.5 * l.w), &with("", REQUESTS)), 3.5);
    }
}

/// Rows outside a domain and rows of weight 0 are the same thing: in the design, without a word.
#[test]
fn a_domain_is_its_complement_with_weight_zero() {
    let list = r#"{"id": "m", "statistic": "mean", "of": "y"}, {"id": "t", "statistic": "total", "of": "y"},
        {"id": "r", "statistic": "ratio", "numerator": "y", "denominator": "x"}"#;
    for seed in SEEDS {
        let lines = sample(seed);
        let domain = answer(&csv(&lines, |l| l.w), &with(r#", "where": "sex = 'F'""#, list));
        let zeros = answer(&csv(&lines, |l| if l.sex == "F" { l.w } else { 0.0 }), &with("", list));
        assert_same(&domain, &zeros, 1.0);
    }
}

fn margins(lines: &[Line]) -> [f64; 4] {
    let sum = |of: &dyn Fn(&Line) -> bool| lines.iter().filter(|l| of(l)).map(|l| l.w).sum::<f64>();
    let all = sum(&|_| true);
    // Away from what the sample has, towards halves.
    let women = 0.5 * (sum(&|l| l.sex == "F") + 0.5 * all);
    let old = 0.5 * (sum(&|l| l.age == "old") + 0.4 * all);
    [women, all - women, old, all - old]
}

fn raking([women, men, old, young]: [f64; 4]) -> String {
    format!(
        r#", "adjust": [{{"method": "rake", "tolerance": 1e-13, "margins": [
        {{"by": "sex", "totals": [{{"sex": "F", "total": {women}}}, {{"sex": "M", "total": {men}}}]}},
        {{"by": "age", "totals": [{{"age": "old", "total": {old}}}, {{"age": "young", "total": {young}}}]}}]}}]"#
    )
}

#[test]
fn raking_is_calibration_with_the_raking_distance() {
    for seed in SEEDS {
        let lines = sample(seed);
        let data = csv(&lines, |l| l.w);
        let [women, men, old, young] = margins(&lines);
        let raked = with(&raking([women, men, old, young]), REQUESTS);
        let calibrated = with(
            &format!(
                r#", "adjust": [{{"method": "calibrate", "distance": "raking", "terms": ["1", "sex", "age"],
                "totals": {{"1": {}, "sex=M": {men}, "age=young": {young}}}}}]"#,
                women + men
            ),
            REQUESTS,
        );
        let weights = |text: &str| weighting::weight(&table(&data), &plan(text)).expect("weights").weights;
        for (a, b) in weights(&raked).iter().flatten().zip(weights(&calibrated).iter().flatten()) {
            assert!((a - b).abs() <= 1e-8 * b, "seed {seed}: {a} and {b}");
        }
        for (a, b) in answer(&data, &raked).results.iter().zip(&answer(&data, &calibrated).results) {
            let (x, y) = (a.se.expect("an error"), b.se.expect("an error"));
            let size = a.estimate.unwrap_or(0.0).abs().max(1.0);
            assert!((x - y).abs() <= 1e-7 * size, "seed {seed}, {}: {x} and {y}", a.key());
        }
    }
}

#[test]
fn totals_that_were_calibrated_to_have_no_error() {
    let list = r#"{"id": "t", "statistic": "total", "of": ["sex", "age"]}"#;
    for seed in SEEDS {
        let lines = sample(seed);
        let wanted = margins(&lines);
        let results = answer(&csv(&lines, |l| l.w), &with(&raking(wanted), list));
        for (row, wanted) in results.results.iter().zip(wanted) {
            let (estimate, se) = (row.estimate.expect("a total"), row.se.expect("an error"));
            assert!((estimate - wanted).abs() <= 1e-8 * wanted, "{}: {estimate} is not {wanted}", row.key());
            assert!(se <= 1e-6 * wanted, "{}: {se}", row.key());
        }
    }
}

#[test]
fn the_jackknife_of_a_linear_statistic_is_its_linearisation() {
    let list = r#"{"id": "t", "statistic": "total", "of": ["y", "x", "sex"]}, {"id": "d", "statistic": "total", "of": "y", "by": "age"}"#;
    for seed in SEEDS {
        let data = csv(&sample(seed), |l| l.w);
        let linear = answer(&data, &with("", list));
        let jackknife = answer(&data, &with(r#", "replicates": {"method": "jkn"}"#, list));
        for (a, b) in linear.results.iter().zip(&jackknife.results) {
            let (x, y) = (a.se.expect("an error"), b.se.expect("an error"));
            assert!((x - y).abs() <= 1e-9 * x.max(1.0), "seed {seed}, {}: {x} and {y}", a.key());
        }
    }
}

/// The error of a contrast of domains is the error of the same contrast written as one linear statistic.
#[test]
fn a_contrast_of_totals_is_the_total_of_the_contrast() {
    let list = r#"{"id": "t", "statistic": "total", "of": "y", "by": "sex"},
        {"id": "c", "statistic": "contrast", "between": "t", "weights": {"y@sex=F": 1, "y@sex=M": -1}},
        {"id": "s", "statistic": "total", "of": "signed"}"#;
    let derive = r#", "derive": {"signed": "CASE WHEN sex = 'F' THEN y ELSE 0 - y END"}"#;
    for seed in SEEDS {
        let results = answer(&csv(&sample(seed), |l| l.w), &with(derive, list));
        let row = |id: &str| -> &Row { results.results.iter().find(|r| r.id == id).expect("a row") };
        let (a, b) = (row("c").se.expect("an error"), row("s").se.expect("an error"));
        assert!((a - b).abs() <= 1e-9 * b, "seed {seed}: {a} and {b}");
    }
}
