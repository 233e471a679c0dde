//! What the columns of a sheet mean: aliases, `::` and languages.

use super::Problem;
use super::cells::{Row, Sheet, single_spaces};

/// A column's meaning: first token after its alias, the others as the workbook spells them
/// (`label::Tiếng Việt (vi)` = `["label", "Tiếng Việt (vi)"]`).
pub type Tokens = Vec<String>;

/// Headers of a sheet that stay as they are, and what others are read as.
pub struct Known {
    pub names: &'static [&'static str],
    pub aliases: &'static [(&'static str, &'static [&'static str])],
}

pub const SURVEY: Known = Known {
    names: &[
        "type",
        "name",
        "label",
        "hint",
        "guidance_hint",
        "default",
        "choice_filter",
        "parameters",
        "trigger",
        "media",
        "bind",
        "control",
        "instance",
        "actions",
        "query",
        "sms_field",
        "list_name",
        "itemset",
        "choices",
    ],
    aliases: &[
        ("compact_tag", &["instance", "odk:tag"]),
        ("read_only", &["bind", "readonly"]),
        ("readonly", &["bind", "readonly"]),
        ("relevant", &["bind", "relevant"]),
        ("relevance", &["bind", "relevant"]),
        ("required", &["bind", "required"]),
        ("constraint", &["bind", "constraint"]),
        ("constraining_message", &["bind", "jr:constraintMsg"]),
        ("constraint_message", &["bind", "jr:constraintMsg"]),
        ("calculation", &["bind", "calculate"]),
        ("calculate", &["bind", "calculate"]),
        ("requiredmsg", &["bind", "jr:requiredMsg"]),
        ("required_message", &["bind", "jr:requiredMsg"]),
        ("noapperrorstring", &["bind", "jr:noAppErrorString"]),
        ("no_app_error_string", &["bind", "jr:noAppErrorString"]),
        ("save_to", &["bind", "entities:saveto"]),
        ("caption", &["label"]),
        ("command", &["type"]),
        ("tag", &["name"]),
        ("value", &["name"]),
        ("appearance", &["control", "appearance"]),
        ("autoplay", &["control", "autoplay"]),
        ("rows", &["control", "rows"]),
        ("count", &["control", "jr:count"]),
        ("repeat_count", &["control", "jr:count"]),
        ("jr:count", &["control", "jr:count"]),
        ("body", &["control"]),
        ("image", &["media", "image"]),
        ("big-image", &["media", "big-image"]),
        ("audio", &["media", "audio"]),
        ("video", &["media", "video"]),
    ],
};

pub const CHOICES: Known = Known {
    names: &["name", "label", "media", "sms_option"],
    aliases: &[
        ("caption", &["label"]),
        ("list_name", &["list name"]),
        ("value", &["name"]),
        ("image", &["media", "image"]),
        ("big-image", &["media", "big-image"]),
        ("audio", &["media", "audio"]),
        ("video", &["media", "video"]),
    ],
};

pub const SETTINGS: Known = Known {
    names: &[
        "name",
        "title",
        "id_string",
        "version",
        "default_language",
        "style",
        "instance_name",
        "public_key",
        "submission_url",
        "auto_send",
        "auto_delete",
        "client_editable",
        "namespaces",
        "instance_xmlns",
        "attribute",
        "prefix",
        "delimiter",
        "omit_instanceID",
        "allow_choice_duplicates",
        "clean_text_values",
        "add_none_option",
        "flat",
    ],
    aliases: &[
        ("form_title", &["title"]),
        ("set_form_title", &["title"]),
        ("form_id", &["id_string"]),
        ("set_form_id", &["id_string"]),
        ("prefix", &["prefix"]),
    ],
};

pub const ENTITIES: Known = Known {
    names: &["dataset", "label", "entity_id", "create_if", "update_if", "repeat"],
    aliases: &[("list_name", &["dataset"])],
};

/// The columns of one sheet.
pub struct Columns<'s> {
    sheet: &'s Sheet,
    /// By column; empty where the header cell is empty.
    tokens: Vec<Tokens>,
}

/// One cell that is not empty.
pub struct Cell<'c> {
    pub tokens: &'c [String],
    /// The header as the workbook spells it.
    pub header: &'c str,
    pub value: String,
}

impl<'s> Columns<'s> {
    /// Reads the header; a meaning that stands twice is a problem.
    pub fn of(sheet: &'s Sheet, known: &Known, problems: &mut Vec<Problem>) -> Self {
        let doubled = sheet.header.iter().flatten().any(|header| header.contains("::"));
        let mut tokens: Vec<Tokens> = Vec::new();
        for header in &sheet.header {
            let meaning =
                header.as_deref().map(|header| tokens_of(header, doubled, known)).unwrap_or_default();
            if let (Some(header), Some(earlier)) =
                (header, tokens.iter().position(|earlier| !earlier.is_empty() && *earlier == meaning))
            {
                let other = sheet.header[earlier].clone().unwrap_or_default();
                problems.push(
                    Problem::new(
                        &sheet.name,
                        format!("cột `{other}` và cột này có cùng một nghĩa; hãy bỏ một cột"),
                        format!("column `{other}` means the same; leave one of them out"),
                    )
                    .row(1)
                    .column(header.clone()),
                );
            }
            tokens.push(meaning);
        }
        Self { sheet, tokens }
    }

    /// Whether a column means this.
    pub fn has(&self, first: &str) -> bool {
        self.tokens.iter().any(|tokens| tokens.first().is_some_and(|token| token == first))
    }

    /// All meanings, in the order of the sheet.
    pub fn meanings(&self) -> impl Iterator<Item = &[String]> {
        self.tokens.iter().filter(|tokens| !tokens.is_empty()).map(Vec::as_slice)
    }

    /// The cells of a row that are not empty, with straight quotes; with `collapse` also without
    /// runs of spaces.
    pub fn cells<'c>(&'c self, row: &'c Row, collapse: bool) -> Vec<Cell<'c>> {
        let columns = self.sheet.header.iter().zip(&self.tokens).zip(&row.cells);
        columns
            .filter_map(|((header, tokens), value)| {
                let (header, value) = (header.as_deref()?, value.as_deref()?);
                let value = straight_quotes(value);
                let value = if collapse { single_spaces(value.trim()) } else { value };
                Some(Cell { tokens, header, value })
            })
            .collect()
    }
}

fn tokens_of(header: &str, doubled: bool, known: &Known) -> Tokens {
    let alias =
        |name: &str| known.aliases.iter().find(|(alias, _)| *alias == name).map(|(_, meaning)| *meaning);
    let is_known = |name: &str| known.names.contains(&name) && alias(name).is_none();
    let normal = snake_case(header);
    if is_known(header) {
        return vec![header.to_owned()];
    }
    if is_known(&normal) {
        return vec![normal];
    }
    let mut tokens: Tokens = if doubled {
        header.split("::").map(|token| token.trim().to_owned()).collect()
    } else {
        let mut parts: Tokens = header.split(':').map(|token| token.trim().to_owned()).collect();
        // `jr:count` is one name, also where a single colon parts the tokens.
        if let Some(at) = parts.iter().position(|part| part == "jr")
            && at + 1 < parts.len()
        {
            let name = parts.remove(at + 1);
            parts[at] = format!("jr:{name}");
        }
        parts
    };
    let first = snake_case(&tokens[0]);
    if let Some(meaning) = alias(&first) {
        let rest = tokens.split_off(1);
        tokens = meaning.iter().map(|token| (*token).to_owned()).chain(rest).collect();
    } else if known.names.contains(&first.as_str()) {
        tokens[0] = first;
    }
    tokens
}

fn snake_case(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join("_").to_lowercase()
}

fn straight_quotes(text: &str) -> String {
    text.replace(['\u{2018}', '\u{2019}'], "'").replace(['\u{201c}', '\u{201d}'], "\"")
}
