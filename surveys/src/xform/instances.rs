//! The primary instance, and the instances that the form only reads.

use indexmap::IndexSet;

use super::entities::entity_element;
use super::xml::Element;
use super::{Writer, file_source, needs_itext, plain};
use crate::questionnaire::references::{Usage, is_dynamic, references};
use crate::questionnaire::{Body, ChoiceSource, Node, Outline, SEAL};

impl Writer<'_> {
    /// The root with one instance of every repeat, after its template.
    pub(super) fn primary_instance(&mut self) -> Element {
        let questionnaire = self.questionnaire;
        let settings = &questionnaire.settings;
        let mut root = Element::new(&settings.root);
        for (name, value) in &settings.attributes {
            root.set(name, value);
        }
        root.set("id", &settings.form_id);
        let optional = [
            ("xmlns", &settings.instance_xmlns),
            ("version", &settings.version),
            ("odk:prefix", &settings.prefix),
            ("odk:delimiter", &settings.delimiter),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                root.set(name, value);
            }
        }
        self.add_children(&mut root, &questionnaire.nodes, false);
        let entity = self.entity_in(&format!("/{}", settings.root));
        if !questionnaire.meta.is_empty() || entity.is_some() {
            let mut meta = Element::new("meta");
            meta.extend(entity.map(entity_element));
            self.add_children(&mut meta, &questionnaire.meta, false);
            root.push(meta);
        }
        root
    }

    /// `in_repeat`: the parent is an instance (not the template) of a repeat, so that repeats in it
    /// have their template in the outer template.
    fn add_children(&mut self, parent: &mut Element, nodes: &[Node], in_repeat: bool) {
        for node in nodes {
            if node.is_repeat() && !in_repeat {
                let template = self.template(node);
                parent.push(template);
                let instance = self.instance(node, true);
                parent.push(instance);
            } else {
                let instance = self.instance(node, in_repeat);
                parent.push(instance);
            }
        }
    }

    fn instance(&mut self, node: &Node, in_repeat: bool) -> Element {
        let mut element = Element::new(&node.name);
        for (name, value) in &node.attributes.instance {
            let value = self.xpath(node, &format!("instance::{name}"), value, Usage::Expression);
            element.set(name, value);
        }
        match &node.body {
            Body::Question(question) => {
                let default =
                    node.logic.default.as_deref().filter(|default| !is_dynamic(default, question.kind));
                if let Some(default) = default {
                    element = element.text(default);
                }
            }
            Body::Group(group) => {
                self.add_children(&mut element, &group.children, in_repeat);
                if group.sealed {
                    element.push(Element::new(SEAL));
                }
            }
            Body::Repeat(repeat) => self.add_children(&mut element, &repeat.children, in_repeat),
        }
        element.extend(self.entity_meta(&self.path(node)));
        element
    }

    fn template(&mut self, repeat: &Node) -> Element {
        let mut element = Element::new(&repeat.name).with("jr:template", "");
        for node in repeat.children() {
            let child = if node.is_repeat() { self.template(node) } else { self.instance(node, false) };
            element.push(child);
        }
        element.extend(self.entity_meta(&self.path(repeat)));
        element
    }

    /// Files in the order of the rows that use them, the last saved answers, then all choice lists.
    pub(super) fn secondary_instances(&mut self) -> Vec<Element> {
        let questionnaire = self.questionnaire;
        let mut seen: IndexSet<String> = IndexSet::new();
        let mut out = Vec::new();
        for Source { id, source, .. } in sources(&self.outline) {
            if seen.insert(id.clone()) {
                out.push(Element::new("instance").with("id", id).with("src", source));
            }
        }
        for (name, list) in &questionnaire.choice_lists {
            if self.search_lists.contains(name.as_str()) || seen.contains(name) {
                continue;
            }
            let itext = needs_itext(list);
            let mut root = Element::new("root");
            for (number, choice) in list.choices.iter().enumerate() {
                let mut item = Element::new("item");
                if itext {
                    item.push(Element::new("itextId").text(format!("{name}-{number}")));
                }
                item.push(Element::new("name").text(&choice.name));
                if let Some(label) = plain(&choice.label).filter(|_| !itext) {
                    item.push(Element::new("label").text(label));
                }
                item.extend(choice.columns.iter().map(|(name, value)| Element::new(name).text(value)));
                root.push(item);
            }
            out.push(Element::new("instance").with("id", name).child(root));
        }
        out
    }
}

/// An instance that the form only reads.
pub(crate) struct Source {
    /// Row of the survey sheet that asks for it.
    pub(crate) row: u32,
    pub(crate) id: String,
    pub(crate) source: String,
}

/// Files in the order of the rows that use them, then the last saved answers; an id may come again.
pub(crate) fn sources(outline: &Outline<'_>) -> Vec<Source> {
    let questionnaire = outline.questionnaire;
    let mut sources: Vec<Source> = Vec::new();
    for instance in &questionnaire.external_instances {
        let (id, source) = (instance.name.clone(), instance.source.clone());
        sources.push(Source { row: instance.position.row, id, source });
    }
    let mut last_saved = None;
    for place in &outline.places {
        let node = place.node;
        // Nodes of `meta` stand behind all others, whatever their row.
        let in_meta = questionnaire.meta.iter().any(|meta| std::ptr::eq(meta, node));
        let row = if in_meta { u32::MAX } else { node.position.row };
        let logic = &node.logic;
        let choices = node.question().and_then(|question| question.choices.as_ref());
        let binds =
            [&logic.calculation, &logic.constraint, &logic.readonly, &logic.required, &logic.relevant];
        let filter = choices.map_or(&None, |choices| &choices.filter);
        for text in binds.into_iter().chain([filter, &logic.default]).flatten() {
            for name in pulled(text) {
                sources.push(Source {
                    row,
                    id: name.to_owned(),
                    source: format!("jr://file-csv/{name}.csv"),
                });
            }
            if references(text).is_ok_and(|found| found.iter().any(|found| found.last_saved)) {
                last_saved = last_saved.or(Some(row));
            }
        }
        if let Some(ChoiceSource::File { name, .. }) = choices.map(|choices| &choices.source) {
            let (stem, source) = file_source(name);
            sources.push(Source { row, id: stem.to_owned(), source });
        }
    }
    sources.sort_by_key(|source| source.row);
    if let Some(row) = last_saved {
        let (id, source) = ("__last-saved".to_owned(), "jr://instance/last-saved".to_owned());
        sources.push(Source { row, id, source });
    }
    sources
}

/// First arguments of `pulldata(…)`, without their quotes.
fn pulled(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("pulldata").filter_map(|(at, word)| {
        let inside = text[at + word.len()..].trim_start().strip_prefix('(')?;
        let (first, _) = inside.split_once(',')?;
        Some(first.trim().trim_matches(['\'', '"']).trim())
    })
}
