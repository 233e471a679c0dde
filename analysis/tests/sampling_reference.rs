//! Allocation, sample sizes and inclusion probabilities agree with the R figures in `reference_sampling/`.

use analysis::sampling::allocate::{AllocatePlan, allocate};
use analysis::sampling::size::{SizePlan, sizes};
use analysis::sampling::{joint, probabilities};
use serde_json::{Map, Value, json};

struct Case {
    id: String,
    input: Value,
    result: Value,
    tolerance: f64,
}

fn cases(text: &str) -> Vec<Case> {
    let all: Value = serde_json::from_str(text).expect("the reference file is JSON");
    let cases = all["cases"].as_array().expect("a list of cases");
    cases
        .iter()
        .map(|case| Case {
            id: case["id"].as_str().expect("an id").to_owned(),
            input: case["input"].clone(),
            result: case["result"].clone(),
            tolerance: case["tolerance"].as_str().expect("a tolerance").parse().expect("a number"),
        })
        .collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(all) => all.iter().flat_map(numbers).collect(),
        Value::Bool(flag) => vec![f64::from(u8::from(*flag))],
        other => vec![other.as_f64().unwrap_or_else(|| panic!("{other} is no number"))],
    }
}

fn agree(case: &Case, what: &str, got: &[f64], wanted: &Value) {
    let wanted = numbers(wanted);
    assert_eq!(got.len(), wanted.len(), "{} {what}", case.id);
    for (got, wanted) in got.iter().zip(&wanted) {
        let room = case.tolerance.max(1e-9 * f64::from(u8::from(*wanted == 0.0)));
        assert!(
            (got - wanted).abs() <= room * wanted.abs().max(if *wanted == 0.0 { 1.0 } else { 0.0 }),
            "{} {what}: {got} instead of {wanted}",
            case.id
        );
    }
}

/// A case's input as the contract's `sample allocate` plan.
fn plan(case: &Case, method: &str) -> AllocatePlan {
    let input = &case.input;
    let strata: Vec<Value> = (0..input["N"].as_array().expect("N").len())
        .map(|h| {
            let mut stratum = json!({"stratum": format!("h{h}"), "population": input["N"][h]});
            for (name, column) in [("sd", "S"), ("mean", "ybar"), ("cost", "cost")] {
                if let Some(value) = input[column].get(h) {
                    stratum[name] = value.clone();
                }
            }
            stratum
        })
        .collect();
    let mut plan = json!({"strata": strata, "method": method, "max": null});
    for (name, field) in [
        ("total", "n"),
        ("min", "min_per_stratum"),
        ("power", "power"),
        ("importance", "I"),
        ("budget", "budget"),
        ("variance", "V0"),
    ] {
        if let Some(value) = input.get(field) {
            plan[name] = value.clone();
        }
    }
    AllocatePlan::from_json(&plan.to_string()).expect("a plan")
}

#[test]
fn allocations_agree_with_r() {
    let cases = cases(include_str!("reference_sampling/allocation.json"));
    assert_eq!(cases.len(), 40);
    for case in &cases {
        let rule = case.id.rsplit('.').next().expect("a rule");
        let method = match rule {
            "sqrt" => "square_root",
            "neyman_exact_integer" => "neyman_exact",
            "fixed_cost" | "fixed_variance" => "cost",
            other => other,
        };
        let plan = plan(case, method);
        let got = allocate(&plan.rule, &plan.strata).unwrap_or_else(|e| panic!("{}: {e}", case.id));
        let real: Vec<f64> = got.strata.iter().map(|s| s.real).collect();
        let whole: Vec<f64> = got.strata.iter().map(|s| s.n as f64).collect();
        let wanted = case.result.as_object().expect("a result");
        for (field, wanted) in wanted {
            match field.as_str() {
                "bounded_real" => agree(case, field, &real, wanted),
                "bounded_integer" => agree(case, field, &whole, wanted),
                "integer" if method == "neyman_exact" => agree(case, field, &whole, wanted),
                "variance_of_mean_bounded_integer" if got.variance_of_mean.is_none() => {}
                "variance_of_mean_bounded_integer" | "variance_of_mean" => {
                    agree(case, field, &[got.variance_of_mean.expect("with deviations")], wanted);
                }
                "real" if rule.starts_with("fixed") => agree(case, field, &real, wanted),
                "n_total" => agree(case, field, &[real.iter().sum()], wanted),
                // The same request without the minimum.
                "real" | "integer" if !case.result.to_string().contains("true") => {
                    let mut free = plan.rule.clone();
                    free.min = None;
                    let got = allocate(&free, &plan.strata).expect("an allocation");
                    let of = |s: &analysis::sampling::allocate::Share| {
                        if field == "real" { s.real } else { s.n as f64 }
                    };
                    agree(case, field, &got.strata.iter().map(of).collect::<Vec<_>>(), wanted);
                }
                "real" | "integer" | "exceeds_population" => {}
                other => panic!("{}: `{other}` is not compared", case.id),
            }
        }
        let strata = &plan.strata;
        assert!(got.strata.iter().zip(strata).all(|(a, b)| a.n as f64 <= b.population), "{}", case.id);
        if let Some(budget) = plan.rule.budget {
            assert!(got.cost.expect("costs") <= budget + 1e-9, "{} overspends", case.id);
        }
        if let Some(variance) = plan.rule.variance {
            assert!(got.variance_of_mean.expect("deviations") <= variance * (1.0 + 1e-9), "{}", case.id);
        }
    }
}

#[test]
fn sample_sizes_agree_with_r() {
    let cases = cases(include_str!("reference_sampling/sample_size.json"));
    assert_eq!(cases.len(), 28);
    for case in &cases {
        let want = case.id.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('.');
        let mut request: Map<String, Value> = case.input.as_object().expect("an input").clone();
        request.insert("id".into(), case.id.clone().into());
        request.insert("want".into(), want.into());
        if request.get("N") == Some(&json!("Inf")) {
            request.insert("N".into(), Value::Null);
        }
        let got = sizes(&SizePlan { requests: vec![request] }).unwrap_or_else(|e| panic!("{}: {e}", case.id));
        let wanted = case.result.as_object().expect("a result");
        assert_eq!(got.results[0].len(), wanted.len() + 1, "{}", case.id);
        for (field, wanted) in wanted {
            agree(case, field, &numbers(&got.results[0][field]), wanted);
        }
    }
}

fn flat(matrix: &joint::Matrix) -> Vec<f64> {
    matrix.iter().flatten().copied().collect()
}

#[test]
fn inclusion_probabilities_agree_with_r() {
    let cases = cases(include_str!("reference_sampling/pps_probabilities.json"));
    assert_eq!(cases.len(), 34);
    for case in &cases {
        let field = |name: &str| numbers(&case.input[name]);
        let kind: Vec<&str> = case.id.split('.').collect();
        match kind.as_slice() {
            ["pik", "stratified"] => {
                let (size, stratum, n) = (field("size"), field("stratum"), field("n"));
                let mut got = Vec::new();
                for (h, n) in n.iter().enumerate() {
                    let own: Vec<f64> =
                        (0..size.len()).filter(|i| stratum[*i] == (h + 1) as f64).map(|i| size[i]).collect();
                    got.extend(probabilities::proportional_to_size(&own, *n as usize).expect("enough units"));
                }
                agree(case, "pik", &got, &case.result["pik"]);
            }
            ["pik", _] => {
                let n = case.input["n"].as_u64().expect("n") as usize;
                let got = probabilities::proportional_to_size(&field("size"), n).expect("enough units");
                agree(case, "pik", &got, &case.result["pik"]);
                let certain: Vec<f64> = got.iter().map(|p| f64::from(u8::from(*p == 1.0))).collect();
                agree(case, "certainty", &certain, &case.result["certainty"]);
                agree(case, "sum", &[got.iter().sum()], &case.result["sum"]);
            }
            ["systematic", ..] => {
                let start = case.input["start"].as_f64().expect("start");
                let got: Vec<f64> =
                    probabilities::systematic(&field("pik"), start).iter().map(|k| (k + 1) as f64).collect();
                agree(case, "selected", &got, &case.result["selected_1based"]);
            }
            ["joint", method, _] => {
                let pi = field("pik");
                let all: Vec<usize> = (0..pi.len()).collect();
                let got = match *method {
                    "systematic" => joint::systematic(&pi, &all),
                    "sampford" => joint::sampford(&pi, &all),
                    "hartley_rao" => joint::hartley_rao(&pi, &all),
                    other => panic!("{other} is not compared"),
                };
                agree(case, "joint", &flat(&got), &case.result["joint"]);
            }
            ["true_variance" | "estimated_variance", "sampford"] => {
                let (size, y) = (field("size"), field("y"));
                let n = case.input["n"].as_u64().expect("n") as usize;
                let pi = probabilities::proportional_to_size(&size, n).expect("enough units");
                let all: Vec<usize> = (0..pi.len()).collect();
                if kind[0] == "true_variance" {
                    let got = joint::design_variance(&pi, &joint::sampford(&pi, &all), &y);
                    agree(case, "variance", &[got], &case.result["design_variance_of_HT_total"]);
                } else {
                    let sample: Vec<usize> = field("sample_1based").iter().map(|k| *k as usize - 1).collect();
                    let at = |v: &[f64]| sample.iter().map(|k| v[*k]).collect::<Vec<_>>();
                    let (pairs, pi, y) = (joint::sampford(&pi, &sample), at(&pi), at(&y));
                    let total: f64 = y.iter().zip(&pi).map(|(y, p)| y / p).sum();
                    agree(case, "total", &[total], &case.result["total_hat"]);
                    agree(case, "HT", &[joint::horvitz_thompson(&pi, &pairs, &y)], &case.result["var_HT"]);
                    agree(case, "YG", &[joint::yates_grundy(&pi, &pairs, &y)], &case.result["var_YG"]);
                }
            }
            ["twostage", _] => {
                let size = field("psu_size");
                let n = case.input["n_psu"].as_u64().expect("n") as usize;
                let take = case.input["per_psu"].as_f64().expect("take");
                let first = probabilities::proportional_to_size(&size, n).expect("enough units");
                let second: Vec<f64> = size.iter().map(|m| (take / m).min(1.0)).collect();
                agree(case, "stage 1", &first, &case.result["pi_stage1"]);
                agree(case, "stage 2", &second, &case.result["pi_stage2"]);
                let weight: Vec<f64> = first.iter().zip(&second).map(|(a, b)| 1.0 / (a * b)).collect();
                agree(case, "weight", &weight, &case.result["weight"]);
            }
            other => panic!("{other:?} is not compared"),
        }
    }
}
