//! How many interviews are needed: proportions, two groups or years, design effects, the best take per village.
//!
//! Every request is `{"id", "want", …}` (contract: "sample size"). Numbers are real; one rounding up at the end.
//! Evidence: `analysis/tests/sampling_size.rs` (R script beside the figures).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use statrs::distribution::{ContinuousCDF, Normal};

use super::problem::{Problem, SamplingError, suggestion};

/// Requests, answered together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizePlan {
    pub requests: Vec<Map<String, Value>>,
}

/// One answer a request, in the same order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SizeAnswer {
    pub results: Vec<Map<String, Value>>,
}

const WANTS: [&str; 8] =
    ["n.prop", "moe.prop", "n.wilson", "n.cv", "n.two_props", "moe.diff", "deff.kish", "optimal_take"];

/// Answers every request, or names everything that is wrong with them.
pub fn sizes(plan: &SizePlan) -> Result<SizeAnswer, SamplingError> {
    let mut problems = Vec::new();
    let mut results = Vec::new();
    for (i, request) in plan.requests.iter().enumerate() {
        let mut fields = Fields::new(i, request);
        let answer = match request.get("want").and_then(Value::as_str) {
            Some("n.prop") => proportion(&mut fields),
            Some("moe.prop") => margin_of_error(&mut fields),
            Some("n.wilson") => wilson(&mut fields),
            Some("n.cv") => coefficient_of_variation(&mut fields),
            Some("n.two_props") => two_proportions(&mut fields),
            Some("moe.diff") => difference(&mut fields),
            Some("deff.kish") => design_effect(&mut fields),
            Some("optimal_take") => optimal_take(&mut fields),
            Some(other) => {
                fields.wrong("want", format!("`{other}` is unknown"), suggestion(other, WANTS));
                Vec::new()
            }
            None => {
                fields.wrong("want", "is missing".into(), suggestion("", WANTS));
                Vec::new()
            }
        };
        fields.unknown();
        let mut result = Map::new();
        result.insert("id".into(), request.get("id").cloned().unwrap_or(Value::Null));
        for (name, value) in answer {
            result
                .insert(name.into(), serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number));
        }
        problems.append(&mut fields.problems);
        results.push(result);
    }
    if problems.is_empty() { Ok(SizeAnswer { results }) } else { Err(SamplingError::Problems(problems)) }
}

type Answer = Vec<(&'static str, f64)>;

fn quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}

/// z of a two-sided level.
fn critical(level: f64) -> f64 {
    quantile(1.0 - (1.0 - level) / 2.0)
}

/// Up to the next whole number, but 1e-9 above one is rounding noise.
fn up(n: f64) -> f64 {
    (n - 1e-9).ceil()
}

/// n0 = z² p q / e²; · deff; finite population; / response. Exact finite form after Valliant, Dever and Kreuter
/// (2018).
fn proportion(f: &mut Fields<'_>) -> Answer {
    let (p, e, level) = (f.share("p", None), f.share("moe", None), f.share("level", Some(0.95)));
    let (deff, size) = (f.positive("deff", Some(1.0)), f.population());
    let response = f.within("response_rate", Some(1.0), |x| x > 0.0 && x <= 1.0, "above 0 and at most 1");
    let z = critical(level);
    let pq = z * z * p * (1.0 - p);
    let srs = pq / (e * e);
    let with_deff = srs * deff;
    let (finite, exact) = match size {
        Some(size) => {
            let last = size - 1.0;
            (with_deff / (1.0 + (with_deff - 1.0) / size), size / last * pq / (e * e + pq / last))
        }
        None => (with_deff, srs),
    };
    let issued = finite / response;
    vec![
        ("z", z),
        ("n_srs", srs),
        ("n_deff", with_deff),
        ("n_fpc", finite),
        ("n_issued", issued),
        ("n_srs_ceil", up(srs)),
        ("n_fpc_ceil", up(finite)),
        ("n_issued_ceil", up(issued)),
        ("n_exact_fpc_no_deff", exact),
    ]
}

/// z sqrt(deff p q / n · (N − n)/(N − 1)).
fn margin_of_error(f: &mut Fields<'_>) -> Answer {
    let (p, n, level) = (f.share("p", None), f.positive("n", None), f.share("level", Some(0.95)));
    let (deff, size) = (f.positive("deff", Some(1.0)), f.population());
    if size.is_some_and(|size| n > size) {
        f.wrong("n", format!("{n} is more than the population N"), "sample at most N".into());
    }
    let finite = size.map_or(1.0, |size| (size - n) / (size - 1.0));
    vec![("moe", critical(level) * (deff * p * (1.0 - p) / n * finite).sqrt())]
}

/// n that makes the half-width of the Wilson interval equal to the margin.
fn wilson(f: &mut Fields<'_>) -> Answer {
    let (p, level) = (f.share("p", None), f.share("level", Some(0.95)));
    let e = f.within("moe", None, |x| x > 0.0 && x < 0.5, "between 0 and 0.5");
    let (pq, z) = (p * (1.0 - p), critical(level));
    let root = (e * e - pq * (4.0 * e * e - pq)).max(0.0).sqrt();
    vec![("n", (pq - 2.0 * e * e + root) * (z / e).powi(2) / 2.0)]
}

/// a (q/p) / (cv² + (q/p)/(N − 1)), a = N/(N − 1).
fn coefficient_of_variation(f: &mut Fields<'_>) -> Answer {
    let (p, cv, size) = (f.share("p", None), f.positive("cv", None), f.population());
    let odds = (1.0 - p) / p;
    let n = match size {
        Some(size) => size / (size - 1.0) * odds / (cv * cv + odds / (size - 1.0)),
        None => odds / (cv * cv),
    };
    vec![("n", n)]
}

/// (z_{1−α/2} + z_power)² (p1 q1 + p2 q2 / r) / (p1 − p2)², unpooled; with overlap of the samples, equal n.
fn two_proportions(f: &mut Fields<'_>) -> Answer {
    let (p1, p2) = (f.share("p1", None), f.share("p2", None));
    if p1 == p2 {
        f.wrong("p2", "is equal to p1".into(), "give the difference that should be found".into());
    }
    let ratio = f.positive("ratio_n2_n1", Some(1.0));
    let (alpha, power) = (f.share("alpha", Some(0.05)), f.share("power", Some(0.8)));
    let deff = f.positive("deff", Some(1.0));
    let (overlap, correlation) = f.overlap();
    let reach = (quantile(1.0 - alpha / 2.0) + quantile(power)).powi(2) / (p1 - p2).powi(2);
    let (v1, v2) = (p1 * (1.0 - p1), p2 * (1.0 - p2));
    let n1 = reach * (v1 + v2 / ratio);
    let mut answer =
        vec![("n1_srs", n1), ("n2_srs", n1 * ratio), ("n1_deff", n1 * deff), ("n1_ceil", up(n1 * deff))];
    if overlap > 0.0 {
        let shared = v1 + v2 - 2.0 * overlap * correlation * (v1 * v2).sqrt();
        answer.push(("n_with_overlap", reach * shared * deff));
    }
    answer
}

/// Margin of error of a change between two samples of `n_each`.
fn difference(f: &mut Fields<'_>) -> Answer {
    let (p1, p2, n) = (f.share("p1", None), f.share("p2", None), f.positive("n_each", None));
    let (deff, level) = (f.positive("deff", Some(1.0)), f.share("level", Some(0.95)));
    let (overlap, correlation) = f.overlap();
    let (v1, v2) = (p1 * (1.0 - p1), p2 * (1.0 - p2));
    let variance = v1 / n + v2 / n - 2.0 * overlap * correlation * (v1 * v2).sqrt() / n;
    vec![("moe", critical(level) * (deff * variance).sqrt())]
}

/// (1 + cv²) (1 + (b − 1) ρ).
fn design_effect(f: &mut Fields<'_>) -> Answer {
    let take = f.positive("cluster_take", None);
    let icc = f.within("icc", None, |x| (-1.0..=1.0).contains(&x), "between -1 and 1");
    let cv = f.within("cv_weights", Some(0.0), |x| x >= 0.0, "0 or more");
    let (cluster, weights) = (1.0 + (take - 1.0) * icc, 1.0 + cv * cv);
    vec![("deff_cluster", cluster), ("deff_weights", weights), ("deff", weights * cluster)]
}

/// m = sqrt(C1/C2 (1 − ρ)/ρ) interviews a village, and the villages that the budget allows.
fn optimal_take(f: &mut Fields<'_>) -> Answer {
    let (village, interview) = (f.positive("C1", None), f.positive("C2", None));
    let (rho, budget) = (f.share("rho", None), f.positive("budget", None));
    let take = (village / interview * (1.0 - rho) / rho).sqrt();
    vec![("take", take), ("n_psu", budget / (village + interview * take))]
}

/// The fields of one request; what is wrong is collected, and 0.5 goes on in its place.
struct Fields<'a> {
    place: String,
    request: &'a Map<String, Value>,
    read: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    fn new(index: usize, request: &'a Map<String, Value>) -> Self {
        let place = match request.get("id") {
            Some(Value::String(id)) => format!("request `{id}`"),
            _ => format!("request {}", index + 1),
        };
        Self { place, request, read: vec!["id", "want"], problems: Vec::new() }
    }

    fn wrong(&mut self, field: &str, what: String, remedy: String) {
        self.problems.push(Problem::new(format!("{}, `{field}`", self.place), what, remedy));
    }

    fn within(
        &mut self,
        field: &'static str,
        default: Option<f64>,
        good: impl Fn(f64) -> bool,
        range: &str,
    ) -> f64 {
        self.read.push(field);
        match self.request.get(field).filter(|v| !v.is_null()) {
            Some(value) => match value.as_f64() {
                Some(x) if good(x) => return x,
                _ => self.wrong(field, format!("is {value}"), format!("give a number {range}")),
            },
            None => match default {
                Some(x) => return x,
                None => self.wrong(field, "is missing".into(), format!("give a number {range}")),
            },
        }
        0.5
    }

    fn share(&mut self, field: &'static str, default: Option<f64>) -> f64 {
        self.within(field, default, |x| x > 0.0 && x < 1.0, "between 0 and 1")
    }

    fn positive(&mut self, field: &'static str, default: Option<f64>) -> f64 {
        self.within(field, default, |x| x > 0.0 && x.is_finite(), "above 0")
    }

    /// `N`; null, missing or "Inf" is an infinite population.
    fn population(&mut self) -> Option<f64> {
        if self.request.get("N").and_then(Value::as_str) == Some("Inf") {
            self.read.push("N");
            return None;
        }
        let size = self.within("N", Some(f64::INFINITY), |x| x > 1.0, "above 1, or null for no limit");
        (size.is_finite() && size > 1.0).then_some(size)
    }

    fn overlap(&mut self) -> (f64, f64) {
        let overlap = self.within("overlap", Some(0.0), |x| (0.0..=1.0).contains(&x), "between 0 and 1");
        let correlation =
            self.within("correlation", Some(0.0), |x| (-1.0..=1.0).contains(&x), "between -1 and 1");
        (overlap, correlation)
    }

    /// Names the fields that nothing read.
    fn unknown(&mut self) {
        if self.problems.iter().any(|p| p.place.ends_with("`want`")) {
            return;
        }
        let spare: Vec<&String> = self.request.keys().filter(|k| !self.read.contains(&k.as_str())).collect();
        for field in spare {
            let remedy = suggestion(field, self.read.clone());
            self.wrong(field, "is not a field of this request".into(), remedy);
        }
    }
}
