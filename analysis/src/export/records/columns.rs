//! From a table's columns and the codebook to what every format writes.

use std::collections::HashMap;

use indexmap::IndexMap;
use surveys::codebook::{Codebook, Measure, Missing, Text, Value, Variable};

use super::{Design, RecordsError};
use crate::estimation::codebook::part_responses;
use crate::table::{Column, MISSING, Table};

/// One column with its description.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub name: String,
    pub label: Text,
    pub measure: Measure,
    /// The codes; empty where any value is possible.
    pub values: Vec<Value>,
    /// Conditions under which the question was asked.
    pub universe: Vec<String>,
    /// How it was computed, where it is no answer.
    pub derivation: Option<String>,
    /// Whether a person was asked for it.
    pub asked: bool,
    pub cells: Cells,
}

/// What stands in a column.
#[derive(Clone, Debug)]
pub(super) enum Cells {
    /// Places in the item's `values`, or [`MISSING`].
    Coded(Vec<u32>),
    /// NaN = missing.
    Number(Vec<f64>),
    /// Codes of levels, or [`MISSING`].
    Text { codes: Vec<u32>, levels: Vec<String> },
}

impl Item {
    /// The code or text of a cell as the table had it; a number is `None`.
    pub fn text(&self, row: usize) -> Option<&str> {
        match &self.cells {
            Cells::Coded(places) => self.values.get(places[row] as usize).map(|value| value.code.as_str()),
            Cells::Number(_) => None,
            Cells::Text { codes, levels } => levels.get(codes[row] as usize).map(String::as_str),
        }
    }

    /// The codes as numbers, where each code is a whole number as a program would write it (`8`, not `08`).
    pub fn whole_codes(&self) -> Option<Vec<i32>> {
        self.values.iter().map(|v| v.code.parse().ok().filter(|n: &i32| n.to_string() == v.code)).collect()
    }

    /// The item's text in `language`, else its name.
    pub fn label(&self, language: &str) -> &str {
        super::texts::said(&self.label, language, &self.name)
    }

    /// How often there is a value, and how often there is none or it is don't know or refused.
    pub fn counts(&self) -> (usize, usize) {
        let valid = match &self.cells {
            Cells::Coded(places) => places
                .iter()
                .filter(|p| self.values.get(**p as usize).is_some_and(|v| v.missing.is_none()))
                .count(),
            Cells::Number(values) => values.iter().filter(|v| !v.is_nan()).count(),
            Cells::Text { codes, .. } => codes.iter().filter(|c| **c != MISSING).count(),
        };
        (valid, self.height() - valid)
    }

    fn height(&self) -> usize {
        match &self.cells {
            Cells::Coded(cells) => cells.len(),
            Cells::Number(cells) => cells.len(),
            Cells::Text { codes, .. } => codes.len(),
        }
    }
}

/// The label of a value in `language`, else its code.
pub(super) fn value_label<'a>(value: &'a Value, language: &str) -> &'a str {
    super::texts::said(&value.label, language, &value.code)
}

/// The words of a missing kind where the codebook's own are needed for none.
pub(super) fn missing_words(missing: Missing, language: &str) -> &'static str {
    match (missing, language) {
        (Missing::DontKnow, "en") => "Don't know",
        (Missing::Refused, "en") => "Refused",
        (Missing::DontKnow, _) => "Không biết",
        (Missing::Refused, _) => "Không muốn trả lời",
    }
}

/// The columns of a table, multiple responses parted. Columns of the questionnaire come first, in its order.
pub(super) fn items(
    table: &Table,
    codebook: &Codebook,
    labels: &IndexMap<String, Text>,
    design: Option<&Design>,
) -> Result<Vec<Item>, RecordsError> {
    let mut table = table.clone();
    part_responses(&mut table, codebook).map_err(Box::new)?;
    if let Some(name) = table.names().find(|name| codebook.variables.get(*name).is_some_and(|v| v.field)) {
        return Err(RecordsError::Field { name: name.to_owned() });
    }
    let none = IndexMap::new();
    let derived = design.map_or(&none, |design| &design.plan.derive);
    let mut items = Vec::new();
    for (name, variable) in &codebook.variables {
        if let Some(column) = table.get(name) {
            items.push(of_question(column, variable, codebook));
        }
    }
    for (name, column) in table.columns().filter(|(name, _)| !codebook.variables.contains_key(*name)) {
        let derivation = derived.get(name);
        // What only copies a question keeps its words.
        let mut item = match derivation.and_then(|sql| codebook.variables.get(sql.trim())) {
            Some(question) => {
                Item { name: name.to_owned(), asked: false, ..of_question(column, question, codebook) }
            }
            None => of_column(name, column),
        };
        item.derivation = derivation.cloned();
        if let Some(label) = labels.get(name) {
            item.label = label.clone();
        }
        items.push(item);
    }
    Ok(items)
}

fn of_question(column: &Column, variable: &Variable, codebook: &Codebook) -> Item {
    let mut item = Item {
        name: variable.name.clone(),
        label: variable.label.clone(),
        measure: variable.measure,
        values: variable.values.clone(),
        universe: variable.universe.clone(),
        derivation: None,
        asked: !variable.path.is_empty(),
        cells: Cells::Number(Vec::new()),
    };
    // The whole of a multiple-response or ranking question holds several codes in one text.
    let several = codebook.variables.values().any(|other| {
        other.path == variable.path
            && other.name.strip_prefix(&variable.name).is_some_and(|rest| rest.starts_with('_'))
    }) && variable.measure != Measure::Indicator;
    item.cells = match variable.measure {
        Measure::Nominal | Measure::Ordinal if !several && !variable.values.is_empty() => {
            coded(column, &mut item.values)
        }
        Measure::Indicator => {
            item.values = yes_and_no();
            coded(column, &mut item.values)
        }
        Measure::Number => numbers(&variable.name, column),
        _ => {
            item.values.clear();
            texts(column)
        }
    };
    item
}

/// A column that is no answer: design, weights, what was computed, what was banded.
fn of_column(name: &str, column: &Column) -> Item {
    let cells = match column {
        Column::Number(values) => Cells::Number(values.clone()),
        Column::Category { codes, levels } => Cells::Text { codes: codes.clone(), levels: levels.clone() },
    };
    Item {
        name: name.to_owned(),
        label: Text::new(),
        measure: if matches!(cells, Cells::Number(_)) { Measure::Number } else { Measure::Nominal },
        values: Vec::new(),
        universe: Vec::new(),
        derivation: None,
        asked: false,
        cells,
    }
}

fn yes_and_no() -> Vec<Value> {
    [("0", "Không", "No"), ("1", "Có", "Yes")]
        .into_iter()
        .map(|(code, vi, en)| Value {
            code: code.into(),
            label: Text::from([("vi".to_owned(), vi.to_owned()), ("en".to_owned(), en.to_owned())]),
            missing: None,
        })
        .collect()
}

/// Places in `values`; a code that the codebook does not have is added there, labelled by itself.
fn coded(column: &Column, values: &mut Vec<Value>) -> Cells {
    let (codes, levels) = column.categories();
    let mut place: HashMap<String, u32> = values.iter().map(|v| v.code.clone()).zip(0..).collect();
    let places: Vec<u32> = levels
        .iter()
        .map(|level| {
            *place.entry(level.clone()).or_insert_with(|| {
                values.push(Value { code: level.clone(), label: Text::new(), missing: None });
                values.len() as u32 - 1
            })
        })
        .collect();
    Cells::Coded(codes.iter().map(|code| places.get(*code as usize).copied().unwrap_or(MISSING)).collect())
}

/// Numbers, or the texts where one of them is none.
fn numbers(name: &str, column: &Column) -> Cells {
    column.numbers(name).map_or_else(|_| texts(column), |values| Cells::Number(values.into_owned()))
}

fn texts(column: &Column) -> Cells {
    let (codes, levels) = column.categories();
    Cells::Text { codes: codes.into_owned(), levels: levels.into_owned() }
}
