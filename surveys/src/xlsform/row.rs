//! One row of the survey sheet, its cells sorted by meaning.

use indexmap::IndexMap;

use super::Problem;
use super::cells::Row;
use super::choices::{media_of, media_slot};
use super::columns::Columns;
use crate::questionnaire::{Attributes, Text, UNTRANSLATED, Wording};

/// Text of one row in several columns.
#[derive(Clone, Debug, Default)]
pub struct Words {
    bare: Option<String>,
    by_language: Text,
}

impl Words {
    /// `language`: what follows the column's name, nothing for a bare column.
    pub fn add(&mut self, language: &[String], value: String) {
        match language {
            [] => self.bare = Some(value),
            parts => {
                self.by_language.insert(parts.join("::"), value);
            }
        }
    }

    /// A bare text beside translated ones is in the default language; alone it has no language.
    pub fn finish(self, default_language: &str) -> Text {
        let Self { bare, mut by_language } = self;
        match bare {
            Some(text) if by_language.is_empty() => Text::from([(UNTRANSLATED.to_owned(), text)]),
            Some(text) if !by_language.contains_key(default_language) => {
                by_language.shift_insert(0, default_language.to_owned(), text);
                by_language
            }
            _ => by_language,
        }
    }
}

/// A row before its type is looked at.
#[derive(Clone, Debug, Default)]
pub struct SurveyRow {
    pub number: u32,
    pub kind: Option<String>,
    pub name: Option<String>,
    pub wording: Wording,
    /// The five expressions of a bind by their attribute's name, `yes` and `no` written out.
    pub expressions: IndexMap<String, String>,
    pub attributes: Attributes,
    pub appearance: Option<String>,
    pub count: Option<String>,
    pub default: Option<String>,
    pub choice_filter: Option<String>,
    pub parameters: String,
    pub trigger: Option<String>,
    pub disabled: bool,
    pub vault: Option<String>,
    pub sealed: Option<String>,
    /// Header and value of every cell that may hold references.
    pub referring: Vec<(String, String)>,
}

const EXPRESSIONS: [&str; 5] = ["relevant", "constraint", "required", "readonly", "calculate"];

impl SurveyRow {
    /// Sorts the cells of a row. Columns without a meaning are left out.
    pub fn of(
        columns: &Columns<'_>,
        row: &Row,
        default_language: &str,
        collapse_spaces: bool,
        warnings: &mut Vec<Problem>,
    ) -> Self {
        let mut out = Self { number: row.number, ..Self::default() };
        let mut texts: [Words; 5] = Default::default();
        let mut media: [Words; 4] = Default::default();
        for cell in columns.cells(row, collapse_spaces) {
            let value = cell.value;
            let Some((first, rest)) = cell.tokens.split_first() else { continue };
            if !matches!(first.as_str(), "type" | "name" | "trigger") && value.contains("${") {
                out.referring.push((cell.header.to_owned(), value.clone()));
            }
            match (first.as_str(), rest) {
                ("type", []) => out.kind = Some(value),
                ("name", []) => out.name = Some(value),
                ("label", language) => texts[0].add(language, value),
                ("hint", language) => texts[1].add(language, value),
                ("guidance_hint", language) => texts[2].add(language, value),
                ("media", [kind, language @ ..]) => {
                    if let Some(slot) = media_slot(kind) {
                        media[slot].add(language, value);
                    }
                }
                ("bind", [name, language @ ..]) if name == "jr:constraintMsg" => {
                    texts[3].add(language, value)
                }
                ("bind", [name, language @ ..]) if name == "jr:requiredMsg" => texts[4].add(language, value),
                ("bind", [name]) if name == "ln:vault" => out.vault = Some(value),
                ("bind", [name]) if name == "ln:sealed" => out.sealed = Some(value),
                ("bind", [name]) if EXPRESSIONS.contains(&name.as_str()) => {
                    out.expressions.insert(name.clone(), truth(value));
                }
                ("bind", [name]) => {
                    out.attributes.bind.insert(name.clone(), value);
                }
                ("control", [name]) if name == "appearance" => out.appearance = Some(value),
                ("control", [name]) if name == "jr:count" => out.count = Some(value),
                ("control", [name]) => {
                    out.attributes.control.insert(name.clone(), value);
                }
                ("intent", []) => {
                    out.attributes.control.insert("intent".to_owned(), value);
                }
                ("instance", [name]) => {
                    out.attributes.instance.insert(name.clone(), value);
                }
                ("default", []) => out.default = Some(value),
                ("choice_filter", []) => out.choice_filter = Some(value),
                ("parameters", []) => out.parameters = value,
                ("trigger", []) => out.trigger = Some(value),
                ("disabled", []) => {
                    out.disabled = yes(&value) == Some(true);
                    warnings.push(
                        Problem::new(
                            "survey",
                            "cột `disabled` đã cũ; nên dùng `relevant`",
                            "the column `disabled` is outdated; better use `relevant`",
                        )
                        .row(row.number)
                        .column(cell.header),
                    );
                }
                _ => {}
            }
        }
        let [label, hint, guidance_hint, constraint_message, required_message] =
            texts.map(|words| words.finish(default_language));
        let media = media_of(media, default_language);
        out.wording = Wording { label, hint, guidance_hint, media, constraint_message, required_message };
        out
    }
}

/// Whether a cell says yes or no; `None` if neither.
pub fn yes(value: &str) -> Option<bool> {
    match value {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "true()" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "false()" => Some(false),
        _ => None,
    }
}

fn truth(value: String) -> String {
    match yes(&value) {
        Some(true) => "true()".to_owned(),
        Some(false) => "false()".to_owned(),
        None => value,
    }
}
