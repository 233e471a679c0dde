//! Several years beside each other: each wave by its own design, changes with the covariance that shared
//! villages bring, no change without comparability.
//!
//! The variance of a change is V₁ + V₂ − 2C. Each V is that of the wave alone. C comes from the PSUs that
//! both waves share: within each pair of strata, n_c/(n_c − 1) Σ (z₁ − z̄₁)(z₂ − z̄₂) over the n_c shared
//! PSUs, z their linearised totals; with population corrections times 1 − n₁n₂/(n_c N). Where both waves
//! have the same villages this is the covariance of two domains of one sample.
//! Source: Kish (1965, 12.4), Tam (1984), Berger (2004).

mod comparability;
mod overlap;
mod published;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::algebra::Matrix;
use super::context::{Answer, Context, critical, set_figures};
use super::distributions::t_two_sided;
use super::index::IndexPlan;
use super::mark;
use super::plan::{Adjustment, DesignPlan, Plan, Request, Statistic};
use super::result::{DesignSummary, NOT_PROBABILITY, Results, Row, WaveSummary};
use super::survey::Survey;
use super::{EstimationError, check_ids, contrast, read_data};
use crate::table::{Table, TableError, Types};
use comparability::Concordances;
use overlap::{Overlap, Places};
use published::Published;

/// One year. What it does not state, it has from the plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WavePlan {
    /// Its name in results, such as `2026`.
    pub wave: String,
    pub data: Option<String>,
    pub types: Option<Types>,
    pub derive: Option<IndexMap<String, String>>,
    pub indices: Option<IndexMap<String, IndexPlan>>,
    pub design: Option<DesignPlan>,
    pub adjust: Option<Vec<Adjustment>>,
    pub r#where: Option<String>,
    /// New columns by look-up, before `derive`: areas of this year's map brought to common areas.
    pub lookup: IndexMap<String, Lookup>,
    /// Questionnaire of the year: decides what may be compared.
    pub questionnaire: Option<String>,
    /// A quota or convenience sample is not: no errors, no changes, not on a trend line.
    pub probability_sample: Option<bool>,
    /// Only a table of that year exists: CSV with `id`, `variable`, `category`, the `by` columns,
    /// `estimate`, `se`, `n`.
    pub published: Option<String>,
}

/// A column by another one: `file` is a CSV with the columns `from` and the new column's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    pub from: String,
    pub file: String,
}

/// How waves are compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Comparison {
    /// Equal PSU codes of two waves are the same village.
    pub shared_psus: bool,
    pub with: With,
    pub adjustment: MultipleTests,
    /// Variables that a person declares comparable against the questionnaires, with the reason.
    pub comparable: IndexMap<String, String>,
}

/// Which earlier wave each wave is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum With {
    #[default]
    Previous,
    First,
    All,
}

/// How the p values of all changes of a plan are adjusted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MultipleTests {
    /// Holm (1979): the chance of any false flag stays under 1 − level.
    #[default]
    Holm,
    /// Benjamini and Hochberg (1995): the share of false flags among flags does.
    BenjaminiHochberg,
    None,
}

struct Wave {
    name: String,
    probability: bool,
    plan: Plan,
    source: Source,
}

enum Source {
    Rows(Box<Survey>, Places),
    Table(Published),
}

/// One request in one wave.
struct WaveAnswer {
    rows: Vec<Row>,
    covariance: Matrix,
    /// Linearised totals, PSU × row; none without rows of data.
    scores: Option<Matrix>,
    /// PSUs with a row in the row's group.
    present: Vec<Vec<bool>>,
    df: f64,
}

/// Answers a plan of several waves from their files, or from tables.
pub(crate) fn run(
    plan: &Plan,
    folder: &Path,
    tables: Option<Vec<Table>>,
) -> Result<Results, EstimationError> {
    check_ids(plan)?;
    let waves = build(plan, folder, tables)?;
    let concordances = Concordances::read(&plan.waves, folder)?;
    let mut results = Results { design: DesignSummary::default(), ..Results::default() };
    for wave in &waves {
        results.waves.push(wave.summary());
        if !wave.probability {
            results.warnings.push(format!(
                "wave {}: {NOT_PROBABILITY}, and no change is measured from or to it",
                wave.name
            ));
        }
        if let Source::Rows(survey, _) = &wave.source {
            results
                .warnings
                .extend(survey.design.warnings.iter().map(|w| format!("wave {}: {w}", wave.name)));
        }
    }
    for (variable, reason) in &plan.comparison.comparable {
        results.warnings.push(format!("`{variable}` is declared comparable by hand: {reason}"));
    }
    if concordances.is_empty() {
        results.warnings.push(
            "no two waves name a \"questionnaire\": whether items are comparable was not checked".into(),
        );
    }
    let overlaps = Overlaps::of(&waves, plan, &mut results.warnings);
    let bases: HashSet<&str> = plan.requests.iter().filter_map(|r| r.between.as_deref()).collect();
    let mut answers: Vec<(&str, Answer)> = Vec::with_capacity(plan.requests.len());
    for request in &plan.requests {
        let within = |source: EstimationError| EstimationError::Request {
            id: request.id.clone(),
            source: Box::new(source),
        };
        if request.statistic == Statistic::Contrast {
            let answer = contrast::contrast(request, &answers).map_err(within)?;
            results.results.extend(answer.rows.iter().cloned());
            answers.push((&request.id, answer));
            continue;
        }
        let by_wave: Vec<WaveAnswer> =
            waves.iter().map(|wave| wave.answer(request)).collect::<Result<_, _>>().map_err(within)?;
        let joint = joined(&waves, &by_wave, &overlaps);
        results.results.extend(joint.rows.iter().cloned());
        if request.covariance
            && let Some(matrix) = &joint.covariance
        {
            let keys = joint.rows.iter().map(Row::key).collect();
            results
                .covariances
                .insert(request.id.clone(), super::Covariance { keys, matrix: matrix.to_rows() });
        }
        results.results.extend(changes(plan, request, &waves, &by_wave, &overlaps, &concordances)?);
        if bases.contains(request.id.as_str()) {
            answers.push((&request.id, joint));
        }
    }
    flag(&mut results.results, plan);
    Ok(results)
}

fn build(plan: &Plan, folder: &Path, tables: Option<Vec<Table>>) -> Result<Vec<Wave>, EstimationError> {
    let mut tables = tables.map(Vec::into_iter);
    if plan.data.is_some() {
        return Err(EstimationError::Waves("give \"data\" inside each wave, not beside \"waves\"".into()));
    }
    if plan.replicates.is_some() {
        return Err(EstimationError::Waves(
            "changes take linearised errors; leave \"replicates\" out, or stack the waves in one file with `by`".into(),
        ));
    }
    let mut seen = HashSet::new();
    for wave in &plan.waves {
        if wave.wave.is_empty() || !seen.insert(&wave.wave) {
            return Err(EstimationError::Waves(format!(
                "the name `{}` is empty or stands at two waves; each needs a \"wave\" of its own",
                wave.wave
            )));
        }
        if tables.is_none() && wave.data.is_some() == wave.published.is_some() {
            return Err(EstimationError::Waves(format!(
                "wave `{}` needs either \"data\" or \"published\"",
                wave.wave
            )));
        }
    }
    plan.waves
        .iter()
        .map(|wave| {
            let table = match (&mut tables, &wave.published) {
                (Some(tables), None) => Some(tables.next().ok_or_else(|| {
                    EstimationError::Waves(format!("there is no table for wave `{}`", wave.wave))
                })?),
                _ => None,
            };
            Wave::build(wave, plan, folder, table)
                .map_err(|source| EstimationError::Wave { wave: wave.wave.clone(), source: Box::new(source) })
        })
        .collect()
}

impl Wave {
    fn build(
        wave: &WavePlan,
        whole: &Plan,
        folder: &Path,
        table: Option<Table>,
    ) -> Result<Self, EstimationError> {
        let own = Plan {
            data: wave.data.clone(),
            types: wave.types.clone().unwrap_or_else(|| whole.types.clone()),
            derive: wave.derive.clone().unwrap_or_else(|| whole.derive.clone()),
            indices: wave.indices.clone().unwrap_or_else(|| whole.indices.clone()),
            design: wave.design.clone().unwrap_or_else(|| whole.design.clone()),
            adjust: wave.adjust.clone().unwrap_or_else(|| whole.adjust.clone()),
            r#where: wave.r#where.clone().or_else(|| whole.r#where.clone()),
            probability_sample: wave.probability_sample.or(whole.probability_sample),
            codebook: wave.questionnaire.clone().or_else(|| whole.codebook.clone()),
            ..Plan::default()
        };
        let plan = own.with_indices()?.into_owned();
        let mut marked = plan.probability_sample == Some(false);
        let source = match &wave.published {
            Some(file) => Source::Table(Published::read(&folder.join(file))?),
            None => {
                let mut table = table.map_or_else(|| read_data(&plan, folder), Ok)?;
                for (name, lookup) in &wave.lookup {
                    look_up(&mut table, name, lookup, folder)?;
                }
                marked = mark::mark_of(&table, &plan)?.is_some();
                let survey = Survey::build(std::borrow::Cow::Owned(table), &plan, Some(folder), None)?;
                let places = Places::of(&survey, &plan.design)?;
                Source::Rows(Box::new(survey), places)
            }
        };
        Ok(Self { name: wave.wave.clone(), probability: !marked, plan, source })
    }

    fn summary(&self) -> WaveSummary {
        WaveSummary {
            wave: self.name.clone(),
            probability: self.probability,
            design: match &self.source {
                Source::Rows(survey, _) => Some(survey.summary()),
                Source::Table(_) => None,
            },
        }
    }

    fn answer(&self, request: &Request) -> Result<WaveAnswer, EstimationError> {
        let mut answer = match &self.source {
            Source::Table(published) => {
                let rows = published.rows(request);
                let mut covariance = Matrix::zeros(rows.len(), rows.len());
                for (i, row) in rows.iter().enumerate() {
                    covariance.set(i, i, row.se.map_or(f64::NAN, |se| se * se));
                }
                let present = vec![Vec::new(); rows.len()];
                WaveAnswer { rows, covariance, scores: None, present, df: f64::INFINITY }
            }
            Source::Rows(survey, _) => {
                let inside =
                    |source| EstimationError::Wave { wave: self.name.clone(), source: Box::new(source) };
                self.answer_from(survey, request).map_err(inside)?
            }
        };
        for row in &mut answer.rows {
            row.group.shift_insert(0, "wave".into(), self.name.clone());
            if !self.probability {
                row.without_errors();
            }
        }
        if !self.probability {
            answer.covariance.values.iter_mut().for_each(|v| *v = f64::NAN);
        }
        Ok(answer)
    }

    fn answer_from(&self, survey: &Survey, request: &Request) -> Result<WaveAnswer, EstimationError> {
        let offered = [Statistic::Mean, Statistic::Total, Statistic::Proportion, Statistic::Ratio];
        let context = Context::new(survey, request, true)?;
        if !offered.contains(&request.statistic) || request.separate {
            return Err(EstimationError::Choice {
                field: "statistic",
                value: context.word().into(),
                offered: "mean, total, proportion, ratio and contrast in a plan of waves; ask anything else of each \
                          wave in a plan of its own, or of one file that holds all waves, with \"by\": \"wave\"",
            });
        }
        let answer = super::answer(survey, request, true)?;
        let scores = overlap::scores(&context)?;
        let per_group = answer.rows.len() / context.groups.labels.len().max(1);
        let present = context
            .groups
            .rows
            .iter()
            .flat_map(|rows| {
                let mut here = vec![false; survey.design.psu_count()];
                rows.iter().for_each(|row| here[survey.design.psus()[*row] as usize] = true);
                vec![here; per_group]
            })
            .collect();
        let covariance = answer.covariance.unwrap_or_else(|| Matrix::zeros(scores.columns, scores.columns));
        Ok(WaveAnswer { rows: answer.rows, covariance, scores: Some(scores), present, df: answer.df })
    }
}

/// Adds the column that `lookup` describes. Errors: a value without a line, a value with two.
fn look_up(table: &mut Table, name: &str, lookup: &Lookup, folder: &Path) -> Result<(), EstimationError> {
    let path = folder.join(&lookup.file);
    let all_text: Types = [&lookup.from, name]
        .into_iter()
        .map(|column| (column.to_owned(), crate::table::Declared::Category))
        .collect();
    let lines = Table::read(&path, &all_text)?;
    let wrong =
        |reason: String| EstimationError::Waves(format!("look-up of `{name}`: {}: {reason}", path.display()));
    let (from, from_levels) = lines.categories(&lookup.from)?;
    let (to, to_levels) = lines.categories(name)?;
    let mut map: BTreeMap<&str, &str> = BTreeMap::new();
    for (row, (from, to)) in from.iter().zip(to.iter()).enumerate() {
        let (Some(key), Some(value)) = (from_levels.get(*from as usize), to_levels.get(*to as usize)) else {
            return Err(wrong(format!("line {} has an empty cell", row + 2)));
        };
        if map.insert(key, value).is_some_and(|before| before != value) {
            return Err(wrong(format!("`{key}` stands there with two values")));
        }
    }
    let (codes, levels) = table.categories(&lookup.from)?;
    let found: Vec<Option<&str>> = levels.iter().map(|level| map.get(level.as_str()).copied()).collect();
    let mut texts = Vec::with_capacity(codes.len());
    for (row, code) in codes.iter().enumerate() {
        if *code == crate::table::MISSING {
            texts.push(None);
            continue;
        }
        let value = found[*code as usize]
            .ok_or_else(|| wrong(format!("`{}` of row {} has no line", levels[*code as usize], row + 1)))?;
        texts.push(Some(value));
    }
    let column = crate::table::Column::from_texts(texts.iter().copied());
    table.push(name, column).map_err(|error: TableError| error.into())
}

/// What each pair of waves shares.
struct Overlaps(BTreeMap<(usize, usize), Overlap>);

impl Overlaps {
    fn of(waves: &[Wave], plan: &Plan, warnings: &mut Vec<String>) -> Self {
        let mut all = BTreeMap::new();
        for later in 0..waves.len() {
            for earlier in 0..later {
                let (Source::Rows(one, before), Source::Rows(two, after)) =
                    (&waves[earlier].source, &waves[later].source)
                else {
                    continue;
                };
                let overlap = Overlap::of((one, before), (two, after));
                let names = format!("waves {} and {}", waves[earlier].name, waves[later].name);
                if !plan.comparison.shared_psus {
                    if overlap.shared > 0 && !plan.design.clusters.is_empty() {
                        warnings.push(format!(
                            "{names} have {} PSU codes in common and are taken as independent; if these are the \
                             same villages, say \"comparison\": {{\"shared_psus\": true}}",
                            overlap.shared
                        ));
                    }
                    continue;
                }
                if overlap.alone > 0 {
                    warnings.push(format!(
                        "{names}: {} shared PSUs are the only ones of their strata; their covariance is left out, \
                         so errors of changes are rather too large",
                        overlap.alone
                    ));
                }
                all.insert((earlier, later), overlap);
            }
        }
        Self(all)
    }

    /// Cov(row i of the earlier, row j of the later wave).
    fn covariance(&self, waves: (usize, usize), answers: &[WaveAnswer], rows: (usize, usize)) -> f64 {
        let (one, two) = (&answers[waves.0], &answers[waves.1]);
        match (self.0.get(&waves), &one.scores, &two.scores) {
            (Some(overlap), Some(a), Some(b)) => overlap.covariance((a, rows.0), (b, rows.1)),
            _ => 0.0,
        }
    }

    fn shared(&self, waves: (usize, usize), answers: &[WaveAnswer], rows: (usize, usize)) -> (usize, f64) {
        self.0.get(&waves).map_or((0, 0.0), |overlap| {
            overlap.within(&answers[waves.0].present[rows.0], &answers[waves.1].present[rows.1])
        })
    }
}

/// All waves' rows as one answer, so that contrasts reach over waves.
fn joined(waves: &[Wave], answers: &[WaveAnswer], overlaps: &Overlaps) -> Answer {
    let rows: Vec<Row> = answers.iter().flat_map(|a| a.rows.iter().cloned()).collect();
    let mut matrix = Matrix::zeros(rows.len(), rows.len());
    let starts: Vec<usize> = answers
        .iter()
        .scan(0, |next, answer| {
            let start = *next;
            *next += answer.rows.len();
            Some(start)
        })
        .collect();
    for (a, one) in answers.iter().enumerate() {
        for i in 0..one.rows.len() {
            for j in 0..one.rows.len() {
                matrix.set(starts[a] + i, starts[a] + j, one.covariance.at(i, j));
            }
            for (b, two) in answers.iter().enumerate().skip(a + 1) {
                let usable = waves[a].probability && waves[b].probability;
                for j in 0..two.rows.len() {
                    let value = if usable { overlaps.covariance((a, b), answers, (i, j)) } else { f64::NAN };
                    matrix.set(starts[a] + i, starts[b] + j, value);
                    matrix.set(starts[b] + j, starts[a] + i, value);
                }
            }
        }
    }
    let finite: f64 = answers.iter().map(|a| a.df).filter(|df| df.is_finite()).sum();
    let shared: f64 = overlaps.0.values().map(|overlap| overlap.lost_df).sum();
    let least = answers.iter().map(|a| a.df).fold(f64::INFINITY, f64::min);
    Answer { rows, covariance: Some(matrix), df: (finite - shared).max(least) }
}

fn identity(row: &Row) -> (Option<String>, Option<String>, Vec<(String, String)>) {
    let group = row.group.iter().filter(|(by, _)| *by != "wave").map(|(by, v)| (by.clone(), v.clone()));
    (row.variable.clone(), row.category.clone(), group.collect())
}

/// Every change of a request: later wave less earlier wave.
fn changes(
    plan: &Plan,
    request: &Request,
    waves: &[Wave],
    answers: &[WaveAnswer],
    overlaps: &Overlaps,
    concordances: &Concordances,
) -> Result<Vec<Row>, EstimationError> {
    let usable: Vec<usize> = (0..waves.len()).filter(|w| waves[*w].probability).collect();
    let mut rows = Vec::new();
    for (place, later) in usable.iter().enumerate().skip(1) {
        let earlier: &[usize] = match plan.comparison.with {
            With::Previous => &usable[place - 1..place],
            With::First => &usable[..1],
            With::All => &usable[..place],
        };
        for earlier in earlier {
            let pair = (*earlier, *later);
            for (j, after) in answers[*later].rows.iter().enumerate() {
                let wanted = identity(after);
                let Some(i) = answers[*earlier].rows.iter().position(|row| identity(row) == wanted) else {
                    continue;
                };
                let before = &answers[*earlier].rows[i];
                let mut row = Row {
                    id: request.id.clone(),
                    statistic: "change".into(),
                    variable: after.variable.clone(),
                    category: after.category.clone(),
                    group: after.group.clone(),
                    n: before.n.zip(after.n).map(|(a, b)| a.min(b)),
                    answered: before.base().zip(after.base()).map(|(a, b)| a.min(b)),
                    psus: before.psus.zip(after.psus).map(|(a, b)| a.min(b)),
                    ..Row::default()
                };
                row.group.shift_remove("wave");
                row.more.insert("from".into(), waves[*earlier].name.clone().into());
                row.more.insert("to".into(), waves[*later].name.clone().into());
                row.more.insert("base".into(), after.statistic.clone().into());
                let declared =
                    after.variable.as_ref().is_some_and(|v| plan.comparison.comparable.contains_key(v));
                let plans = (&waves[*earlier].plan, &waves[*later].plan);
                let obstacle = match declared {
                    true => None,
                    false => concordances.obstacle(pair, plans, request, after)?,
                };
                if let Some(reason) = obstacle {
                    row.more.insert("reason".into(), format!("not comparable: {reason}").into());
                    rows.push(row);
                    continue;
                }
                let covariance = overlaps.covariance(pair, answers, (i, j));
                let (shared, lost) = overlaps.shared(pair, answers, (i, j));
                let (a, b) = (&answers[*earlier], &answers[*later]);
                let variance = a.covariance.at(i, i) + b.covariance.at(j, j) - 2.0 * covariance;
                let own = |row: &Row| row.df.as_f64().unwrap_or(f64::INFINITY);
                let (one, two) = (own(before), own(after));
                let both = if one.is_finite() && two.is_finite() { one + two - lost } else { one.min(two) };
                let df = request.df.unwrap_or_else(|| both.max(one.min(two)));
                row.df = if df.is_finite() { df.into() } else { Value::Null };
                let difference =
                    before.estimate.zip(after.estimate).map_or(f64::NAN, |(before, after)| after - before);
                let t = critical(
                    request.level,
                    if request.interval == super::plan::Interval::Z { f64::INFINITY } else { df },
                );
                set_figures(&mut row, difference, variance, Some(t));
                if row.estimate == Some(0.0) || row.cv.is_some() {
                    row.more.shift_remove("reason");
                }
                if row.se.is_none() {
                    let reason = "no error: a year was published without one, or the shared PSUs are too few";
                    row.more.insert("reason".into(), reason.into());
                }
                row.more.insert("shared_psus".into(), shared.into());
                if let Some(se) = row.se.filter(|se| *se > 0.0) {
                    let p_value = match df.is_finite() {
                        true => t_two_sided(difference / se, df),
                        false => t_two_sided(difference / se, 1e9),
                    };
                    row.more.insert("p_value".into(), p_value.into());
                }
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// Adjusts the p values of all changes of the plan together and flags those that hold.
fn flag(rows: &mut [Row], plan: &Plan) {
    let levels: BTreeMap<&str, f64> = plan.requests.iter().map(|r| (r.id.as_str(), r.level)).collect();
    let mut tests: Vec<(usize, f64)> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.statistic == "change")
        .filter_map(|(place, row)| Some((place, row.more.get("p_value")?.as_f64()?)))
        .collect();
    tests.sort_by(|a, b| a.1.total_cmp(&b.1));
    let adjusted = adjusted(&tests.iter().map(|t| t.1).collect::<Vec<_>>(), plan.comparison.adjustment);
    let word = match plan.comparison.adjustment {
        MultipleTests::Holm => "holm",
        MultipleTests::BenjaminiHochberg => "benjamini_hochberg",
        MultipleTests::None => "none",
    };
    for ((place, _), adjusted) in tests.iter().zip(adjusted) {
        let row = &mut rows[*place];
        let level = levels.get(row.id.as_str()).copied().unwrap_or(0.95);
        row.more.insert("p_adjusted".into(), adjusted.into());
        row.more.insert("adjustment".into(), word.into());
        row.more.insert("tests".into(), tests.len().into());
        row.more.insert("changed".into(), (adjusted <= 1.0 - level).into());
    }
}

/// Adjusted p values of ascending p values.
fn adjusted(sorted: &[f64], method: MultipleTests) -> Vec<f64> {
    let m = sorted.len();
    let mut adjusted = vec![0.0; m];
    match method {
        MultipleTests::None => adjusted.copy_from_slice(sorted),
        MultipleTests::Holm => {
            let mut most = 0.0_f64;
            for (i, p) in sorted.iter().enumerate() {
                most = most.max(((m - i) as f64 * p).min(1.0));
                adjusted[i] = most;
            }
        }
        MultipleTests::BenjaminiHochberg => {
            let mut least = 1.0_f64;
            for (i, p) in sorted.iter().enumerate().rev() {
                least = least.min(m as f64 / (i + 1) as f64 * p);
                adjusted[i] = least;
            }
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R: p.adjust(c(0.01, 0.02, 0.03, 0.2), "holm") is 0.04 0.06 0.06 0.20, "BH" 0.04 0.04 0.04 0.20.
    #[test]
    fn p_values_are_adjusted_as_in_r() {
        let p = [0.01, 0.02, 0.03, 0.2];
        let near = |got: Vec<f64>, wanted: [f64; 4]| {
            got.iter().zip(wanted).for_each(|(g, w)| assert!((g - w).abs() < 1e-12, "{got:?}"));
        };
        near(adjusted(&p, MultipleTests::Holm), [0.04, 0.06, 0.06, 0.2]);
        near(adjusted(&p, MultipleTests::BenjaminiHochberg), [0.04, 0.04, 0.04, 0.2]);
        near(adjusted(&p, MultipleTests::None), p);
    }
}
