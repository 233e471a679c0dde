//! Which items two years may compare: what the concordance of their questionnaires says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use surveys::questionnaire::Questionnaire;
use surveys::years::{self, Concordance};

use super::WavePlan;
use crate::estimation::EstimationError;
use crate::estimation::codebook::read_questionnaire;
use crate::estimation::plan::{Plan, Request, Statistic};
use crate::estimation::result::Row;
use crate::sql::Expression;

/// Concordances by pair of waves, earlier first.
pub(super) struct Concordances(BTreeMap<(usize, usize), Vec<Concordance>>);

impl Concordances {
    pub fn read(waves: &[WavePlan], folder: &Path) -> Result<Self, EstimationError> {
        let forms: Vec<Option<Questionnaire>> = waves
            .iter()
            .map(|wave| {
                wave.questionnaire.as_deref().map(|file| read_questionnaire(file, folder)).transpose()
            })
            .collect::<Result<_, _>>()?;
        let mut all = BTreeMap::new();
        for (later, new) in forms.iter().enumerate() {
            for (earlier, old) in forms[..later].iter().enumerate() {
                if let (Some(old), Some(new)) = (old, new) {
                    all.insert((earlier, later), years::compare(old, new).concordance);
                }
            }
        }
        Ok(Self(all))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Why the row may not be compared; `None` where it may. Columns that are no questions say nothing.
    pub fn obstacle(
        &self,
        waves: (usize, usize),
        (before, after): (&Plan, &Plan),
        request: &Request,
        row: &Row,
    ) -> Result<Option<String>, EstimationError> {
        let Some(lines) = self.0.get(&waves) else { return Ok(None) };
        let variable = row.variable.clone().unwrap_or_default();
        let mut named: Vec<&str> = match request.statistic {
            Statistic::Ratio => variable.split('/').collect(),
            _ => vec![&variable],
        };
        named.extend(request.by.iter().map(String::as_str));
        named.extend(request.r#where.as_deref());
        let mut columns = BTreeSet::new();
        for plan in [before, after] {
            for name in &named {
                sources(name, plan, &mut columns)?;
            }
        }
        for column in &columns {
            let Some((question, part)) = question_of(column, lines) else { continue };
            // A code of the question itself, or the choice that an indicator stands for.
            let code = if *column == variable { row.category.as_deref().or(part) } else { part };
            let own = || lines.iter().filter(|line| line.question == question);
            let told = |line: &Concordance| format!("{question}: {}", line.reason_en);
            let is_code = |line: &&Concordance| {
                code.is_some_and(|c| {
                    line.old_code.as_deref() == Some(c) || line.new_code.as_deref() == Some(c)
                })
            };
            let lines: Vec<&Concordance> = match own().any(|line| is_code(&line)) {
                true => own().filter(is_code).collect(),
                false => own().collect(),
            };
            if let Some(line) = lines.iter().find(|line| !line.comparable) {
                return Ok(Some(told(line)));
            }
            if let Some(line) = lines.iter().find(|line| line.old_code != line.new_code) {
                let text = |code: &Option<String>| code.clone().unwrap_or_default();
                return Ok(Some(format!(
                    "{question}: code {} is code {} in the later year; derive one variable for both",
                    text(&line.old_code),
                    text(&line.new_code)
                )));
            }
        }
        Ok(None)
    }
}

/// The columns of the data behind a name: itself, or what it is derived from.
fn sources(name: &str, plan: &Plan, found: &mut BTreeSet<String>) -> Result<(), EstimationError> {
    if let Some(sql) = plan.derive.get(name) {
        for column in Expression::parse(sql)?.columns() {
            if column != name {
                sources(column, plan, found)?;
            }
        }
        return Ok(());
    }
    match Expression::parse(name) {
        // A condition as a proportion has it.
        Ok(parsed) if parsed.columns() != [name] && !parsed.columns().is_empty() => {
            for column in parsed.columns() {
                sources(column, plan, found)?;
            }
        }
        _ => {
            found.insert(name.to_owned());
        }
    }
    Ok(())
}

/// The question a column belongs to, and the part of it (`q_a`, `q_cat`) that it is.
fn question_of<'a>(column: &'a str, lines: &'a [Concordance]) -> Option<(&'a str, Option<&'a str>)> {
    let is = |name: &str| lines.iter().find(|line| line.question == name).map(|line| line.question.as_str());
    if let Some(question) = is(column) {
        return Some((question, None));
    }
    column
        .match_indices('_')
        .map(|(at, _)| at)
        .rev()
        .find_map(|at| Some((is(&column[..at])?, Some(&column[at + 1..]))))
}
