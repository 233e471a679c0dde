//! The gate for estimates: rules 17, 18 and 19 over the rows of a plan.

use super::{Figure, Rules};
use crate::estimation::result::Row;
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};

/// An estimate that passed the gate. Its keys are free, its figure is shown or hidden.
#[derive(Clone, Debug, PartialEq)]
pub struct SafeRow {
    id: String,
    statistic: String,
    variable: Option<String>,
    category: Option<String>,
    group: IndexMap<String, String>,
    figure: Figure,
}

impl SafeRow {
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn statistic(&self) -> &str {
        &self.statistic
    }

    pub fn variable(&self) -> Option<&str> {
        self.variable.as_deref()
    }

    pub fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// Values of the `by` columns.
    pub fn group(&self) -> &IndexMap<String, String> {
        &self.group
    }

    pub fn figure(&self) -> &Figure {
        &self.figure
    }

    pub(super) fn with(mut self, change: impl FnOnce(Figure) -> Figure) -> Self {
        self.figure = change(self.figure);
        self
    }
}

/// A request that may not be answered at all.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GateError {
    #[error(
        "request `{id}`: ethnicity (`{ethnicity}`) is never crossed with an area smaller than a former \
         district (`{area}`); use the former district or the whole province"
    )]
    EthnicityBySmallArea { id: String, ethnicity: String, area: String },
}

/// Decides for every row of a plan's answer whether its figure may be seen. Same length and order as `rows`.
///
/// Hidden are figures
/// - with a base under `min_base` or from fewer than `min_clusters` clusters (a row that does not say its
///   base or its clusters is hidden too: what the gate cannot judge does not leave);
/// - whose count of respondents, share × base, is 1 … `min_count` − 1, for the answer or for its complement;
/// - of a sensitive variable where one answer dominates a small base (rule 18: the whole distribution);
/// - of ethnic groups that may not be shown alone (rule 19);
/// - and those that would give one of these back by subtraction: among the answers of one base, and among
///   the groups along each `by` column.
///
/// Errors: [`GateError`] for a crossing that is refused whatever its numbers are.
pub fn gate(rows: &[Row], rules: &Rules) -> Result<Vec<SafeRow>, GateError> {
    let rules = rules.clone().tightened();
    for row in rows {
        refuse_small_area_crossing(row, &rules)?;
    }
    let mut hidden = vec![false; rows.len()];
    for distribution in distributions(rows).values() {
        hide_within_distribution(rows, distribution, &rules, &mut hidden);
    }
    hide_among_groups(rows, &rules, &mut hidden);
    Ok(rows
        .iter()
        .zip(hidden)
        .map(|(row, hidden)| SafeRow {
            id: row.id.clone(),
            statistic: row.statistic.clone(),
            variable: row.variable.clone(),
            category: row.category.clone(),
            group: row.group.clone(),
            figure: if hidden { Figure::hidden() } else { Figure::of(row, rules.cautious_base) },
        })
        .collect())
}

fn refuse_small_area_crossing(row: &Row, rules: &Rules) -> Result<(), GateError> {
    let columns: Vec<&String> = row.group.keys().chain(row.variable.iter()).collect();
    let ethnicity = columns.iter().find(|c| rules.ethnicity.contains(**c));
    let area = columns.iter().find(|c| rules.small_areas.contains(**c));
    match (ethnicity, area) {
        (Some(ethnicity), Some(area)) => Err(GateError::EthnicityBySmallArea {
            id: row.id.clone(),
            ethnicity: (*ethnicity).clone(),
            area: (*area).clone(),
        }),
        _ => Ok(()),
    }
}

type DistributionKey = (String, Option<String>, Vec<(String, String)>);

/// Rows of one request, variable and group: the answers of one base.
fn distributions(rows: &[Row]) -> BTreeMap<DistributionKey, Vec<usize>> {
    let mut found: BTreeMap<DistributionKey, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        let group = row.group.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        found.entry((row.id.clone(), row.variable.clone(), group)).or_default().push(i);
    }
    found
}

fn hide_within_distribution(rows: &[Row], members: &[usize], rules: &Rules, hidden: &mut [bool]) {
    let small_base = members.iter().any(|i| {
        let row = &rows[*i];
        row.base().is_none_or(|n| n < rules.min_base)
            || row.psus.is_none_or(|psus| psus < rules.min_clusters)
            || is_ethnic_group_alone_too_small(row, rules)
    });
    let shares: Vec<Option<f64>> = members.iter().map(|i| share(rows, *i, members)).collect();
    if small_base || is_dominated(rows, members, &shares, rules) {
        members.iter().for_each(|i| hidden[*i] = true);
        return;
    }
    let counts: Vec<Option<f64>> = members
        .iter()
        .zip(&shares)
        .map(|(i, share)| Some(share.as_ref()? * rows[*i].base()? as f64))
        .collect();
    let least = rules.min_count as f64;
    let too_few = |count: f64| count > 1e-9 && count < least - 1e-9;
    let is_distribution = members.len() > 1 && members.iter().all(|i| rows[*i].category.is_some());
    for (slot, count) in counts.iter().enumerate() {
        let Some(count) = count else { continue };
        let base = rows[members[slot]].base().unwrap_or(0) as f64;
        let complement_shows = !is_distribution && too_few(base - count);
        if too_few(*count) || complement_shows || is_small_ethnic_answer(&rows[members[slot]], *count, rules)
        {
            hidden[members[slot]] = true;
        }
    }
    if !is_distribution || !members.iter().any(|i| hidden[*i]) {
        return;
    }
    // The answers of one base add up to it: what is hidden must be at least two answers and together at
    // least the threshold, so that none is known better than to [0, threshold].
    loop {
        let sum: f64 =
            members.iter().zip(&counts).filter(|(i, _)| hidden[**i]).map(|(_, c)| c.unwrap_or(0.0)).sum();
        let how_many = members.iter().filter(|i| hidden[**i]).count();
        if how_many >= 2 && sum >= least - 1e-9 {
            return;
        }
        let next = members
            .iter()
            .zip(&counts)
            .filter(|(i, count)| !hidden[**i] && count.is_some_and(|c| c > 1e-9))
            .min_by(|a, b| a.1.partial_cmp(b.1).unwrap_or(std::cmp::Ordering::Equal))
            .map(|(i, _)| *i);
        match next {
            Some(i) => hidden[i] = true,
            None => {
                members.iter().for_each(|i| hidden[*i] = true);
                return;
            }
        }
    }
}

/// The row's share of its base, where the row is a share or a part of a total.
fn share(rows: &[Row], i: usize, members: &[usize]) -> Option<f64> {
    let row = &rows[i];
    let estimate = row.estimate?;
    if row.category.is_some() {
        let sum: f64 = members.iter().filter_map(|j| rows[*j].estimate).sum();
        return (sum > 0.0).then(|| estimate / sum);
    }
    // A mean between 0 and 1 is taken for the share of an indicator: at worst too much is hidden.
    let is_share = matches!(row.statistic.as_str(), "proportion" | "mean" | "ratio");
    (is_share && (0.0..=1.0).contains(&estimate)).then_some(estimate)
}

fn is_dominated(rows: &[Row], members: &[usize], shares: &[Option<f64>], rules: &Rules) -> bool {
    members.iter().zip(shares).any(|(i, share)| {
        let row = &rows[*i];
        let sensitive = row.variable.iter().any(|v| rules.sensitive.contains(v));
        let small = row.base().is_none_or(|n| n < rules.dominated_base);
        // The share of an indicator dominates from both ends: nobody is everybody else.
        let lone = row.category.is_none();
        sensitive
            && small
            && share.is_some_and(|s| s > rules.max_share || (lone && 1.0 - s > rules.max_share))
    })
}

fn is_ethnic_group_alone_too_small(row: &Row, rules: &Rules) -> bool {
    row.group.iter().filter(|(column, _)| rules.ethnicity.contains(*column)).any(|(_, code)| {
        let crossed = row.group.len() > 1 && rules.small_ethnic_groups.contains(code);
        crossed || row.base().is_none_or(|n| n < rules.min_ethnic_base)
    })
}

/// The distribution of ethnicity itself: each group is an answer.
fn is_small_ethnic_answer(row: &Row, count: f64, rules: &Rules) -> bool {
    let ethnic = row.variable.iter().any(|v| rules.ethnicity.contains(v));
    let Some(code) = row.category.as_ref().filter(|_| ethnic) else { return false };
    let crossed = !row.group.is_empty() && rules.small_ethnic_groups.contains(code);
    count > 1e-9 && (crossed || count < rules.min_ethnic_base as f64 - 1e-9)
}

/// Groups along one `by` column add up to the group without it. Where some are hidden, they must be at
/// least two with together at least `min_base` respondents; else the smallest shown one is hidden too.
/// A whole group is hidden at once, for all answers of its base.
fn hide_among_groups(rows: &[Row], rules: &Rules, hidden: &mut [bool]) {
    // A line: one request and variable, one column running, the values of the others fixed.
    let mut lines: BTreeMap<(DistributionKey, String), BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        for column in row.group.keys() {
            let fixed =
                row.group.iter().filter(|(k, _)| *k != column).map(|(k, v)| (k.clone(), v.clone())).collect();
            let key = ((row.id.clone(), row.variable.clone(), fixed), column.clone());
            lines.entry(key).or_default().entry(row.group[column].clone()).or_default().push(i);
        }
    }
    loop {
        let mut changed = false;
        for groups in lines.values() {
            changed |= complete_line(rows, groups, rules, hidden);
            changed |= complete_answers(rows, groups, rules, hidden);
        }
        // A newly hidden answer may leave its own distribution open.
        for members in distributions(rows).values() {
            let before: usize = members.iter().filter(|i| hidden[**i]).count();
            if before > 0 && before < members.len() {
                hide_within_distribution(rows, members, rules, hidden);
                changed |= members.iter().filter(|i| hidden[**i]).count() > before;
            }
        }
        if !changed {
            return;
        }
    }
}

fn base(rows: &[Row], members: &[usize]) -> usize {
    members.iter().filter_map(|i| rows[*i].base()).max().unwrap_or(0)
}

/// Whole groups hidden along a line.
fn complete_line(
    rows: &[Row],
    groups: &BTreeMap<String, Vec<usize>>,
    rules: &Rules,
    hidden: &mut [bool],
) -> bool {
    let is_gone = |members: &Vec<usize>, hidden: &[bool]| members.iter().all(|i| hidden[*i]);
    let mut changed = false;
    loop {
        let gone: Vec<&Vec<usize>> = groups.values().filter(|m| is_gone(m, hidden)).collect();
        if gone.is_empty() || gone.len() == groups.len() {
            return changed;
        }
        let together: usize = gone.iter().map(|m| base(rows, m)).sum();
        if gone.len() >= 2 && together >= rules.min_base {
            return changed;
        }
        let next = groups.iter().filter(|(_, m)| !is_gone(m, hidden)).min_by_key(|(_, m)| base(rows, m));
        let Some((_, members)) = next else { return changed };
        members.iter().for_each(|i| hidden[*i] = true);
        changed = true;
    }
}

/// Single answers hidden along a line: the same answer must be hidden in at least two groups, with
/// together at least `min_count` respondents.
fn complete_answers(
    rows: &[Row],
    groups: &BTreeMap<String, Vec<usize>>,
    rules: &Rules,
    hidden: &mut [bool],
) -> bool {
    let categories: BTreeSet<Option<String>> =
        groups.values().flatten().map(|i| rows[*i].category.clone()).collect();
    let mut changed = false;
    for category in categories {
        let cells: Vec<(usize, f64)> = groups
            .values()
            .filter_map(|members| {
                let i = *members.iter().find(|i| rows[**i].category == category)?;
                let count = share(rows, i, members).unwrap_or(1.0) * rows[i].base().unwrap_or(0) as f64;
                Some((i, count))
            })
            .collect();
        loop {
            let gone: Vec<&(usize, f64)> = cells.iter().filter(|(i, _)| hidden[*i]).collect();
            let sum: f64 = gone.iter().map(|(_, count)| count).sum();
            let enough = gone.len() >= 2 && sum >= rules.min_count as f64 - 1e-9;
            if gone.is_empty() || gone.len() == cells.len() || enough {
                break;
            }
            let next = cells
                .iter()
                .filter(|(i, count)| !hidden[*i] && *count > 1e-9)
                .min_by(|a, b| a.1.total_cmp(&b.1));
            let Some((i, _)) = next else { break };
            hidden[*i] = true;
            changed = true;
        }
    }
    changed
}
