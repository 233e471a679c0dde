//! The codebook: what each variable means, in every language; the single source of labels for
//! analysis, charts, exports and documentation.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::question_type::{QuestionType, Stored};
use crate::questionnaire::{self, ChoiceList, ChoiceSource, Outline, Question, Questionnaire, UNTRANSLATED};

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
    /// The codebook of a questionnaire, in the order of the form.
    ///
    /// One variable a question, named as the question. A `select_multiple` has the question itself
    /// and an indicator a choice, `name_code`; a rank has a variable a place, `name_1`, `name_2` …
    /// Not in it: notes, which carry no answer, and questions inside repeats, which are no single
    /// value of a respondent.
    ///
    /// A select is ordinal where `bind::ln:measure` says `ordinal`, or where its list stands in the
    /// workbook in both directions (a scale read from either end, one code a step); a list in
    /// both directions gives each code once, in the order of its first lines.
    pub fn of(questionnaire: &Questionnaire) -> Self {
        let outline = questionnaire.outline();
        let settings = &questionnaire.settings;
        let languages: Vec<String> =
            questionnaire.languages.iter().map(|language| language.tag.clone()).collect();
        let title_language =
            languages.first().cloned().unwrap_or_else(|| questionnaire.default_language().to_owned());
        let mut codebook = Self {
            form_id: settings.form_id.clone(),
            version: settings.version.clone().unwrap_or_default(),
            title: Text::from([(title_language, settings.title.clone())]),
            languages,
            variables: IndexMap::new(),
        };
        for index in 0..outline.places.len() {
            let Some(question) = outline.places[index].node.question() else { continue };
            let in_repeat = outline.repeats_around(index).next().is_some();
            if in_repeat || question.kind.row().stored == Stored::Nothing {
                continue;
            }
            for variable in variables_of(&outline, index, question) {
                codebook.variables.insert(variable.name.clone(), variable);
            }
        }
        codebook
    }

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

/// The variables that one question gives.
fn variables_of(outline: &Outline<'_>, index: usize, question: &Question) -> Vec<Variable> {
    let place = &outline.places[index];
    let node = place.node;
    let questionnaire = outline.questionnaire;
    let list = question.choices.as_ref().and_then(|choices| match &choices.source {
        ChoiceSource::List(name) => questionnaire.choice_lists.get(name),
        ChoiceSource::External(name) => questionnaire.external_choice_lists.get(name),
        ChoiceSource::File { .. } | ChoiceSource::Answers(_) => None,
    });
    let (values, both_directions) = list.map(|list| values_of(questionnaire, list)).unwrap_or_default();
    let measure = match question.kind.row().stored {
        Stored::Choice | Stored::Choices | Stored::Ranking => {
            match node.attributes.bind.get("ln:measure").map(String::as_str) {
                Some("ordinal") => Measure::Ordinal,
                Some(_) => Measure::Nominal,
                None if both_directions => Measure::Ordinal,
                None => Measure::Nominal,
            }
        }
        Stored::Integer | Stored::Decimal => Measure::Number,
        Stored::Text => Measure::Text,
        Stored::Tick => Measure::Indicator,
        Stored::Date | Stored::Time | Stored::DateTime | Stored::Place | Stored::File | Stored::Nothing => {
            Measure::Other
        }
    };
    let universe: Vec<String> = {
        let around = outline.ancestors(index).map(|ancestor| outline.places[ancestor].node);
        let mut conditions: Vec<String> =
            std::iter::once(node).chain(around).filter_map(|node| node.logic.relevant.clone()).collect();
        conditions.reverse();
        conditions
    };
    let mut label = tagged(questionnaire, &node.wording.label);
    if label.is_empty() {
        label = tagged(questionnaire, &node.wording.hint);
    }
    let whole = Variable {
        name: node.name.clone(),
        path: place.path.clone(),
        label,
        measure,
        values,
        universe,
        sealed: place.sealed.is_some(),
        field: place.field,
    };
    let mut variables = Vec::new();
    match question.kind {
        QuestionType::SelectMultiple => {
            for value in &whole.values {
                variables.push(Variable {
                    name: format!("{}_{}", whole.name, value.code),
                    label: joined(&whole.label, &value.label, &value.code),
                    measure: Measure::Indicator,
                    values: Vec::new(),
                    ..whole.clone()
                });
            }
        }
        QuestionType::Rank => {
            for rank in 1..=whole.values.iter().filter(|value| value.missing.is_none()).count() {
                let mut label = whole.label.clone();
                label.values_mut().for_each(|text| text.push_str(&format!(" [{rank}]")));
                variables.push(Variable {
                    name: format!("{}_{rank}", whole.name),
                    label,
                    measure: Measure::Nominal,
                    ..whole.clone()
                });
            }
        }
        _ => {}
    }
    variables.insert(0, whole);
    variables
}

/// Each code of a list once, and whether the list stands there in both directions.
fn values_of(questionnaire: &Questionnaire, list: &ChoiceList) -> (Vec<Value>, bool) {
    let mut values: Vec<Value> = Vec::new();
    let mut place: HashMap<&str, usize> = HashMap::new();
    let mut again: Vec<usize> = Vec::new();
    for choice in &list.choices {
        if let Some(&earlier) = place.get(choice.name.as_str()) {
            again.push(earlier);
            continue;
        }
        place.insert(&choice.name, values.len());
        let missing = match choice.name.as_str() {
            "98" => Some(Missing::DontKnow),
            "99" => Some(Missing::Refused),
            _ => None,
        };
        values.push(Value {
            code: choice.name.clone(),
            label: tagged(questionnaire, &choice.label),
            missing,
        });
    }
    // The steps come again the other way round, line by line or one list after the other.
    let steps: Vec<usize> = again.iter().copied().filter(|&index| values[index].missing.is_none()).collect();
    let both = steps.len() > 1 && steps.windows(2).all(|pair| pair[0] > pair[1]);
    (values, both)
}

/// A text by language tag; text without a language is in the default language.
fn tagged(questionnaire: &Questionnaire, text: &questionnaire::Text) -> Text {
    let default = || questionnaire.default_language();
    text.iter()
        .map(|(language, text)| {
            let language = if language == UNTRANSLATED { default() } else { language };
            (questionnaire.tag(language).to_owned(), text.trim().to_owned())
        })
        .collect()
}

/// `question – choice` in every language of the question.
fn joined(question: &Text, choice: &Text, code: &str) -> Text {
    question
        .iter()
        .map(|(language, text)| (language.clone(), format!("{text} – {}", pick(choice, language, code))))
        .collect()
}
