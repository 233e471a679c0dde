//! Questionnaires from ODK XForms. What our own writer or pyxform wrote comes back as the model that
//! gives the same document; what the model cannot hold is refused, never dropped in silence.
//!
//! Positions name the sheet `xform` and the line of the node in the file.

mod actions;
mod choices;
mod document;
mod nodes;
mod references;
mod texts;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::questionnaire::{
    DEFAULT_LANGUAGE, Entity, ExternalInstance, Language, Position, Questionnaire, Settings,
};
use crate::xlsform::{Problem, Read};
use document::Tag;

/// Reads an XForm.
///
/// Errors: XML that is not a form, and everything in it that a questionnaire cannot hold.
pub fn read(xml: &[u8]) -> Result<Read, Vec<Problem>> {
    let document = document::parse(xml).map_err(|problem| vec![*problem])?;
    let missing = |what: &str, line: u32| {
        vec![problem(
            line,
            format!("không có <{what}>; đây không phải là XForm của ODK"),
            format!("there is no <{what}>; this is no ODK XForm"),
        )]
    };
    let head = document.find("h:head").ok_or_else(|| missing("h:head", document.line))?;
    let model = head.find("model").ok_or_else(|| missing("model", head.line))?;
    let body = document.find("h:body").ok_or_else(|| missing("h:body", document.line))?;
    let primary = model
        .all("instance")
        .find(|instance| instance.get("src").is_none())
        .and_then(|instance| instance.tags().next())
        .ok_or_else(|| missing("instance", model.line))?;
    let mut reader = Reader::new(model, body, format!("/{}", primary.name));
    let mut questionnaire = Questionnaire {
        settings: settings(&document, head, model, body, primary),
        ..Questionnaire::default()
    };
    questionnaire.languages = reader.itext.languages.iter().map(|name| Language::new(name)).collect();
    if let Some(default) = reader.itext.default.clone().filter(|default| default != DEFAULT_LANGUAGE) {
        questionnaire.settings.default_language = Some(default);
    }
    questionnaire.choice_lists = reader.lists(model);
    let (nodes, meta) = reader.root(primary, &mut questionnaire.settings);
    questionnaire.nodes = nodes;
    questionnaire.meta = meta;
    questionnaire.entities = std::mem::take(&mut reader.entities);
    for (name, list) in std::mem::take(&mut reader.own_lists) {
        questionnaire.choice_lists.entry(name).or_insert(list);
    }
    questionnaire.osm_tags = std::mem::take(&mut reader.osm_tags);
    reader.references(&mut questionnaire);
    reader.without_lone_language(&mut questionnaire);
    questionnaire.external_instances = reader.external_instances(model, &questionnaire);
    let Reader { mut problems, mut warnings, .. } = reader;
    for list in [&mut problems, &mut warnings] {
        list.sort_by_key(|problem| problem.row);
        list.dedup();
    }
    if problems.is_empty() { Ok(Read { questionnaire, warnings }) } else { Err(problems) }
}

fn problem(line: u32, vietnamese: impl Into<String>, english: impl Into<String>) -> Problem {
    Problem::new("xform", vietnamese, english).row(line)
}

fn position(tag: &Tag) -> Position {
    Position { sheet: "xform".to_owned(), row: tag.line }
}

fn settings(document: &Tag, head: &Tag, model: &Tag, body: &Tag, primary: &Tag) -> Settings {
    let mut settings = Settings {
        title: head.find("h:title").map(Tag::text).unwrap_or_default(),
        root: primary.name.clone(),
        style: body.get("class").map(str::to_owned),
        omit_instance_id: true,
        ..Settings::default()
    };
    for (name, uri) in &document.attributes {
        if let Some(prefix) = name.strip_prefix("xmlns:")
            && !matches!(prefix, "h" | "ev" | "xsd" | "jr" | "orx" | "odk" | "entities" | "ln")
        {
            settings.namespaces.insert(prefix.to_owned(), uri.clone());
        }
    }
    for (name, value) in &primary.attributes {
        let value = value.clone();
        match name.as_str() {
            "id" => settings.form_id = value,
            "xmlns" => settings.instance_xmlns = Some(value),
            "version" => settings.version = Some(value),
            "odk:prefix" => settings.prefix = Some(value),
            "odk:delimiter" => settings.delimiter = Some(value),
            _ => drop(settings.attributes.insert(name.clone(), value)),
        }
    }
    if let Some(submission) = model.find("submission") {
        let attribute = |name: &str| submission.get(name).map(str::to_owned);
        settings.submission_url = attribute("action");
        settings.public_key = attribute("base64RsaPublicKey");
        settings.auto_send = attribute("orx:auto-send");
        settings.auto_delete = attribute("orx:auto-delete");
        settings.client_editable = attribute("odk:client-editable");
    }
    settings
}

/// What the parts of a form say about each other, and what has been found wrong.
struct Reader<'t> {
    root: String,
    itext: texts::Itext,
    binds: HashMap<&'t str, &'t Tag>,
    controls: HashMap<String, &'t Tag>,
    groups: HashMap<String, &'t Tag>,
    repeats: HashMap<String, &'t Tag>,
    actions: actions::Actions<'t>,
    /// Sources of the instances that lie in files, by id.
    files: IndexMap<String, String>,
    entities: Vec<Entity>,
    /// Lists that stand in the body.
    own_lists: IndexMap<String, crate::questionnaire::ChoiceList>,
    osm_tags: IndexMap<String, crate::questionnaire::ChoiceList>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'t> Reader<'t> {
    fn new(model: &'t Tag, body: &'t Tag, root: String) -> Self {
        let binds = model.all("bind").filter_map(|bind| Some((bind.get("nodeset")?, bind))).collect();
        let files = model
            .all("instance")
            .filter_map(|instance| Some((instance.get("id")?.to_owned(), instance.get("src")?.to_owned())))
            .collect();
        let mut reader = Self {
            root,
            itext: texts::Itext::of(model),
            binds,
            controls: HashMap::new(),
            groups: HashMap::new(),
            repeats: HashMap::new(),
            actions: actions::Actions::of(model),
            files,
            entities: Vec::new(),
            own_lists: IndexMap::new(),
            osm_tags: IndexMap::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        let names: HashMap<&str, &str> =
            model.all("bind").filter_map(|bind| Some((bind.get("id")?, bind.get("nodeset")?))).collect();
        reader.body(body, &names);
        reader
    }

    /// Finds controls, groups and repeats by the path they show.
    fn body(&mut self, parent: &'t Tag, names: &HashMap<&str, &str>) {
        for tag in parent.tags() {
            let shown = tag.get("ref").or_else(|| tag.get("nodeset"));
            let path = shown.or_else(|| names.get(tag.get("bind")?).copied()).map(str::to_owned);
            match tag.name.as_str() {
                "group" => {
                    let repeated = tag.find("repeat").and_then(|repeat| repeat.get("nodeset"));
                    match (path, repeated) {
                        (Some(path), repeated) if repeated != Some(path.as_str()) => {
                            self.groups.insert(path, tag);
                        }
                        (None, None) if tag.find("label").is_some() => self.warnings.push(problem(
                            tag.line,
                            "nhóm không gắn với nút nào: nhãn của nhóm không được giữ",
                            "a group without `ref`: its label is not kept; give the group a node",
                        )),
                        _ => {}
                    }
                    if let Some(repeated) = repeated {
                        self.groups.insert(repeated.to_owned(), tag);
                    }
                    self.body(tag, names);
                }
                "repeat" => {
                    if let Some(path) = path {
                        self.repeats.insert(path, tag);
                    }
                    self.actions.add_repeat(tag);
                    self.body(tag, names);
                }
                "input" | "select1" | "select" | "odk:rank" | "range" | "upload" | "trigger" | "secret" => {
                    let Some(path) = path else {
                        self.problems.push(problem(
                            tag.line,
                            format!("<{}> không có `ref`", tag.name),
                            format!("<{}> has no `ref`; name the node that it fills", tag.name),
                        ));
                        continue;
                    };
                    self.actions.add_control(&path, tag);
                    if self.controls.insert(path.clone(), tag).is_some() {
                        self.problems.push(problem(
                            tag.line,
                            format!("`{path}` được hỏi hai lần"),
                            format!("`{path}` is shown by two controls; keep one"),
                        ));
                    }
                }
                _ => {}
            }
        }
    }

    /// Instances from files that no question asks for by itself, placed so that all come in the
    /// order of the form.
    fn external_instances(&self, model: &Tag, questionnaire: &Questionnaire) -> Vec<ExternalInstance> {
        let outline = questionnaire.outline();
        let own = crate::xform::sources(&outline);
        let mut row = 0;
        let mut known = HashSet::new();
        let mut out = Vec::new();
        for instance in model.all("instance") {
            let (Some(id), Some(source)) = (instance.get("id"), instance.get("src")) else { continue };
            if !known.insert(id) || id == "__last-saved" {
                continue;
            }
            match own.iter().find(|own| own.id == id && own.source == source) {
                Some(own) if own.row != u32::MAX => row = own.row + 1,
                Some(_) => {}
                None => out.push(ExternalInstance {
                    name: id.to_owned(),
                    source: source.to_owned(),
                    position: Position { sheet: "xform".to_owned(), row },
                }),
            }
        }
        out
    }
}
