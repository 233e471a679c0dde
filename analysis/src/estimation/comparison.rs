//! Tests between groups: t tests and rank tests.
//!
//! Rank tests: Lumley and Scott (2013).

use serde_json::Value;

use super::EstimationError;
use super::algebra::Matrix;
use super::context::{Answer, Context, Kind, Variable};
use super::distributions::{f_upper, normal_quantile, t_two_sided};
use super::result::Row;
use super::survey::Block;
use crate::table::MISSING;

/// One numeric column of `of`.
fn outcome(context: &Context) -> Result<Variable, EstimationError> {
    match context.of()? {
        [name] => {
            Ok(Variable { name: name.clone(), category: None, kind: Kind::Number(context.number(name)?) })
        }
        many => Err(EstimationError::Choice { field: "of", value: many.join(", "), offered: "one column" }),
    }
}

/// Codes of the groups that have rows in the domain's group, renumbered, and their number.
fn groups_of(
    name: &str,
    codes: &[u32],
    kept: &[u32],
    group: usize,
    two: bool,
) -> Result<(Vec<u32>, usize), EstimationError> {
    let mut seen: Vec<u32> =
        codes.iter().zip(kept).filter(|(_, k)| **k == group as u32).map(|(c, _)| *c).collect();
    seen.sort_unstable();
    seen.dedup();
    let needed = if two { "exactly 2" } else { "at least 2" };
    if seen.len() < 2 || (two && seen.len() > 2) {
        return Err(EstimationError::GroupCount { column: name.into(), got: seen.len(), needed });
    }
    let dense = codes
        .iter()
        .zip(kept)
        .map(|(c, k)| if *k == group as u32 { seen.partition_point(|s| s < c) as u32 } else { MISSING })
        .collect();
    Ok((dense, seen.len()))
}

fn test_row(context: &Context, group: usize, test: &str, value: f64, df: Value, p_value: f64) -> Row {
    let mut row = context.row(group);
    row.df = df;
    row.more.insert("test".into(), test.into());
    row.more.insert("value".into(), value.into());
    row.more.insert("p_value".into(), p_value.into());
    row
}

/// Difference of two groups' means, or a mean against 0.
pub(crate) fn ttest(context: &Context) -> Result<Answer, EstimationError> {
    let outcome = outcome(context)?;
    let Kind::Number(values) = &outcome.kind else { return Err(EstimationError::EmptyDomain) };
    let by = match &context.request.groups {
        None => None,
        Some(name) => {
            let (codes, levels) = context.category(name)?;
            Some(Variable { name: name.clone(), category: None, kind: Kind::Category { codes, levels } })
        }
    };
    let kept = context.complete(&std::iter::once(&outcome).chain(by.as_ref()).collect::<Vec<_>>())?;
    let mut rows = Vec::new();
    for group in 0..context.groups.labels.len() {
        let (codes, levels) = match &by {
            Some(Variable { name, category: None, kind: Kind::Category { codes, .. } }) => {
                groups_of(name, codes, &kept, group, true)?
            }
            _ => {
                let only = kept.iter().map(|k| if *k == group as u32 { 0 } else { MISSING });
                (only.collect(), 1)
            }
        };
        let blocks = [
            Block { values: None, codes: codes.as_slice().into(), levels },
            Block { values: Some(values.as_slice().into()), codes: codes.as_slice().into(), levels },
        ];
        let estimated = context.survey.smooth(
            &blocks,
            false,
            |t| {
                let mean = |g: usize| t[levels + g] / t[g];
                vec![if levels == 2 { mean(1) - mean(0) } else { mean(0) }]
            },
            |t, _| {
                let part = |g: usize, sign: f64| {
                    let mean = t[levels + g] / t[g];
                    [(levels + g, sign / t[g]), (g, -sign * mean / t[g])]
                };
                vec![match levels {
                    2 => part(1, 1.0).into_iter().chain(part(0, -1.0)).collect(),
                    _ => part(0, 1.0).to_vec(),
                }]
            },
        )?;
        let (estimate, variance) = (estimated.values[0], estimated.variance.at(0, 0));
        // R takes one off also for the one-sample test (Stata does not); the reference figures are R's.
        let df = context.df(group) - if context.request.df.is_none() { 1.0 } else { 0.0 };
        let t = estimate / variance.sqrt();
        let mut row = test_row(context, group, "t", t, df.into(), t_two_sided(t, df));
        row.variable = Some(outcome.name.clone());
        row.estimate = Some(estimate).filter(|v| v.is_finite());
        finish(context, &mut row, &codes);
        rows.push(row);
    }
    Ok(Answer::new(context, rows, None))
}

const METHODS: &str = "wilcoxon, vanderWaerden, median, KruskalWallis";

/// Differences of mean rank scores between groups.
pub(crate) fn ranktest(context: &Context) -> Result<Answer, EstimationError> {
    let method = context.request.method.as_deref().unwrap_or("wilcoxon");
    if !METHODS.split(", ").any(|m| m == method) {
        return Err(EstimationError::Choice { field: "method", value: method.into(), offered: METHODS });
    }
    let outcome = outcome(context)?;
    let Kind::Number(values) = &outcome.kind else { return Err(EstimationError::EmptyDomain) };
    let name = context.needed(context.request.groups.as_deref(), "groups")?;
    let (codes, levels) = context.category(name)?;
    let by =
        Variable { name: name.into(), category: None, kind: Kind::Category { codes: codes.clone(), levels } };
    let kept = context.complete(&[&outcome, &by])?;
    let mut rows = Vec::new();
    for group in 0..context.groups.labels.len() {
        let (dense, count) = groups_of(name, &codes, &kept, group, false)?;
        let scores = rank_scores(values, &dense, &context.survey.weights, method);
        // Regression of the scores on the groups: the first group is the base.
        let mut weight = vec![0.0; count];
        let mut sum = vec![0.0; count];
        for (row, code) in dense.iter().enumerate().filter(|(_, c)| **c != MISSING) {
            weight[*code as usize] += context.survey.weights[row];
            sum[*code as usize] += context.survey.weights[row] * scores[row];
        }
        let mean: Vec<f64> = sum.iter().zip(&weight).map(|(s, w)| s / w).collect();
        let influence: Vec<Vec<f64>> = (1..count)
            .map(|g| {
                dense
                    .iter()
                    .enumerate()
                    .map(|(row, code)| match *code as usize {
                        at if at == g => (scores[row] - mean[g]) / weight[g],
                        0 => -(scores[row] - mean[0]) / weight[0],
                        _ => 0.0,
                    })
                    .collect()
            })
            .collect();
        let whole: Vec<u32> = dense.iter().map(|c| if *c == MISSING { MISSING } else { 0 }).collect();
        // Under replicates the ranks stay those of the full sample and the influence values are
        // totalled with each replicate's weights.
        let blocks: Vec<Block> = influence
            .into_iter()
            .map(|values| Block { values: Some(values.into()), codes: whole.as_slice().into(), levels: 1 })
            .collect();
        let itself = |_: &[f64], values: &[f64]| (0..values.len()).map(|i| vec![(i, 1.0)]).collect();
        let variance = context.survey.smooth(&blocks, true, <[f64]>::to_vec, itself)?.variance;
        let df = context.df(group);
        let mut row = if count == 2 {
            let estimate = mean[1] - mean[0];
            let t = estimate / variance.at(0, 0).sqrt();
            let df = if context.request.df.is_none() { df - 1.0 } else { df };
            let mut row = test_row(context, group, method, t, df.into(), t_two_sided(t, df));
            row.estimate = Some(estimate).filter(|v| v.is_finite());
            row
        } else {
            let k = count - 1;
            let difference = Matrix::from_fn(k, 1, |i, _| mean[i + 1] - mean[0]);
            let solved = variance.solve(&difference).ok_or(EstimationError::SingularTest)?;
            let statistic = difference.transposed().times(&solved).at(0, 0);
            let p_value = f_upper(statistic / k as f64, k as f64, df - k as f64);
            test_row(context, group, method, statistic, (k as f64).into(), p_value)
        };
        row.variable = Some(outcome.name.clone());
        finish(context, &mut row, &whole);
        rows.push(row);
    }
    Ok(Answer::new(context, rows, None))
}

fn finish(context: &Context, row: &mut Row, codes: &[u32]) {
    let whole: Vec<u32> = codes.iter().map(|c| if *c == MISSING { MISSING } else { 0 }).collect();
    let (answered, psus) = context.count(&whole, 1)[0];
    row.answered = Some(answered);
    row.psus = Some(psus);
}

/// Scores of the estimated population ranks (middle of a value's own weight; ties share the mean).
fn rank_scores(values: &[f64], codes: &[u32], weights: &[f64], method: &str) -> Vec<f64> {
    let mut order: Vec<usize> =
        (0..values.len()).filter(|r| codes[*r] != MISSING && weights[*r] != 0.0).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let total: f64 = order.iter().map(|r| weights[*r]).sum();
    let mut scores = vec![0.0; values.len()];
    let mut start = 0;
    let mut before = 0.0;
    while start < order.len() {
        let mut end = start;
        let mut ranks = 0.0;
        let mut sum = before;
        while end < order.len() && values[order[end]] == values[order[start]] {
            sum += weights[order[end]];
            ranks += sum - weights[order[end]] / 2.0;
            end += 1;
        }
        let rank = ranks / (end - start) as f64;
        let score = match method {
            "vanderWaerden" => normal_quantile(rank / total),
            "median" => f64::from(u8::from(rank > total / 2.0)),
            _ => rank / total,
        };
        order[start..end].iter().for_each(|r| scores[*r] = score);
        before = sum;
        start = end;
    }
    scores
}
