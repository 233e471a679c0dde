//! Estimates by hand and by law, through the public door.

mod coverage;
mod intervals;
mod laws;
mod offered;
mod parquet;
mod questionnaire;
mod years;

use analysis::estimation::{self, EstimationError, Plan, Results, Row, format};
use analysis::table::{Table, Types};
use surveys::codebook::Codebook;

fn table(text: &str) -> Table {
    Table::parse_csv(text, "sample.csv", &Types::new()).expect("the sample is a table")
}

fn plan(text: &str) -> Plan {
    serde_json::from_str(text).expect("the plan can be read")
}

fn answer(sample: &str, text: &str) -> Results {
    estimation::estimate(&table(sample), &plan(text)).expect("the plan is answered")
}

fn refusal(sample: &str, text: &str) -> String {
    estimation::estimate(&table(sample), &plan(text)).expect_err("the plan is refused").to_string()
}

fn figures(row: &Row) -> (f64, f64) {
    (row.estimate.expect("an estimate"), row.se.expect("a standard error"))
}

fn assert_near(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-10 * expected.abs().max(1.0), "{got} is not {expected}");
}

/// Two waves in the same twelve clusters of three strata.
const CLUSTERS: &str = "\
stratum,psu,w,y,x,sex,wave
a,1,10,3,5,F,1
a,1,12,4,6,M,2
a,2,10,8,9,F,1
a,2,15,6,7,F,2
a,3,11,2,4,M,1
b,4,20,9,8,F,1
b,4,25,7,9,M,2
b,5,20,5,6,M,1
b,5,21,6,5,F,2
b,6,22,4,4,F,2
c,7,30,1,3,M,1
c,7,31,2,2,F,2
c,8,30,3,4,F,1
c,8,32,5,5,M,2
";

const DESIGN: &str = r#""design": {"strata": "stratum", "clusters": "psu", "weights": "w"}"#;

fn requests(list: &str) -> String {
    format!("{{{DESIGN}, \"requests\": [{list}]}}")
}

/// 0.3·12 + 0.7·22 = 19.0;  se² = 0.3²·8/2 + 0.7²·8/2 = 2.32 (no FPC)
#[test]
fn stratified_mean_weighs_strata_by_population() {
    let sample = "stratum,w,y\nurban,150,10\nurban,150,14\nrural,350,20\nrural,350,24\n";
    let results = answer(
        sample,
        r#"{"design": {"strata": "stratum", "weights": "w"}, "requests": [{"id": "m", "statistic": "mean", "of": "y"}]}"#,
    );
    let (estimate, se) = figures(&results.results[0]);
    assert_near(estimate, 19.0);
    assert_near(se, 2.32_f64.sqrt());
    assert_eq!((results.design.psus, results.design.strata, results.design.df), (4, 2, 2.0));
}

/// With N = 4 in each stratum half of it is drawn: the variance halves.
#[test]
fn a_population_correction_takes_the_drawn_fraction_off() {
    let sample = "stratum,w,y,n\nurban,2,10,4\nurban,2,14,4\nrural,2,20,4\nrural,2,24,4\n";
    let text = |fpc: &str| {
        format!(
            r#"{{"design": {{"strata": "stratum", "weights": "w"{fpc}}}, "requests": [{{"id": "t", "statistic": "total", "of": "y"}}]}}"#
        )
    };
    let (_, without) = figures(&answer(sample, &text("")).results[0]);
    let (_, with) = figures(&answer(sample, &text(r#", "fpc": "n""#)).results[0]);
    assert_near(with * with, without * without / 2.0);
}

#[test]
fn row_order_does_not_matter() {
    let list = r#"{"id": "m", "statistic": "mean", "of": ["y", "sex"], "by": "wave"},
        {"id": "q", "statistic": "quantile", "of": "y", "probs": [0.25, 0.5]},
        {"id": "i", "statistic": "independence", "rows": "sex", "cols": "wave"}"#;
    let mut lines: Vec<&str> = CLUSTERS.lines().collect();
    lines[1..].reverse();
    let (one, other) = (answer(CLUSTERS, &requests(list)), answer(&lines.join("\n"), &requests(list)));
    for (a, b) in one.results.iter().zip(&other.results) {
        assert_eq!((a.key(), a.n), (b.key(), b.n));
        if let (Some(x), Some(y)) = (a.se, b.se) {
            assert_near(x, y);
        }
    }
}

/// A row split into two of half the weight in the same cluster says the same.
#[test]
fn splitting_rows_changes_nothing() {
    let halves: String = CLUSTERS
        .lines()
        .enumerate()
        .flat_map(|(i, line)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if i > 0 {
                let weight: f64 = cells[2].parse().expect("a weight");
                cells[2] = (weight / 2.0).to_string();
            }
            vec![cells.join(","); if i > 0 { 2 } else { 1 }]
        })
        .map(|line| line + "\n")
        .collect();
    let list = r#"{"id": "m", "statistic": "mean", "of": "y"}, {"id": "r", "statistic": "ratio", "numerator": "y", "denominator": "x"},
        {"id": "g", "statistic": "regression", "formula": "y ~ x + sex"}"#;
    for (a, b) in
        answer(CLUSTERS, &requests(list)).results.iter().zip(&answer(&halves, &requests(list)).results)
    {
        assert_near(figures(a).0, figures(b).0);
        assert_near(figures(a).1, figures(b).1);
    }
}

/// A domain total is the total of a variable that is 0 outside the domain.
#[test]
fn a_domain_keeps_the_whole_design() {
    let text = format!(
        r#"{{"derive": {{"y_women": "CASE WHEN sex = 'F' THEN y ELSE 0 END"}}, {DESIGN}, "requests": [
            {{"id": "a", "statistic": "total", "of": "y", "where": "sex = 'F'"}},
            {{"id": "b", "statistic": "total", "of": "y_women"}}]}}"#
    );
    let results = answer(CLUSTERS, &text);
    assert_near(figures(&results.results[0]).0, figures(&results.results[1]).0);
    assert_near(figures(&results.results[0]).1, figures(&results.results[1]).1);
    assert_eq!(results.results[0].n, Some(8));
}

#[test]
fn the_jackknife_of_a_total_is_its_linearisation() {
    let request = r#""requests": [{"id": "t", "statistic": "total", "of": ["y", "sex"]}]"#;
    let linear = answer(CLUSTERS, &format!("{{{DESIGN}, {request}}}"));
    let jackknife =
        answer(CLUSTERS, &format!(r#"{{{DESIGN}, "replicates": {{"method": "jkn"}}, {request}}}"#));
    for (a, b) in linear.results.iter().zip(&jackknife.results) {
        assert_near(figures(a).1, figures(b).1);
    }
}

/// Waves share clusters, so the contrast's variance takes their covariance off.
#[test]
fn a_contrast_of_waves_uses_their_covariance() {
    let results = answer(
        CLUSTERS,
        &requests(
            r#"{"id": "m", "statistic": "mean", "of": "y", "by": "wave", "covariance": true},
            {"id": "d", "statistic": "contrast", "between": "m", "weights": {"y@wave=2": 1, "y@wave=1": -1}}"#,
        ),
    );
    let ((first, se_first), (second, se_second)) =
        (figures(&results.results[0]), figures(&results.results[1]));
    let (change, se) = figures(&results.results[2]);
    let covariance = results.covariances["m"].matrix[0][1];
    assert!(covariance != 0.0);
    assert_near(change, second - first);
    assert_near(se * se, se_first.powi(2) + se_second.powi(2) - 2.0 * covariance);
}

#[test]
fn bootstrap_is_the_same_for_the_same_seed() {
    let text = |seed: u64| {
        format!(
            r#"{{{DESIGN}, "replicates": {{"method": "subbootstrap", "count": 400, "seed": {seed}}}, "requests": [{{"id": "t", "statistic": "total", "of": "y"}}]}}"#
        )
    };
    let se = |seed| figures(&answer(CLUSTERS, &text(seed)).results[0]).1;
    assert_eq!(se(7), se(7));
    assert_ne!(se(7), se(8));
    let linear =
        figures(&answer(CLUSTERS, &requests(r#"{"id": "t", "statistic": "total", "of": "y"}"#)).results[0]).1;
    assert!((se(7) / linear - 1.0).abs() < 0.15, "{} against {linear}", se(7));
}

#[test]
fn what_is_wrong_is_named_with_its_request() {
    let mean = |more: &str| requests(&format!(r#"{{"id": "m", "statistic": "mean", "of": "y"{more}}}"#));
    let lonely = CLUSTERS.replace("c,8,", "d,8,");
    let error = refusal(&lonely, &mean(""));
    assert!(error.contains("request `m`") && error.contains("Stratum (c) has only one PSU"), "{error}");
    let gap = CLUSTERS.replace("a,1,10,3,", "a,1,10,,");
    let error = refusal(&gap, &mean(""));
    assert!(error.contains("`y` has 1 missing values"), "{error}");
    let error = refusal(CLUSTERS, &mean(r#", "where": "sex = 'X'""#));
    assert!(error.contains("no row with a weight"), "{error}");
    let error = refusal(CLUSTERS, &requests(r#"{"id": "m", "statistic": "mean", "of": "yy"}"#));
    assert!(error.contains("did you mean `y`?"), "{error}");
    let nested = CLUSTERS.replace("b,4,20", "b,1,20");
    let error = refusal(&nested, &mean(""));
    assert!(error.contains("cluster `1` lies in the strata `a` and `b`"), "{error}");
    let wrong: Result<Plan, EstimationError> = estimation::read_plan(
        r#"{"requests": [{"id": "m", "statistic": "mean", "off": "y"}]}"#,
        "plan.json".as_ref(),
    );
    let error = wrong.expect_err("`off` is no field").to_string();
    assert!(error.contains("plan.json") && error.contains("`off`"), "{error}");
}

#[test]
fn psus_and_answers_behind_a_figure_are_counted_for_the_gate() {
    let gap = CLUSTERS.replace("a,1,10,3,", "a,1,10,,");
    let text = requests(r#"{"id": "m", "statistic": "mean", "of": "y", "by": "sex", "missing": "drop"}"#);
    let women = &answer(&gap, &text).results[0];
    assert_eq!((women.n, women.answered, women.psus), (Some(8), Some(7), Some(6)));
}

#[test]
fn results_are_written_as_json_csv_and_a_table_for_people() {
    let text = requests(
        r#"{"id": "m", "statistic": "mean", "of": "sex", "by": "wave"}, {"id": "t", "statistic": "ttest", "of": "y", "groups": "sex"}"#,
    );
    let results = answer(CLUSTERS, &text);
    let json: serde_json::Value = serde_json::from_str(&format::json(&results)).expect("the answer is JSON");
    let first = &json["results"][0];
    assert_eq!(first["group"]["wave"], "1");
    assert_eq!(first["estimate"].as_f64(), results.results[0].estimate);
    assert_eq!(first["deff"], serde_json::Value::Null);
    assert!(json["results"][4]["p_value"].is_number());
    assert_eq!(format::csv(&results).lines().count(), 1 + results.results.len());
    let vietnamese = format::table(&results, None, "vi");
    assert!(vietnamese.contains("Ước lượng") && vietnamese.contains(" đến "), "{vietnamese}");
    let english = format::table(&results, Some(&Codebook::default()), "en");
    assert!(english.contains("Confidence interval") && english.contains("F | wave: 1"), "{english}");
}

/// An index of the annual report is a chain of derived columns: the mean of three five-point items with
/// two answered at least, the share of them that satisfies (4 or 5), and the mean brought to 1–10.
///
/// Respondents: 4 5 3, mean 4 and share 2/3; 2 · 4, mean 3 and share 1/2; 5 · ·, too few answers;
/// 1 1 1, mean 1 and share 0. Means of the three: 8/3, 7/18, and 1 + 9·(8/3 − 1)/4 = 4.75.
#[test]
fn an_index_is_derived_from_items_with_a_minimum_answered() {
    let sample = "village,q1,q2,q3\na,4,5,3\na,2,,4\nb,5,,\nb,1,1,1\n";
    let results = answer(
        sample,
        r#"{
            "derive": {
                "answered": "(q1 IS NOT NULL) + (q2 IS NOT NULL) + (q3 IS NOT NULL)",
                "trust": "CASE WHEN answered >= 2 THEN (COALESCE(q1, 0) + COALESCE(q2, 0) + COALESCE(q3, 0)) / answered END",
                "satisfied": "CASE WHEN answered >= 2 THEN (COALESCE(q1 >= 4, FALSE) + COALESCE(q2 >= 4, FALSE) + COALESCE(q3 >= 4, FALSE)) / answered END",
                "trust_1_10": "1 + 9 * (trust - 1) / 4"
            },
            "design": {"clusters": "village"},
            "requests": [{"id": "i", "statistic": "mean", "of": ["trust", "satisfied", "trust_1_10"], "missing": "drop"}]
        }"#,
    );
    let (trust, error) = figures(&results.results[0]);
    assert_near(trust, 8.0 / 3.0);
    assert_near(figures(&results.results[1]).0, 7.0 / 18.0);
    let (scaled, scaled_error) = figures(&results.results[2]);
    assert_near(scaled, 4.75);
    // The error of a rescaled index is the error rescaled.
    assert_near(scaled_error, error * 9.0 / 4.0);
    // Scores by village: a (4 + 3 − 16/3)/3 = 5/9, b −5/9; se² = 2·((5/9)² + (5/9)²)/1.
    assert_near(error, 2.0 * 5.0 / 9.0);
}

#[test]
fn a_sample_without_probabilities_has_figures_and_no_errors() {
    let results = answer(
        CLUSTERS,
        &format!(
            r#"{{"probability_sample": false, {DESIGN}, "requests": [{{"id": "m", "statistic": "mean", "of": "y", "covariance": true}},
            {{"id": "t", "statistic": "ttest", "of": "y", "groups": "sex"}}]}}"#
        ),
    );
    let (mean, test) = (&results.results[0], &results.results[1]);
    assert!(mean.estimate.is_some() && mean.se.is_none() && mean.ci_low.is_none() && mean.df.is_null());
    assert!(test.more["p_value"].is_null() && test.more["value"].is_null());
    assert!(results.covariances.is_empty());
    assert!(results.warnings[0].contains("not a probability sample"), "{:?}", results.warnings);
}
