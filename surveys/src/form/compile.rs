//! Compiles the model: parses every expression and gives each `${name}` its path.

use std::collections::HashMap;
use std::sync::Arc;

use crate::expression::{Expression, Kind, Tree};
use crate::question_type::{QuestionType, Stored};
use crate::questionnaire::references::{ReferenceError, Usage, is_dynamic};
use crate::questionnaire::{Body, ChoiceSource, Choices as Source, Node, Outline, Place, Questionnaire};

use super::dependencies;
use super::instances::list_instance;
use super::{Choices, CompileError, Compiled, Default, Item, Role};

pub(super) fn compile(
    outline: &Outline<'_>,
    files: HashMap<String, Tree>,
) -> Result<Compiled, Vec<CompileError>> {
    let form = outline.questionnaire;
    let mut compiler = Compiler { outline, problems: Vec::new() };
    let mut instances = files;
    let mut labels = HashMap::new();
    for (name, list) in form.choice_lists.iter().chain(&form.external_choice_lists) {
        instances.insert(name.clone(), list_instance(list));
        let of_list: HashMap<String, String> = list
            .choices
            .iter()
            .map(|choice| (choice.name.clone(), choice.label.values().next().cloned().unwrap_or_default()))
            .collect();
        labels.insert(name.clone(), of_list);
    }
    let meta = format!("/{}/meta/", form.settings.root);
    let mut items: Vec<Item> = Vec::with_capacity(outline.places.len());
    for (index, place) in outline.places.iter().enumerate() {
        let in_meta = place.parent.is_none() && place.path.starts_with(&meta);
        items.push(compiler.item(index, place, in_meta, &instances));
    }
    for index in 0..items.len() {
        if let Some(parent) = items[index].parent {
            items[parent].children.push(index);
        }
    }
    if !compiler.problems.is_empty() {
        return Err(compiler.problems);
    }
    let by_path: HashMap<String, usize> =
        items.iter().enumerate().map(|(i, item)| (item.path.clone(), i)).collect();
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        by_name.entry(item.name.to_string()).or_default().push(i);
    }
    let (dependents, rank) = dependencies::order(&items, &by_path);
    let mut triggered = vec![Vec::new(); items.len()];
    for (target, item) in items.iter().enumerate() {
        for trigger in item.triggers.iter().filter(|trigger| **trigger != target) {
            let targets: &mut Vec<usize> = &mut triggered[*trigger];
            if targets.last() != Some(&target) {
                targets.push(target);
            }
        }
    }
    Ok(Compiled {
        form_id: form.settings.form_id.clone(),
        version: form.settings.version.clone(),
        root: Arc::from(form.settings.root.as_str()),
        items,
        by_path,
        by_name,
        instances,
        labels,
        dependents,
        rank,
        triggered,
    })
}

struct Compiler<'o> {
    outline: &'o Outline<'o>,
    problems: Vec<CompileError>,
}

impl Compiler<'_> {
    fn item(
        &mut self,
        index: usize,
        place: &Place<'_>,
        in_meta: bool,
        instances: &HashMap<String, Tree>,
    ) -> Item {
        let node = place.node;
        let logic = &node.logic;
        let own_constraint = node.kind().and_then(|kind| kind.row().constraint);
        let constraint = logic.constraint.as_deref().or(own_constraint);
        let role = self.role(index, node);
        let kind = match &role {
            Role::Question { stored, .. } => kind_of(*stored),
            _ => Kind::Text,
        };
        let mut calculation = self.expression(index, "calculation", logic.calculation.as_deref());
        if node.kind() == Some(QuestionType::InstanceName) && calculation.is_none() {
            let source = self.outline.questionnaire.settings.instance_name.as_deref();
            calculation =
                source.and_then(|text| self.written(None, index, "instance_name", text, Usage::Expression));
        }
        let triggers =
            logic.trigger.iter().filter_map(|name| self.outline.named(name).first().copied()).collect();
        Item {
            name: Arc::from(node.name.as_str()),
            path: place.path.clone(),
            position: node.position.clone(),
            parent: place.parent,
            children: Vec::new(),
            in_meta,
            field: place.field || in_meta,
            sealed: place.sealed,
            relevant: self.expression(index, "relevant", logic.relevant.as_deref()),
            constraint: self.expression(index, "constraint", constraint),
            required: self.flag(index, "required", logic.required.as_deref()),
            readonly: self.flag(index, "readonly", logic.readonly.as_deref()),
            calculation,
            triggers,
            default: self.default_value(index, node),
            choices: node
                .question()
                .and_then(|q| q.choices.as_ref())
                .and_then(|c| self.choices(index, c, instances)),
            role,
            kind,
        }
    }

    fn role(&mut self, index: usize, node: &Node) -> Role {
        match &node.body {
            Body::Group(_) => Role::Group,
            Body::Repeat(repeat) => {
                Role::Repeat(self.expression(index, "repeat_count", repeat.count.as_deref()))
            }
            Body::Question(question) => {
                let mut stored = question.kind.row().stored;
                let mut range = None;
                if question.kind == QuestionType::Range {
                    let given = |name: &str, otherwise: f64| {
                        question
                            .parameters
                            .get(name)
                            .and_then(|text| text.trim().parse().ok())
                            .unwrap_or(otherwise)
                    };
                    let (start, end, step) = (given("start", 1.0), given("end", 10.0), given("step", 1.0));
                    range = Some((start, end, step));
                    let whole = [start, end, step].iter().all(|n: &f64| n.fract() == 0.0);
                    stored = if whole { Stored::Integer } else { Stored::Decimal };
                }
                Role::Question { kind: question.kind, stored, range }
            }
        }
    }

    /// `yes`, `no` and the like are conditions too.
    fn flag(&mut self, index: usize, column: &'static str, text: Option<&str>) -> Option<Expression> {
        let text = text?.trim();
        match text.to_lowercase().as_str() {
            "yes" | "true" | "true()" => self.expression(index, column, Some("true()")),
            "no" | "false" | "false()" | "" => None,
            _ => self.expression(index, column, Some(text)),
        }
    }

    fn default_value(&mut self, index: usize, node: &Node) -> Option<Default> {
        let text = node.logic.default.as_deref()?;
        if node.kind().is_some_and(|kind| is_dynamic(text, kind)) {
            return self.expression(index, "default", Some(text)).map(Default::Dynamic);
        }
        Some(Default::Static(text.to_owned()))
    }

    fn choices(
        &mut self,
        index: usize,
        source: &Source,
        instances: &HashMap<String, Tree>,
    ) -> Option<Choices> {
        let (list, value, absent) = match &source.source {
            ChoiceSource::List(list) | ChoiceSource::External(list) => {
                if !instances.contains_key(list) {
                    let position = self.outline.places[index].node.position.clone();
                    self.problems.push(CompileError::UnknownList { position, list: list.clone() });
                    return None;
                }
                (list.clone(), "name".to_owned(), false)
            }
            ChoiceSource::File { name, value, .. } => {
                let id = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
                let absent = !instances.contains_key(&id);
                let usual = if name.ends_with(".geojson") { "id" } else { "name" };
                (id, value.clone().unwrap_or_else(|| usual.to_owned()), absent)
            }
            ChoiceSource::Answers(question) => return self.answers_of(index, question, source),
        };
        let filter = source.filter.as_deref().map_or_else(String::new, |filter| format!("[{filter}]"));
        let text = format!("instance('{list}')/root/item{filter}");
        let nodes = self.written(Some(index), index, "choice_filter", &text, Usage::Filter)?;
        let whole = source.filter.is_none() && !absent;
        Some(Choices { nodes, value: Some(value), list, whole, absent })
    }

    /// `select_one ${q}`: the instances of q's repeat in which it is answered.
    fn answers_of(&mut self, index: usize, question: &str, source: &Source) -> Option<Choices> {
        let path = self.outline.xpath(Some(index), &format!("${{{question}}}"), Usage::Nodeset);
        let path = path.unwrap_or_default();
        let (nodeset, name) = path.trim().rsplit_once('/').unwrap_or(("", path.trim()));
        let filter = match &source.filter {
            None => format!("./{name} != ''"),
            Some(own) => {
                let own = self.outline.xpath(Some(index), own, Usage::NodesetFilter).unwrap_or_default();
                own.replace(&format!("current()/{nodeset}"), ".").replace(nodeset, ".")
            }
        };
        let text = format!("{nodeset}[{filter}]");
        let nodes = self.written(Some(index), index, "type", &text, Usage::Nodeset)?;
        Some(Choices {
            nodes,
            value: Some(name.to_owned()),
            list: String::new(),
            whole: false,
            absent: false,
        })
    }

    fn expression(&mut self, index: usize, column: &'static str, text: Option<&str>) -> Option<Expression> {
        self.written(Some(index), index, column, text?, Usage::Expression)
    }

    /// `context` is the node from which paths start, `None` = the root; `index` the one to blame.
    fn written(
        &mut self,
        context: Option<usize>,
        index: usize,
        column: &'static str,
        text: &str,
        usage: Usage,
    ) -> Option<Expression> {
        if text.trim().is_empty() {
            return None;
        }
        let position = || self.outline.places[index].node.position.clone();
        let problem = match self.outline.xpath(context, text, usage) {
            Err(error) => {
                let suggestion = match &error {
                    ReferenceError::Unknown { name } => self.near(name),
                    _ => None,
                };
                CompileError::Reference { position: position(), column, error, suggestion }
            }
            Ok(xpath) => match Expression::parse(xpath.trim()) {
                Ok(parsed) => return Some(parsed),
                Err(error) => CompileError::Syntax { position: position(), column, error },
            },
        };
        self.problems.push(problem);
        None
    }

    fn near(&self, name: &str) -> Option<String> {
        let known = self.outline.places.iter().map(|place| place.node.name.as_str());
        Questionnaire::nearest(known, name).map(str::to_owned)
    }
}

fn kind_of(stored: Stored) -> Kind {
    match stored {
        Stored::Integer | Stored::Decimal => Kind::Number,
        Stored::Date => Kind::Date,
        Stored::DateTime => Kind::DateTime,
        Stored::Time => Kind::Time,
        _ => Kind::Text,
    }
}
