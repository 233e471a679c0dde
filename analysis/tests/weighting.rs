//! Weighting by hand and by law: what leaves meets its targets, what cannot is named.

use analysis::estimation::{self, Plan};
use analysis::table::{Table, Types};
use analysis::weighting::{Weighted, weight};

const SAMPLE: &str = "\
stratum,sex,age,answered,w,y
a,F,young,1,10,1
a,F,old,1,10,2
a,M,young,1,20,3
a,M,old,0,20,
b,F,young,1,30,5
b,F,old,1,30,6
b,M,young,1,40,7
b,M,old,1,40,8
";

fn sample() -> Table {
    Table::parse_csv(SAMPLE, "sample.csv", &Types::new()).expect("the sample is a table")
}

fn plan(adjust: &str) -> Plan {
    let text = format!(
        r#"{{"design": {{"strata": "stratum", "weights": "w"}}, "adjust": {adjust},
            "requests": [{{"id": "t", "statistic": "total", "of": "y", "missing": "drop"}}]}}"#
    );
    serde_json::from_str(&text).expect("the plan can be read")
}

fn weigh(adjust: &str) -> Weighted {
    weight(&sample(), &plan(adjust)).expect("the weights converge")
}

fn refusal(adjust: &str) -> String {
    match weight(&sample(), &plan(adjust)) {
        Ok(_) => panic!("{adjust} should be refused"),
        Err(error) => error.to_string(),
    }
}

const NONRESPONSE: &str = r#"{"method": "nonresponse", "responded": "answered", "classes": ["stratum"]}"#;
const MARGINS: &str = r#"{"by": ["sex"], "totals": [{"sex": "F", "total": 110}, {"sex": "M", "total": 90}]},
    {"by": ["age"], "totals": [{"age": "young", "total": 120}, {"age": "old", "total": 80}]}"#;

/// Class a: 60 of weight, 40 of it answered, so each respondent carries 60/40.
#[test]
fn nonresponse_moves_the_weight_of_a_class_to_its_respondents() {
    let weighted = weigh(&format!("[{NONRESPONSE}]"));
    let expected = [Some(15.0), Some(15.0), Some(30.0), None, Some(30.0), Some(30.0), Some(40.0), Some(40.0)];
    assert_eq!(weighted.weights, expected);
    assert_eq!(weighted.diagnosis.respondents, 7);
}

/// F weighs 80 and M 120 before: factors 110/80 and 90/120.
#[test]
fn poststratification_multiplies_a_cell_by_target_over_sum() {
    let weighted = weigh(
        r#"[{"method": "poststratify", "by": "sex", "totals": [{"sex": "F", "total": 110}, {"sex": "M", "total": 90}]}]"#,
    );
    let got: Vec<f64> = weighted.weights.iter().flatten().copied().collect();
    assert_eq!(got, [13.75, 13.75, 15.0, 15.0, 41.25, 41.25, 30.0, 30.0]);
    let checks = &weighted.diagnosis.margins[0].categories;
    assert_eq!((checks[0].before, checks[0].after, checks[0].target), (80.0, 110.0, 110.0));
}

#[test]
fn raked_weights_meet_every_margin() {
    let weighted = weigh(&format!(r#"[{NONRESPONSE}, {{"method": "rake", "margins": [{MARGINS}]}}]"#));
    for margin in &weighted.diagnosis.margins {
        for category in &margin.categories {
            let gap = (category.after - category.target).abs();
            assert!(gap <= 1e-6, "{} {}: off by {gap}", margin.margin, category.category);
        }
    }
}

/// Raking is calibration with the raking distance: the same weights, the same errors.
#[test]
fn raking_equals_calibration_with_the_raking_distance() {
    let rake = format!(r#"[{{"method": "rake", "margins": [{MARGINS}], "tolerance": 1e-13}}]"#);
    let calibrate = r#"[{"method": "calibrate", "distance": "raking", "terms": ["1", "sex", "age"],
        "totals": {"1": 200, "sex=M": 90, "age=young": 120}}]"#;
    for (a, b) in weigh(&rake).weights.iter().flatten().zip(weigh(calibrate).weights.iter().flatten()) {
        assert!((a - b).abs() <= 1e-9 * b, "{a} is not {b}");
    }
    let total = |adjust: &str| {
        let results = estimation::estimate(&sample(), &plan(adjust)).expect("the plan is answered");
        (results.results[0].estimate.expect("an estimate"), results.results[0].se.expect("an error"))
    };
    let ((a, se_a), (b, se_b)) = (total(&rake), total(calibrate));
    assert!((a - b).abs() <= 1e-9 * b && (se_a - se_b).abs() <= 1e-8 * se_b, "{a} {se_a}, {b} {se_b}");
}

#[test]
fn a_calibrated_total_has_no_error() {
    let mut plan = plan(&format!(r#"[{{"method": "rake", "margins": [{MARGINS}], "tolerance": 1e-14}}]"#));
    plan.requests[0].of = vec!["sex".into()];
    let results = estimation::estimate(&sample(), &plan).expect("the plan is answered");
    for row in &results.results {
        assert!(row.se.expect("an error") < 1e-6, "{row:?}");
    }
}

/// 40 is cut to 35 twice; 10 is shared over the six others.
#[test]
fn trimming_keeps_the_sum_and_the_bound() {
    let weighted = weigh(r#"[{"method": "trim", "upper": 35}]"#);
    let got: Vec<f64> = weighted.weights.iter().flatten().copied().collect();
    assert_eq!(got[6..], [35.0, 35.0]);
    assert!((got.iter().sum::<f64>() - 200.0).abs() < 1e-9);
    assert!((got[0] - (10.0 + 10.0 / 6.0)).abs() < 1e-12);
}

#[test]
fn what_cannot_be_weighted_is_refused_by_name() {
    let rake = |margins: &str| format!(r#"[{{"method": "rake", "margins": [{margins}]}}]"#);
    let sex = r#"{"by": ["sex"], "totals": [{"sex": "F", "total": 110}, {"sex": "M", "total": 90}"#;
    let empty = refusal(&rake(&format!(r#"{sex}, {{"sex": "X", "total": 5}}]}}"#)));
    assert!(empty.contains("category `X` has target 5 but no respondents"), "{empty}");
    let untold = refusal(&rake(r#"{"by": ["sex"], "totals": [{"sex": "F", "total": 110}]}"#));
    assert!(untold.contains("category `M` has respondents but no target"), "{untold}");
    let apart = refusal(&rake(&format!(
        r#"{sex}]}}, {{"by": ["age"], "totals": [{{"age": "young", "total": 120}}, {{"age": "old", "total": 90}}]}}"#
    )));
    assert!(apart.contains("all margins must describe the same population"), "{apart}");
    let shares = refusal(&rake(
        r#"{"by": ["sex"], "totals": [{"sex": "F", "total": 0.5}, {"sex": "M", "total": 0.4}]}"#,
    ));
    assert!(shares.contains("add up to 0.9"), "{shares}");
    let silent = refusal(
        r#"[{"method": "nonresponse", "responded": "answered", "classes": ["stratum", "sex", "age"]}]"#,
    );
    assert!(silent.contains("class `a, M, old`"), "{silent}");
    let narrow = refusal(
        r#"[{"method": "calibrate", "distance": "logit", "bounds": [0.99, 1.01], "terms": ["1"], "totals": {"1": 400}}]"#,
    );
    assert!(narrow.contains("still off"), "{narrow}");
    let missing =
        refusal(r#"[{"method": "calibrate", "terms": ["1", "y"], "totals": {"1": 200, "y": 900}}]"#);
    assert!(missing.contains("column `y`, row 4"), "{missing}");
}

/// Women are 55% by assumption. With 5 points less (50%) or more (60%) the weights are those of these
/// margins; a margin of two has two runs, because each run of one is a run of the other.
#[test]
fn an_assumed_margin_is_run_with_5_points_more_and_less() {
    let sex = |women: u32, men: u32, assumed: bool| {
        format!(
            r#"[{{"method": "rake", "margins": [{{"by": "sex", "assumed": {assumed}, "totals": [{{"sex": "F", "total": {women}}}, {{"sex": "M", "total": {men}}}]}}]}}]"#
        )
    };
    let weighted = weigh(&sex(110, 90, true));
    let runs = &weighted.diagnosis.assumed;
    assert_eq!(runs.len(), 2);
    for (run, (women, men)) in runs.iter().zip([(100, 100), (120, 80)]) {
        assert!((run.share - 0.55).abs() < 1e-12 && run.category == "F", "{run:?}");
        let own = weigh(&sex(women, men, false)).diagnosis;
        assert!((run.kish_effect.expect("a run") - own.kish_effect).abs() < 1e-9, "{run:?}");
    }
    assert!(weigh(&sex(110, 90, false)).diagnosis.assumed.is_empty());
    // Estimates move as in a plan of their own, and the warning says how far at most.
    let total = |text: &str| {
        let mut plan = plan(text);
        plan.requests[0].r#where = Some("sex = 'F'".into());
        estimation::estimate(&sample(), &plan).expect("the plan is answered")
    };
    let results = total(&sex(110, 90, true));
    let less = total(&sex(100, 100, false)).results[0].estimate.expect("a total");
    let moved = &results.assumed[0].moves[0];
    assert!((moved.estimate.expect("a total") - less).abs() < 1e-9, "{moved:?}");
    let base = results.results[0].estimate.expect("a total");
    assert!((moved.difference.expect("a difference") - (less - base)).abs() < 1e-9, "{moved:?}");
    assert!(
        results.warnings[0].contains("the margin `sex` is assumed, not counted; with F at"),
        "{:?}",
        results.warnings
    );
}

/// Four interviews, one refusal, one unknown, one empty house; base weights 10 and 20.
/// e = 5/6 and RR3 = 4/(5 + 5/6) counted; by weight I = 60, R = 20, U = 10, N = 20.
#[test]
fn response_rates_come_with_the_weights() {
    let cases = "w,end\n10,1.1\n10,11\n20,11\n20,11\n20,2.1\n10,31\n20,vacant\n";
    let table = Table::parse_csv(cases, "cases.csv", &Types::new()).expect("a table");
    let plan = |more: &str| -> Plan {
        let text = format!(
            r#"{{"types": {{"end": "category"}}, "design": {{"weights": "w"}}, "dispositions": {{"column": "end"{more}}}, "requests": []}}"#
        );
        serde_json::from_str(&text).expect("the plan can be read")
    };
    let weighted = weight(&table, &plan(r#", "codes": {"vacant": "N"}"#)).expect("weights");
    let response = weighted.diagnosis.response.expect("rates");
    let near =
        |got: Option<f64>, wanted: f64| assert!((got.expect("a rate") - wanted).abs() < 1e-12, "{got:?}");
    near(response.rates.rr3, 4.0 / (5.0 + 5.0 / 6.0));
    near(response.weighted_rates.rr3, 60.0 / (80.0 + 0.8 * 10.0));
    near(response.weighted_rates.rr1, 60.0 / 90.0);
    let error = weight(&table, &plan("")).expect_err("`vacant` has no class").to_string();
    assert!(error.contains("column `end`, row 7: `vacant` is no disposition"), "{error}");
}

#[test]
fn the_diagnosis_page_says_what_an_analyst_looks_at() {
    // Forty respondents, so that the histogram's classes pass the gate.
    let mut rows = String::from("stratum,sex,w,y\n");
    for i in 0..40 {
        rows += &format!("{},{},{},1\n", ["a", "b<"][i % 2], ["F", "M"][i / 3 % 2], 10 + i);
    }
    let table = Table::parse_csv(&rows, "rows.csv", &Types::new()).expect("a table");
    let weighted = weight(
        &table,
        &plan(
            r#"[{"method": "rake", "margins": [{"by": "sex", "assumed": true, "totals": [{"sex": "F", "total": 700}, {"sex": "M", "total": 600}]}]}]"#,
        ),
    )
    .expect("weights");
    let page = analysis::weighting::page::html(&weighted.diagnosis, "plan.json");
    for part in ["<svg", "hệ số Kish", "Cơ cấu giả định", "hội tụ", "Quyền số lớn nhất theo tầng", "b&lt;"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "nothing outside is read");
}

#[test]
fn new_weights_do_not_stand_beside_a_column_of_their_name() {
    let data = Table::parse_csv(&SAMPLE.replacen(",w,", ",weight,", 1), "sample.csv", &Types::new())
        .expect("the sample is a table");
    let refused = weigh("[]").table(&data).expect_err("the data have a column `weight`").to_string();
    assert!(refused.contains("rename theirs, for instance to `base_weight`"), "{refused}");
    assert!(weigh("[]").table(&sample()).expect("the name is free").get("weight").is_some());
}
