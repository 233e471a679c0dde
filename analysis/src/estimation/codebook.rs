//! What the plan's questionnaire says of its columns: labels, and multiple responses parted.

use std::path::Path;

use surveys::codebook::{Codebook, Measure, Variable};
use surveys::questionnaire::Questionnaire;
use surveys::{xform, xlsform};

use super::EstimationError;
use super::plan::{Label, Plan};
use crate::table::{Column, MISSING, Table, number_text};

/// The codebook of the plan's `codebook` file (of several waves: else the latest questionnaire), with the
/// plan's own `labels`. `None` where it has neither.
pub fn read_codebook(plan: &Plan, folder: &Path) -> Result<Option<Codebook>, EstimationError> {
    let latest = || plan.waves.iter().rev().find_map(|wave| wave.questionnaire.as_ref());
    let file = plan.codebook.as_ref().or_else(latest);
    if file.is_none() && plan.labels.is_empty() {
        return Ok(None);
    }
    let mut book = match file {
        None => Codebook::default(),
        Some(file) if file.ends_with(".json") => {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path)
                .map_err(|e| EstimationError::Unreadable { path: path.clone(), reason: e.to_string() })?;
            serde_json::from_str(&text)
                .map_err(|e| EstimationError::PlanSyntax { path, reason: e.to_string() })?
        }
        Some(file) => Codebook::of(&read_questionnaire(file, folder)?),
    };
    for (name, label) in &plan.labels {
        let label = match label {
            Label::Text(text) => [("vi".to_owned(), text.clone())].into_iter().collect(),
            Label::ByLanguage(texts) => texts.clone(),
        };
        let variable = book.variables.entry(name.clone()).or_insert_with(|| Variable {
            name: name.clone(),
            path: String::new(),
            label: Default::default(),
            measure: Measure::Other,
            values: Vec::new(),
            universe: Vec::new(),
            sealed: false,
            field: false,
        });
        variable.label = label;
    }
    Ok(Some(book))
}

/// A questionnaire, by file ending.
pub(crate) fn read_questionnaire(file: &str, folder: &Path) -> Result<Questionnaire, EstimationError> {
    let path = folder.join(file);
    let bytes = std::fs::read(&path)
        .map_err(|e| EstimationError::Unreadable { path: path.clone(), reason: e.to_string() })?;
    let read = match file.to_lowercase().ends_with(".xml") {
        true => xform::read(&bytes),
        false => xlsform::read(file, &bytes),
    };
    read.map(|read| read.questionnaire).map_err(|problems| EstimationError::Questionnaire {
        path,
        problem: problems.first().map(ToString::to_string).unwrap_or_default(),
        others: problems.len().saturating_sub(1),
    })
}

/// Adds what a multiple-response or ranking column holds as columns of their own, where they are not
/// there yet: `q_a` is 1 where choice `a` was taken and 0 where others were; `q_1` is the choice ranked
/// first. Who did not know or refused (98, 99) has no answer to the other choices.
///
/// Error: a value that is no choice of the question.
pub fn part_responses(table: &mut Table, book: &Codebook) -> Result<(), EstimationError> {
    for (name, variable) in &book.variables {
        let own = |part: &str| {
            book.variables.get(&format!("{name}_{part}")).filter(|other| other.path == variable.path)
        };
        let multiple =
            variable.values.iter().any(|v| own(&v.code).is_some_and(|o| o.measure == Measure::Indicator));
        let ranks = (1..).take_while(|rank| !multiple && own(&rank.to_string()).is_some()).count();
        if !multiple && ranks == 0 || variable.measure == Measure::Indicator {
            continue;
        }
        let Some(answers) = table.get(name).map(|column| taken(name, variable, column)).transpose()? else {
            continue;
        };
        let refused = |chosen: &[usize]| chosen.iter().any(|c| variable.values[*c].missing.is_some());
        let levels: Vec<usize> =
            (0..variable.values.len()).filter(|v| variable.values[*v].missing.is_none()).collect();
        if multiple {
            for (place, value) in variable.values.iter().enumerate() {
                let part = format!("{name}_{}", value.code);
                if table.get(&part).is_some() {
                    continue;
                }
                let mark = |chosen: &Option<Vec<usize>>| match chosen {
                    Some(chosen) if value.missing.is_none() && refused(chosen) => f64::NAN,
                    Some(chosen) => f64::from(u8::from(chosen.contains(&place))),
                    None => f64::NAN,
                };
                table.push(part, Column::Number(answers.iter().map(mark).collect()))?;
            }
        }
        for rank in 0..ranks {
            let part = format!("{name}_{}", rank + 1);
            if table.get(&part).is_some() {
                continue;
            }
            let code = |chosen: &Option<Vec<usize>>| {
                let choice = chosen.as_ref().filter(|c| !refused(c)).and_then(|c| c.get(rank));
                choice.and_then(|c| levels.iter().position(|l| l == c)).map_or(MISSING, |at| at as u32)
            };
            let codes = answers.iter().map(code).collect();
            let levels = levels.iter().map(|v| variable.values[*v].code.clone()).collect();
            table.push(part, Column::Category { codes, levels })?;
        }
    }
    Ok(())
}

/// Places of the chosen values of every row, in the order they were given; `None` where the cell is empty.
fn taken(
    name: &str,
    variable: &Variable,
    column: &Column,
) -> Result<Vec<Option<Vec<usize>>>, EstimationError> {
    let parse = |text: &str, row: usize| -> Result<Option<Vec<usize>>, EstimationError> {
        let mut chosen = Vec::new();
        for word in text.split_whitespace() {
            let place = variable.values.iter().position(|v| v.code == word).ok_or_else(|| {
                EstimationError::NoChoice { column: name.into(), row: row + 1, value: word.into() }
            })?;
            chosen.push(place);
        }
        Ok(Some(chosen).filter(|c| !c.is_empty()))
    };
    match column {
        Column::Number(values) => values
            .iter()
            .enumerate()
            .map(|(row, v)| if v.is_nan() { Ok(None) } else { parse(&number_text(*v), row) })
            .collect(),
        Column::Category { codes, levels } => {
            let first = |level: u32| codes.iter().position(|c| *c == level).unwrap_or(0);
            let parsed: Vec<Option<Vec<usize>>> = levels
                .iter()
                .enumerate()
                .map(|(level, text)| parse(text, first(level as u32)))
                .collect::<Result<_, _>>()?;
            Ok(codes.iter().map(|c| if *c == MISSING { None } else { parsed[*c as usize].clone() }).collect())
        }
    }
}
