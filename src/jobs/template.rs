//! The template of the annual assessment: letterhead, headline statements, sections. An official edits it as JSON.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    pub front: Letterhead,
    pub year: u16,
    /// Whom the figures stand for.
    pub population: String,
    /// Time of the fieldwork.
    pub period: String,
    pub purpose: Vec<String>,
    /// The first three open page one.
    pub headlines: Vec<Headline>,
    pub breakdowns: Vec<Breakdown>,
    pub sections: Vec<SectionTemplate>,
    /// Where large areas lie on maps that are no outlines: column and row by code, counted from 1.
    #[serde(default)]
    pub tiles: IndexMap<String, [usize; 2]>,
    pub method: Vec<String>,
    /// What people want done first, by competent authority.
    #[serde(default)]
    pub priorities: Option<Priorities>,
    /// What became of the last report's recommendations, typed from the register.
    #[serde(default)]
    pub recommendations: Option<Recommendations>,
    /// What the report asks to be decided.
    #[serde(default)]
    pub decisions: Vec<Decision>,
    /// Assessment and outlook, a paragraph each; the program drafts none.
    #[serde(default)]
    pub judgement: Vec<String>,
    /// Proposals, a line each.
    #[serde(default)]
    pub proposals: Vec<String>,
    /// What a reader must know of the survey (AAPOR's items) beside what the program knows: item and text.
    #[serde(default)]
    pub transparency: IndexMap<String, String>,
}

/// A question on what should be done first, answered once or several times on one list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Priorities {
    /// As on the questionnaire, for titles.
    pub question: String,
    /// Columns of the first, second … choice.
    pub columns: Vec<String>,
    /// Competent authority and the codes that fall to it, in the order in which they are printed.
    pub authorities: IndexMap<String, Vec<String>>,
}

/// Counts of the register of recommendations.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommendations {
    /// Whose they are, `năm 2025`.
    pub of: String,
    pub made: u32,
    pub answered: u32,
    pub overdue: u32,
    /// Indicators that the plan sets at 100%, with what was reached.
    #[serde(default)]
    pub indicators: IndexMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    pub what: String,
    pub owner: String,
    /// The day it is due, as it is printed.
    pub by: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letterhead {
    pub layout: LayoutName,
    pub parent_body: String,
    pub issuing_body: String,
    pub number: String,
    pub place_and_date: String,
    pub kind: String,
    pub about: String,
    pub recipients: Vec<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayoutName {
    Party,
    State,
}

/// A share that the report opens with: a 0/1 column of the analysis plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Headline {
    pub id: String,
    /// As on the questionnaire, `C1`.
    pub question: String,
    /// For charts.
    pub short: String,
    /// For sentences, without a full stop.
    pub subject: String,
    #[serde(default = "yes")]
    pub higher_is_better: bool,
}

/// A column that headlines are broken down by.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breakdown {
    pub by: String,
    /// In words, for titles.
    pub name: String,
    /// For file names.
    pub file: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionTemplate {
    pub title: String,
    /// Typed by analysts; the program drafts no judgement.
    #[serde(default)]
    pub comments: Vec<String>,
    #[serde(default)]
    pub statements: Vec<String>,
    #[serde(default)]
    pub dots: Vec<Dots>,
    #[serde(default)]
    pub likert: Vec<Battery>,
    /// Headlines on a map of the large areas.
    #[serde(default)]
    pub maps: Vec<String>,
    #[serde(default)]
    pub bars: Vec<Bars>,
    /// Headlines over the waves, drawn where earlier ones are given.
    #[serde(default)]
    pub trends: Vec<String>,
}

/// Headlines side by side for the groups of one column, at most six.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bars {
    pub file: String,
    /// What the headlines have in common, for the title.
    pub title: String,
    pub ids: Vec<String>,
    pub by: String,
}

/// A headline by groups.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dots {
    pub id: String,
    pub by: String,
}

/// Questions on one scale.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Battery {
    pub file: String,
    pub name: String,
    pub question: String,
    /// What the two best steps mean, for the title.
    pub top: String,
    /// Question and its short label.
    pub items: IndexMap<String, String>,
}

fn yes() -> bool {
    true
}
