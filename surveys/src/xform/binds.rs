//! Binds, and the actions that stand beside them in the model.

use super::entities::saved_property;
use super::xml::Element;
use super::{Writer, has_reference, is_translated, plain};
use crate::question_type::QuestionType;
use crate::questionnaire::references::{Usage, is_dynamic};
use crate::questionnaire::{Node, Question, SEAL, Text};

impl Writer<'_> {
    /// All binds and actions in document order.
    pub(super) fn binds(&mut self) -> Vec<Element> {
        let questionnaire = self.questionnaire;
        let mut out = Vec::new();
        self.add_binds(&questionnaire.nodes, &mut out);
        self.add_entity_binds(&format!("/{}", questionnaire.settings.root), &mut out);
        self.add_binds(&questionnaire.meta, &mut out);
        out
    }

    fn add_binds(&mut self, nodes: &[Node], out: &mut Vec<Element>) {
        for node in nodes {
            let bind = self.bind(node);
            if bind.attributes.len() > 1 {
                out.push(bind);
            }
            if let Some(question) = node.question() {
                self.add_actions(node, question, out);
            }
            self.add_binds(node.children(), out);
            self.add_entity_binds(&self.path(node), out);
            if node.is_sealed() {
                let path = format!("{}/{SEAL}", self.path(node));
                out.push(Element::new("bind").with("nodeset", path).with("type", "string"));
            }
        }
    }

    fn bind(&mut self, node: &Node) -> Element {
        let mut bind = Element::new("bind").with("nodeset", self.path(node));
        if let Some(question) = node.question() {
            let row = question.kind.row();
            if let Some(kind) = row.bind {
                let decimal = question.kind == QuestionType::Range && has_fraction(question);
                bind.set("type", if decimal { "decimal" } else { kind });
            }
            match (question.kind, row.preload) {
                (QuestionType::InstanceId, _) => {
                    let uid = self.questionnaire.settings.instance_id.as_deref().unwrap_or("uid");
                    bind.set("jr:preload", uid);
                }
                (_, Some((preload, parameter))) => {
                    bind.set("jr:preload", preload);
                    bind.set("jr:preloadParams", parameter);
                }
                (_, None) => {}
            }
            for (key, value) in &question.parameters {
                match (question.kind, key.as_str()) {
                    (QuestionType::Image, "max-pixels") => bind.set("orx:max-pixels", value),
                    (QuestionType::Audio, "quality") => bind.set("odk:quality", value),
                    (
                        QuestionType::Geopoint | QuestionType::Geotrace | QuestionType::Geoshape,
                        "allow-mock-accuracy",
                    )
                    | (QuestionType::Audit, _) => bind.set(format!("odk:{key}"), value),
                    _ => {}
                }
            }
        }
        let logic = &node.logic;
        let calculation = logic.calculation.as_ref().filter(|_| logic.trigger.is_empty());
        let expressions = [
            ("readonly", logic.readonly.as_ref()),
            ("required", logic.required.as_ref()),
            ("relevant", logic.relevant.as_ref()),
            ("constraint", logic.constraint.as_ref()),
            ("calculate", calculation),
        ];
        for (name, expression) in expressions {
            if let Some(expression) = expression {
                let expression = self.xpath(node, name, expression, Usage::Expression);
                bind.set(name, expression);
            }
        }
        let wording = &node.wording;
        self.set_message(&mut bind, "jr:constraintMsg", &wording.constraint_message, node);
        self.set_message(&mut bind, "jr:requiredMsg", &wording.required_message, node);
        for (name, value) in &node.attributes.bind {
            let value = saved_property(name, value);
            let value = self.xpath(node, &format!("bind::{name}"), value, Usage::Expression);
            bind.set(name, value);
        }
        if node.field {
            bind.set("ln:vault", "field");
        }
        if node.is_sealed() {
            bind.set("ln:sealed", "yes");
        }
        bind
    }

    fn set_message(&self, bind: &mut Element, name: &str, message: &Text, node: &Node) {
        if is_translated(message) || plain(message).is_some_and(has_reference) {
            bind.set(name, format!("jr:itext('{}:{name}')", self.path(node)));
        } else if let Some(message) = plain(message) {
            bind.set(name, message);
        }
    }

    fn add_actions(&mut self, node: &Node, question: &Question, out: &mut Vec<Element>) {
        out.extend(self.default_action(node, "odk-instance-first-load"));
        let action =
            |name: &str, event: &str, path: String| Element::new(name).with("ref", path).with("event", event);
        match question.kind {
            QuestionType::StartGeopoint => {
                out.push(action("odk:setgeopoint", "odk-instance-first-load", self.path(node)));
            }
            QuestionType::BackgroundAudio => {
                let mut record = action("odk:recordaudio", "odk-instance-load", self.path(node));
                if let Some(quality) = question.parameters.get("quality") {
                    record.set("odk:quality", quality);
                }
                out.push(record);
            }
            _ => {}
        }
    }

    /// The `setvalue` of a default that is an expression.
    pub(super) fn default_action(&mut self, node: &Node, event: &str) -> Option<Element> {
        let kind = node.kind()?;
        let default = node.logic.default.as_deref().filter(|default| is_dynamic(default, kind))?;
        let value = self.xpath(node, "default", default, Usage::Expression);
        let action = Element::new("setvalue").with("ref", self.path(node)).with("event", event);
        Some(action.with("value", value))
    }
}

pub(super) fn has_fraction(question: &Question) -> bool {
    let keys = ["start", "end", "step", "tick_interval", "placeholder"];
    let values = keys.iter().filter_map(|key| question.parameters.get(*key)?.parse::<f64>().ok());
    values.into_iter().any(|value| value.fract() != 0.0)
}
