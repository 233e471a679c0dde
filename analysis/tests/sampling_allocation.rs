//! Allocation by hand and by law; several precision targets at once against a bound and against every choice.

use analysis::sampling::allocate::{AllocatePlan, Allocated, allocate};
use analysis::sampling::bethel::{Constraint, solve};
use analysis::sampling::size::{SizePlan, sizes};
use analysis::sampling::{Plan, draw_from, household};
use analysis::table::{Table, Types};
use serde_json::{Value, json};
use surveys::chance::Chance;

fn ask(plan: Value) -> Result<Allocated, String> {
    let plan = AllocatePlan::from_json(&plan.to_string())?;
    allocate(&plan.rule, &plan.strata).map_err(|e| e.to_string())
}

fn n(answer: &Allocated) -> Vec<u64> {
    answer.strata.iter().map(|s| s.n).collect()
}

/// 900 and 100 of 1,000: 90 and 10 of 100; V = (0.9² · 4/90 · (1 − 90/900) + 0.1² · 9/10 · (1 − 10/100)).
#[test]
fn proportional_shares_and_their_variance_by_hand() {
    let answer = ask(json!({
        "strata": [
            {"stratum": "big", "population": 900, "sd": 2, "cost": 1},
            {"stratum": "small", "population": 100, "sd": 3, "cost": 5}
        ],
        "method": "proportional", "total": 100
    }))
    .expect("an allocation");
    assert_eq!((n(&answer), answer.total, answer.cost), (vec![90, 10], 100, Some(140.0)));
    let variance = 0.81 * 4.0 / 90.0 * 0.9 + 0.01 * 9.0 / 10.0 * 0.9;
    assert!((answer.variance_of_mean.expect("with deviations") - variance).abs() < 1e-15);
}

#[test]
fn a_budget_is_kept_and_a_variance_is_reached() {
    let strata = json!([
        {"stratum": "a", "population": 5000, "sd": 10, "cost": 7},
        {"stratum": "b", "population": 3000, "sd": 25, "cost": 11},
        {"stratum": "c", "population": 40, "sd": 400, "cost": 13}
    ]);
    let paid =
        ask(json!({"strata": strata, "method": "cost", "budget": 2000, "min": 5})).expect("an allocation");
    let cost = paid.cost.expect("with costs");
    assert!(cost <= 2000.0 && cost > 2000.0 - 7.0, "{cost}");
    assert!(n(&paid).iter().all(|n| *n >= 5) && n(&paid)[2] <= 40);
    let precise =
        ask(json!({"strata": strata, "method": "cost", "variance": 0.5, "min": 5})).expect("an allocation");
    assert!(precise.variance_of_mean.expect("with deviations") <= 0.5);
    for h in 0..3 {
        let mut fewer: Vec<u64> = n(&precise);
        fewer[h] -= 1;
        let given: Value =
            ["a", "b", "c"].iter().zip(&fewer).map(|(s, n)| (s.to_string(), json!(n))).collect();
        let fewer = ask(json!({"strata": strata, "method": "given", "n": given})).expect("an allocation");
        assert!(fewer.variance_of_mean.expect("with deviations") > 0.5, "no unit can be spared");
    }
    let error =
        ask(json!({"strata": strata, "method": "cost", "budget": 100, "min": 5})).expect_err("too little");
    assert!(error.contains("does not pay the minimum"), "{error}");
    let error =
        ask(json!({"strata": strata, "method": "cost", "variance": 0.1, "max": 9})).expect_err("too few");
    assert!(error.contains("not reached"), "{error}");
}

#[test]
fn bounds_hold_and_the_sum_is_the_total() {
    let mut chance = Chance::new(3, "bounds");
    for round in 0..200 {
        let strata: Vec<Value> = (0..12)
            .map(|h| {
                let (sd, mean) = (chance.unit() * 9.0 + 0.1, chance.unit() * 5.0 + 0.1);
                json!({"stratum": format!("h{h}"), "population": 3 + chance.below(500), "sd": sd, "mean": mean, "cost": 1.0 + chance.unit()})
            })
            .collect();
        let total = 36 + chance.below(300);
        for method in
            ["equal", "proportional", "neyman", "neyman_exact", "cost", "power", "square_root", "kish"]
        {
            let plan = json!({"strata": strata, "method": method, "total": total, "min": 3, "max": 90});
            let Ok(answer) = ask(plan) else { continue };
            assert_eq!(n(&answer).iter().sum::<u64>(), total as u64, "round {round}, {method}");
            for (share, stratum) in answer.strata.iter().zip(&strata) {
                let most = stratum["population"].as_u64().expect("whole").min(90);
                assert!((3..=most).contains(&share.n), "round {round}, {method}: {share:?} of {stratum}");
                assert!((share.real - share.n as f64).abs() < 1.0 + 1e-9 || method == "neyman_exact");
            }
        }
    }
}

#[test]
fn every_fault_of_an_allocation_is_named() {
    let error = ask(json!({
        "strata": [
            {"stratum": "a", "population": 0, "sd": -1},
            {"stratum": "a", "population": 10}
        ],
        "method": "neyman", "min": 5, "max": 2
    }))
    .expect_err("faults");
    for part in
        ["population is 0", "sd is -1", "listed twice", "`max`: 2 is below `min` 5", "`total`: is missing"]
    {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
    let error = ask(json!({"strata": [{"stratum": "a", "population": 9}], "method": "neyman", "total": 3}))
        .expect_err("no deviation");
    assert!(error.contains("stratum `a`: `sd` is missing"), "{error}");
    let error = ask(json!({"strata": [], "method": "equl", "total": 3})).expect_err("an unknown rule");
    assert!(error.contains("equl"), "{error}");
}

fn bethel(strata: Value, targets: Value) -> Allocated {
    ask(json!({"strata": strata, "method": "bethel", "targets": targets})).expect("an allocation")
}

/// One target: n = (Σ W S)² / (V + Σ W S²/N) shared as N S, Neyman's sample size.
#[test]
fn one_target_is_neymans_allocation() {
    let answer = bethel(
        json!([
            {"stratum": "a", "population": 4000, "variables": {"y": {"mean": 50, "sd": 20}}},
            {"stratum": "b", "population": 1000, "variables": {"y": {"mean": 90, "sd": 60}}}
        ]),
        json!([{"variable": "y", "cv": 0.02}]),
    );
    let (mean, spread, squares): (f64, f64, f64) =
        (0.8 * 50.0 + 0.2 * 90.0, 0.8 * 20.0 + 0.2 * 60.0, 0.8 * 400.0 + 0.2 * 3600.0);
    let total = spread.powi(2) / ((0.02 * mean).powi(2) + squares / 5000.0);
    let real: Vec<f64> = answer.strata.iter().map(|s| s.real).collect();
    assert!((real[0] - total * 16.0 / 28.0).abs() < 1e-6, "{real:?}");
    assert!((real[1] - total * 12.0 / 28.0).abs() < 1e-6, "{real:?}");
    assert!(answer.achieved[0].binding && answer.achieved[0].cv <= 0.02 && answer.achieved[0].cv > 0.0199);
}

/// Every pair of whole numbers up to 60 is tried: none that meets the targets is smaller.
#[test]
fn whole_numbers_are_the_smallest_that_meet_several_targets() {
    let (population, y, z) = ([300.0, 80.0], [(0.4, 0.49), (0.7, 0.46)], [(12.0, 9.0), (30.0, 6.0)]);
    let strata = json!([
        {"stratum": "a", "population": 300, "variables": {"y": {"mean": 0.4, "sd": 0.49}, "z": {"mean": 12, "sd": 9}}, "domains": {"region": "A"}},
        {"stratum": "b", "population": 80, "variables": {"y": {"mean": 0.7, "sd": 0.46}, "z": {"mean": 30, "sd": 6}}, "domains": {"region": "B"}}
    ]);
    let targets = json!([{"variable": "y", "cv": 0.12}, {"variable": "z", "cv": 0.13, "by": "region"}]);
    let answer = bethel(strata, targets);
    let cv = |moments: &[(f64, f64)], n: &[f64], own: &[usize]| -> f64 {
        let all: f64 = own.iter().map(|h| population[*h]).sum();
        let mean: f64 = own.iter().map(|h| population[*h] / all * moments[*h].0).sum();
        let variance: f64 = own
            .iter()
            .map(|h| (population[*h] / all * moments[*h].1).powi(2) * (1.0 / n[*h] - 1.0 / population[*h]))
            .sum();
        variance.sqrt() / mean
    };
    let meets = |n: &[f64]| cv(&y, n, &[0, 1]) <= 0.12 && cv(&z, n, &[0]) <= 0.13 && cv(&z, n, &[1]) <= 0.13;
    let got: Vec<f64> = n(&answer).iter().map(|n| *n as f64).collect();
    assert!(meets(&got));
    let least = (1..=80)
        .flat_map(|a| (1..=80).map(move |b| (a, b)))
        .filter(|(a, b)| meets(&[f64::from(*a), f64::from(*b)]))
        .map(|(a, b)| a + b)
        .min()
        .expect("some pair meets the targets");
    assert_eq!(answer.total, least as u64);
    let names: Vec<(Option<&str>, bool)> =
        answer.achieved.iter().map(|a| (a.domain.as_deref(), a.binding)).collect();
    assert_eq!(names.len(), 3);
    assert!((answer.achieved[1].cv - cv(&z, &got, &[0])).abs() < 1e-12);
    assert!(names.iter().any(|(_, binding)| *binding) && names.contains(&(Some("B"), false)), "{names:?}");
}

/// Convex duality: no feasible allocation costs less than the dual bound, so a small gap proves the optimum.
#[test]
fn the_search_ends_within_a_hair_of_the_lower_bound() {
    let mut chance = Chance::new(8, "bethel");
    for round in 0..40 {
        let strata = 5 + chance.below(60);
        let cost: Vec<f64> = (0..strata).map(|_| 1.0 + 4.0 * chance.unit()).collect();
        let high: Vec<f64> = (0..strata).map(|_| (50 + chance.below(3000)) as f64).collect();
        let constraints: Vec<Constraint> = (0..2 + chance.below(8))
            .map(|_| {
                let part = if chance.happens(0.5) { 1.0 } else { 0.4 };
                let mut shares: Vec<(usize, f64)> = vec![(0, high[0] * high[0])];
                for (h, most) in high.iter().enumerate().skip(1) {
                    if chance.happens(part) {
                        shares.push((h, (most * (0.2 + chance.unit())).powi(2)));
                    }
                }
                let all: f64 = shares.iter().map(|(h, a)| a / high[*h]).sum();
                Constraint { shares, limit: all * (1.5 + 20.0 * chance.unit()) }
            })
            .collect();
        let solution =
            solve(&cost, &constraints, &vec![1.0; strata], &high).expect("high meets every target");
        assert!(solution.gap < 1e-4, "round {round}: {}", solution.gap);
        for n in [solution.real.clone(), solution.n.iter().map(|n| *n as f64).collect()] {
            assert!(constraints.iter().all(|c| c.load(|h| n[h]) <= 1.0 + 1e-8), "round {round}");
        }
        let spent = |n: &[f64]| n.iter().zip(&cost).map(|(n, c)| n * c).sum::<f64>();
        let whole: Vec<f64> = solution.n.iter().map(|n| *n as f64).collect();
        assert!(spent(&whole) <= spent(&solution.real) + cost.iter().sum::<f64>());
        assert!(!solution.binding.is_empty());
    }
}

#[test]
fn strata_can_stand_in_a_table() {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sampling_strata");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = "stratum,population,sd,cost,region,y_mean,y_sd\n01,900,2,1,A,0.5,0.5\n02,100,3,,B,0.5,0.5\n";
    std::fs::write(folder.join("strata.csv"), file).expect("written");
    let ask = |plan: Value| {
        AllocatePlan::from_json(&plan.to_string()).expect("a plan").answer(&folder).map_err(|e| e.to_string())
    };
    let answer =
        ask(json!({"frame": "strata.csv", "method": "proportional", "total": 100})).expect("an allocation");
    assert_eq!((n(&answer), answer.strata[0].stratum.as_str()), (vec![90, 10], "01"));
    let targets = json!([{"variable": "y", "cv": 0.2, "by": "region"}]);
    let answer =
        ask(json!({"frame": "strata.csv", "method": "bethel", "targets": targets})).expect("an allocation");
    assert_eq!(answer.achieved.len(), 2);
    let error =
        ask(json!({"frame": "strata.csv", "method": "cost", "total": 100})).expect_err("a cost is missing");
    assert!(error.contains("stratum `02`: `cost` is missing"), "{error}");
    std::fs::write(folder.join("strata.csv"), "stratum,population\na,x\nb,3\n").expect("written");
    let error = ask(json!({"frame": "strata.csv", "method": "equal", "total": 2})).expect_err("no number");
    assert!(error.contains("strata.csv, line 2, column `population`: is `x`"), "{error}");
}

#[test]
fn a_draw_can_be_sized_by_precision_targets_on_frame_columns() {
    let mut text = String::from("village,area,pupils\n");
    let mut chance = Chance::new(1, "villages");
    for i in 0..200 {
        text.push_str(&format!("v{i},{},{}\n", ["A", "B", "C"][i % 3], 20 + chance.below(80)));
    }
    let frame = Table::parse_csv(&text, "frame.csv", &Types::new()).expect("a frame");
    let plan = json!({
        "frame": "frame.csv", "seed": 1, "strata": ["area"],
        "stages": [{"unit": "village", "method": "srs", "allocation": {
            "method": "bethel", "variables": ["pupils"],
            "targets": [{"variable": "pupils", "cv": 0.1, "by": "area"}]
        }}]
    });
    let drawn =
        draw_from(&frame, &Plan::from_json(&plan.to_string()).expect("a plan"), None).expect("a sample");
    for stratum in &drawn.strata {
        assert!(stratum.n >= 5 && stratum.n < 40, "{stratum:?}");
    }
}

/// With 5 adults the third is asked by table C (2 twelfths) and E1 (1): 3/12; the first by A and B2, B1 …
#[test]
fn the_grid_asks_each_adult_with_its_probability() {
    assert_eq!(household::grid_probability(3, 5), 3.0 / 12.0);
    assert_eq!(household::grid_probability(1, 5), 2.0 / 12.0);
    assert_eq!(household::grid_probability(5, 5), 3.0 / 12.0);
    assert_eq!(household::grid_probability(1, 1), 1.0);
    assert_eq!(household::grid_probability(7, 7), 0.0);
    assert_eq!(household::respondent_weight(household::grid_probability(7, 7)), None);
    for adults in 1..=6 {
        let all: f64 = (1..=adults).map(|person| household::grid_probability(person, adults)).sum();
        assert!((all - 1.0).abs() < 1e-15, "{adults} adults");
    }
    assert_eq!(household::grid_respondent("E1", 8), Some(5));
    assert_eq!(household::grid_respondent("E1", 0), None);
    let letters = household::grid_letters(24, 1);
    assert_eq!(letters.iter().filter(|l| **l == "A").count(), 4);
    assert_eq!(letters.iter().filter(|l| **l == "B1").count(), 2);
}

#[test]
fn the_tablets_draw_is_uniform_and_repeatable() {
    let mut seen = [0_u32; 3];
    for case in 0..3_000 {
        let name = format!("case {case}");
        let person = household::drawn_respondent(5, &name, 3).expect("three adults");
        assert_eq!(household::drawn_respondent(5, &name, 3), Some(person));
        seen[person - 1] += 1;
    }
    assert!(seen.iter().all(|n| (900..=1100).contains(n)), "{seen:?}");
    assert_eq!(household::drawn_respondent(5, "empty", 0), None);
}

#[test]
fn every_fault_of_a_size_request_is_named() {
    let requests = json!([
        {"id": "a", "want": "n.prop", "p": 1.5, "mo": 0.03},
        {"id": "b", "want": "n.porp", "p": 0.5}
    ]);
    let requests = serde_json::from_value(requests).expect("objects");
    let error = sizes(&SizePlan { requests }).expect_err("faults").to_string();
    for part in [
        "request `a`, `p`: is 1.5",
        "request `a`, `moe`: is missing",
        "request `a`, `mo`: is not a field of this request; did you mean `moe`?",
        "request `b`, `want`: `n.porp` is unknown; did you mean `n.prop`?",
    ] {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
}
