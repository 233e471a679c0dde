//! Checks of a whole form: references, triggers, missing wording, languages.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::Problem;
use super::cells::Workbook;
use super::survey::Uses;
use crate::questionnaire::design::missing_translations;
use crate::questionnaire::references::{ReferenceError, is_xml_name, references, single_reference};
use crate::questionnaire::{ChoiceSource, Outline, Place, Position, Questionnaire, UNTRANSLATED};

/// Adds what is wrong with the form as a whole.
pub fn check(
    questionnaire: &Questionnaire,
    workbook: &Workbook,
    uses: &Uses,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let outline = questionnaire.outline();
    for (row, column, text) in &uses.references {
        check_references(&outline, "survey", *row, column, text, problems);
    }
    for sheet in workbook.sheets.iter().filter(|sheet| matches!(sheet.name.as_str(), "settings" | "entities"))
    {
        for row in &sheet.rows {
            let cells = sheet.header.iter().zip(&row.cells);
            for (header, cell) in cells.filter_map(|(header, cell)| header.as_ref().zip(cell.as_ref())) {
                check_references(&outline, &sheet.name, row.number, header, cell, problems);
            }
        }
    }
    for choice in questionnaire.choice_lists.values().flat_map(|list| &list.choices) {
        let media = &choice.media;
        for text in [&choice.label, &media.image, &media.big_image, &media.audio, &media.video] {
            for (language, text) in text {
                let column =
                    if language == UNTRANSLATED { "label".to_owned() } else { format!("label::{language}") };
                check_references(&outline, "choices", choice.position.row, &column, text, problems);
            }
        }
    }
    check_triggers(&outline, uses, problems);
    check_geometries(&outline, uses, problems);
    check_instances(&outline, problems);
    check_search(&outline, problems);
    check_repeats(&outline, problems);
    check_names(&outline, problems);
    for place in &outline.places {
        check_wording(place, problems);
    }
    check_languages(&outline, warnings);
}

fn check_references(
    outline: &Outline<'_>,
    sheet: &str,
    row: u32,
    column: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) {
    let errors: Vec<ReferenceError> = match references(text) {
        Ok(found) => found.iter().filter_map(|reference| unresolved(outline, reference.name)).collect(),
        Err(error) => vec![error],
    };
    for error in errors {
        let suggestion = match &error {
            ReferenceError::Unknown { name } => {
                let names = outline.places.iter().map(|place| place.node.name.as_str());
                // Thousands of wrong names, each compared with thousands of questions, take minutes.
                let near = if problems.len() < 50 { Questionnaire::nearest(names, name) } else { None };
                near.map(|near| format!("${{{near}}}"))
            }
            ReferenceError::Malformed { .. } | ReferenceError::Ambiguous { .. } => None,
        };
        problems.push(
            Problem::new(sheet, error.vietnamese(), error.to_string())
                .row(row)
                .column(column)
                .suggest(suggestion),
        );
    }
}

/// Why a name gives no node. The root's name is taken too, though nothing can refer to the root.
fn unresolved(outline: &Outline<'_>, name: &str) -> Option<ReferenceError> {
    match outline.resolve(name) {
        Ok(at) if name == outline.questionnaire.settings.root => Some(ReferenceError::Ambiguous {
            name: name.to_owned(),
            paths: vec![format!("/{name}"), outline.places[at].path.clone()],
        }),
        found => found.err(),
    }
}

fn check_triggers(outline: &Outline<'_>, uses: &Uses, problems: &mut Vec<Problem>) {
    for (row, name) in &uses.triggers {
        let at = |vietnamese: String, english: String| {
            Problem::new("survey", vietnamese, english).row(*row).column("trigger")
        };
        let questions = outline.named(name).iter().map(|&index| outline.places[index].node);
        let question = questions.clone().find(|node| node.question().is_some());
        let Some(node) = question else {
            let names = outline.places.iter().filter(|place| place.node.question().is_some());
            let near = Questionnaire::nearest(names.map(|place| place.node.name.as_str()), name);
            problems.push(
                at(
                    format!("`${{{name}}}` không phải là câu hỏi nào"),
                    format!("`${{{name}}}` is not a question"),
                )
                .suggest(near.map(|near| format!("${{{near}}}"))),
            );
            continue;
        };
        if crate::xform::is_hidden(node) {
            problems.push(at(
                format!("`${{{name}}}` không hiện trên màn hình nên không thể kích hoạt"),
                format!("`${{{name}}}` is not shown to anyone, so it cannot be a trigger"),
            ));
        }
    }
}

fn check_geometries(outline: &Outline<'_>, uses: &Uses, problems: &mut Vec<Problem>) {
    let questionnaire = outline.questionnaire;
    for (row, target) in &uses.geometries {
        let is_repeat = single_reference(target).is_some_and(|name| {
            outline.named(name).iter().any(|&index| outline.places[index].node.is_repeat())
        });
        let is_instance = questionnaire.choice_lists.contains_key(target)
            || questionnaire.external_instances.iter().any(|instance| instance.name == *target)
            || questionnaire.entities.iter().any(|entity| entity.list_name == *target)
            || files(outline).any(|stem| stem == target);
        if !is_repeat && !is_instance {
            problems.push(
                Problem::new(
                    "survey",
                    "reference-geometry phải là một danh sách, một tệp hoặc `${nhóm lặp}`",
                    "reference-geometry must be a list, a file or a `${repeat}`",
                )
                .row(*row)
                .column("parameters"),
            );
        }
    }
}

/// The ids of files that selects read.
fn files<'o>(outline: &'o Outline<'_>) -> impl Iterator<Item = &'o str> {
    outline.places.iter().filter_map(|place| match &place.node.question()?.choices.as_ref()?.source {
        ChoiceSource::File { name, .. } => Some(crate::xform::file_source(name).0),
        ChoiceSource::List(_) | ChoiceSource::External(_) | ChoiceSource::Answers(_) => None,
    })
}

/// One instance id cannot have two sources, and no two rows make the same external file.
fn check_instances(outline: &Outline<'_>, problems: &mut Vec<Problem>) {
    let questionnaire = outline.questionnaire;
    for (at, instance) in questionnaire.external_instances.iter().enumerate() {
        if questionnaire.external_instances[..at].iter().any(|earlier| earlier.name == instance.name) {
            problems.push(
                Problem::new(
                    "survey",
                    format!("đã có tệp ngoài khác tên `{}`", instance.name),
                    format!("there is another external file named `{}`", instance.name),
                )
                .row(instance.position.row)
                .column("name"),
            );
        }
    }
    let mut seen: IndexMap<String, String> = IndexMap::new();
    for source in crate::xform::sources(outline) {
        let earlier = seen.entry(source.id).or_insert_with(|| source.source.clone());
        if *earlier != source.source {
            problems.push(
                Problem::new(
                    "survey",
                    format!("`{}` trùng tên với `{earlier}`; hãy đổi tên tệp", source.source),
                    format!("`{}` would have the same id as `{earlier}`; rename the file", source.source),
                )
                .row(source.row),
            );
        }
    }
    for (name, list) in &questionnaire.choice_lists {
        if let (Some(source), Some(choice)) = (seen.get(name), list.choices.first()) {
            problems.push(
                Problem::new(
                    "choices",
                    format!("danh sách `{name}` trùng tên với tệp `{source}`; hãy đổi tên danh sách"),
                    format!("list `{name}` would have the same id as `{source}`; rename the list"),
                )
                .row(choice.position.row),
            );
        }
    }
}

/// No two repeats have one name, wherever they stand.
fn check_repeats(outline: &Outline<'_>, problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for place in outline.places.iter().filter(|place| place.node.is_repeat()) {
        let name = place.node.name.as_str();
        if !seen.insert(name) {
            problems.push(
                Problem::new(
                    "survey",
                    format!("đã có nhóm lặp khác tên `{name}`"),
                    format!("there is another repeat named `{name}`"),
                )
                .row(place.node.position.row)
                .column("name"),
            );
        }
    }
}

/// Names that rows do not show: of loops, counters, `_other`.
fn check_names(outline: &Outline<'_>, problems: &mut Vec<Problem>) {
    let mut paths = HashSet::new();
    let mut told: HashSet<(String, u32)> =
        problems.iter().filter_map(|problem| Some((problem.sheet.clone(), problem.row?))).collect();
    for place in &outline.places {
        let Position { sheet, row } = &place.node.position;
        let name = &place.node.name;
        let is_new = paths.insert(place.path.as_str());
        if (is_new && is_xml_name(name)) || !told.insert((sheet.clone(), *row)) {
            continue;
        }
        problems.push(
            Problem::new(
                sheet,
                format!("dòng này tạo ra nút `{name}`: tên không dùng được hoặc đã có trong nhóm"),
                format!("this row makes a node `{name}`, which is no name or stands already in the group"),
            )
            .row(*row)
            .column("name"),
        );
    }
}

/// `search()` shows the items of a list inline, so all users of the list must use it.
fn check_search(outline: &Outline<'_>, problems: &mut Vec<Problem>) {
    let selects = outline.places.iter().filter_map(|place| {
        let choices = place.node.question()?.choices.as_ref()?;
        Some((place.node, &choices.source, crate::xform::uses_search(place.node)))
    });
    let selects: Vec<_> = selects.collect();
    for (node, source, _) in selects.iter().filter(|(_, _, searches)| *searches) {
        let (vietnamese, english) = match source {
            ChoiceSource::File { .. } => (
                "search() không dùng với câu chọn từ tệp được",
                "search() cannot stand with a select from a file",
            ),
            source if selects.iter().any(|(_, other, searches)| other == source && !searches) => (
                "mọi câu dùng chung danh sách này đều phải dùng search()",
                "every question with this list must use search()",
            ),
            _ => continue,
        };
        problems.push(
            Problem::new(&node.position.sheet, vietnamese, english)
                .row(node.position.row)
                .column("appearance"),
        );
    }
}

fn check_wording(place: &Place<'_>, problems: &mut Vec<Problem>) {
    let node = place.node;
    let Some(kind) = node.kind() else { return };
    let wording = &node.wording;
    let media = &wording.media;
    if !media.big_image.is_empty() && media.image.is_empty() {
        problems.push(
            Problem::new(
                &node.position.sheet,
                "big-image cần có image",
                "big-image needs an image beside it",
            )
            .row(node.position.row)
            .column("media::big-image"),
        );
    }
    let said = !wording.label.is_empty() || !wording.hint.is_empty() || *media != Default::default();
    if kind.is_visible() && !crate::xform::is_hidden(node) && !said {
        problems.push(
            Problem::new(
                &node.position.sheet,
                format!("câu `{}` không có nhãn, gợi ý hay hình", node.name),
                format!("question `{}` has no label, hint or media", node.name),
            )
            .row(node.position.row)
            .column("label"),
        );
    }
}

/// Languages without a tag, and how many texts each language lacks.
fn check_languages(outline: &Outline<'_>, warnings: &mut Vec<Problem>) {
    let questionnaire = outline.questionnaire;
    for language in questionnaire.languages.iter().filter(|language| !language.is_tagged()) {
        if language.name != crate::questionnaire::DEFAULT_LANGUAGE {
            warnings.push(Problem::new(
                "",
                format!("ngôn ngữ `{}` không có mã; hãy viết như `Tiếng Việt (vi)`", language.name),
                format!("language `{}` has no tag; write it as `Tiếng Việt (vi)`", language.name),
            ));
        }
    }
    let missing = missing_translations(questionnaire);
    for language in &questionnaire.languages {
        let count = missing.iter().filter(|text| text.language == language.name).count();
        if count > 0 {
            warnings.push(Problem::new(
                "",
                format!("còn thiếu {count} bản dịch sang {}", language.name),
                format!("translations into {} are missing: {count}", language.name),
            ));
        }
    }
}
