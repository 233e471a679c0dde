//! Sheets of lists: `choices`, `external_choices` and `osm`.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::Problem;
use super::cells::Sheet;
use super::columns::{CHOICES, Columns};
use super::row::Words;
use crate::questionnaire::references::is_xml_name;
use crate::questionnaire::{Choice, ChoiceList, Media, Position};

/// Reads the lists of one sheet by name, in the order of the sheet.
pub fn read(
    sheet: Option<&Sheet>,
    default_language: &str,
    allow_duplicates: bool,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> IndexMap<String, ChoiceList> {
    let mut lists: IndexMap<String, ChoiceList> = IndexMap::new();
    let Some(sheet) = sheet else { return lists };
    let columns = Columns::of(sheet, &CHOICES, problems);
    if !columns.has("name") && !sheet.rows.is_empty() && sheet.name == "choices" {
        problems.push(
            Problem::new(
                &sheet.name,
                "thiếu cột `name` (mã của phương án)",
                "the column `name` (the choice's code) is missing",
            )
            .row(1),
        );
        return lists;
    }
    let dropped: Vec<String> = columns
        .meanings()
        .filter(|tokens| match tokens {
            [first] if matches!(first.as_str(), "list name" | "name" | "label" | "media" | "sms_option") => {
                false
            }
            [first] => !is_xml_name(first),
            [first, ..] => !matches!(first.as_str(), "label" | "media"),
            [] => false,
        })
        .map(|tokens| tokens.join("::"))
        .collect();
    if sheet.name == "choices" {
        for header in &dropped {
            warnings.push(
                Problem::new(
                    &sheet.name,
                    "tên cột không dùng được nên cột bị bỏ qua",
                    "the column's name cannot be used, so the column is left out",
                )
                .row(1)
                .column(header),
            );
        }
    }
    let mut seen: HashSet<(String, String)> = HashSet::new();
    for row in &sheet.rows {
        let mut list = None;
        let mut choice =
            Choice { position: Position { sheet: sheet.name.clone(), row: row.number }, ..Choice::default() };
        let mut label = Words::default();
        let mut media: [Words; 4] = Default::default();
        for cell in columns.cells(row, false) {
            match cell.tokens {
                [first] if first == "list name" => list = Some(cell.value),
                [first] if first == "name" => choice.name = cell.value,
                [first, language @ ..] if first == "label" => label.add(language, cell.value),
                [first, kind, language @ ..] if first == "media" => {
                    if let Some(slot) = media_slot(kind) {
                        media[slot].add(language, cell.value);
                    }
                }
                tokens if dropped.contains(&tokens.join("::")) => {}
                [first] => {
                    choice.columns.insert(first.clone(), cell.value);
                }
                _ => {}
            }
        }
        let Some(list) = list else { continue };
        choice.label = label.finish(default_language);
        choice.media = media_of(media, default_language);
        let here =
            |vietnamese: &str, english: &str| Problem::new(&sheet.name, vietnamese, english).row(row.number);
        if choice.name.is_empty() {
            problems.push(
                here(
                    "phương án không có mã; hãy ghi mã vào cột `name`",
                    "the choice has no name; write its code there",
                )
                .column("name"),
            );
        } else if sheet.name == "choices" {
            if !allow_duplicates && !seen.insert((list.clone(), choice.name.clone())) {
                problems.push(
                    here(
                        &format!("mã `{}` đã có trong danh sách `{list}`; hãy đặt mã khác", choice.name),
                        &format!(
                            "`{}` is already in list `{list}`; give each choice its own name",
                            choice.name
                        ),
                    )
                    .column("name"),
                );
            }
            if choice.label.is_empty() {
                warnings.push(here("phương án không có nhãn", "the choice has no label").column("label"));
            }
        }
        lists.entry(list).or_default().choices.push(choice);
    }
    lists
}

/// The place of a kind of media in an array of four.
pub fn media_slot(kind: &str) -> Option<usize> {
    ["image", "big-image", "audio", "video"].iter().position(|known| *known == kind)
}

pub fn media_of(words: [Words; 4], default_language: &str) -> Media {
    let [image, big_image, audio, video] = words.map(|words| words.finish(default_language));
    Media { image, big_image, audio, video }
}
