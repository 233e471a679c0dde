//! The model of a questionnaire: a tree of questions, groups and repeats, its choice lists and
//! settings, as a workbook or an XForm gave them. What a workbook writes short (`or_other`,
//! a computed `repeat_count`, `table-list`, loops) stands here already written out as nodes.

use std::collections::HashMap;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::question_type::QuestionType;

pub mod design;
pub mod publishing;
pub mod references;
pub mod running;

/// Text by language name as the workbook spells it (`Tiếng Việt (vi)`), see [`Language`].
/// Text that stands only in a column without a language has the one key [`UNTRANSLATED`] and is
/// the same in all languages.
pub type Text = IndexMap<String, String>;

/// The key of text that has no language.
pub const UNTRANSLATED: &str = "";

/// The name of the default language where the settings give none.
pub const DEFAULT_LANGUAGE: &str = "default";

/// One form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Questionnaire {
    pub settings: Settings,
    /// In the order of first use, the default language first.
    pub languages: Vec<Language>,
    /// The children of the root, in document order.
    pub nodes: Vec<Node>,
    /// The children of `meta`, the root's last child: audit, `instanceID`, `instanceName`.
    pub meta: Vec<Node>,
    /// By name, in the order of the workbook.
    pub choice_lists: IndexMap<String, ChoiceList>,
    /// Lists of `external_choices`, which become `itemsets.csv`.
    pub external_choice_lists: IndexMap<String, ChoiceList>,
    /// `xml-external` and `csv-external` rows, in document order.
    pub external_instances: Vec<ExternalInstance>,
    pub entities: Vec<Entity>,
    /// Tags of `osm` questions, by list name.
    pub osm_tags: IndexMap<String, ChoiceList>,
}

/// A language of the form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Language {
    /// As the workbook spells it, `Tiếng Việt (vi)`.
    pub name: String,
    /// The IANA tag in its brackets, else the name itself.
    pub tag: String,
}

impl Language {
    /// Reads the tag out of `Tiếng Việt (vi)`.
    pub fn new(name: &str) -> Self {
        let tag = name
            .rsplit_once('(')
            .and_then(|(_, rest)| rest.trim_end().strip_suffix(')'))
            .map(str::trim)
            .filter(|tag| !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        Self { name: name.to_owned(), tag: tag.unwrap_or(name).to_owned() }
    }

    /// Whether the name carries an IANA tag.
    pub fn is_tagged(&self) -> bool {
        self.tag != self.name
    }
}

/// The settings sheet. Absent settings are `None`, so that a form goes out as it came in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub form_id: String,
    pub title: String,
    pub version: Option<String>,
    pub default_language: Option<String>,
    /// Name of the root node.
    pub root: String,
    /// Class of the body (`pages`, `theme-grid`).
    pub style: Option<String>,
    /// Expression, source of `meta/instanceName`.
    pub instance_name: Option<String>,
    pub public_key: Option<String>,
    pub submission_url: Option<String>,
    pub auto_send: Option<String>,
    pub auto_delete: Option<String>,
    pub client_editable: Option<String>,
    /// `prefix="uri"` pairs in the order given.
    pub namespaces: IndexMap<String, String>,
    pub instance_xmlns: Option<String>,
    /// `attribute::x` columns.
    pub attributes: IndexMap<String, String>,
    pub prefix: Option<String>,
    pub delimiter: Option<String>,
    /// `jr:preload` of the instance id, normally `uid`.
    pub instance_id: Option<String>,
    pub omit_instance_id: bool,
    pub allow_choice_duplicates: bool,
    /// Columns that are kept but have no meaning here.
    pub other: IndexMap<String, String>,
}

/// A sheet and a row, for messages. Rows count from 1, the header is row 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub sheet: String,
    pub row: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} sheet, row {}", self.sheet, self.row)
    }
}

/// One node of the instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub wording: Wording,
    pub logic: Logic,
    pub appearance: Option<String>,
    /// Attributes without a meaning of their own here, as `bind::odk:x`, `control::x`, `instance::x`.
    pub attributes: Attributes,
    /// Marked `bind::ln:vault` = `field`; see [`Place::field`] for what is inherited.
    pub field: bool,
    pub position: Position,
    pub body: Body,
}

/// What kind of node it is, with what only that kind has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Question(Question),
    Group(Group),
    Repeat(Repeat),
}

/// What only a question has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub kind: QuestionType,
    /// `Some` exactly for selects.
    pub choices: Option<Choices>,
    /// `parameters` column, without those that [`Choices`] holds.
    pub parameters: IndexMap<String, String>,
    /// `choice_filter` of a place chosen from others (`reference-geometry`); that of a select lies
    /// in [`Choices`].
    pub filter: Option<String>,
}

/// What only a group has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Marked `bind::ln:sealed` = `yes`: self-completed, encrypted on the tablet.
    pub sealed: bool,
    pub children: Vec<Node>,
}

/// What only a repeat has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// One `${name}`; a computed count has become a calculate `NAME_count` before the repeat.
    pub count: Option<String>,
    pub children: Vec<Node>,
}

/// What people read or hear, by language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wording {
    pub label: Text,
    pub hint: Text,
    pub guidance_hint: Text,
    pub media: Media,
    pub constraint_message: Text,
    pub required_message: Text,
}

/// File names by language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Media {
    pub image: Text,
    pub big_image: Text,
    pub audio: Text,
    pub video: Text,
}

/// Expressions as the workbook has them, with `${name}`; [`Outline::xpath`] gives their XPath.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Logic {
    pub relevant: Option<String>,
    pub constraint: Option<String>,
    pub required: Option<String>,
    pub readonly: Option<String>,
    pub calculation: Option<String>,
    /// A value, or an expression where [`references::is_dynamic`] says so.
    pub default: Option<String>,
    /// Names of the questions whose change sets this one.
    pub trigger: Vec<String>,
}

/// Attributes that are passed on, by their prefixed name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    pub bind: IndexMap<String, String>,
    pub control: IndexMap<String, String>,
    pub instance: IndexMap<String, String>,
}

/// Where the choices of a select come from, and in which order they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    pub source: ChoiceSource,
    /// `choice_filter` as the workbook has it.
    pub filter: Option<String>,
    pub order: ChoiceOrder,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceSource {
    /// A list of the choices sheet.
    List(String),
    /// A list of the `external_choices` sheet.
    External(String),
    /// A file beside the form, with the columns of value and label where the workbook names them.
    File { name: String, value: Option<String>, label: Option<String> },
    /// The answers of this question in its repeat, `select_one ${q}`.
    Answers(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceOrder {
    Given,
    /// `randomize=true`, with the seed as written: a number or one `${name}`.
    Random {
        seed: Option<String>,
    },
}

/// A list of choices in the order of the sheet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChoiceList {
    pub choices: Vec<Choice>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub name: String,
    pub label: Text,
    pub media: Media,
    /// Further columns, for `choice_filter`.
    pub columns: IndexMap<String, String>,
    pub position: Position,
}

/// A file that the form only reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalInstance {
    pub name: String,
    /// `jr://file/N.xml` or `jr://file-csv/N.csv`.
    pub source: String,
    pub position: Position,
}

/// A row of the entities sheet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    pub list_name: String,
    pub label: Option<String>,
    pub entity_id: Option<String>,
    pub create_if: Option<String>,
    pub update_if: Option<String>,
    /// Path of the group, repeat or root whose `meta` holds the entity node.
    pub container: String,
    pub position: Position,
}

impl Node {
    /// The children of a group or repeat, none of a question.
    pub fn children(&self) -> &[Node] {
        match &self.body {
            Body::Question(_) => &[],
            Body::Group(group) => &group.children,
            Body::Repeat(repeat) => &repeat.children,
        }
    }

    /// As [`Node::children`], to be changed.
    pub fn children_mut(&mut self) -> &mut [Node] {
        match &mut self.body {
            Body::Question(_) => &mut [],
            Body::Group(group) => &mut group.children,
            Body::Repeat(repeat) => &mut repeat.children,
        }
    }

    pub fn question(&self) -> Option<&Question> {
        match &self.body {
            Body::Question(question) => Some(question),
            Body::Group(_) | Body::Repeat(_) => None,
        }
    }

    /// The type of a question, `None` for a group or repeat.
    pub fn kind(&self) -> Option<QuestionType> {
        self.question().map(|question| question.kind)
    }

    pub fn is_repeat(&self) -> bool {
        matches!(self.body, Body::Repeat(_))
    }

    pub fn is_sealed(&self) -> bool {
        matches!(&self.body, Body::Group(group) if group.sealed)
    }
}

/// The name of the last node of a sealed group in the XForm; it takes the sealed bytes.
pub const SEAL: &str = "ln_sealed";

/// The attribute of a bind that saves an answer to a list of entities: `property` or `list#property`.
pub const SAVE_TO: &str = "entities:saveto";

/// Where one node stands.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    pub node: &'a Node,
    /// `/data/c/c1`
    pub path: String,
    /// Index of the group or repeat around it in [`Outline::places`]; `None` = child of the root or of `meta`.
    pub parent: Option<usize>,
    /// Belongs to the field half of a submission (protection.md rule 2): by its type, by its own
    /// mark, by the mark of a group or repeat around it, or because it lies in `meta`. Groups and
    /// repeats are field only by a mark; a field question may lie in a group that is not.
    pub field: bool,
    /// Index of the sealed group that it is or lies in.
    pub sealed: Option<usize>,
}

/// All nodes of a form in document order, to be looked up by path and by name.
#[derive(Clone, Debug)]
pub struct Outline<'a> {
    pub questionnaire: &'a Questionnaire,
    /// Document order, `meta`'s children last. A parent comes before its children.
    pub places: Vec<Place<'a>>,
    by_path: HashMap<String, usize>,
    by_name: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Outline<'a> {
    pub fn of(questionnaire: &'a Questionnaire) -> Self {
        let mut outline =
            Self { questionnaire, places: Vec::new(), by_path: HashMap::new(), by_name: HashMap::new() };
        let root = format!("/{}", questionnaire.settings.root);
        outline.add_all(&questionnaire.nodes, &root, None, false, None);
        outline.add_all(&questionnaire.meta, &format!("{root}/meta"), None, true, None);
        outline
    }

    fn add_all(
        &mut self,
        nodes: &'a [Node],
        path: &str,
        parent: Option<usize>,
        field: bool,
        sealed: Option<usize>,
    ) {
        for node in nodes {
            let index = self.places.len();
            let marked = field || node.field;
            let path = format!("{path}/{}", node.name);
            let sealed = sealed.or_else(|| node.is_sealed().then_some(index));
            self.by_path.insert(path.clone(), index);
            self.by_name.entry(&node.name).or_default().push(index);
            let by_type = node.kind().is_some_and(QuestionType::is_metadata);
            self.places.push(Place { node, path: path.clone(), parent, field: marked || by_type, sealed });
            self.add_all(node.children(), &path, Some(index), marked, sealed);
        }
    }

    /// Index in [`Outline::places`] of the node at an absolute path without positions (`/data/c/c1`).
    pub fn find(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    pub fn at(&self, path: &str) -> Option<&Place<'a>> {
        self.find(path).map(|index| &self.places[index])
    }

    /// Indices of the nodes with this name, in document order. `${name}` needs exactly one.
    pub fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The groups and repeats around a node, innermost first.
    pub fn ancestors(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.places[index].parent, |&parent| self.places[parent].parent)
    }

    /// The repeats around a node, innermost first; a repeat is not inside itself.
    pub fn repeats_around(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        self.ancestors(index).filter(|&index| self.places[index].node.is_repeat())
    }

    /// Whether the node at `path` belongs to the field half. `meta` and what lies in it does; a path
    /// that the form does not know belongs to the answers, as all that is not named a field fact.
    pub fn is_field(&self, path: &str) -> bool {
        if path.split('/').any(|name| name == "meta") {
            return true;
        }
        let seal = path.strip_suffix(SEAL).and_then(|group| group.strip_suffix('/'));
        self.at(seal.unwrap_or(path)).is_some_and(|place| place.field)
    }

    /// Sealed groups, in document order.
    pub fn sealed_groups(&self) -> impl Iterator<Item = &Place<'a>> {
        self.places.iter().filter(|place| place.node.is_sealed())
    }
}

impl Questionnaire {
    /// All nodes with their paths; build it once for many look-ups.
    pub fn outline(&self) -> Outline<'_> {
        Outline::of(self)
    }

    /// Whether the node at an absolute path belongs to the field half; see [`Outline::is_field`].
    pub fn is_field(&self, path: &str) -> bool {
        self.outline().is_field(path)
    }

    /// The name of the default language.
    pub fn default_language(&self) -> &str {
        self.settings.default_language.as_deref().unwrap_or(DEFAULT_LANGUAGE)
    }

    /// The tag of a language name, the name itself where it has none.
    pub fn tag<'a>(&'a self, language: &'a str) -> &'a str {
        self.languages.iter().find(|known| known.name == language).map_or(language, |known| &known.tag)
    }
}
