//! Allocation as a plan asks for it: checks the request, applies a rule within its bounds, reports precision.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::allocation::{
    Known, Ordered, Score, largest_remainder, neyman_exact, scores, share, share_budget, share_variance,
    variance_of_mean,
};
use super::cost;
use super::frame::Frame;
use super::problem::{Problem, SamplingError, suggestion};
use super::targets;
use crate::table::{Column, Types, parse_number};

/// The names of the rules in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    Equal,
    Proportional,
    Neyman,
    /// The whole-number allocation of least variance.
    NeymanExact,
    Cost,
    Power,
    #[serde(alias = "sqrt")]
    SquareRoot,
    Kish,
    /// Several precision targets at once.
    Bethel,
    /// Numbers by stratum.
    Given,
    /// The same number in each stratum.
    Take,
}

/// The allocation of a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    pub method: Rule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Of a stratum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// Exponent of `power`, 0 (equal precision) to 1 (Neyman); default 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<f64>,
    /// I of `kish`; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// `cost`: money in place of `total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// `cost`: variance of the mean in place of `total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance: Option<f64>,
    /// `given`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub n: IndexMap<String, u64>,
    /// `take`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u64>,
    /// `bethel`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// In `sample draw`: the standard deviation by stratum (likewise `mean`, `cost`).
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub sd: IndexMap<String, f64>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub mean: IndexMap<String, f64>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub cost: IndexMap<String, f64>,
    /// In `sample draw`: frame columns whose means and deviations by stratum `bethel` works with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
}

/// A coefficient of variation to reach for a variable, in every domain of the column `by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub variable: String,
    pub cv: f64,
    #[serde(default)]
    pub by: Option<String>,
}

/// Mean and standard deviation of a variable in a stratum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moments {
    pub mean: f64,
    pub sd: f64,
}

/// A stratum as `sample allocate` gets it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stratum {
    pub stratum: String,
    /// Units that can be drawn.
    pub population: f64,
    /// Total size; the population unless a stage draws by size.
    #[serde(skip)]
    pub measure: Option<f64>,
    #[serde(default)]
    pub sd: Option<f64>,
    #[serde(default)]
    pub mean: Option<f64>,
    #[serde(default)]
    pub cost: Option<f64>,
    #[serde(default)]
    pub variables: IndexMap<String, Moments>,
    #[serde(default)]
    pub domains: IndexMap<String, String>,
}

/// `sample allocate`: strata (or the name of a file with them) and a rule.
#[derive(Clone, Debug)]
pub struct AllocatePlan {
    pub strata: Vec<Stratum>,
    /// A table with columns `stratum`, `population`, `sd`, `mean`, `cost` in place of `strata`.
    pub frame: Option<String>,
    /// A cost plan (`sample cost`): its cost of a village, for the strata without a `cost` of their own.
    pub costs: Option<String>,
    pub rule: Allocation,
}

impl AllocatePlan {
    /// Reads a plan's JSON. Err: the reason, with the field.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let mut plan: serde_json::Map<String, Value> =
            serde_json::from_str(text).map_err(|e| e.to_string())?;
        let strata = plan.shift_remove("strata").unwrap_or(Value::Array(Vec::new()));
        let strata = serde_json::from_value(strata).map_err(|e| format!("`strata`: {e}"))?;
        let frame = plan.shift_remove("frame").unwrap_or(Value::Null);
        let frame = serde_json::from_value(frame).map_err(|e| format!("`frame`: {e}"))?;
        let costs = plan.shift_remove("costs").unwrap_or(Value::Null);
        let costs = serde_json::from_value(costs).map_err(|e| format!("`costs`: {e}"))?;
        if !plan.contains_key("method") && plan.contains_key("take") {
            plan.insert("method".into(), "take".into());
        }
        plan.retain(|_, value| !value.is_null());
        let rule = serde_json::from_value(Value::Object(plan)).map_err(|e| e.to_string())?;
        Ok(Self { strata, frame, costs, rule })
    }

    /// Allocates, reading the strata from the table in `folder` if the plan names one.
    pub fn answer(&self, folder: &Path) -> Result<Allocated, SamplingError> {
        let mut strata = match &self.frame {
            Some(file) => strata_of(&Frame::read(&folder.join(file), file, &Types::new())?)?,
            None => self.strata.clone(),
        };
        if let Some(file) = &self.costs {
            let costs = cost::per_village(folder, file)?;
            for stratum in strata.iter_mut().filter(|s| s.cost.is_none()) {
                stratum.cost = costs.get(&stratum.stratum).copied();
            }
        }
        allocate(&self.rule, &strata)
    }
}

/// Strata in a table: `stratum`, `population`, `sd`, `mean`, `cost`; pairs `y_mean`, `y_sd` are variables, text
/// columns domains. All problems at once.
fn strata_of(frame: &Frame) -> Result<Vec<Stratum>, SamplingError> {
    let mut problems = Vec::new();
    for column in ["stratum", "population"] {
        if frame.written.get(column).is_none() {
            let remedy = suggestion(column, frame.written.names());
            problems.push(Problem::new(&frame.file, format!("there is no column `{column}`"), remedy));
        }
    }
    let number = |column: &str, row: usize, problems: &mut Vec<Problem>| -> Option<f64> {
        let text = frame.written.get(column)?.text(row)?;
        let value = parse_number(&text);
        if value.is_none() {
            let place = format!("{}, line {}, column `{column}`", frame.file, row + 2);
            problems.push(Problem::new(place, format!("is `{text}`"), "give a number"));
        }
        value
    };
    let variables: Vec<&str> = frame.written.names().filter_map(|n| n.strip_suffix("_mean")).collect();
    let mut strata = Vec::new();
    for row in 0..frame.written.height() {
        let mut of = |column: &str| number(column, row, &mut problems);
        let population = of("population").unwrap_or(f64::NAN);
        let (sd, mean, cost) = (of("sd"), of("mean"), of("cost"));
        let moments = |name: &&str| {
            Some((
                (*name).to_owned(),
                Moments { mean: of(&format!("{name}_mean"))?, sd: of(&format!("{name}_sd"))? },
            ))
        };
        let variables = variables.iter().filter_map(moments).collect();
        let domains = frame
            .typed()
            .columns()
            .filter(|(name, column)| *name != "stratum" && matches!(column, Column::Category { .. }))
            .filter_map(|(name, column)| Some((name.to_owned(), column.text(row)?.into_owned())))
            .collect();
        let stratum = frame.text("stratum", row);
        strata.push(Stratum { stratum, population, measure: None, sd, mean, cost, variables, domains });
    }
    if problems.is_empty() { Ok(strata) } else { Err(SamplingError::Problems(problems)) }
}

/// The answer of `sample allocate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Allocated {
    pub strata: Vec<Share>,
    pub total: u64,
    /// With the whole numbers; `None` without standard deviations.
    pub variance_of_mean: Option<f64>,
    /// With the whole numbers; `None` without costs.
    pub cost: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub achieved: Vec<Achieved>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A stratum's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    pub stratum: String,
    pub real: f64,
    pub n: u64,
}

/// The coefficient of variation that a target reaches in one domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Achieved {
    pub variable: String,
    pub by: Option<String>,
    pub domain: Option<String>,
    pub cv: f64,
    /// Whether this target determines the sample's size.
    pub binding: bool,
}

/// Shares the sample among strata. All problems at once.
pub fn allocate(rule: &Allocation, strata: &[Stratum]) -> Result<Allocated, SamplingError> {
    let problems = checked(rule, strata);
    if !problems.is_empty() {
        return Err(SamplingError::Problems(problems));
    }
    let population: Vec<f64> = strata.iter().map(|s| s.population).collect();
    let mut warnings = Vec::new();
    let min = rule.min.unwrap_or(0) as f64;
    for s in strata.iter().filter(|s| s.population.floor() < min) {
        warnings.push(format!(
            "stratum `{}` has {} units, fewer than the minimum {min}: all are taken",
            s.stratum, s.population
        ));
    }
    let low: Vec<f64> = population.iter().map(|n| min.min(n.floor())).collect();
    let high: Vec<f64> =
        population.iter().map(|n| rule.max.map_or(n.floor(), |max| (max as f64).min(n.floor()))).collect();
    let problem = Request { rule, strata, population, low, high };
    let mut achieved = Vec::new();
    let (real, n) = match rule.method {
        Rule::Given | Rule::Take => problem.fixed()?,
        Rule::Bethel => {
            let met = targets::meet(&rule.targets, strata, &problem.low, &problem.high)?;
            achieved = met.achieved;
            (met.real, met.n)
        }
        Rule::NeymanExact => problem.exact()?,
        Rule::Cost if rule.budget.is_some() => problem.by_budget(&mut warnings)?,
        Rule::Cost if rule.variance.is_some() => problem.by_variance(&mut warnings)?,
        _ => problem.by_total()?,
    };
    let whole: Vec<f64> = n.iter().map(|n| *n as f64).collect();
    let sd = problem.column(|s| s.sd);
    let cost = problem.column(|s| s.cost);
    Ok(Allocated {
        total: n.iter().sum(),
        variance_of_mean: sd.and_then(|sd| variance_of_mean(&whole, &problem.population, &sd)),
        cost: cost.map(|cost| cost.iter().zip(&whole).map(|(c, n)| c * n).sum()),
        strata: strata
            .iter()
            .zip(real.iter().zip(&n))
            .map(|(s, (real, n))| Share { stratum: s.stratum.clone(), real: *real, n: *n })
            .collect(),
        achieved,
        warnings,
    })
}

fn checked(rule: &Allocation, strata: &[Stratum]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong =
        |place: String, what: String, remedy: &str| problems.push(Problem::new(place, what, remedy));
    if strata.is_empty() {
        wrong("strata".into(), "there is none".into(), "list at least one stratum");
    }
    let mut seen: IndexMap<&str, usize> = IndexMap::new();
    for (i, s) in strata.iter().enumerate() {
        let place = format!("stratum `{}`", s.stratum);
        if let Some(first) = seen.insert(&s.stratum, i + 1) {
            wrong(place.clone(), format!("is listed twice (entries {first} and {})", i + 1), "list it once");
        }
        if !s.population.is_finite() || s.population < 1.0 {
            wrong(
                place.clone(),
                format!("population is {}", s.population),
                "give at least 1, or leave it out",
            );
        }
        let numbers = [("sd", s.sd, 0.0), ("cost", s.cost, f64::MIN_POSITIVE)];
        for (name, value, least) in numbers {
            if value.is_some_and(|v| !v.is_finite() || v < least) {
                let value = value.unwrap_or_default();
                wrong(place.clone(), format!("{name} is {value}"), "correct it");
            }
        }
        if rule.method == Rule::Power && s.mean == Some(0.0) {
            wrong(place.clone(), "mean is 0".into(), "power allocation divides by it; give another variable");
        }
    }
    if let (Some(min), Some(max)) = (rule.min, rule.max)
        && max < min
    {
        wrong("`max`".into(), format!("{max} is below `min` {min}"), "raise `max` or lower `min`");
    }
    let targets = [rule.total.is_some(), rule.budget.is_some(), rule.variance.is_some()];
    match rule.method {
        Rule::Given if rule.n.is_empty() => {
            wrong("`n`".into(), "is missing".into(), "give the number of each stratum");
        }
        Rule::Take if rule.take.is_none() => wrong("`take`".into(), "is missing".into(), "give a number"),
        Rule::Bethel if rule.targets.is_empty() => {
            wrong("`targets`".into(), "there is none".into(), "give `variable` and `cv`");
        }
        Rule::Cost if targets.iter().filter(|t| **t).count() != 1 => wrong(
            "`method`: cost".into(),
            "needs one of `total`, `budget`, `variance`".into(),
            "give exactly one of them",
        ),
        Rule::Given | Rule::Take | Rule::Bethel | Rule::Cost => {}
        _ if rule.total.is_none() => wrong("`total`".into(), "is missing".into(), "give the sample size"),
        _ => {}
    }
    for (name, value) in [("budget", rule.budget), ("variance", rule.variance)] {
        if value.is_some_and(|v| !v.is_finite() || v <= 0.0) {
            wrong(format!("`{name}`"), "is not above 0".into(), "give a positive number");
        }
    }
    if rule.power.is_some_and(|q| !(0.0..=1.0).contains(&q)) {
        wrong("`power`".into(), "is outside 0 to 1".into(), "0 gives equal precision, 1 Neyman's allocation");
    }
    problems
}

struct Request<'a> {
    rule: &'a Allocation,
    strata: &'a [Stratum],
    population: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

type Parts = (Vec<f64>, Vec<u64>);

impl Request<'_> {
    /// A column that every stratum has.
    fn column(&self, get: impl Fn(&Stratum) -> Option<f64>) -> Option<Vec<f64>> {
        self.strata.iter().map(get).collect()
    }

    fn needed(&self, name: &str, get: impl Fn(&Stratum) -> Option<f64>) -> Result<Vec<f64>, SamplingError> {
        self.column(&get).ok_or_else(|| self.lacking(name, get))
    }

    fn lacking(&self, name: &str, get: impl Fn(&Stratum) -> Option<f64>) -> SamplingError {
        let without = self.strata.iter().filter(|s| get(s).is_none());
        SamplingError::Problems(
            without
                .map(|s| {
                    let remedy = "this allocation needs it in every stratum";
                    Problem::new(format!("stratum `{}`", s.stratum), format!("`{name}` is missing"), remedy)
                })
                .collect(),
        )
    }

    fn scores(&self) -> Result<Vec<f64>, SamplingError> {
        let measure: Vec<f64> = self.strata.iter().map(|s| s.measure.unwrap_or(s.population)).collect();
        let (sd, mean, cost) = (self.column(|s| s.sd), self.column(|s| s.mean), self.column(|s| s.cost));
        let score = match self.rule.method {
            Rule::Equal => Score::Equal,
            Rule::Neyman | Rule::NeymanExact => Score::Neyman,
            Rule::Cost => Score::Cost,
            Rule::Power => Score::Power(self.rule.power.unwrap_or(0.5)),
            Rule::SquareRoot => Score::SquareRoot,
            Rule::Kish => Score::Kish(self.rule.importance.unwrap_or(1.0)),
            Rule::Proportional | Rule::Bethel | Rule::Given | Rule::Take => Score::Proportional,
        };
        let known =
            Known { measure: &measure, sd: sd.as_deref(), mean: mean.as_deref(), cost: cost.as_deref() };
        scores(score, &known).map_err(|column| match column {
            "sd" => self.lacking(column, |s| s.sd),
            "mean" => self.lacking(column, |s| s.mean),
            _ => self.lacking(column, |s| s.cost),
        })
    }

    /// The total, if the bounds leave room for it.
    fn total(&self) -> Result<u64, SamplingError> {
        let total = self.rule.total.unwrap_or_default();
        let (low, high) = (self.low.iter().sum::<f64>(), self.high.iter().sum::<f64>());
        if (total as f64) > high {
            let all: f64 = self.population.iter().sum();
            return Err(SamplingError::one(
                "`total`",
                format!("{total} is more than the {high} units that can be drawn (the frame has {all})"),
                "lower `total` or raise `max`",
            ));
        }
        if (total as f64) < low {
            return Err(SamplingError::one(
                "`total`",
                format!("{total} is less than the minimum of all strata together, {low}"),
                format!("raise `total` to {low} or more, lower `min`, or merge strata"),
            ));
        }
        Ok(total)
    }

    fn by_total(&self) -> Result<Parts, SamplingError> {
        let (total, score) = (self.total()?, self.scores()?);
        let real = share(&score, total as f64, &self.low, &self.high);
        let n = largest_remainder(&real, total, &self.population, &self.high);
        if n.iter().sum::<u64>() != total {
            return Err(SamplingError::one(
                "`total`",
                "cannot be shared: all strata that are left have a score of 0",
                "give them a standard deviation above 0, or raise `min`",
            ));
        }
        Ok((real, n))
    }

    fn exact(&self) -> Result<Parts, SamplingError> {
        let (total, sd) = (self.total()?, self.needed("sd", |s| s.sd)?);
        if total < self.strata.len() as u64 {
            return Err(SamplingError::one(
                "`total`",
                format!("{total} is less than one unit for each of the {} strata", self.strata.len()),
                "raise `total` or merge strata",
            ));
        }
        let whole = |v: &[f64]| v.iter().map(|x| *x as u64).collect::<Vec<_>>();
        let low: Vec<f64> = self.low.iter().zip(&self.high).map(|(l, h)| l.max(1.0).min(*h)).collect();
        let real = share(&self.scores()?, total as f64, &low, &self.high);
        let n = neyman_exact(&self.population, &sd, total, &whole(&low), &whole(&self.high));
        Ok((real, n))
    }

    fn fixed(&self) -> Result<Parts, SamplingError> {
        let mut problems = Vec::new();
        let names: Vec<&str> = self.strata.iter().map(|s| s.stratum.as_str()).collect();
        for name in self.rule.n.keys().filter(|name| !names.contains(&name.as_str())) {
            problems.push(Problem::new(
                format!("`n`, `{name}`"),
                "is not a stratum",
                suggestion(name, names.iter().copied()),
            ));
        }
        let mut n = Vec::new();
        for s in self.strata {
            let place = format!("stratum `{}`", s.stratum);
            let want = match self.rule.method {
                Rule::Take => self.rule.take.unwrap_or_default(),
                _ => self.rule.n.get(&s.stratum).copied().unwrap_or_else(|| {
                    let remedy =
                        "give its number in `n` (0 leaves it out of the sample and of the population)";
                    problems.push(Problem::new(place.clone(), "has no number", remedy));
                    0
                }),
            };
            if want as f64 > s.population {
                problems.push(Problem::new(
                    place,
                    format!("{want} units are asked for, but it has {}", s.population),
                    format!("ask for {} or fewer, or merge the stratum", s.population),
                ));
            }
            n.push(want);
        }
        if problems.is_empty() {
            Ok((n.iter().map(|n| *n as f64).collect(), n))
        } else {
            Err(SamplingError::Problems(problems))
        }
    }

    /// Without `min` and `max` the real numbers are the textbook's, whatever the strata hold.
    fn real_bounds(&self) -> (Vec<f64>, Vec<f64>) {
        if self.rule.min.is_none() && self.rule.max.is_none() {
            (vec![0.0; self.strata.len()], vec![f64::INFINITY; self.strata.len()])
        } else {
            (self.low.clone(), self.high.clone())
        }
    }

    fn name_overfull(&self, real: &[f64], warnings: &mut Vec<String>) {
        for (s, real) in self.strata.iter().zip(real).filter(|(s, real)| **real > s.population) {
            warnings.push(format!(
                "stratum `{}`: the optimum {real} is more than its {} units: all are taken",
                s.stratum, s.population
            ));
        }
    }

    fn by_budget(&self, warnings: &mut Vec<String>) -> Result<Parts, SamplingError> {
        let budget = self.rule.budget.unwrap_or_default();
        let (cost, sd, score) =
            (self.needed("cost", |s| s.cost)?, self.needed("sd", |s| s.sd)?, self.scores()?);
        let floor: f64 = self.low.iter().zip(&cost).map(|(n, c)| n * c).sum();
        if budget < floor {
            return Err(SamplingError::one(
                "`budget`",
                format!("{budget} does not pay the minimum of every stratum, {floor}"),
                "raise the budget or lower `min`",
            ));
        }
        let (low, high) = self.real_bounds();
        let real = share_budget(&score, &cost, budget, &low, &high);
        self.name_overfull(&real, warnings);
        let inside = share_budget(&score, &cost, budget, &self.low, &self.high);
        let mut n: Vec<u64> = inside.iter().map(|x| (x + 1e-9).floor() as u64).collect();
        let mut left = budget - n.iter().zip(&cost).map(|(n, c)| *n as f64 * c).sum::<f64>();
        // What the floors leave over buys units where they lower the variance most for their price. A stratum
        // that is too dear now stays so, since the rest only shrinks.
        let gain = |h: usize, n: u64| {
            let before = if n == 0 { f64::INFINITY } else { 1.0 / n as f64 };
            Ordered((self.population[h] * sd[h]).powi(2) * (before - 1.0 / (n as f64 + 1.0)) / cost[h])
        };
        let mut best: BinaryHeap<(Ordered, Reverse<usize>)> =
            (0..n.len()).filter(|h| sd[*h] > 0.0).map(|h| (gain(h, n[h]), Reverse(h))).collect();
        while let Some((_, Reverse(h))) = best.pop() {
            if cost[h] <= left + 1e-9 && ((n[h] + 1) as f64) <= self.high[h] {
                n[h] += 1;
                left -= cost[h];
                best.push((gain(h, n[h]), Reverse(h)));
            }
        }
        Ok((real, n))
    }

    fn by_variance(&self, warnings: &mut Vec<String>) -> Result<Parts, SamplingError> {
        let target = self.rule.variance.unwrap_or_default();
        let (cost, sd, score) =
            (self.needed("cost", |s| s.cost)?, self.needed("sd", |s| s.sd)?, self.scores()?);
        let reached = |n: &[f64]| {
            variance_of_mean(n, &self.population, &sd).is_some_and(|v| v <= target * (1.0 + 1e-12))
        };
        if !reached(&self.high) {
            return Err(SamplingError::one(
                "`variance`",
                format!("{target} is not reached even with the largest sample that `max` allows"),
                "raise `variance` or `max`",
            ));
        }
        let (low, high) = self.real_bounds();
        let real = share_variance(&score, &self.population, &sd, target, &low, &high);
        self.name_overfull(&real, warnings);
        let inside = share_variance(&score, &self.population, &sd, target, &self.low, &self.high);
        let mut n: Vec<f64> = inside.iter().zip(&self.high).map(|(x, h)| (x - 1e-9).ceil().min(*h)).collect();
        // Rounding up overshoots: the dearest unit that is not needed goes first.
        let mut order: Vec<usize> = (0..n.len()).collect();
        order.sort_by(|a, b| cost[*b].total_cmp(&cost[*a]).then(a.cmp(b)));
        for h in order {
            n[h] -= 1.0;
            if n[h] < self.low[h] || !reached(&n) {
                n[h] += 1.0;
            }
        }
        Ok((real, n.into_iter().map(|n| n as u64).collect()))
    }
}
