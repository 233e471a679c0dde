//! The settings sheet.

use super::Problem;
use super::cells::Sheet;
use super::columns::{Columns, SETTINGS};
use super::row::yes;
use crate::questionnaire::Settings;
use crate::questionnaire::references::is_xml_name;

/// The settings of the form, and of reading it.
pub struct SettingsSheet {
    pub settings: Settings,
    /// `clean_text_values`: runs of spaces in the survey sheet become one space.
    pub collapse_spaces: bool,
}

/// Reads the first row of the sheet; without a sheet all is as pyxform has it by default, with
/// the file's stem as form id.
pub fn read(
    sheet: Option<&Sheet>,
    file_name: &str,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> SettingsSheet {
    let base = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    let stem = base.rsplit_once('.').map_or(base, |(stem, _)| stem);
    let mut settings = Settings { form_id: stem.to_owned(), root: "data".to_owned(), ..Settings::default() };
    let mut collapse_spaces = true;
    let mut title = None;
    let mut id_string = None;
    if let Some((sheet, row)) = sheet.and_then(|sheet| sheet.rows.first().map(|row| (sheet, row))) {
        let ids =
            sheet.header.iter().flatten().filter(|header| matches!(header.as_str(), "form_id" | "id_string"));
        let both_ids = ids.count() == 2;
        if both_ids {
            warnings.push(
                Problem::new(
                    "settings",
                    "có cả `form_id` và `id_string`; chỉ dùng `form_id`",
                    "both `form_id` and `id_string` are there; `form_id` is used",
                )
                .row(1),
            );
        }
        // Both ids mean the same column, which is no problem of its own here.
        let columns = Columns::of(sheet, &SETTINGS, if both_ids { warnings } else { problems });
        for cell in columns.cells(row, false) {
            let value = cell.value;
            let problem = |vietnamese: &str, english: &str| {
                Problem::new("settings", vietnamese, english).row(row.number).column(cell.header)
            };
            match cell.tokens.first().map_or("", String::as_str) {
                "title" => title = Some(value),
                "id_string" if both_ids && cell.header == "id_string" => {}
                "id_string" => id_string = Some(value),
                "name" if is_xml_name(&value) => settings.root = value,
                "name" => problems.push(problem(
                    "tên nút gốc phải bắt đầu bằng chữ cái hoặc `_` và không có dấu cách",
                    "the root's name must be an XML name: letters, digits, `_`, `-`, `.`, not beginning with a digit",
                )),
                "version" => settings.version = Some(value),
                "default_language" => settings.default_language = Some(value),
                "style" => settings.style = Some(value),
                "instance_name" => settings.instance_name = Some(value),
                "public_key" => settings.public_key = Some(value),
                "submission_url" => settings.submission_url = Some(value),
                "auto_send" => settings.auto_send = Some(value),
                "auto_delete" => settings.auto_delete = Some(value),
                "client_editable" => settings.client_editable = Some(value).filter(|value| yes(value) == Some(true)),
                "namespaces" => settings.namespaces = namespaces(&value),
                "instance_xmlns" => settings.instance_xmlns = Some(value),
                "attribute" if cell.tokens.len() > 1 => {
                    settings.attributes.insert(cell.tokens[1..].join(":"), value);
                }
                "prefix" => settings.prefix = Some(value),
                "delimiter" => settings.delimiter = Some(value),
                "instance_id" => settings.instance_id = Some(value),
                "omit_instanceID" => settings.omit_instance_id = yes(&value) == Some(true),
                "allow_choice_duplicates" => settings.allow_choice_duplicates = yes(&value) == Some(true),
                "clean_text_values" => {
                    collapse_spaces = yes(&value) != Some(false);
                    settings.other.insert("clean_text_values".to_owned(), value);
                }
                // pyxform 4.5.0 constrains an answer `none` of the first question of a list only, and
                // adds it to none.
                "add_none_option" if yes(&value) == Some(true) => problems.push(problem(
                    "không dùng được thiết lập này; hãy thêm phương án `none` vào danh sách và ràng buộc `. = 'none' or not(selected(., 'none'))`",
                    "this setting does not work; add a choice `none` to the list, and the constraint `. = 'none' or not(selected(., 'none'))`",
                )),
                "flat" if yes(&value) != Some(false) => problems.push(problem(
                    "phiếu không có nhóm trong dữ liệu (`flat`) không còn dùng; hãy bỏ thiết lập này",
                    "data without groups (`flat`) are no longer in use; leave this setting out",
                )),
                _ => {
                    settings.other.insert(cell.tokens.join("::"), value);
                }
            }
        }
        if settings.omit_instance_id && settings.public_key.is_some() {
            problems.push(
                Problem::new(
                    "settings",
                    "không thể bỏ instanceID khi phiếu được mã hóa (public_key)",
                    "an encrypted form (public_key) needs its instanceID",
                )
                .row(row.number)
                .column("omit_instanceID"),
            );
        }
    }
    if let Some(id) = id_string {
        settings.form_id = id;
    }
    settings.title = title.unwrap_or_else(|| settings.form_id.clone());
    SettingsSheet { settings, collapse_spaces }
}

/// `esri="http://…" ln="urn:…"` as pairs.
fn namespaces(value: &str) -> indexmap::IndexMap<String, String> {
    value
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .filter(|(prefix, uri)| !prefix.is_empty() && !uri.contains('='))
        .map(|(prefix, uri)| (prefix.to_owned(), uri.replace(['"', '\''], "")))
        .collect()
}
