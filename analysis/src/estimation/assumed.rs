//! How far headline estimates move when an assumed population margin is moved by 5 points.

use std::borrow::Cow;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::plan::{Plan, Statistic};
use super::result::{Results, Row};
use super::survey::Survey;
use super::{EstimationError, answer_survey};
use crate::weighting::assumed::{AssumedRun, runs};

/// One run and the estimates it gives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assumed {
    #[serde(flatten)]
    pub run: AssumedRun,
    pub moves: Vec<Move>,
}

/// One estimate of a run beside the plan's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Move {
    pub id: String,
    /// The row's key.
    pub row: String,
    pub estimate: Option<f64>,
    /// This run's estimate less the plan's.
    pub difference: Option<f64>,
    /// The difference over the plan's standard error.
    pub in_errors: Option<f64>,
}

impl Assumed {
    /// The `most` estimates that move most, in standard errors.
    pub fn largest(&self, most: usize) -> Vec<&Move> {
        let size = |m: &Move| m.in_errors.map_or(0.0, f64::abs);
        let mut moves: Vec<&Move> = self.moves.iter().filter(|m| m.difference.is_some()).collect();
        moves.sort_by(|a, b| size(b).total_cmp(&size(a)));
        moves.truncate(most);
        moves
    }
}

/// Requests that are followed: figures of the whole domain.
fn is_headline(request: &super::Request) -> bool {
    let kinds =
        [Statistic::Mean, Statistic::Total, Statistic::Proportion, Statistic::Ratio, Statistic::Quantile];
    request.by.is_empty() && !request.separate && kinds.contains(&request.statistic)
}

/// The runs of all assumed margins of a plan; nothing without one.
pub(crate) fn assumed(
    survey: &Survey,
    plan: &Plan,
    folder: Option<&Path>,
    results: &Results,
) -> Vec<Assumed> {
    runs(plan)
        .into_par_iter()
        .map(|(run, moved)| {
            // The table is prepared already, and only estimates are wanted.
            let plan = Plan {
                data: None,
                derive: Default::default(),
                indices: Default::default(),
                replicates: None,
                requests: moved.requests.iter().filter(|r| is_headline(r)).cloned().collect(),
                ..moved
            };
            let built = Survey::build(Cow::Borrowed(&survey.table), &plan, folder, None)
                .and_then(|moved| Ok((answer_survey(&moved, &plan)?, moved)));
            match built {
                Err(reason) => Assumed {
                    run: AssumedRun { reason: Some(EstimationError::to_string(&reason)), ..run },
                    moves: Vec::new(),
                },
                Ok((answer, moved)) => Assumed {
                    run: run.with(&moved.weights),
                    moves: answer.results.iter().map(|row| of(row, &results.results)).collect(),
                },
            }
        })
        .collect()
}

fn of(row: &Row, own: &[Row]) -> Move {
    let same = |other: &&Row| {
        other.id == row.id && other.key() == row.key() && other.more.get("prob") == row.more.get("prob")
    };
    let base = own.iter().find(same);
    let difference = base.and_then(|base| Some(row.estimate? - base.estimate?));
    let error = base.and_then(|base| base.se).filter(|se| *se > 0.0);
    Move {
        id: row.id.clone(),
        row: row.key(),
        estimate: row.estimate,
        difference,
        in_errors: difference.zip(error).map(|(difference, se)| difference / se),
    }
}

/// The plan's assumed margins.
pub(crate) fn names(plan: &Plan) -> Vec<String> {
    let mut names: Vec<String> = runs(plan).into_iter().map(|(run, _)| run.margin).collect();
    names.dedup();
    names
}

/// One warning a margin: how far it can move what.
pub(crate) fn warnings(runs: &[Assumed]) -> Vec<String> {
    let mut margins: Vec<&str> = runs.iter().map(|a| a.run.margin.as_str()).collect();
    margins.dedup();
    margins
        .into_iter()
        .map(|margin| {
            let own = || runs.iter().filter(|a| a.run.margin == margin);
            let moves = own().flat_map(|a| a.moves.iter().map(move |m| (a, m)));
            let size = |m: &Move| m.in_errors.map_or(0.0, f64::abs);
            let most = moves.max_by(|(_, a), (_, b)| size(a).total_cmp(&size(b)));
            let failed = own().filter(|a| a.run.reason.is_some()).count();
            let mut text = format!("the margin `{margin}` is assumed, not counted");
            if let Some((run, most)) = most.filter(|(_, m)| m.difference.is_some()) {
                text += &format!(
                    "; with {} at {:.1}% in place of {:.1}%, `{}` of `{}` moves most, by {:+.4} ({:.2} standard errors)",
                    run.run.category,
                    100.0 * run.run.moved_to,
                    100.0 * run.run.share,
                    most.row,
                    most.id,
                    most.difference.unwrap_or(0.0),
                    size(most)
                );
            }
            if failed > 0 {
                text += &format!("; {failed} of its runs could not be weighted");
            }
            text
        })
        .collect()
}
