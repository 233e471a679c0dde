//! Quantiles by score and by replicates, rank tests under replicates, the bootstrap of several stages.

use super::{CLUSTERS, DESIGN, answer, assert_near, figures, refusal};
use surveys::chance::Chance;

/// Values 1 … 10 of equal weight, and a level whose normal critical value is 2.
const TEN: &str = "y\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";

fn median(ci: &str) -> String {
    format!(
        r#"{{"derive": {{"w": "1"}}, "design": {{"weights": "w"}}, "requests": [{{"id": "q", "statistic": "quantile", "of": "y",
            "probs": 0.5, "ci": "{ci}", "interval": "z", "level": 0.954499736103642}}]}}"#
    )
}

/// The share below k is k/10 with the error √(k/10·(1 − k/10)/9). Its distance from 0.5 in errors is −2.25 at
/// k = 2, −1.31 at 3, 1.31 at 7 and 2.25 at 8: what is not rejected reaches from 3 to 8. se = (8 − 3)/(2·2).
#[test]
fn the_score_interval_of_a_median_is_what_a_test_does_not_reject() {
    let row = &answer(TEN, &median("score")).results[0];
    assert_eq!((row.estimate, row.ci_low, row.ci_high), (Some(5.0), Some(3.0), Some(8.0)));
    assert_near(row.se.expect("an error"), 1.25);
    // Woodruff: 0.5 ± 2·√(0.25/9), the quantiles of 1/6 and 5/6.
    let row = &answer(TEN, &median("mean")).results[0];
    assert_eq!((row.ci_low, row.ci_high), (Some(2.0), Some(9.0)));
}

/// A wider level never gives a narrower score interval, which always holds the quantile.
#[test]
fn score_intervals_are_nested_and_hold_the_quantile() {
    let mut chance = Chance::new(3, "score");
    for _ in 0..20 {
        let mut sample = String::from("psu,w,y\n");
        for psu in 0..12 {
            for _ in 0..1 + chance.below(6) {
                let (w, y) = (1.0 + 9.0 * chance.unit(), (chance.normal() * 5.0).round());
                sample += &format!("{psu},{w},{y}\n");
            }
        }
        let request = |level: f64| {
            format!(
                r#"{{"id": "{level}", "statistic": "quantile", "of": "y", "probs": [0.3, 0.5, 0.7], "ci": "score", "level": {level}}}"#
            )
        };
        let text = format!(
            r#"{{"design": {{"clusters": "psu", "weights": "w"}}, "requests": [{}, {}]}}"#,
            request(0.8),
            request(0.95)
        );
        let results = answer(&sample, &text).results;
        for (narrow, wide) in results[..3].iter().zip(&results[3..]) {
            let limits = |row: &analysis::estimation::Row| {
                (row.ci_low.expect("a limit"), row.estimate.expect("a figure"), row.ci_high.expect("a limit"))
            };
            let ((a, q, b), (c, _, d)) = (limits(narrow), limits(wide));
            assert!(c <= a && a <= q && q <= b && b <= d, "{c} {a} {q} {b} {d}");
        }
    }
}

/// Medians: 2 of all, 1 of the first replicate, 2 of the second. Around their mean ½(¼ + ¼), around 2 ½(1 + 0).
#[test]
fn a_replicate_interval_is_the_spread_of_the_replicates_quantiles() {
    let sample = "w,y,r1,r2\n1,1,2,0\n1,2,0,2\n1,3,2,0\n1,4,0,2\n";
    let text = |mse: bool| {
        format!(
            r#"{{"design": {{"weights": "w"}}, "replicates": {{"method": "given", "columns": ["r1", "r2"], "type": "BRR", "mse": {mse}}},
            "requests": [{{"id": "q", "statistic": "quantile", "of": "y", "probs": 0.5, "ci": "quantile", "interval": "z"}}]}}"#
        )
    };
    let row = &answer(sample, &text(false)).results[0];
    assert_near(figures(row).0, 2.0);
    assert_near(figures(row).1, 0.5);
    assert_near(row.ci_high.expect("a limit"), 2.0 + 1.959963984540054 * 0.5);
    assert_near(figures(&answer(sample, &text(true)).results[0]).1, 0.5_f64.sqrt());
    let error = refusal(TEN, &median("quantile"));
    assert!(error.contains("needs \"replicates\""), "{error}");
}

/// With the ranks of the full sample the influence values are linear, so the jackknife says what
/// linearisation says.
#[test]
fn a_rank_test_under_the_jackknife_is_the_linearised_one() {
    for (method, groups) in
        [("wilcoxon", "sex"), ("vanderWaerden", "sex"), ("median", "wave"), ("KruskalWallis", "stratum")]
    {
        let request = format!(
            r#""requests": [{{"id": "t", "statistic": "ranktest", "of": "y", "groups": "{groups}", "method": "{method}", "df": 9}}]"#
        );
        let linear = answer(CLUSTERS, &format!("{{{DESIGN}, {request}}}"));
        let jackknife =
            answer(CLUSTERS, &format!(r#"{{{DESIGN}, "replicates": {{"method": "jkn"}}, {request}}}"#));
        let value = |results: &analysis::estimation::Results| {
            results.results[0].more["value"].as_f64().expect("a statistic")
        };
        assert_near(value(&linear), value(&jackknife));
    }
}

/// Preston (2009): over its draws the bootstrap's variance of a total is the linearised one, with the
/// corrections of both stages.
#[test]
fn the_multistage_bootstrap_has_the_linearised_variance_on_average() {
    let mut chance = Chance::new(8, "two stages");
    let mut sample = String::from("stratum,psu,unit,psus,units,y\n");
    for stratum in 0..3 {
        for psu in 0..6 {
            let level = 10.0 + 3.0 * chance.normal();
            for unit in 0..5 {
                let y = level + 6.0 * chance.normal();
                sample += &format!("{stratum},{stratum}-{psu},{stratum}-{psu}-{unit},10,8,{y}\n");
            }
        }
    }
    let text = |replicates: &str| {
        format!(
            r#"{{"design": {{"strata": "stratum", "clusters": ["psu", "unit"], "fpc": ["psus", "units"]}}, {replicates}
            "requests": [{{"id": "t", "statistic": "total", "of": "y"}}]}}"#
        )
    };
    let linear = figures(&answer(&sample, &text("")).results[0]).1.powi(2);
    let seeds = 12;
    let mean = (0..seeds)
        .map(|seed| {
            let replicates = format!(
                r#""replicates": {{"method": "multistage_bootstrap", "count": 400, "seed": {seed}}},"#
            );
            figures(&answer(&sample, &text(&replicates)).results[0]).1.powi(2)
        })
        .sum::<f64>()
        / f64::from(seeds);
    // 4,800 replicates: the variance's own relative error is √(2/4800), 2%.
    assert!((mean / linear - 1.0).abs() < 0.08, "{mean} is not {linear}");
    let corrected = mean / linear;
    println!("multistage bootstrap / linearised variance: {corrected:.3}");
}
