//! What the cell `type` of a survey row asks for.

use crate::question_type::QuestionType;

/// A type cell, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowType {
    Begin(Block),
    End(Block),
    Question(QuestionType),
    Select {
        kind: QuestionType,
        list: String,
        from_file: bool,
        or_other: bool,
    },
    /// A select without the name of its list.
    SelectWithoutList,
    Osm {
        list: Option<String>,
    },
    /// `xml-external` or `csv-external`: the prefix of the source and the ending.
    External {
        prefix: &'static str,
        ending: &'static str,
    },
    /// A setting written in the survey sheet.
    Setting(&'static str),
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    Group,
    Repeat,
    /// One group for each choice of the list.
    Loop {
        list: Option<String>,
    },
}

impl Block {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Repeat => "repeat",
            Self::Loop { .. } => "loop",
        }
    }
}

/// Names of blocks; longer ones first where one begins another.
const BLOCKS: [(&str, Block); 5] = [
    ("looped group", Block::Repeat),
    ("group", Block::Group),
    ("lgroup", Block::Repeat),
    ("repeat", Block::Repeat),
    ("loop", Block::Loop { list: None }),
];

/// Commands of selects, longer ones first where one begins another.
const SELECTS: [(&str, QuestionType, bool); 16] = [
    ("add select one prompt using", QuestionType::SelectOne, false),
    ("add select multiple prompt using", QuestionType::SelectMultiple, false),
    ("select all that apply from", QuestionType::SelectMultiple, false),
    ("select all that apply", QuestionType::SelectMultiple, false),
    ("select multiple from file", QuestionType::SelectMultiple, true),
    ("select_multiple_from_file", QuestionType::SelectMultiple, true),
    ("select_multiple", QuestionType::SelectMultiple, false),
    ("select one from file", QuestionType::SelectOne, true),
    ("select_one_from_file", QuestionType::SelectOne, true),
    ("select_one_external", QuestionType::SelectOneExternal, false),
    ("select one from", QuestionType::SelectOne, false),
    ("select one", QuestionType::SelectOne, false),
    ("select_one", QuestionType::SelectOne, false),
    ("select1", QuestionType::SelectOne, false),
    ("select one external", QuestionType::SelectOneExternal, false),
    ("rank", QuestionType::Rank, false),
];

/// Takes a type cell apart.
pub fn parse(cell: &str) -> RowType {
    if let Some(rest) = block_command(cell, "begin") {
        for (name, block) in BLOCKS {
            let Some(rest) = rest.strip_prefix(name) else { continue };
            let list = match rest.strip_prefix(' ') {
                None if rest.is_empty() => None,
                Some(rest) => Some(rest.strip_prefix("over ").unwrap_or(rest)),
                None => continue,
            };
            if list.is_some_and(|list| list.is_empty() || list.contains(char::is_whitespace)) {
                continue;
            }
            return RowType::Begin(match block {
                Block::Loop { .. } => Block::Loop { list: list.map(str::to_owned) },
                block => block,
            });
        }
    }
    if let Some(rest) = block_command(cell, "end")
        && let Some((_, block)) = BLOCKS.into_iter().find(|(name, _)| *name == rest)
    {
        return RowType::End(block);
    }
    for (command, kind, from_file) in SELECTS {
        let Some(rest) = cell.strip_prefix(command).and_then(|rest| rest.strip_prefix(' ')) else { continue };
        let (list, suffix) = rest.split_once(' ').unwrap_or((rest, ""));
        let or_other = matches!(suffix, "or specify other" | "or_other" | "or other");
        if !list.is_empty() && !list.contains(char::is_whitespace) && (suffix.is_empty() || or_other) {
            return RowType::Select { kind, list: list.to_owned(), from_file, or_other };
        }
    }
    if let Some(rest) = cell.strip_prefix("osm") {
        match rest.strip_prefix(' ') {
            Some(list) if !list.is_empty() => {
                return RowType::Osm { list: list.split_whitespace().next().map(str::to_owned) };
            }
            None if rest.is_empty() => return RowType::Osm { list: None },
            _ => {}
        }
    }
    match cell {
        "xml-external" => RowType::External { prefix: "file", ending: "xml" },
        "csv-external" => RowType::External { prefix: "file-csv", ending: "csv" },
        "form_title" | "set_form_title" => RowType::Setting("title"),
        "form_id" | "set_form_id" => RowType::Setting("id_string"),
        "prefix" => RowType::Setting("prefix"),
        _ => match QuestionType::from_name(cell) {
            Some(kind) if kind.is_select() => RowType::SelectWithoutList,
            Some(kind) => RowType::Question(kind),
            None => RowType::Unknown,
        },
    }
}

/// What follows `begin` or `end` and one space or `_`.
fn block_command<'c>(cell: &'c str, command: &str) -> Option<&'c str> {
    let rest = cell.strip_prefix(command)?;
    rest.strip_prefix('_').or_else(|| rest.strip_prefix(char::is_whitespace))
}

/// Every way to write a type, for "did you mean".
pub fn spellings() -> impl Iterator<Item = &'static str> {
    let blocks = ["begin_group", "end_group", "begin_repeat", "end_repeat", "xml-external", "csv-external"];
    let types = QuestionType::ALL.into_iter().flat_map(|kind| {
        let row = kind.row();
        std::iter::once(row.name).chain(row.aliases.iter().copied())
    });
    types.chain(blocks)
}
