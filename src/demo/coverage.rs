//! Do the intervals tell the truth? Many samples from one simulated population, each drawn, worked, weighted and
//! estimated as a real wave would be; then counted: how many 95% intervals hold the true value.

use analysis::estimation;
use anyhow::Context;
use serde_json::json;

use crate::demo::instrument::{self, Instrument};
use crate::demo::population::ITEMS;
use crate::demo::simulation::{self, Truth};
use crate::jobs::analysis_file::{CaseRecord, weighting_table};
use crate::jobs::weights::weight;

/// Counts over all seeds.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    pub samples: usize,
    /// By headline item: weighted and unweighted intervals that hold the truth.
    pub weighted: Vec<usize>,
    pub unweighted: Vec<usize>,
    /// By headline item: sum of the estimates, for the bias.
    pub estimates: Vec<f64>,
    pub truth: Vec<f64>,
}

impl Coverage {
    /// Share of weighted intervals, over all items, that hold the truth.
    pub fn share(&self) -> f64 {
        share(&self.weighted, self.samples)
    }

    /// The same for intervals from unweighted answers.
    pub fn unweighted_share(&self) -> f64 {
        share(&self.unweighted, self.samples)
    }
}

fn share(hits: &[usize], samples: usize) -> f64 {
    hits.iter().sum::<usize>() as f64 / (hits.len() * samples) as f64
}

/// Takes a sample for each seed of `seeds`.
pub fn run(seeds: impl Iterator<Item = u64>, done: &dyn Fn(usize)) -> anyhow::Result<Coverage> {
    let instrument = instrument::read()?;
    let truth = Truth::new(&instrument)?;
    let mut coverage = Coverage {
        weighted: vec![0; ITEMS.len()],
        unweighted: vec![0; ITEMS.len()],
        estimates: vec![0.0; ITEMS.len()],
        truth: truth.shares.clone(),
        ..Coverage::default()
    };
    for seed in seeds {
        one(&instrument, &truth, seed, &mut coverage).with_context(|| format!("seed {seed}"))?;
        coverage.samples += 1;
        done(coverage.samples);
    }
    Ok(coverage)
}

fn one(instrument: &Instrument, truth: &Truth, seed: u64, coverage: &mut Coverage) -> anyhow::Result<()> {
    let sample = simulation::draw(instrument, truth, seed)?;
    let fieldwork = simulation::work(instrument, truth, &sample, seed)?;
    let records = simulation::records(truth, &fieldwork)?;
    let mut questions: Vec<&str> = vec!["b1", "b2", "b3", "g1"];
    questions.extend(ITEMS.iter().map(|item| item.question));
    let table = weighting_table(&records, &questions)?;
    let mut weighting = instrument.weighting.clone();
    weighting.margins.clone_from(&truth.margins);
    let weighted = weight(&table, &weighting)?;
    let plan = json!({
        "types": questions.iter().map(|q| ((*q).to_owned(), json!("category"))).collect::<serde_json::Map<_, _>>(),
        "derive": ITEMS.iter().map(|item| (item.name.to_owned(), instrument.analysis["derive"][item.name].clone())).collect::<serde_json::Map<_, _>>(),
        "requests": ITEMS.iter().map(|item| json!({
            "id": item.name, "statistic": "mean", "of": [item.name], "missing": "drop"
        })).collect::<Vec<_>>()
    });
    let results = estimation::estimate(&weighted.respondents, &weighted.plan(&plan)?)?;
    for (i, item) in ITEMS.iter().enumerate() {
        let row = results.results.iter().find(|row| row.id == item.name).context(item.name)?;
        let value = truth.shares[i];
        if let (Some(estimate), Some(low), Some(high)) = (row.estimate, row.ci_low, row.ci_high) {
            coverage.estimates[i] += estimate;
            coverage.weighted[i] += usize::from(low <= value && value <= high);
        }
        if let Some((mean, half)) = unweighted(&records, i) {
            coverage.unweighted[i] += usize::from((mean - value).abs() <= half);
        }
    }
    Ok(())
}

/// The share as somebody would count it who knows nothing of the design, with the half-width of the textbook
/// interval.
fn unweighted(records: &[CaseRecord], item: usize) -> Option<(f64, f64)> {
    let item = &ITEMS[item];
    let answers = records.iter().filter_map(|r| r.answers.as_ref()?.get(item.question));
    let (mut favourable, mut n) = (0.0, 0.0);
    for code in answers {
        if item.favourable.contains(&code.as_str()) {
            favourable += 1.0;
            n += 1.0;
        } else if item.unfavourable.contains(&code.as_str()) {
            n += 1.0;
        }
    }
    (n > 0.0).then(|| {
        let mean: f64 = favourable / n;
        (mean, 1.96 * (mean * (1.0 - mean) / n).sqrt())
    })
}
