//! Questionnaires back into a workbook that reads to the same questionnaire.

use indexmap::{IndexMap, IndexSet};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

use super::Problem;
use crate::question_type::QuestionType;
use crate::questionnaire::{
    Body, ChoiceList, ChoiceOrder, ChoiceSource, Choices, Media, Node, Question, Questionnaire, Settings,
    Text, UNTRANSLATED,
};

/// Cells of a row by header.
type Row = IndexMap<String, String>;

/// Headers that every survey sheet has, in the order in which people write a question.
const SURVEY_ORDER: [&str; 4] = ["type", "name", "label", "hint"];
const CHOICES_ORDER: [&str; 3] = ["list_name", "name", "label"];

/// Writes the questionnaire as .xlsx. Whatever the workbook it came from wrote short (`or_other`,
/// a computed `repeat_count`, `table-list`, loops) is written out in rows. The same questionnaire
/// gives the same sheets.
///
/// Errors: a text longer than a cell can hold (32,767 characters).
pub fn write(questionnaire: &Questionnaire) -> Result<Vec<u8>, Vec<Problem>> {
    let mut sheets: Vec<(&str, Vec<Row>, &[&str])> = vec![("survey", survey(questionnaire), &SURVEY_ORDER)];
    sheets.push(("choices", lists(&questionnaire.choice_lists), &CHOICES_ORDER));
    sheets.push(("settings", vec![settings(&questionnaire.settings)], &[]));
    if !questionnaire.external_choice_lists.is_empty() {
        sheets.push(("external_choices", lists(&questionnaire.external_choice_lists), &CHOICES_ORDER));
    }
    if !questionnaire.entities.is_empty() {
        sheets.push(("entities", entities(questionnaire), &[]));
    }
    if !questionnaire.osm_tags.is_empty() {
        sheets.push(("osm", lists(&questionnaire.osm_tags), &CHOICES_ORDER));
    }
    save(&sheets).map_err(|error| {
        vec![Problem::new(
            "",
            format!("không ghi được bảng tính ({error}); hãy rút ngắn văn bản"),
            format!("the workbook cannot be written ({error}); shorten the text"),
        )]
    })
}

fn save(sheets: &[(&str, Vec<Row>, &[&str])]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // The time of writing is left out, so that the same form gives the same bytes.
    let created = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
    let bold = Format::new().set_bold();
    for (name, rows, first) in sheets {
        let mut headers: IndexSet<&str> = IndexSet::new();
        for wanted in *first {
            headers.insert(wanted);
            let translated = rows.iter().flat_map(Row::keys).map(String::as_str);
            headers.extend(translated.filter(|header| header.starts_with(&format!("{wanted}::"))));
        }
        headers.extend(rows.iter().flat_map(Row::keys).map(String::as_str));
        headers.retain(|header| {
            matches!(*header, "type" | "name" | "list_name")
                || rows.iter().any(|row| row.contains_key(*header))
        });
        let sheet = workbook.add_worksheet().set_name(*name)?;
        sheet.set_freeze_panes(1, 0)?;
        for (column, header) in (0_u16..).zip(&headers) {
            sheet.write_string_with_format(0, column, *header, &bold)?;
            let wide =
                ["label", "hint", "relevant", "calculation"].iter().any(|wide| header.starts_with(wide));
            sheet.set_column_width(column, if wide { 40 } else { 16 })?;
        }
        for (number, row) in (1_u32..).zip(rows) {
            for (column, header) in (0_u16..).zip(&headers) {
                if let Some(value) = row.get(*header) {
                    sheet.write_string(number, column, value)?;
                }
            }
        }
    }
    workbook.save_to_buffer()
}

fn set(row: &mut Row, header: impl Into<String>, value: &str) {
    if !value.is_empty() {
        row.insert(header.into(), value.to_owned());
    }
}

fn set_text(row: &mut Row, header: &str, text: &Text) {
    for (language, text) in text {
        let header =
            if language == UNTRANSLATED { header.to_owned() } else { format!("{header}::{language}") };
        set(row, header, text);
    }
}

fn set_media(row: &mut Row, media: &Media) {
    set_text(row, "media::image", &media.image);
    set_text(row, "media::big-image", &media.big_image);
    set_text(row, "media::audio", &media.audio);
    set_text(row, "media::video", &media.video);
}

fn survey(questionnaire: &Questionnaire) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut externals = questionnaire.external_instances.iter().peekable();
    for node in &questionnaire.nodes {
        while let Some(external) = externals.next_if(|external| external.position.row < node.position.row) {
            rows.push(external_row(&external.name, &external.source));
        }
        add_node(node, &mut rows);
    }
    rows.extend(externals.map(|external| external_row(&external.name, &external.source)));
    for node in questionnaire.meta.iter().filter(|node| node.kind() == Some(QuestionType::Audit)) {
        add_node(node, &mut rows);
    }
    rows
}

fn external_row(name: &str, source: &str) -> Row {
    let kind = if source.ends_with(".csv") { "csv-external" } else { "xml-external" };
    Row::from([("type".to_owned(), kind.to_owned()), ("name".to_owned(), name.to_owned())])
}

fn add_node(node: &Node, rows: &mut Vec<Row>) {
    let mut row = Row::new();
    let (kind, end) = match &node.body {
        Body::Question(question) => (type_cell(question), None),
        Body::Group(_) => ("begin_group".to_owned(), Some("end_group")),
        Body::Repeat(_) => ("begin_repeat".to_owned(), Some("end_repeat")),
    };
    set(&mut row, "type", &kind);
    if node.kind() != Some(QuestionType::Audit) {
        set(&mut row, "name", &node.name);
    }
    let wording = &node.wording;
    set_text(&mut row, "label", &wording.label);
    set_text(&mut row, "hint", &wording.hint);
    set_text(&mut row, "guidance_hint", &wording.guidance_hint);
    set_media(&mut row, &wording.media);
    let logic = &node.logic;
    let expressions = [
        ("required", &logic.required),
        ("relevant", &logic.relevant),
        ("constraint", &logic.constraint),
        ("readonly", &logic.readonly),
        ("calculation", &logic.calculation),
        ("default", &logic.default),
        ("appearance", &node.appearance),
    ];
    for (header, value) in expressions {
        set(&mut row, header, value.as_deref().unwrap_or_default());
    }
    set_text(&mut row, "constraint_message", &wording.constraint_message);
    set_text(&mut row, "required_message", &wording.required_message);
    let trigger: Vec<String> = logic.trigger.iter().map(|name| format!("${{{name}}}")).collect();
    set(&mut row, "trigger", &trigger.join(", "));
    match &node.body {
        Body::Question(question) => {
            set(&mut row, "parameters", &parameters(question));
            let of_choices = question.choices.as_ref().and_then(|choices| choices.filter.as_deref());
            set(&mut row, "choice_filter", of_choices.or(question.filter.as_deref()).unwrap_or_default());
        }
        Body::Group(group) if group.sealed => set(&mut row, "bind::ln:sealed", "yes"),
        Body::Group(_) => {}
        Body::Repeat(repeat) => set(&mut row, "repeat_count", repeat.count.as_deref().unwrap_or_default()),
    }
    if node.field {
        set(&mut row, "bind::ln:vault", "field");
    }
    let attributes = &node.attributes;
    for (prefix, list) in
        [("bind", &attributes.bind), ("control", &attributes.control), ("instance", &attributes.instance)]
    {
        for (name, value) in list {
            set(&mut row, format!("{prefix}::{name}"), value);
        }
    }
    rows.push(row);
    for child in node.children() {
        add_node(child, rows);
    }
    rows.extend(end.map(|end| Row::from([("type".to_owned(), end.to_owned())])));
}

fn type_cell(question: &Question) -> String {
    let name = question.kind.row().name;
    let source = question.choices.as_ref().map(|choices| &choices.source);
    match source {
        Some(ChoiceSource::File { name: file, .. }) if question.kind != QuestionType::Rank => {
            format!("{name}_from_file {file}")
        }
        Some(
            ChoiceSource::File { name: list, .. } | ChoiceSource::List(list) | ChoiceSource::External(list),
        ) => {
            format!("{name} {list}")
        }
        Some(ChoiceSource::Answers(answers)) => format!("{name} ${{{answers}}}"),
        None => match question.parameters.get("tags") {
            Some(tags) if question.kind == QuestionType::Osm => format!("{name} {tags}"),
            _ => name.to_owned(),
        },
    }
}

fn parameters(question: &Question) -> String {
    let mut pairs: Vec<String> = question
        .parameters
        .iter()
        .filter(|(key, _)| question.kind != QuestionType::Osm || *key != "tags")
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if let Some(Choices { source, order, .. }) = &question.choices {
        if let ChoiceSource::File { value, label, .. } = source {
            pairs.extend(value.as_ref().map(|value| format!("value={value}")));
            pairs.extend(label.as_ref().map(|label| format!("label={label}")));
        }
        if let ChoiceOrder::Random { seed } = order {
            pairs.push("randomize=true".to_owned());
            pairs.extend(seed.as_ref().map(|seed| format!("seed={seed}")));
        }
    }
    pairs.join(" ")
}

fn lists(lists: &IndexMap<String, ChoiceList>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, list) in lists {
        for choice in &list.choices {
            let mut row = Row::new();
            set(&mut row, "list_name", name);
            set(&mut row, "name", &choice.name);
            set_text(&mut row, "label", &choice.label);
            set_media(&mut row, &choice.media);
            for (column, value) in &choice.columns {
                set(&mut row, column, value);
            }
            rows.push(row);
        }
    }
    rows
}

fn settings(settings: &Settings) -> Row {
    let mut row = Row::new();
    set(&mut row, "form_title", &settings.title);
    set(&mut row, "form_id", &settings.form_id);
    let namespaces: Vec<String> =
        settings.namespaces.iter().map(|(prefix, uri)| format!("{prefix}=\"{uri}\"")).collect();
    let yes = |is_set: bool| is_set.then(|| "yes".to_owned());
    let optional = [
        ("version", settings.version.clone()),
        ("default_language", settings.default_language.clone()),
        ("name", Some(settings.root.clone()).filter(|root| root != "data")),
        ("style", settings.style.clone()),
        ("instance_name", settings.instance_name.clone()),
        ("public_key", settings.public_key.clone()),
        ("submission_url", settings.submission_url.clone()),
        ("auto_send", settings.auto_send.clone()),
        ("auto_delete", settings.auto_delete.clone()),
        ("client_editable", settings.client_editable.clone()),
        ("namespaces", Some(namespaces.join(" "))),
        ("instance_xmlns", settings.instance_xmlns.clone()),
        ("prefix", settings.prefix.clone()),
        ("delimiter", settings.delimiter.clone()),
        ("instance_id", settings.instance_id.clone()),
        ("omit_instanceID", yes(settings.omit_instance_id)),
        ("allow_choice_duplicates", yes(settings.allow_choice_duplicates)),
    ];
    for (header, value) in optional {
        set(&mut row, header, value.as_deref().unwrap_or_default());
    }
    for (name, value) in &settings.attributes {
        set(&mut row, format!("attribute::{name}"), value);
    }
    for (name, value) in &settings.other {
        set(&mut row, name, value);
    }
    row
}

fn entities(questionnaire: &Questionnaire) -> Vec<Row> {
    let row = |entity: &crate::questionnaire::Entity| {
        let mut row = Row::new();
        set(&mut row, "list_name", &entity.list_name);
        let columns = [
            ("label", &entity.label),
            ("entity_id", &entity.entity_id),
            ("create_if", &entity.create_if),
            ("update_if", &entity.update_if),
        ];
        for (header, value) in columns {
            set(&mut row, header, value.as_deref().unwrap_or_default());
        }
        row
    };
    questionnaire.entities.iter().map(row).collect()
}
