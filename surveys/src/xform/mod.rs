//! ODK XForms from questionnaires, as pyxform 4.5.0 writes them, with our own namespace `ln` and a
//! last node `ln_sealed` in each sealed group. The same questionnaire gives the same bytes.

mod binds;
mod body;
mod encrypted;
mod entities;
mod instances;
mod itemsets;
mod itext;
mod read;
mod xml;

pub use encrypted::with_public_key;
pub(crate) use instances::sources;
pub use itemsets::itemsets;
pub use read::read;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::question_type::QuestionType;
use crate::questionnaire::references::{Fragment, ReferenceError, Usage, references};
use crate::questionnaire::{
    Choice, ChoiceList, ChoiceSource, Media, Node, Outline, Position, Questionnaire, Text, UNTRANSLATED,
};
use crate::xlsform::Problem;
use xml::Element;

/// The namespace of our own attributes.
pub const LN_NAMESPACE: &str = "urn:langnghe:xform";

const NAMESPACES: [(&str, &str); 7] = [
    ("xmlns", "http://www.w3.org/2002/xforms"),
    ("xmlns:h", "http://www.w3.org/1999/xhtml"),
    ("xmlns:ev", "http://www.w3.org/2001/xml-events"),
    ("xmlns:xsd", "http://www.w3.org/2001/XMLSchema"),
    ("xmlns:jr", "http://openrosa.org/javarosa"),
    ("xmlns:orx", "http://openrosa.org/xforms"),
    ("xmlns:odk", "http://www.opendatakit.org/xforms"),
];

/// Writes a questionnaire as an XForm.
///
/// Errors: every expression or text that refers to a node that is not there or not unique.
pub fn write(questionnaire: &Questionnaire) -> Result<String, Vec<Problem>> {
    let mut writer = Writer::new(questionnaire);
    let mut root = Element::new("h:html");
    let settings = &questionnaire.settings;
    for (name, uri) in NAMESPACES {
        root.set(name, uri);
    }
    for (prefix, uri) in &settings.namespaces {
        let name = format!("xmlns:{prefix}");
        if !NAMESPACES.iter().any(|(known, _)| *known == name) {
            root.set(name, uri);
        }
    }
    if !questionnaire.entities.is_empty() {
        root.set("xmlns:entities", entities::NAMESPACE);
    }
    let is_ours = |node: &Node| {
        node.field || node.is_sealed() || node.attributes.bind.keys().any(|name| name.starts_with("ln:"))
    };
    if writer.outline.places.iter().any(|place| is_ours(place.node)) {
        root.set("xmlns:ln", LN_NAMESPACE);
    }
    let model = writer.model();
    let mut body = Element::new("h:body");
    if let Some(style) = &settings.style {
        body.set("class", style);
    }
    body.extend(writer.controls(&questionnaire.nodes));
    let head = Element::new("h:head").child(Element::new("h:title").text(&settings.title)).child(model);
    root.push(head);
    root.push(body);
    if writer.problems.is_empty() { Ok(root.document()) } else { Err(writer.problems) }
}

/// The id and source of the instance that a select from a file reads.
pub fn file_source(name: &str) -> (&str, String) {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let folder = if ending == "csv" { "file-csv" } else { "file" };
    (stem, format!("jr://{folder}/{name}"))
}

/// Whether a question has no control although its type might: it is computed and says nothing.
pub fn is_hidden(node: &Node) -> bool {
    let computed = node.logic.calculation.is_some() || !node.logic.trigger.is_empty();
    let silent = node.wording.label.is_empty() && node.wording.hint.is_empty();
    node.kind() == Some(QuestionType::Calculate) || (node.question().is_some() && computed && silent)
}

/// Whether a text differs by language and so lies in itext.
fn is_translated(text: &Text) -> bool {
    text.keys().any(|language| language != UNTRANSLATED)
}

/// The text that has no language.
fn plain(text: &Text) -> Option<&str> {
    text.get(UNTRANSLATED).map(String::as_str)
}

fn has_reference(text: &str) -> bool {
    references(text).is_ok_and(|found| !found.is_empty())
}

/// Whether the choices of a list are shown through itext.
fn needs_itext(list: &ChoiceList) -> bool {
    list.choices.iter().any(|choice: &Choice| {
        choice.media != Media::default()
            || is_translated(&choice.label)
            || plain(&choice.label).is_some_and(has_reference)
    })
}

struct Writer<'q> {
    questionnaire: &'q Questionnaire,
    outline: Outline<'q>,
    /// Index in the outline by address of the node.
    index: HashMap<*const Node, usize>,
    /// Lists whose items stand in the body, because `search()` shows them.
    search_lists: HashSet<&'q str>,
    /// By trigger: targets and their expressions, in document order.
    triggered: IndexMap<&'q str, Vec<usize>>,
    problems: Vec<Problem>,
}

impl<'q> Writer<'q> {
    fn new(questionnaire: &'q Questionnaire) -> Self {
        let outline = questionnaire.outline();
        let index = outline
            .places
            .iter()
            .enumerate()
            .map(|(at, place)| (std::ptr::from_ref(place.node), at))
            .collect();
        let mut triggered: IndexMap<&str, Vec<usize>> = IndexMap::new();
        let mut search_lists = HashSet::new();
        for (at, place) in outline.places.iter().enumerate() {
            for trigger in place.node.logic.trigger.iter().filter(|_| place.node.question().is_some()) {
                triggered.entry(trigger).or_default().push(at);
            }
            if uses_search(place.node)
                && let Some(ChoiceSource::List(list)) = place
                    .node
                    .question()
                    .and_then(|question| question.choices.as_ref())
                    .map(|choices| &choices.source)
            {
                search_lists.insert(list.as_str());
            }
        }
        Self { questionnaire, outline, index, search_lists, triggered, problems: Vec::new() }
    }

    fn at(&self, node: &Node) -> Option<usize> {
        self.index.get(&std::ptr::from_ref(node)).copied()
    }

    fn path(&self, node: &Node) -> String {
        self.at(node).map(|at| self.outline.places[at].path.clone()).unwrap_or_default()
    }

    /// An expression with paths; what does not resolve becomes a problem.
    fn xpath(&mut self, node: &Node, column: &str, text: &str, usage: Usage) -> String {
        let context = self.at(node);
        let result = self.outline.xpath(context, text, usage);
        self.settle(result, &node.position, column, || text.to_owned())
    }

    /// A text with outputs as children of `element`.
    fn say(
        &mut self,
        element: &mut Element,
        context: Option<usize>,
        position: &Position,
        column: &str,
        text: &str,
    ) {
        let result = self.outline.fragments(context, text);
        let fragments = self.settle(result, position, column, || vec![Fragment::Text(text.to_owned())]);
        for fragment in fragments {
            match fragment {
                Fragment::Text(text) => element.children.push(xml::Child::Text(text)),
                Fragment::Output(path) => element.push(Element::new("output").with("value", path)),
            }
        }
    }

    fn settle<T>(
        &mut self,
        result: Result<T, ReferenceError>,
        position: &Position,
        column: &str,
        otherwise: impl FnOnce() -> T,
    ) -> T {
        result.unwrap_or_else(|error| {
            let problem = Problem::new(&position.sheet, error.vietnamese(), error.to_string());
            self.problems.push(problem.row(position.row).column(column));
            otherwise()
        })
    }

    fn model(&mut self) -> Element {
        let mut model = Element::new("model").with("odk:xforms-version", "1.0.0");
        if let Some(version) = self.entities_version() {
            model.set("entities:entities-version", version);
        }
        let settings = &self.questionnaire.settings;
        let mut submission = Element::new("submission");
        if let Some(url) = &settings.submission_url {
            submission.set("action", url);
            submission.set("method", "post");
        }
        for (name, value) in [
            ("base64RsaPublicKey", &settings.public_key),
            ("orx:auto-send", &settings.auto_send),
            ("orx:auto-delete", &settings.auto_delete),
        ] {
            if let Some(value) = value {
                submission.set(name, value);
            }
        }
        if settings.client_editable.is_some() {
            submission.set("odk:client-editable", "true");
        }
        if !submission.attributes.is_empty() {
            model.push(submission);
        }
        model.extend(self.itext());
        let primary = self.primary_instance();
        model.push(Element::new("instance").child(primary));
        model.extend(self.secondary_instances());
        model.extend(self.binds());
        model
    }
}

/// Whether a select takes its choices by `search()`.
pub(crate) fn uses_search(node: &Node) -> bool {
    node.appearance
        .as_deref()
        .is_some_and(|appearance| appearance.find("search(").is_some_and(|at| appearance[at..].contains(')')))
}
