//! Each rule of allocation and each question of sample size: an example by hand, and a law.

use analysis::sampling::allocate::{AllocatePlan, Allocated, allocate};
use analysis::sampling::size::{SizePlan, sizes};
use serde_json::{Map, Value, json};

/// a: 100 units, deviation 4, mean 10, cost 1; b: 300, 2, 20, 4.
fn ask(rule: Value) -> Allocated {
    let mut plan = json!({"strata": [
        {"stratum": "a", "population": 100, "sd": 4, "mean": 10, "cost": 1},
        {"stratum": "b", "population": 300, "sd": 2, "mean": 20, "cost": 4}
    ]});
    let fields = plan.as_object_mut().expect("an object");
    fields.extend(rule.as_object().expect("an object").clone());
    let plan = AllocatePlan::from_json(&plan.to_string()).expect("a plan");
    allocate(&plan.rule, &plan.strata).unwrap_or_else(|e| panic!("{e}"))
}

fn check(rule: Value, real: [f64; 2], n: [u64; 2]) {
    let answer = ask(rule.clone());
    for (share, wanted) in answer.strata.iter().zip(real) {
        assert!((share.real - wanted).abs() < 5e-4, "{rule}: {answer:?}");
    }
    assert_eq!([answer.strata[0].n, answer.strata[1].n], n, "{rule}");
}

#[test]
fn every_rule_by_hand() {
    check(json!({"method": "equal", "total": 40}), [20.0, 20.0], [20, 20]);
    check(json!({"method": "proportional", "total": 40}), [10.0, 30.0], [10, 30]);
    // N S: 400 and 600.
    check(json!({"method": "neyman", "total": 40}), [16.0, 24.0], [16, 24]);
    // N S / √c: 400 and 300.
    check(json!({"method": "cost", "total": 40}), [22.8571, 17.1429], [23, 17]);
    // 400 λ · 1 + 300 λ · 4 = 160.
    check(json!({"method": "cost", "budget": 160}), [40.0, 30.0], [40, 30]);
    // 40 and 30 give (100² 4² (1/40 − 1/100) + 300² 2² (1/30 − 1/300)) / 400² = 0.0825.
    check(json!({"method": "cost", "variance": 0.0825}), [40.0, 30.0], [40, 30]);
    // √1000 · 0.4 = 12.649, √6000 · 0.1 = 7.746.
    check(json!({"method": "power", "power": 0.5, "total": 40}), [24.8081, 15.1919], [25, 15]);
    // 10 and 17.3205.
    check(json!({"method": "square_root", "total": 40}), [14.6410, 25.3590], [15, 25]);
    // √(1/16 + 1/4) and √(9/16 + 1/4).
    check(json!({"method": "kish", "total": 40}), [15.3113, 24.6887], [15, 25]);
    // One each; then gains 80,000 : 180,000, 80,000 : 60,000, 26,667 : 60,000.
    let exact = ask(json!({"method": "neyman_exact", "total": 5}));
    assert_eq!([exact.strata[0].n, exact.strata[1].n], [2, 3]);
    check(json!({"method": "given", "n": {"a": 3, "b": 7}}), [3.0, 7.0], [3, 7]);
    check(json!({"method": "take", "take": 5}), [5.0, 5.0], [5, 5]);
}

fn variance(answer: &Allocated) -> f64 {
    answer.variance_of_mean.expect("with deviations")
}

#[test]
fn no_rule_beats_the_exact_neyman_allocation_at_its_total() {
    for total in [4, 11, 40, 97, 250] {
        let best = variance(&ask(json!({"method": "neyman_exact", "total": total})));
        for method in ["equal", "proportional", "neyman", "cost", "power", "square_root", "kish"] {
            let other = ask(json!({"method": method, "total": total, "min": 1}));
            assert!(variance(&other) >= best * (1.0 - 1e-12), "{method}, {total}");
        }
    }
}

#[test]
fn rules_meet_where_they_should() {
    let real = |rule: Value| ask(rule).strata.iter().map(|s| s.real).collect::<Vec<_>>();
    let same = |a: Value, b: Value| {
        for (x, y) in real(a.clone()).iter().zip(real(b.clone())) {
            assert!((x - y).abs() < 1e-3, "{a} and {b}: {x} and {y}");
        }
    };
    // Power 1 is Neyman's; 0 shares by the coefficient of variation, 0.4 to 0.1.
    same(json!({"method": "power", "power": 1.0, "total": 40}), json!({"method": "neyman", "total": 40}));
    assert!((real(json!({"method": "power", "power": 0.0, "total": 40}))[0] - 32.0).abs() < 1e-9);
    // Kish's compromise goes from equal to proportional as the whole gains importance.
    same(json!({"method": "kish", "importance": 0.0, "total": 40}), json!({"method": "equal", "total": 40}));
    same(
        json!({"method": "kish", "importance": 1e4, "total": 40}),
        json!({"method": "proportional", "total": 40}),
    );
    let root = real(json!({"method": "square_root", "total": 40}))[0];
    assert!(root > 10.0 && root < 20.0);
    // A budget and the variance that it reaches ask for the same sample.
    let paid = ask(json!({"method": "cost", "budget": 160}));
    same(json!({"method": "cost", "budget": 160}), json!({"method": "cost", "variance": variance(&paid)}));
    // Without differences of cost, cost is Neyman's.
    let flat = json!({"strata": [
        {"stratum": "a", "population": 100, "sd": 4, "cost": 3}, {"stratum": "b", "population": 300, "sd": 2, "cost": 3}
    ], "method": "cost", "total": 40});
    let plan = AllocatePlan::from_json(&flat.to_string()).expect("a plan");
    let flat = allocate(&plan.rule, &plan.strata).expect("an allocation");
    assert!((flat.strata[0].real - 16.0).abs() < 1e-9);
}

/// The answer's field.
fn size(request: Value, field: &str) -> f64 {
    let request: Map<String, Value> = request.as_object().expect("an object").clone();
    let answer = sizes(&SizePlan { requests: vec![request] }).unwrap_or_else(|e| panic!("{e}"));
    answer.results[0][field].as_f64().expect("a number")
}

fn near(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-3 * wanted.abs().max(1e-3), "{got} instead of {wanted}");
}

#[test]
fn every_question_of_size_by_hand() {
    // 1.96² · 0.25 / 0.05² = 384.15; of a thousand 277.7; at 80 % response 347.2.
    let asked = json!({"want": "n.prop", "p": 0.5, "moe": 0.05, "N": 1000, "response_rate": 0.8});
    near(size(asked.clone(), "n_srs"), 384.146);
    near(size(asked.clone(), "n_fpc"), 277.741);
    near(size(asked.clone(), "n_issued"), 347.176);
    near(size(asked, "n_issued_ceil"), 348.0);
    near(size(json!({"want": "moe.prop", "p": 0.5, "n": 400, "deff": 2}), "moe"), 0.069_295);
    near(size(json!({"want": "n.cv", "p": 0.2, "cv": 0.1}), "n"), 400.0);
    // (1.960 + 0.842)² (0.25 + 0.24) / 0.1².
    near(size(json!({"want": "n.two_props", "p1": 0.5, "p2": 0.4}), "n1_srs"), 384.595);
    near(size(json!({"want": "moe.diff", "p1": 0.5, "p2": 0.5, "n_each": 400}), "moe"), 0.069_295);
    // (1 + 0.5²) (1 + 15 · 0.05).
    near(
        size(json!({"want": "deff.kish", "cluster_take": 16, "icc": 0.05, "cv_weights": 0.5}), "deff"),
        2.1875,
    );
    // √(900/60 · 19).
    let asked = json!({"want": "optimal_take", "C1": 900, "C2": 60, "rho": 0.05, "budget": 120_000});
    near(size(asked.clone(), "take"), 16.8819);
    near(size(asked, "n_psu"), 62.7306);
}

#[test]
fn sizes_and_margins_are_each_other_turned_round() {
    for p in [0.03, 0.2, 0.5, 0.9] {
        for e in [0.01, 0.03, 0.1] {
            for deff in [1.0, 2.5] {
                let n = size(json!({"want": "n.prop", "p": p, "moe": e, "deff": deff}), "n_deff");
                near(size(json!({"want": "moe.prop", "p": p, "n": n, "deff": deff}), "moe"), e);
            }
            // The half-width of Wilson's interval at the answer is the margin.
            let n = size(json!({"want": "n.wilson", "p": p, "moe": e}), "n");
            let z = 1.959_963_985_f64;
            let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
            near(half, e);
        }
        let n = size(json!({"want": "n.cv", "p": p, "cv": 0.07, "N": 5000}), "n");
        let reached = ((5000.0 - n) / (4999.0 * n) * (1.0 - p) / p).sqrt();
        near(reached, 0.07);
    }
    // The same people asked twice: a change that nobody made has no error.
    let same =
        json!({"want": "moe.diff", "p1": 0.4, "p2": 0.4, "n_each": 300, "overlap": 1, "correlation": 1});
    assert!(size(same, "moe") < 1e-9);
    let overlap = json!({"want": "n.two_props", "p1": 0.5, "p2": 0.4, "overlap": 0.6, "correlation": 0.5});
    assert!(size(overlap.clone(), "n_with_overlap") < size(overlap, "n1_deff"));
}

/// At the optimal take no other take gives a smaller variance for the same money.
#[test]
fn the_optimal_take_is_the_best_for_the_budget() {
    for (village, interview, rho) in [(900.0, 60.0, 0.05), (300.0, 80.0, 0.02), (2000.0, 50.0, 0.2)] {
        let asked =
            json!({"want": "optimal_take", "C1": village, "C2": interview, "rho": rho, "budget": 1e6});
        let variance = |take: f64| {
            let villages = 1e6 / (village + interview * take);
            (1.0 + (take - 1.0) * rho) / (villages * take)
        };
        let take = size(asked, "take");
        for other in [0.5, 0.8, 0.97, 1.03, 1.3, 2.0] {
            assert!(variance(take) < variance(take * other), "{take} · {other}");
        }
    }
}
