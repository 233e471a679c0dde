//! The body: controls, groups, repeats and the choices of selects.

use super::xml::Element;
use super::{Writer, file_source, is_hidden, is_translated, needs_itext, plain, uses_search};
use crate::question_type::{Control, QuestionType};
use crate::questionnaire::references::{Usage, single_reference};
use crate::questionnaire::{Body, ChoiceOrder, ChoiceSource, Choices, Media, Node, Question, Repeat};

impl Writer<'_> {
    pub(super) fn controls(&mut self, nodes: &[Node]) -> Vec<Element> {
        let mut out = Vec::new();
        for node in nodes {
            match &node.body {
                Body::Question(question) => out.extend(self.control(node, question)),
                Body::Group(group) => {
                    let mut element = Element::new("group").with("ref", self.path(node));
                    self.set_attributes(&mut element, node);
                    if !node.wording.label.is_empty() {
                        let label = self.label(node);
                        element.push(label);
                    }
                    element.extend(self.controls(&group.children));
                    out.push(element);
                }
                Body::Repeat(repeat) => out.push(self.repeat(node, repeat)),
            }
        }
        out
    }

    fn repeat(&mut self, node: &Node, repeat: &Repeat) -> Element {
        let mut element = Element::new("repeat").with("nodeset", self.path(node));
        if let Some(count) = &repeat.count {
            let count = self.xpath(node, "repeat_count", count, Usage::Expression);
            element.set("jr:count", count);
        }
        self.set_attributes(&mut element, node);
        element.extend(self.controls(&repeat.children));
        self.add_new_repeat_actions(&repeat.children, &mut element);
        element.extend(self.entity_action(&self.path(node)));
        let label = self.label(node);
        Element::new("group").with("ref", self.path(node)).child(label).child(element)
    }

    /// Dynamic defaults are set again in each new instance; inner repeats see to their own.
    fn add_new_repeat_actions(&mut self, nodes: &[Node], repeat: &mut Element) {
        for node in nodes {
            repeat.extend(self.default_action(node, "odk-new-repeat"));
            if !node.is_repeat() {
                self.add_new_repeat_actions(node.children(), repeat);
                repeat.extend(self.entity_action(&self.path(node)));
            }
        }
    }

    /// Appearance and `control::x`.
    fn set_attributes(&mut self, element: &mut Element, node: &Node) {
        for (name, value) in &node.attributes.control {
            let value = self.xpath(node, &format!("body::{name}"), value, Usage::Expression);
            element.set(name, value);
        }
        if let Some(appearance) = &node.appearance {
            let appearance = match &node.body {
                Body::Group(_) => appearance.clone(),
                Body::Question(_) | Body::Repeat(_) => {
                    self.xpath(node, "appearance", appearance, Usage::Expression)
                }
            };
            element.set("appearance", appearance);
        }
    }

    fn label(&mut self, node: &Node) -> Element {
        let mut label = Element::new("label");
        let wording = &node.wording;
        if is_translated(&wording.label) || wording.media != Media::default() {
            label.set("ref", format!("jr:itext('{}:label')", self.path(node)));
        } else if let Some(text) = plain(&wording.label) {
            let context = self.at(node);
            self.say(&mut label, context, &node.position, "label", text);
        }
        label
    }

    fn hint(&mut self, node: &Node) -> Element {
        let mut hint = Element::new("hint");
        let wording = &node.wording;
        if is_translated(&wording.hint) || !wording.guidance_hint.is_empty() {
            hint.set("ref", format!("jr:itext('{}:hint')", self.path(node)));
        } else if let Some(text) = plain(&wording.hint) {
            let context = self.at(node);
            self.say(&mut hint, context, &node.position, "hint", text);
        }
        hint
    }

    fn control(&mut self, node: &Node, question: &Question) -> Option<Element> {
        let row = question.kind.row();
        let (name, media_type) = match row.control {
            Control::Input => ("input", None),
            Control::Select1 => ("select1", None),
            Control::Select => ("select", None),
            Control::Rank => ("odk:rank", None),
            Control::Range => ("range", None),
            Control::Upload(kind) => ("upload", Some(kind)),
            Control::Trigger => ("trigger", None),
            // One that is labelled shows a box to tick.
            Control::Action if question.kind == QuestionType::BackgroundGeopoint => ("trigger", None),
            Control::Action | Control::None => return None,
        };
        if is_hidden(node) {
            return None;
        }
        let mut control = Element::new(name).with("ref", self.path(node));
        if let Some(media_type) = media_type {
            control.set("mediatype", media_type);
        }
        self.set_attributes(&mut control, node);
        self.set_parameters(&mut control, node, question);
        let wording = &node.wording;
        let hinted = !wording.hint.is_empty() || !wording.guidance_hint.is_empty();
        let label = self.label(node);
        control.push(label);
        if hinted {
            let hint = self.hint(node);
            control.push(hint);
        }
        if let Some(choices) = &question.choices {
            self.add_choices(&mut control, node, choices);
        }
        self.add_parameter_choices(&mut control, node, question);
        self.add_triggered(&mut control, node);
        Some(control)
    }

    /// Parameters that are attributes of the control.
    fn set_parameters(&mut self, control: &mut Element, node: &Node, question: &Question) {
        if question.kind == QuestionType::Range {
            for (key, default) in [("start", "1"), ("end", "10"), ("step", "1")] {
                control.set(key, question.parameters.get(key).map_or(default, String::as_str));
            }
        }
        for (key, value) in &question.parameters {
            match (question.kind, key.as_str()) {
                (QuestionType::Text, "rows") => control.set("rows", value),
                (QuestionType::Range, "tick_interval") => control.set("odk:tick-interval", value),
                (QuestionType::Range, "placeholder") => control.set("odk:placeholder", value),
                (QuestionType::Geopoint, "capture-accuracy") => control.set("accuracyThreshold", value),
                (QuestionType::Geopoint, "warning-accuracy") => {
                    control.set("unacceptableAccuracyThreshold", value)
                }
                (QuestionType::Geotrace | QuestionType::Geoshape, "incremental") => {
                    control.set("incremental", "true")
                }
                (QuestionType::Image, "app")
                    if matches!(node.appearance.as_deref(), None | Some("annotate")) =>
                {
                    control.set("intent", value);
                }
                _ => {}
            }
        }
    }

    fn add_choices(&mut self, control: &mut Element, node: &Node, choices: &Choices) {
        let lists = &self.questionnaire.choice_lists;
        let (mut nodeset, value, label, mut filter) = match &choices.source {
            ChoiceSource::External(list) => {
                let filter = choices
                    .filter
                    .as_ref()
                    .map(|filter| format!("[{}]", self.xpath(node, "choice_filter", filter, Usage::Filter)));
                control.set("query", format!("instance('{list}')/root/item{}", filter.unwrap_or_default()));
                return;
            }
            ChoiceSource::List(list) if uses_search(node) => {
                let Some(choices) = lists.get(list) else { return };
                for (number, choice) in choices.choices.iter().enumerate() {
                    let mut label = Element::new("label");
                    if needs_itext(choices) {
                        label.set("ref", format!("jr:itext('{list}-{number}')"));
                    } else if let Some(text) = plain(&choice.label) {
                        self.say(&mut label, None, &choice.position, "label", text);
                    }
                    control.push(
                        Element::new("item").child(label).child(Element::new("value").text(&choice.name)),
                    );
                }
                return;
            }
            ChoiceSource::List(list) => {
                let label =
                    if lists.get(list).is_some_and(needs_itext) { "jr:itext(itextId)" } else { "label" };
                (format!("instance('{list}')/root/item"), "name".to_owned(), label.to_owned(), None)
            }
            ChoiceSource::File { name, value, label } => {
                let geojson = name.ends_with(".geojson");
                let (default_value, default_label) =
                    if geojson { ("id", "title") } else { ("name", "label") };
                let value = value.as_deref().unwrap_or(default_value).to_owned();
                let label = label.as_deref().unwrap_or(default_label).to_owned();
                (format!("instance('{}')/root/item", file_source(name).0), value, label, None)
            }
            ChoiceSource::Answers(question) => {
                let path = self.xpath(node, "type", &format!("${{{question}}}"), Usage::Nodeset);
                let (nodeset, name) = path.trim().rsplit_once('/').unwrap_or(("", path.trim()));
                (nodeset.to_owned(), name.to_owned(), name.to_owned(), Some(format!("./{name} != ''")))
            }
        };
        if let Some(own) = &choices.filter {
            let answers = matches!(choices.source, ChoiceSource::Answers(_));
            let usage = if answers { Usage::NodesetFilter } else { Usage::Filter };
            let own = self.xpath(node, "choice_filter", own, usage);
            filter = Some(if answers {
                own.replace(&format!("current()/{nodeset}"), ".").replace(&nodeset, ".")
            } else {
                own
            });
        }
        if let Some(filter) = filter {
            nodeset = format!("{nodeset}[{filter}]");
        }
        if let ChoiceOrder::Random { seed } = &choices.order {
            nodeset = match seed {
                Some(seed) => {
                    let seed = self.xpath(node, "parameters", seed, Usage::Expression);
                    format!("randomize({nodeset}, {})", seed.trim())
                }
                None => format!("randomize({nodeset})"),
            };
        }
        control.push(itemset(nodeset, &value, &label));
    }

    /// Lists that come by a parameter: labels of ticks, places to choose from, tags of OSM.
    fn add_parameter_choices(&mut self, control: &mut Element, node: &Node, question: &Question) {
        let questionnaire = self.questionnaire;
        if let Some(list) = question.parameters.get("tags").and_then(|list| questionnaire.osm_tags.get(list))
        {
            for tag in &list.choices {
                let mut label = Element::new("label");
                if let Some(text) = plain(&tag.label) {
                    self.say(&mut label, None, &tag.position, "label", text);
                }
                control.push(Element::new("tag").with("key", &tag.name).child(label));
            }
        }
        let parameter = match question.kind {
            QuestionType::Range => question.parameters.get("tick_labelset"),
            _ => question.parameters.get("reference-geometry"),
        };
        let Some(target) = parameter else { return };
        if single_reference(target).is_some() {
            let path = self.xpath(node, "parameters", target, Usage::Nodeset);
            let nodeset = path.trim();
            let filter = question.filter.as_ref().map(|filter| {
                let filter = self.xpath(node, "choice_filter", filter, Usage::NodesetFilter);
                filter.replace(&format!("current()/{nodeset}"), ".").replace(nodeset, ".")
            });
            let filter = filter.unwrap_or_else(|| "./geometry != ''".to_owned());
            control.push(itemset(format!("{nodeset}[{filter}]"), "geometry", "geometry"));
            return;
        }
        let itext = questionnaire.choice_lists.get(target).is_some_and(needs_itext);
        let (stem, _) = file_source(target);
        let ending = &target[stem.len()..];
        let (id, value, label) = match ending {
            ".geojson" => (stem, "id", "title"),
            ".csv" | ".xml" => (stem, "name", "label"),
            _ => (target.as_str(), "name", if itext { "jr:itext(itextId)" } else { "label" }),
        };
        let filter = question
            .filter
            .as_ref()
            .map(|filter| format!("[{}]", self.xpath(node, "choice_filter", filter, Usage::Filter)));
        control.push(itemset(
            format!("instance('{id}')/root/item{}", filter.unwrap_or_default()),
            value,
            label,
        ));
    }

    /// What a change of this question sets.
    fn add_triggered(&mut self, control: &mut Element, node: &Node) {
        let Some(targets) = self.triggered.get(node.name.as_str()).cloned() else { return };
        for points in [false, true] {
            for &target in &targets {
                let target = self.outline.places[target].clone();
                let is_point = target.node.kind() == Some(QuestionType::BackgroundGeopoint);
                if is_point != points {
                    continue;
                }
                let name = if is_point { "odk:setgeopoint" } else { "setvalue" };
                let mut action =
                    Element::new(name).with("ref", &target.path).with("event", "xforms-value-changed");
                if let Some(calculation) = target.node.logic.calculation.as_ref().filter(|_| !is_point) {
                    let value = self.xpath(node, "calculation", calculation, Usage::Expression);
                    action.set("value", value);
                }
                control.push(action);
            }
        }
    }
}

fn itemset(nodeset: String, value: &str, label: &str) -> Element {
    Element::new("itemset")
        .with("nodeset", nodeset)
        .child(Element::new("value").with("ref", value))
        .child(Element::new("label").with("ref", label))
}
