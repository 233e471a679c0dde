//! The codebook: what each variable means, in every language; the single source of labels for
//! analysis, charts, exports and documentation.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// All variables of a questionnaire in the order of the form.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Codebook {
    pub form_id: String,
    pub version: String,
    pub title: Text,
    /// Language tags in the form's order, default first (`vi`, `en`).
    pub languages: Vec<String>,
    /// By column name in the analysis file (`c1`, `d1_a`).
    pub variables: IndexMap<String, Variable>,
}

/// Text by language tag.
pub type Text = IndexMap<String, String>;

/// One column of the analysis file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Variable {
    pub name: String,
    /// Path of the node in the instance, `/data/c/c1`.
    pub path: String,
    pub label: Text,
    pub measure: Measure,
    /// Codes in questionnaire order; empty where any value is possible.
    pub values: Vec<Value>,
    /// Who was asked: the `relevant` expressions of the question and its groups, empty = everyone.
    pub universe: Vec<String>,
    /// In a sealed self-completion block.
    pub sealed: bool,
    /// In the field vault, never in an analysis of opinions.
    pub field: bool,
}

/// How a column may be analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Codes without order, or whose order is not a scale.
    Nominal,
    /// Codes of a scale, in order.
    Ordinal,
    Number,
    Text,
    /// 0/1 indicator of one choice of a multiple-response question.
    Indicator,
    /// Date, time, place or other.
    Other,
}

/// One code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Value {
    pub code: String,
    pub label: Text,
    /// Don't know and refused are answers too, and stay distinct from each other and from "not asked".
    pub missing: Option<Missing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Code 98.
    DontKnow,
    /// Code 99.
    Refused,
}

impl Codebook {
    /// The label of a variable in `language`, else in the default language, else its name.
    pub fn label<'a>(&'a self, variable: &'a str, language: &str) -> &'a str {
        self.variables.get(variable).map_or(variable, |v| pick(&v.label, language, variable))
    }

    /// The label of one code of a variable in `language`, else the code.
    pub fn value_label<'a>(&'a self, variable: &str, code: &'a str, language: &str) -> &'a str {
        self.variables
            .get(variable)
            .and_then(|v| v.values.iter().find(|value| value.code == code))
            .map_or(code, |value| pick(&value.label, language, code))
    }
}

fn pick<'a>(text: &'a Text, language: &str, otherwise: &'a str) -> &'a str {
    text.get(language).or_else(|| text.values().next()).map_or(otherwise, String::as_str)
}
