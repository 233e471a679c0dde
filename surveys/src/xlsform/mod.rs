//! XLSForm: workbooks in which people write questionnaires, read into a [`Questionnaire`] and
//! written from one. The language is that of pyxform 4.5.0, with our own columns
//! `bind::ln:vault` and `bind::ln:sealed`.

mod cells;
mod checks;
mod choices;
mod columns;
mod entities;
mod limits;
mod parameters;
mod problem;
mod row;
mod settings;
mod survey;
mod types;
mod workbook;

pub use problem::Problem;
pub use workbook::write;

use indexmap::IndexSet;

use crate::questionnaire::{DEFAULT_LANGUAGE, Language, Questionnaire, Text, UNTRANSLATED, Wording};

/// More are a mistake in the headers, and every text is written in each of them.
const MOST_LANGUAGES: usize = 100;

/// A form that could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub questionnaire: Questionnaire,
    /// What is odd but no reason to refuse.
    pub warnings: Vec<Problem>,
}

/// Reads a workbook; `file_name` tells the kind of file (.xlsx, .xls, .csv, .md) and the form id
/// where the settings have none.
///
/// Errors: every problem of the form, in the order of sheets and rows.
pub fn read(file_name: &str, bytes: &[u8]) -> Result<Read, Vec<Problem>> {
    let workbook = cells::read(file_name, bytes)?;
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let Some(survey_sheet) = workbook.sheet("survey") else {
        let near = Questionnaire::nearest(workbook.other_names.iter().map(String::as_str), "survey");
        let found = near.map(|name| (format!(" (có trang `{name}`)"), format!(" (there is `{name}`)")));
        let (found_vi, found_en) = found.unwrap_or_default();
        return Err(vec![Problem::new(
            "",
            format!("tệp không có trang tính `survey`{found_vi}; câu hỏi phải nằm trong trang `survey`"),
            format!(
                "the workbook has no sheet `survey`{found_en}; the questions go into a sheet of that name"
            ),
        )]);
    };
    for expected in ["settings", "entities"] {
        if workbook.sheet(expected).is_none() {
            let others =
                workbook.other_names.iter().map(String::as_str).filter(|name| !name.starts_with('_'));
            if let Some(near) = Questionnaire::nearest(others, expected) {
                warnings.push(Problem::new(
                    near,
                    format!("trang này không được đọc; nếu là `{expected}` thì hãy sửa tên"),
                    format!("the sheet is not read; rename it if it should be `{expected}`"),
                ));
            }
        }
    }
    let settings::SettingsSheet { settings, collapse_spaces } =
        settings::read(workbook.sheet("settings"), file_name, &mut problems, &mut warnings);
    let default_language = settings.default_language.clone().unwrap_or_else(|| DEFAULT_LANGUAGE.to_owned());
    let lists = |name: &str, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>| {
        let sheet = workbook.sheet(name);
        choices::read(sheet, &default_language, settings.allow_choice_duplicates, problems, warnings)
    };
    let choice_lists = lists("choices", &mut problems, &mut warnings);
    let external_choice_lists = lists("external_choices", &mut problems, &mut warnings);
    let osm_tags = lists("osm", &mut problems, &mut warnings);
    let mut questionnaire =
        Questionnaire { settings, choice_lists, external_choice_lists, osm_tags, ..Questionnaire::default() };
    let uses = survey::read(
        survey_sheet,
        &mut questionnaire,
        &default_language,
        collapse_spaces,
        &mut problems,
        &mut warnings,
    );
    questionnaire.languages = languages(&questionnaire);
    if questionnaire.languages.len() > MOST_LANGUAGES {
        problems.push(Problem::new(
            "",
            format!("có hơn {MOST_LANGUAGES} ngôn ngữ; hãy xem lại tên cột sau dấu `::`"),
            format!("there are more than {MOST_LANGUAGES} languages; look at the headers behind `::`"),
        ));
    }
    let declared = entities::read(workbook.sheet("entities"), &mut problems);
    let containers = entities::place(&questionnaire.outline(), &declared, &mut problems);
    questionnaire.entities = declared;
    for (entity, container) in questionnaire.entities.iter_mut().zip(containers) {
        entity.container = container;
    }
    checks::check(&questionnaire, &workbook, &uses, &mut problems, &mut warnings);
    if problems.is_empty() {
        return Ok(Read { questionnaire, warnings });
    }
    let sheet_order = |sheet: &str| cells::SHEETS.iter().position(|known| *known == sheet);
    problems.sort_by_key(|problem| (sheet_order(&problem.sheet), problem.row));
    problems.dedup();
    Err(problems)
}

/// Every language that some text has, the default language first.
fn languages(questionnaire: &Questionnaire) -> Vec<Language> {
    let mut names: Vec<&str> = Vec::new();
    let mut add = |text: &'_ Text| -> Vec<String> {
        text.keys().filter(|name| *name != UNTRANSLATED).cloned().collect()
    };
    let mut found: Vec<String> = Vec::new();
    let outline = questionnaire.outline();
    for place in &outline.places {
        found.extend(wording_texts(&place.node.wording).into_iter().flat_map(&mut add));
    }
    for choice in questionnaire.choice_lists.values().flat_map(|list| &list.choices) {
        let media = &choice.media;
        for text in [&choice.label, &media.image, &media.big_image, &media.audio, &media.video] {
            found.extend(add(text));
        }
    }
    let default = questionnaire.default_language();
    if found.iter().any(|name| name == default) {
        names.push(default);
    }
    names.extend(found.iter().map(String::as_str));
    let names: IndexSet<&str> = names.into_iter().collect();
    names.into_iter().map(Language::new).collect()
}

/// All texts of a wording.
pub(crate) fn wording_texts(wording: &Wording) -> [&Text; 9] {
    [
        &wording.label,
        &wording.hint,
        &wording.guidance_hint,
        &wording.media.image,
        &wording.media.big_image,
        &wording.media.audio,
        &wording.media.video,
        &wording.constraint_message,
        &wording.required_message,
    ]
}
