//! Paths back to `${name}`, wherever writing the name out gives exactly the same path again.

use super::texts::OUTPUT;
use super::{Reader, problem};
use crate::questionnaire::references::{
    Fragment, Standpoint, Usage, is_dynamic, is_xml_name, single_reference,
};
use crate::questionnaire::{
    Body, ChoiceOrder, ChoiceSource, Node, Outline, Question, Questionnaire, SAVE_TO, Text,
};

impl Reader<'_> {
    /// Puts names for paths in all expressions and texts, and gives triggers their targets.
    pub(super) fn references(&mut self, questionnaire: &mut Questionnaire) {
        let before = questionnaire.clone();
        let outline = before.outline();
        let mut at = 0;
        for node in &mut questionnaire.nodes {
            self.node_references(&outline, node, &mut at);
        }
        for node in &mut questionnaire.meta {
            self.node_references(&outline, node, &mut at);
        }
        let names = Names { outline: &outline };
        for choice in questionnaire.choice_lists.values_mut().flat_map(|list| &mut list.choices) {
            let line = choice.position.row;
            self.texts(&names, None, &mut choice.label, line);
        }
        for choice in questionnaire.osm_tags.values_mut().flat_map(|list| &mut list.choices) {
            let line = choice.position.row;
            self.texts(&names, None, &mut choice.label, line);
        }
        if let Some(name) = &mut questionnaire.settings.instance_name {
            *name = names.expression(Standpoint { container: None, steps: 1 }, name, Usage::Expression);
        }
        for entity in &mut questionnaire.entities {
            let standpoint = Standpoint { container: outline.find(&entity.container), steps: 3 };
            for text in
                [&mut entity.label, &mut entity.entity_id, &mut entity.create_if, &mut entity.update_if]
                    .into_iter()
                    .flatten()
            {
                *text = names.expression(standpoint, text, Usage::Expression);
            }
        }
    }

    fn node_references(&mut self, outline: &Outline<'_>, node: &mut Node, at: &mut usize) {
        let names = Names { outline };
        let own = *at;
        *at += 1;
        let path = outline.places[own].path.clone();
        let standpoint = names.standpoint(Some(own));
        let line = node.position.row;
        self.triggers(&names, node, &path);
        let logic = &mut node.logic;
        let triggered = !logic.trigger.is_empty();
        for expression in [
            &mut logic.relevant,
            &mut logic.constraint,
            &mut logic.required,
            &mut logic.readonly,
            &mut logic.default,
        ]
        .into_iter()
        .chain([&mut logic.calculation].into_iter().filter(|_| !triggered))
        .flatten()
        {
            *expression = names.expression(standpoint, expression, Usage::Expression);
        }
        if let Body::Question(question) = &node.body
            && let Some(default) = &mut logic.default
        {
            let acts = self.actions.first.contains_key(path.as_str());
            match (acts, is_dynamic(default, question.kind)) {
                // A call makes an expression of what would be read as a value.
                (true, false) => *default = format!("string({default})"),
                (false, true) if default.contains('\'') => *default = format!("string(\"{default}\")"),
                (false, true) => *default = format!("string('{default}')"),
                _ => {}
            }
        }
        let attributes = &mut node.attributes;
        for value in attributes
            .bind
            .values_mut()
            .chain(attributes.control.values_mut())
            .chain(attributes.instance.values_mut())
        {
            *value = names.expression(standpoint, value, Usage::Expression);
        }
        self.saved_to(&names, node, own);
        if !matches!(node.body, Body::Group(_))
            && let Some(appearance) = &mut node.appearance
        {
            *appearance = names.expression(standpoint, appearance, Usage::Expression);
        }
        let wording = &mut node.wording;
        for text in [
            &mut wording.label,
            &mut wording.hint,
            &mut wording.guidance_hint,
            &mut wording.constraint_message,
            &mut wording.required_message,
            &mut wording.media.image,
            &mut wording.media.big_image,
            &mut wording.media.audio,
            &mut wording.media.video,
        ] {
            self.texts(&names, Some(own), text, line);
        }
        match &mut node.body {
            Body::Question(question) => self.choice_references(&names, standpoint, question, line),
            Body::Group(_) => {}
            Body::Repeat(repeat) => {
                if let Some(count) = &mut repeat.count {
                    *count = names.expression(standpoint, count, Usage::Expression);
                }
            }
        }
        for child in node.children_mut() {
            self.node_references(outline, child, at);
        }
    }

    /// Where several entities are declared, a saved property names its list.
    fn saved_to(&self, names: &Names<'_, '_>, node: &mut Node, own: usize) {
        let entities = &names.outline.questionnaire.entities;
        let Some(property) = node.attributes.bind.get_mut(SAVE_TO).filter(|_| entities.len() > 1) else {
            return;
        };
        let around = names.outline.ancestors(own).map(|at| names.outline.places[at].path.as_str());
        let root = self.root.as_str();
        let list =
            around.chain([root]).find_map(|path| entities.iter().find(|entity| entity.container == path));
        if let Some(entity) = list {
            *property = format!("{}#{property}", entity.list_name);
        }
    }

    fn triggers(&mut self, names: &Names<'_, '_>, node: &mut Node, path: &str) {
        let mut value: Option<String> = None;
        for action in self.actions.triggered.iter().filter(|action| action.target == path) {
            let Some(trigger) = names.outline.find(&action.trigger) else { continue };
            let name = &names.outline.places[trigger].node.name;
            let standpoint = names.standpoint(Some(trigger));
            let own = action.value.as_deref().map(|own| names.expression(standpoint, own, Usage::Expression));
            if names.outline.named(name).len() > 1 || (value.is_some() && own.is_some() && own != value) {
                self.problems.push(problem(
                    action.line,
                    format!("không giữ được: thay đổi `{name}` đặt giá trị cho `{}`", node.name),
                    format!(
                        "a change of `{name}` sets `{}` in a way that a questionnaire cannot hold: give the \
                         trigger a name of its own and all triggers the same expression",
                        node.name
                    ),
                ));
            }
            node.logic.trigger.push(name.clone());
            value = value.or(own);
        }
        if value.is_some() {
            node.logic.calculation = value;
        }
    }

    fn choice_references(
        &mut self,
        names: &Names<'_, '_>,
        standpoint: Standpoint,
        question: &mut Question,
        line: u32,
    ) {
        if let Some(choices) = &mut question.choices {
            let answers = matches!(choices.source, ChoiceSource::Answers(_));
            if let Some(filter) = choices.filter.as_mut().filter(|_| !answers) {
                *filter = names.expression(standpoint, filter, Usage::Filter);
            }
            if let ChoiceOrder::Random { seed: Some(seed) } = &mut choices.order {
                let named = names.expression(standpoint, &format!(" {seed} "), Usage::Expression);
                *seed = named.trim().to_owned();
            }
            if let ChoiceSource::Answers(path) = &mut choices.source {
                match names.nodeset(standpoint, path) {
                    Some(name) => *path = name,
                    None => self.problems.push(problem(
                        line,
                        format!("các lựa chọn lấy từ `{path}` mà không có tên riêng"),
                        format!("choices from `{path}`: give that question a name of its own"),
                    )),
                }
            }
        }
        if let Some(filter) = &mut question.filter {
            *filter = names.expression(standpoint, filter, Usage::Filter);
        }
        if let Some(target) = question.parameters.get_mut("reference-geometry")
            && target.contains('/')
            && let Some(name) = names.nodeset(standpoint, target)
        {
            *target = format!("${{{name}}}");
        }
    }

    /// Outputs of a text as `${name}`.
    fn texts(&mut self, names: &Names<'_, '_>, context: Option<usize>, text: &mut Text, line: u32) {
        for value in text.values_mut().filter(|value| value.contains(OUTPUT[0])) {
            let mut out = String::new();
            let mut pieces = value.split(OUTPUT[0]);
            out.push_str(pieces.next().unwrap_or_default());
            for piece in pieces {
                let (expression, rest) = piece.split_once(OUTPUT[1]).unwrap_or((piece, ""));
                match names.output(context, expression) {
                    Some(name) => out.push_str(&name),
                    None => self.problems.push(problem(
                        line,
                        format!("văn bản có biểu thức `{expression}`; hãy tính nó trong một `calculate`"),
                        format!(
                            "the text shows the expression `{expression}`: compute it in a `calculate` with \
                             a name of its own and show that"
                        ),
                    )),
                }
                out.push_str(rest);
            }
            *value = out;
        }
    }
}

/// Names for paths.
struct Names<'o, 'q> {
    outline: &'o Outline<'q>,
}

impl Names<'_, '_> {
    fn standpoint(&self, context: Option<usize>) -> Standpoint {
        Standpoint { container: context.and_then(|context| self.outline.places[context].parent), steps: 1 }
    }

    /// The expression with names; each one only where the whole is then written as it was.
    fn expression(&self, standpoint: Standpoint, text: &str, usage: Usage) -> String {
        let mut out = text.to_owned();
        let mut from = 0;
        while let Some(offset) = out[from..].find(' ') {
            let start = from + offset;
            from = start + 1;
            let Some(length) = out[start + 1..].find(' ') else { break };
            let end = start + 1 + length;
            let Some(reference) = self.reference(&out[start + 1..end]) else { continue };
            let named = format!("{}{reference}{}", &out[..start], &out[end + 1..]);
            let written = self.outline.xpath_from(standpoint, &named, usage);
            if written.is_ok_and(|written| written == text) {
                from = start + reference.len();
                out = named;
            }
        }
        out
    }

    /// `${name}` for a path that ends in a name that only one node has.
    fn reference(&self, path: &str) -> Option<String> {
        let saved = path.strip_prefix("instance('__last-saved')");
        let path = saved.unwrap_or(path);
        let plain = path.strip_prefix("current()/").unwrap_or(path);
        let is_path = plain.starts_with('/') || plain.starts_with("..");
        let name = plain.rsplit('/').next().filter(|name| is_path && is_xml_name(name))?;
        let unique = self.outline.named(name).len() == 1;
        let mark = if saved.is_some() { "last-saved#" } else { "" };
        unique.then(|| format!("${{{mark}{name}}}"))
    }

    /// The question whose answers a nodeset lists.
    fn nodeset(&self, standpoint: Standpoint, path: &str) -> Option<String> {
        let name = path.rsplit('/').next()?;
        let written = self.outline.xpath_from(standpoint, &format!("${{{name}}}"), Usage::Nodeset).ok()?;
        (written.trim() == path).then(|| name.to_owned())
    }

    /// What stands in a text for `<output value="expression"/>`.
    fn output(&self, context: Option<usize>, expression: &str) -> Option<String> {
        let standpoint = self.standpoint(context);
        let named = self.expression(standpoint, expression, Usage::Expression);
        if single_reference(&named).is_some() || is_last_saved(&named) {
            return Some(named);
        }
        let one_output = |text: &str| {
            matches!(self.outline.fragments(context, text).as_deref(), Ok([Fragment::Output(_)]))
        };
        if named.trim().starts_with("instance(") && one_output(named.trim()) {
            return Some(named.trim().to_owned());
        }
        // Another way to write the path to the same node.
        let path = self.absolute(context, expression.trim())?;
        let target = self.outline.find(&path)?;
        let name = &self.outline.places[target].node.name;
        (self.outline.named(name).len() == 1).then(|| format!("${{{name}}}"))
    }

    /// A plain path made absolute.
    fn absolute(&self, context: Option<usize>, path: &str) -> Option<String> {
        if path.starts_with('/') {
            return Some(path.to_owned());
        }
        let mut steps: Vec<&str> = Vec::new();
        let own = context.map(|context| self.outline.places[context].path.as_str())?;
        steps.extend(own.split('/'));
        for step in path.strip_prefix("current()/").unwrap_or(path).split('/') {
            match step {
                "." => {}
                ".." => drop(steps.pop()),
                name if is_xml_name(name) => steps.push(name),
                _ => return None,
            }
        }
        Some(steps.join("/"))
    }
}

fn is_last_saved(text: &str) -> bool {
    text.starts_with("${last-saved#") && text.ends_with('}') && text.matches("${").count() == 1
}
