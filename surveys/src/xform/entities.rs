//! Entities: what a submission adds to a list or changes in it. One stands in the `meta` of its
//! container.

use super::Writer;
use super::xml::Element;
use crate::questionnaire::references::{Standpoint, Usage};
use crate::questionnaire::{Entity, SAVE_TO};

pub(super) const NAMESPACE: &str = "http://www.opendatakit.org/xforms/entities";

impl<'q> Writer<'q> {
    /// The entity that stands in the container at this path.
    pub(super) fn entity_in(&self, path: &str) -> Option<&'q Entity> {
        self.questionnaire.entities.iter().find(|entity| entity.container == path)
    }

    /// The version of the specification that the entities need.
    pub(super) fn entities_version(&self) -> Option<&'static str> {
        let entities = &self.questionnaire.entities;
        let in_repeat = |entity: &Entity| {
            let container = self.outline.find(&entity.container);
            container.is_some_and(|container| {
                self.outline.places[container].node.is_repeat()
                    || self.outline.repeats_around(container).next().is_some()
            })
        };
        match entities.len() {
            0 => None,
            1 if !in_repeat(&entities[0]) => Some("2024.1.0"),
            _ => Some("2025.1.0"),
        }
    }

    /// `<meta><entity …/></meta>` of a container other than the root.
    pub(super) fn entity_meta(&self, path: &str) -> Option<Element> {
        self.entity_in(path).map(|entity| Element::new("meta").child(entity_element(entity)))
    }

    /// Binds of the entity in a container, with the action that gives a new one its id.
    pub(super) fn add_entity_binds(&mut self, path: &str, out: &mut Vec<Element>) {
        let Some(entity) = self.entity_in(path) else { return };
        let own = format!("{path}/meta/entity");
        let standpoint = Standpoint { container: self.outline.find(path), steps: 3 };
        let mut bind = |writer: &mut Self, node: &str, column: &str, calculation: Option<&str>| {
            let mut bind = Element::new("bind").with("nodeset", format!("{own}/{node}"));
            bind.set("type", "string");
            bind.set("readonly", "true()");
            if let Some(calculation) = calculation {
                let calculation = match calculation {
                    "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" => "true()",
                    "no" | "No" | "NO" | "false" | "False" | "FALSE" => "false()",
                    calculation => calculation,
                };
                let result = writer.outline.xpath_from(standpoint, calculation, Usage::Expression);
                let calculation = writer.settle(result, &entity.position, column, || calculation.to_owned());
                bind.set("calculate", calculation);
            }
            out.push(bind);
        };
        if let Some(create_if) = &entity.create_if {
            bind(self, "@create", "create_if", Some(create_if));
        }
        if let Some(id) = &entity.entity_id {
            if let Some(update_if) = &entity.update_if {
                bind(self, "@update", "update_if", Some(update_if));
            }
            for (attribute, column) in [
                ("@baseVersion", "__version"),
                ("@trunkVersion", "__trunkVersion"),
                ("@branchId", "__branchId"),
            ] {
                let version = format!("instance('{}')/root/item[name={id}]/{column}", entity.list_name);
                bind(self, attribute, "entity_id", Some(&version));
            }
        }
        bind(self, "@id", "entity_id", entity.entity_id.as_deref());
        let label = entity.label.as_deref();
        if entity.entity_id.is_none() {
            out.push(new_id(&own, "odk-instance-first-load"));
        }
        if let Some(label) = label {
            let mut bind = Element::new("bind").with("nodeset", format!("{own}/label"));
            bind.set("type", "string");
            bind.set("readonly", "true()");
            let result = self.outline.xpath_from(standpoint, label, Usage::Expression);
            let label = self.settle(result, &entity.position, "label", || label.to_owned());
            bind.set("calculate", label);
            out.push(bind);
        }
    }

    /// In a repeat each new instance needs an id of its own.
    pub(super) fn entity_action(&self, path: &str) -> Option<Element> {
        let entity = self.entity_in(path).filter(|entity| entity.entity_id.is_none())?;
        Some(new_id(&format!("{}/meta/entity", entity.container), "odk-new-repeat"))
    }
}

fn new_id(own: &str, event: &str) -> Element {
    Element::new("setvalue").with("ref", format!("{own}/@id")).with("event", event).with("value", "uuid()")
}

pub(super) fn entity_element(entity: &Entity) -> Element {
    let mut element = Element::new("entity").with("dataset", &entity.list_name);
    if entity.entity_id.is_none() || entity.create_if.is_some() {
        element.set("create", "1");
    }
    if entity.entity_id.is_some() {
        element.set("update", "1");
        for attribute in ["baseVersion", "trunkVersion", "branchId"] {
            element.set(attribute, "");
        }
    }
    element.set("id", "");
    if entity.label.is_some() {
        element.push(Element::new("label"));
    }
    element
}

/// The property of a `save_to`, without its list.
pub(super) fn saved_property<'v>(attribute: &str, value: &'v str) -> &'v str {
    if attribute == SAVE_TO { value.rsplit_once('#').map_or(value, |(_, property)| property) } else { value }
}
