//! The tree of questions, groups and repeats: instance, binds and body put together.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::document::Tag;
use super::{Reader, position, problem};
use crate::question_type::QuestionType;
use crate::questionnaire::{
    Attributes, Body, Choices, Entity, Group, Logic, Node, Question, Repeat, SEAL, Settings,
};
use crate::xform::binds::has_fraction;

impl Reader<'_> {
    /// The children of the root and those of `meta`.
    pub(super) fn root(&mut self, primary: &Tag, settings: &mut Settings) -> (Vec<Node>, Vec<Node>) {
        let root = self.root.clone();
        let nodes = self.children(primary, None, &root, false);
        let mut meta = Vec::new();
        if let Some(tag) = primary.tags().find(|tag| is_meta(tag)) {
            meta = self.children(tag, None, &format!("{root}/meta"), true);
        }
        for node in &meta {
            match node.kind() {
                Some(QuestionType::InstanceId) => {
                    settings.omit_instance_id = false;
                    let bind = self.binds.get(format!("{root}/meta/{}", node.name).as_str());
                    let preload = bind.and_then(|bind| bind.get("jr:preload"));
                    settings.instance_id = preload.filter(|preload| *preload != "uid").map(str::to_owned);
                }
                Some(QuestionType::InstanceName) => settings.instance_name = node.logic.calculation.clone(),
                _ => {}
            }
        }
        (nodes, meta)
    }

    /// `instance`: the first instance of a repeat whose template `parent` is; it alone has the
    /// attributes.
    fn children(&mut self, parent: &Tag, instance: Option<&Tag>, path: &str, in_meta: bool) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut seen = HashSet::new();
        for tag in parent.tags() {
            if tag.name == "entity" && in_meta {
                self.entity(tag, path.trim_end_matches("/meta"));
                continue;
            }
            if is_meta(tag) {
                if let Some(entity) = tag.find("entity").filter(|_| path != self.root) {
                    self.entity(entity, path);
                }
                continue;
            }
            if tag.name == SEAL || !seen.insert(tag.name.as_str()) {
                continue;
            }
            let own = format!("{path}/{}", tag.name);
            let beside = instance.unwrap_or(parent);
            let first =
                beside.tags().find(|other| other.name == tag.name && other.get("jr:template").is_none());
            nodes.push(self.node(tag, first, own, in_meta));
        }
        nodes
    }

    fn node(&mut self, tag: &Tag, first: Option<&Tag>, path: String, in_meta: bool) -> Node {
        let bind = self.binds.get(path.as_str()).copied();
        let repeat = self.repeats.get(&path).copied();
        let group = self.groups.get(&path).copied();
        let control = self.controls.get(&path).copied();
        let is_repeat = repeat.is_some() || tag.get("jr:template").is_some();
        let is_group = group.is_some() || tag.tags().next().is_some();
        let shown = if is_repeat || is_group { repeat.or(group) } else { control };
        let mut node = Node {
            name: tag.name.clone(),
            wording: self.wording(if is_repeat || is_group { group } else { control }),
            logic: Logic::default(),
            appearance: shown.and_then(|shown| shown.get("appearance")).map(str::to_owned),
            attributes: Attributes::default(),
            field: false,
            position: position(tag),
            body: Body::Group(Group::default()),
        };
        for (name, value) in &first.unwrap_or(tag).attributes {
            if name != "jr:template" && !name.starts_with("xmlns") {
                node.attributes.instance.insert(name.clone(), value.clone());
            }
        }
        let mut sealed = false;
        let mut kind = None;
        let mut parameters = IndexMap::new();
        if !is_repeat && !is_group {
            kind = Some(self.kind(&path, bind, control, in_meta));
        }
        if let Some(bind) = bind {
            self.read_bind(bind, kind, &mut node, &mut parameters, &mut sealed);
        }
        if let Some(shown) = shown {
            read_control(shown, kind, &mut node, &mut parameters);
        }
        if let Some(first) = self.actions.first.get(path.as_str()) {
            node.logic.default = Some((*first).to_owned());
        } else if kind.is_some() {
            node.logic.default = Some(tag.text()).filter(|text| !text.trim().is_empty());
        }
        node.body = match kind {
            Some(kind) => {
                if let Some(recording) = self.actions.recordings.get(path.as_str())
                    && let Some(quality) = recording.get("odk:quality")
                {
                    parameters.insert("quality".to_owned(), quality.to_owned());
                }
                let mut question = Question { kind, choices: None, parameters, filter: None };
                if let Some(control) = control {
                    self.choices(control, &path, &mut question);
                }
                let given = bind.and_then(|bind| bind.get("type"));
                let written = match kind {
                    QuestionType::Range if has_fraction(&question) => Some("decimal"),
                    _ => kind.row().bind,
                };
                if let Some(given) = given.filter(|given| Some(*given) != written) {
                    node.attributes.bind.insert("type".to_owned(), given.to_owned());
                }
                Body::Question(question)
            }
            None if is_repeat => {
                let count = repeat.and_then(|repeat| repeat.get("jr:count")).map(str::to_owned);
                let children = self.children(tag, first, &path, false);
                Body::Repeat(Repeat { count, children })
            }
            None => {
                let children = self.children(tag, first.filter(|_| !in_meta), &path, false);
                Body::Group(Group { sealed, children })
            }
        };
        node
    }

    fn kind(&self, path: &str, bind: Option<&Tag>, control: Option<&Tag>, in_meta: bool) -> QuestionType {
        use QuestionType as Q;
        let attribute = |name: &str| bind.and_then(|bind| bind.get(name));
        let bind_type = attribute("type").map(|kind| kind.strip_prefix("xsd:").unwrap_or(kind));
        let computed = attribute("calculate").is_some();
        if in_meta {
            match path.rsplit('/').next() {
                Some("instanceID") => return Q::InstanceId,
                Some("instanceName") => return Q::InstanceName,
                Some("audit") => return Q::Audit,
                _ => {}
            }
        }
        if self.actions.triggered_points.contains(path) {
            return Q::BackgroundGeopoint;
        }
        let by_bind = |kinds: &[Q]| kinds.iter().copied().find(|kind| kind.row().bind == bind_type);
        let Some(control) = control else {
            if let Some(preload) = attribute("jr:preload") {
                let parameter = attribute("jr:preloadParams").unwrap_or_default();
                let known = Q::ALL.into_iter().find(|kind| kind.row().preload == Some((preload, parameter)));
                if let Some(kind) = known.filter(|kind| *kind != Q::InstanceId) {
                    return kind;
                }
            }
            if self.actions.points.contains(path) {
                return Q::StartGeopoint;
            }
            if self.actions.recordings.contains_key(path) {
                return Q::BackgroundAudio;
            }
            return match computed || self.actions.triggered.iter().any(|action| action.target == path) {
                true => Q::Calculate,
                false => Q::Hidden,
            };
        };
        match control.name.as_str() {
            "select1" => Q::SelectOne,
            "select" => Q::SelectMultiple,
            "odk:rank" | "rank" => Q::Rank,
            "range" => Q::Range,
            "trigger" if bind_type.is_none() => Q::Trigger,
            "trigger" => Q::Acknowledge,
            "upload" => match control.get("mediatype").unwrap_or_default() {
                kind if kind.starts_with("image/") => Q::Image,
                kind if kind.starts_with("audio/") => Q::Audio,
                kind if kind.starts_with("video/") => Q::Video,
                "osm/*" => Q::Osm,
                _ => Q::File,
            },
            _ if control.get("query").is_some() => Q::SelectOneExternal,
            _ => {
                let typed = [
                    Q::Integer,
                    Q::Decimal,
                    Q::Date,
                    Q::Time,
                    Q::DateTime,
                    Q::Geopoint,
                    Q::Geotrace,
                    Q::Geoshape,
                    Q::Barcode,
                ];
                let read_only = attribute("readonly").is_some_and(|value| value.trim() == "true()");
                match by_bind(&typed) {
                    Some(kind) => kind,
                    None if read_only && !computed && control.get("rows").is_none() => Q::Note,
                    None => Q::Text,
                }
            }
        }
    }

    fn read_bind(
        &mut self,
        bind: &Tag,
        kind: Option<QuestionType>,
        node: &mut Node,
        parameters: &mut IndexMap<String, String>,
        sealed: &mut bool,
    ) {
        use QuestionType as Q;
        let preload = kind.and_then(|kind| kind.row().preload);
        for (name, value) in &bind.attributes {
            let value = value.clone();
            let logic = &mut node.logic;
            match (name.as_str(), kind) {
                ("nodeset" | "id", _) => {}
                ("type", Some(_)) => {}
                ("readonly", _) => logic.readonly = Some(value),
                ("required", _) => logic.required = Some(value),
                ("relevant", _) => logic.relevant = Some(value),
                ("constraint", _) => logic.constraint = Some(value),
                ("calculate", _) => logic.calculation = Some(value),
                ("jr:constraintMsg", _) => node.wording.constraint_message = self.message(&value),
                ("jr:requiredMsg", _) => node.wording.required_message = self.message(&value),
                ("jr:preload", Some(Q::InstanceId)) => {}
                ("jr:preload" | "jr:preloadParams", _) if preload.is_some() => {}
                ("ln:vault", _) if value == "field" => node.field = true,
                ("ln:sealed", None) if value == "yes" => *sealed = true,
                ("orx:max-pixels", Some(Q::Image)) => drop(parameters.insert("max-pixels".to_owned(), value)),
                ("odk:quality", Some(Q::Audio)) => drop(parameters.insert("quality".to_owned(), value)),
                ("odk:allow-mock-accuracy", Some(Q::Geopoint | Q::Geotrace | Q::Geoshape)) => {
                    parameters.insert("allow-mock-accuracy".to_owned(), value);
                }
                (name, Some(Q::Audit)) if name.starts_with("odk:") => {
                    parameters.insert(name["odk:".len()..].to_owned(), value);
                }
                (name, _) => drop(node.attributes.bind.insert(name.to_owned(), value)),
            }
        }
    }

    /// An entity with what its binds say.
    fn entity(&mut self, tag: &Tag, container: &str) {
        let own = format!("{container}/meta/entity");
        let calculation = |reader: &Self, node: &str| {
            let bind = reader.binds.get(format!("{own}/{node}").as_str())?;
            bind.get("calculate").map(str::to_owned)
        };
        let entity = Entity {
            list_name: tag.get("dataset").unwrap_or_default().to_owned(),
            label: tag.find("label").and_then(|_| calculation(self, "label")),
            entity_id: calculation(self, "@id"),
            create_if: calculation(self, "@create"),
            update_if: calculation(self, "@update"),
            container: container.to_owned(),
            position: position(tag),
        };
        if entity.list_name.is_empty() {
            self.problems.push(problem(
                tag.line,
                "thực thể không có `dataset`",
                "the entity has no `dataset`; name its list",
            ));
        }
        self.entities.push(entity);
    }

    /// The choices of a control, as far as it has some.
    fn choices(&mut self, control: &Tag, path: &str, question: &mut Question) {
        if question.kind.is_select() {
            question.choices = self.select(control, path);
            if question.choices.is_none() {
                self.problems.push(problem(
                    control.line,
                    format!("`{path}`: không đọc được nguồn của các lựa chọn"),
                    format!(
                        "`{path}`: its choices come from nowhere that a questionnaire knows: use items, \
                         or an itemset over an instance of the form"
                    ),
                ));
                question.choices = Some(Choices::of_list(String::new()));
            }
        } else {
            self.parameter_choices(control, path, question);
        }
    }
}

impl Choices {
    /// All choices of a list, as given.
    pub(super) fn of_list(list: String) -> Self {
        use crate::questionnaire::{ChoiceOrder, ChoiceSource};
        Self { source: ChoiceSource::List(list), filter: None, order: ChoiceOrder::Given }
    }
}

/// `meta`, with or without the prefix of OpenRosa.
fn is_meta(tag: &Tag) -> bool {
    matches!(tag.name.as_str(), "meta" | "orx:meta")
}

/// Attributes of a control: parameters of its type, and what is only passed on.
fn read_control(
    control: &Tag,
    kind: Option<QuestionType>,
    node: &mut Node,
    parameters: &mut IndexMap<String, String>,
) {
    use QuestionType as Q;
    for (name, value) in &control.attributes {
        let parameter = match (name.as_str(), kind) {
            ("ref" | "nodeset" | "bind" | "appearance", _) => continue,
            ("jr:count", None) | ("query", Some(Q::SelectOneExternal)) => continue,
            ("mediatype", Some(kind)) if matches!(kind.row().control, crate::question_type::Control::Upload(known) if known == value) =>
            {
                continue;
            }
            ("start" | "end" | "step", Some(Q::Range)) => name.as_str(),
            ("rows", Some(Q::Text)) => "rows",
            ("odk:tick-interval", Some(Q::Range)) => "tick_interval",
            ("odk:placeholder", Some(Q::Range)) => "placeholder",
            ("accuracyThreshold", Some(Q::Geopoint)) => "capture-accuracy",
            ("unacceptableAccuracyThreshold", Some(Q::Geopoint)) => "warning-accuracy",
            ("incremental", Some(Q::Geotrace | Q::Geoshape)) => "incremental",
            ("intent", Some(Q::Image)) if matches!(node.appearance.as_deref(), None | Some("annotate")) => {
                "app"
            }
            _ => {
                node.attributes.control.insert(name.clone(), value.clone());
                continue;
            }
        };
        parameters.insert(parameter.to_owned(), value.clone());
    }
}
