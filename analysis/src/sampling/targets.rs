//! Precision targets of an allocation: what they ask of each domain, and what the sample reaches.

use indexmap::IndexMap;

use super::allocate::{Achieved, Stratum, Target};
use super::bethel::{self, Constraint};
use super::problem::{Problem, SamplingError, suggestion};

/// The cheapest sample that meets all targets.
pub(super) struct Met {
    pub real: Vec<f64>,
    pub n: Vec<u64>,
    pub achieved: Vec<Achieved>,
}

/// Meets `targets` inside the bounds at least cost (1 a unit where a stratum gives none).
pub(super) fn meet(
    targets: &[Target],
    strata: &[Stratum],
    low: &[f64],
    high: &[f64],
) -> Result<Met, SamplingError> {
    let cells = cells(targets, strata)?;
    let cost: Vec<f64> = strata.iter().map(|s| s.cost.unwrap_or(1.0)).collect();
    let low: Vec<f64> = low.iter().map(|l| l.max(1.0)).collect();
    let high: Vec<f64> = high.iter().zip(&low).map(|(h, l)| h.max(*l)).collect();
    let constraints: Vec<Constraint> = cells.iter().map(|c| c.constraint.clone()).collect();
    let solution = bethel::solve(&cost, &constraints, &low, &high).map_err(|j| {
        let cell = &cells[j];
        SamplingError::one(
            format!("target `{}`{}", cell.target.variable, cell.place()),
            format!("cv {} is not reached even with the largest sample that `max` allows", cell.target.cv),
            "raise `cv` or `max`",
        )
    })?;
    if solution.gap > 1e-3 {
        return Err(SamplingError::one(
            "`targets`",
            format!("the search stopped {:.1}% above the lower bound", solution.gap * 100.0),
            "leave out targets that are nearly the same, or loosen the strictest",
        ));
    }
    let achieved = cells
        .iter()
        .enumerate()
        .map(|(j, cell)| {
            let reached = cell.constraint.load(|h| solution.n[h] as f64) * cell.constraint.limit;
            Achieved {
                variable: cell.target.variable.clone(),
                by: cell.target.by.clone(),
                domain: cell.domain.clone(),
                cv: (reached - cell.finite).max(0.0).sqrt() / cell.mean.abs(),
                binding: solution.binding.contains(&j),
            }
        })
        .collect();
    Ok(Met { real: solution.real, n: solution.n, achieved })
}

/// One target in one domain.
struct Cell<'a> {
    target: &'a Target,
    domain: Option<String>,
    mean: f64,
    /// Σ W² S² / N: what the finite population takes off the variance.
    finite: f64,
    constraint: Constraint,
}

impl Cell<'_> {
    fn place(&self) -> String {
        match (&self.target.by, &self.domain) {
            (Some(by), Some(domain)) => format!(" in `{by}` = `{domain}`"),
            _ => String::new(),
        }
    }
}

fn cells<'a>(targets: &'a [Target], strata: &[Stratum]) -> Result<Vec<Cell<'a>>, SamplingError> {
    let mut problems = Vec::new();
    let mut cells = Vec::new();
    for target in targets {
        let before = problems.len();
        if !target.cv.is_finite() || target.cv <= 0.0 {
            let what = format!("cv is {}", target.cv);
            problems.push(Problem::new(
                format!("target `{}`", target.variable),
                what,
                "give a share such as 0.05",
            ));
        }
        let domains = domains(target, strata, &mut problems);
        if problems.len() > before {
            continue;
        }
        for (domain, members) in domains {
            let all: f64 = members.iter().map(|h| strata[*h].population).sum();
            let share = |h: usize| strata[h].population / all;
            let moments = |h: usize| strata[h].variables[&target.variable];
            let mean: f64 = members.iter().map(|h| share(*h) * moments(*h).mean).sum();
            if mean == 0.0 {
                problems.push(Problem::new(
                    format!("target `{}`", target.variable),
                    format!("the mean is 0 in {}", domain.as_deref().unwrap_or("the population")),
                    "a coefficient of variation needs another mean",
                ));
                continue;
            }
            let shares: Vec<(usize, f64)> =
                members.iter().map(|h| (*h, (share(*h) * moments(*h).sd).powi(2))).collect();
            let finite: f64 = shares.iter().map(|(h, a)| a / strata[*h].population).sum();
            let limit = (target.cv * mean).powi(2) + finite;
            cells.push(Cell { target, domain, mean, finite, constraint: Constraint { shares, limit } });
        }
    }
    if problems.is_empty() { Ok(cells) } else { Err(SamplingError::Problems(problems)) }
}

/// The strata of each domain of a target, in order of appearance.
fn domains(
    target: &Target,
    strata: &[Stratum],
    problems: &mut Vec<Problem>,
) -> IndexMap<Option<String>, Vec<usize>> {
    let mut domains: IndexMap<Option<String>, Vec<usize>> = IndexMap::new();
    for (h, s) in strata.iter().enumerate() {
        let place = || format!("target `{}`, stratum `{}`", target.variable, s.stratum);
        match s.variables.get(&target.variable) {
            None => {
                let remedy = suggestion(&target.variable, s.variables.keys().map(String::as_str));
                problems.push(Problem::new(place(), "the variable is missing", remedy));
            }
            Some(m) if !m.mean.is_finite() || !m.sd.is_finite() || m.sd < 0.0 => {
                let what = format!("mean {} and sd {}", m.mean, m.sd);
                problems.push(Problem::new(place(), what, "give two numbers, the sd 0 or more"));
            }
            Some(_) => {}
        }
        let domain = target.by.as_ref().map(|by| {
            s.domains.get(by).cloned().unwrap_or_else(|| {
                let remedy = suggestion(by, s.domains.keys().map(String::as_str));
                problems.push(Problem::new(place(), format!("the domain `{by}` is missing"), remedy));
                String::new()
            })
        });
        domains.entry(domain).or_default().push(h);
    }
    domains
}
