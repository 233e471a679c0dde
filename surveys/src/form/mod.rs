//! A questionnaire made ready to run: expressions parsed, names resolved, dependencies ordered.
//! Compile once; answering, judging and splitting of submissions all work on the compiled form.

mod compile;
mod dependencies;
mod instances;
mod interview;

use std::collections::HashMap;
use std::sync::Arc;

use crate::expression::{Expression, Kind, Lookups, ParseError, Tree};
use crate::question_type::{QuestionType, Stored};
use crate::questionnaire::references::ReferenceError;
use crate::questionnaire::{Outline, Position, Questionnaire, SEAL};

pub use instances::csv_instance;
pub use interview::{Interview, Origins, Setup};

/// A form ready to run. Index of an item = its index in [`Outline::places`].
#[derive(Clone, Debug)]
pub struct Compiled {
    pub form_id: String,
    pub version: Option<String>,
    /// Name of the root element.
    pub root: Arc<str>,
    /// Document order, the children of `meta` last.
    pub items: Vec<Item>,
    by_path: HashMap<String, usize>,
    by_name: HashMap<String, Vec<usize>>,
    /// Secondary instances by id.
    instances: HashMap<String, Tree>,
    /// Labels by list and code, in the default language.
    labels: HashMap<String, HashMap<String, String>>,
    /// Items whose relevance, calculation or count reads the item.
    dependents: Vec<Vec<usize>>,
    /// Place of each item in the order of recomputation.
    rank: Vec<usize>,
    /// For each item those that its change sets ([`Item::triggers`]).
    triggered: Vec<Vec<usize>>,
}

/// One node of the form.
#[derive(Clone, Debug)]
pub struct Item {
    pub name: Arc<str>,
    /// `/data/roster/age`
    pub path: String,
    pub position: Position,
    /// The group or repeat around it.
    pub parent: Option<usize>,
    pub children: Vec<usize>,
    /// Lies directly in the root's `meta`.
    pub in_meta: bool,
    pub role: Role,
    /// Belongs to the field half of a submission.
    pub field: bool,
    /// The sealed group that it is or lies in.
    pub sealed: Option<usize>,
    pub relevant: Option<Expression>,
    pub constraint: Option<Expression>,
    pub required: Option<Expression>,
    pub readonly: Option<Expression>,
    pub calculation: Option<Expression>,
    /// Items whose change sets this one to its calculation.
    pub triggers: Vec<usize>,
    pub default: Option<Default>,
    pub choices: Option<Choices>,
    kind: Kind,
}

/// What kind of node it is.
#[derive(Clone, Debug)]
pub enum Role {
    Question {
        kind: QuestionType,
        /// What an answer is; a `range` with fractions is decimal.
        stored: Stored,
        /// Lowest, highest, step of a `range`.
        range: Option<(f64, f64, f64)>,
    },
    Group,
    /// With the number of repeats, if the form sets it.
    Repeat(Option<Expression>),
}

/// The value at the start.
#[derive(Clone, Debug)]
pub enum Default {
    Static(String),
    Dynamic(Expression),
}

/// Where the codes of a select come from.
#[derive(Clone, Debug)]
pub struct Choices {
    /// The items to choose from, filtered.
    pub nodes: Expression,
    /// Child of an item that holds the code; the node itself for `select_one ${q}`.
    pub value: Option<String>,
    /// List or file, for labels.
    pub list: String,
    /// All items of the list are offered.
    pub(crate) whole: bool,
    /// A file that has not been given; every code then counts as known.
    pub absent: bool,
}

/// One thing in a form that cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    #[error("{position}, {column}: {error}")]
    Syntax { position: Position, column: &'static str, error: ParseError },
    #[error("{position}, {column}: {error}{}", hint(suggestion.as_deref()))]
    Reference { position: Position, column: &'static str, error: ReferenceError, suggestion: Option<String> },
    #[error("{position}, type: there is no choice list `{list}`")]
    UnknownList { position: Position, list: String },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `${{{name}}}`?"))
}

impl Compiled {
    /// Compiles a form whose selects need no files.
    ///
    /// Errors: every expression that does not parse and every name that is unknown.
    pub fn new(questionnaire: &Questionnaire) -> Result<Self, Vec<CompileError>> {
        Self::with_instances(questionnaire, HashMap::new())
    }

    /// Compiles a form with the secondary instances that lie in files, by instance id (the file's
    /// name without its ending); see [`csv_instance`].
    pub fn with_instances(
        questionnaire: &Questionnaire,
        files: HashMap<String, Tree>,
    ) -> Result<Self, Vec<CompileError>> {
        compile::compile(&Outline::of(questionnaire), files)
    }

    /// Index of the item at a schema path (`/data/c/c1`).
    pub fn find(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// Indices of the items of that name.
    pub fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The child of `parent` (`None` = the root) with that name.
    pub(crate) fn child(&self, parent: Option<usize>, name: &str) -> Option<usize> {
        let alike = self.named(name);
        match parent.map(|parent| &self.items[parent].children) {
            // Many groups may have a question of one name, and one group may have many questions.
            Some(children) if children.len() < alike.len() => {
                children.iter().copied().find(|child| *self.items[*child].name == *name)
            }
            _ => {
                let stands = |item: &Item| item.parent == parent && !item.in_meta;
                alike.iter().copied().find(|index| stands(&self.items[*index]))
            }
        }
    }

    pub(crate) fn in_meta(&self, name: &str) -> Option<usize> {
        self.find(&format!("/{}/meta/{name}", self.root))
    }

    /// Items outside `meta` without a parent.
    pub(crate) fn top(&self) -> impl Iterator<Item = usize> + '_ {
        let top = |item: &Item| item.parent.is_none() && !item.in_meta;
        self.items.iter().enumerate().filter(move |(_, item)| top(item)).map(|(i, _)| i)
    }

    /// Items directly in `meta`.
    pub(crate) fn meta(&self) -> impl Iterator<Item = usize> + '_ {
        self.items.iter().enumerate().filter(|(_, item)| item.in_meta).map(|(i, _)| i)
    }

    /// Paths of the sealed groups, in document order.
    pub fn sealed_groups(&self) -> impl Iterator<Item = &str> {
        let sealed = |(i, item): &(usize, &Item)| item.sealed == Some(*i);
        self.items.iter().enumerate().filter(sealed).map(|(_, item)| item.path.as_str())
    }

    /// Label of a code in the default language.
    pub fn label(&self, list: &str, code: &str) -> Option<&str> {
        self.labels.get(list)?.get(code).map(String::as_str)
    }
}

impl Item {
    pub fn question(&self) -> Option<QuestionType> {
        match self.role {
            Role::Question { kind, .. } => Some(kind),
            _ => None,
        }
    }

    pub fn stored(&self) -> Option<Stored> {
        match self.role {
            Role::Question { stored, .. } => Some(stored),
            _ => None,
        }
    }

    pub fn is_repeat(&self) -> bool {
        matches!(self.role, Role::Repeat(_))
    }

    /// A person answers it on the screen.
    pub fn is_answerable(&self) -> bool {
        self.question().is_some_and(|kind| kind.is_visible() && kind != QuestionType::Note)
    }
}

/// Whether an element of that name is the seal of a sealed group.
pub(crate) fn is_seal(name: &str) -> bool {
    name == SEAL
}

impl Lookups for Compiled {
    fn instance(&self, id: &str) -> Option<&Tree> {
        self.instances.get(id)
    }

    fn choice_label(&self, path: &str, value: &str) -> Option<String> {
        let name = path.trim().trim_start_matches("${").trim_end_matches('}').trim();
        let name = name.rsplit('/').next().unwrap_or(name);
        let index = self.find(path.trim()).or_else(|| self.named(name).first().copied())?;
        let list = &self.items[index].choices.as_ref()?.list;
        self.label(list, value).map(str::to_owned)
    }

    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn property(&self, _: &str) -> Option<String> {
        None
    }

    fn version(&self) -> String {
        self.version.clone().unwrap_or_default()
    }
}
