//! What was written on paper, keyed twice by two people: the file that they fill, what differs, and the instance that
//! comes of what both agree on or a third person decided.

use std::collections::HashMap;
use std::fmt::Write;

use indexmap::IndexMap;

use crate::answer::instance;
use crate::chance::Chance;
use crate::csv;
use crate::expression::{Dialect, Moment};
use crate::form::{Compiled, Interview, Role, Setup};
use crate::question_type::{QuestionType, Stored};
use crate::questionnaire::{ChoiceSource, Questionnaire};
use crate::submission::{self, Problem, Rule};

use super::{Sheet, is_number};

/// The day of the interview, which the tablet would have known.
const DAY: &str = "@day";
/// Lines of a repeat that the form does not count, or counts by an answer.
const LINES: usize = 8;
const HEADER: [&str; 5] = ["keyer", "sheet", "field", "question", "answer"];

/// What stands on the sheets: number of the sheet, then field, to what was keyed.
pub type KeyedSheets = IndexMap<String, IndexMap<String, String>>;

/// What is wrong with a keyed file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("the first line must be keyer,sheet,field,question,answer, as `paper entry-template` wrote it")]
    Header,
    #[error("line {line}: has {got} cells, the header has {}", HEADER.len())]
    Ragged { line: usize, got: usize },
    #[error("line {line}: `{number}` is no sheet: its check digit is wrong; look at the sheet again")]
    Number { line: usize, number: String },
    #[error("line {line}: `{field}` of sheet {sheet} stands there twice")]
    Twice { line: usize, sheet: String, field: String },
    #[error("line {line}: the file has two keyers, `{first}` and `{other}`; a file is one person's")]
    Keyers { line: usize, first: String, other: String },
    #[error("the file holds no sheet")]
    Empty,
    #[error("both files were keyed by `{0}`; the second one must be another person's")]
    SameKeyer(String),
}

/// A keyer's file: answers by sheet and field, those that were left empty too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    pub keyer: String,
    pub sheets: KeyedSheets,
}

impl Entries {
    /// Reads the CSV that [`template`] wrote and a person filled; sheets without any answer are left out.
    pub fn read(text: &str) -> Result<Self, EntryError> {
        let rows = csv::rows(text.trim_start_matches('\u{feff}'));
        let mut rows = rows.into_iter().zip(1..);
        if rows.next().is_none_or(|(header, _)| header != HEADER) {
            return Err(EntryError::Header);
        }
        let mut entries = Self::default();
        for (row, line) in rows {
            let [keyer, sheet, field, _, answer] = row.as_slice() else {
                if row.iter().all(|cell| cell.trim().is_empty()) {
                    continue;
                }
                return Err(EntryError::Ragged { line, got: row.len() });
            };
            let (keyer, sheet) = (keyer.trim(), sheet.trim());
            if entries.keyer.is_empty() {
                keyer.clone_into(&mut entries.keyer);
            } else if entries.keyer != keyer {
                let first = entries.keyer.clone();
                return Err(EntryError::Keyers { line, first, other: keyer.to_owned() });
            }
            if !is_number(sheet) {
                return Err(EntryError::Number { line, number: sheet.to_owned() });
            }
            let fields = entries.sheets.entry(sheet.to_owned()).or_default();
            let answer = answer.split_whitespace().collect::<Vec<_>>().join(" ");
            if fields.insert(field.trim().to_owned(), answer).is_some() {
                let (sheet, field) = (sheet.to_owned(), field.trim().to_owned());
                return Err(EntryError::Twice { line, sheet, field });
            }
        }
        entries.sheets.retain(|_, fields| fields.values().any(|answer| !answer.is_empty()));
        if entries.sheets.is_empty() { Err(EntryError::Empty) } else { Ok(entries) }
    }
}

/// The file that a keyer fills: a line for each field of each sheet, with the question and its codes beside it.
pub fn template(questionnaire: &Questionnaire, form: &Compiled, sheets: &[Sheet], keyer: &str) -> String {
    let outline = questionnaire.outline();
    let mut fields = vec![(DAY.to_owned(), "Ngày phỏng vấn: năm-tháng-ngày (2026-11-05)".to_owned())];
    for (item, data) in form.items.iter().enumerate() {
        let Role::Question { kind, stored, .. } = data.role else { continue };
        let keyed = data.calculation.is_none()
            && data.is_answerable()
            && !data.in_meta
            && kind.row().preload.is_none()
            && !matches!(kind, QuestionType::Calculate | QuestionType::Hidden | QuestionType::Note)
            && !matches!(stored, Stored::Place | Stored::File | Stored::Nothing);
        let Some(place) = outline.places.get(item).filter(|_| keyed) else { continue };
        let words = |text: &crate::questionnaire::Text| {
            let own = text.get(questionnaire.default_language()).or_else(|| text.values().next());
            own.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default()
        };
        let mut about = words(&place.node.wording.label);
        let choices = place.node.question().and_then(|question| question.choices.as_ref());
        if let Some(ChoiceSource::List(list)) = choices.map(|choices| &choices.source)
            && let Some(list) = questionnaire.choice_lists.get(list)
        {
            let mut told: Vec<&str> = Vec::new();
            about.push_str(" [");
            for choice in &list.choices {
                if !told.contains(&choice.name.as_str()) {
                    let _ = write!(
                        about,
                        "{}{} {}",
                        if told.is_empty() { "" } else { "; " },
                        choice.name,
                        words(&choice.label)
                    );
                    told.push(&choice.name);
                }
            }
            about.push(']');
        }
        let repeats: Vec<usize> = outline.repeats_around(item).collect();
        match repeats.as_slice() {
            [] => fields.push((data.path.clone(), about)),
            [repeat, ..] => {
                let around = &outline.places[*repeat].path;
                let inside = data.path.strip_prefix(around).unwrap_or_default();
                for line in 1..=LINES {
                    fields.push((format!("{around}[{line}]{inside}"), about.clone()));
                }
            }
        }
    }
    let mut text = format!("\u{feff}{}\r\n", HEADER.join(","));
    for sheet in sheets {
        for (field, about) in &fields {
            let _ = write!(text, "{},{},{},{},\r\n", quoted(keyer), sheet.number, field, quoted(about));
        }
    }
    text
}

fn quoted(text: &str) -> String {
    // A text that a spreadsheet would take for a formula is no formula.
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Two files beside each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// What both keyed alike, by sheet and field.
    pub agreed: KeyedSheets,
    /// Sheet, field, first and second answer.
    pub differing: Vec<(String, String, String, String)>,
    /// Sheets that only one of them keyed.
    pub lone: Vec<String>,
}

/// Compares two people's files, field by field. Err: it was one person.
pub fn differences(first: &Entries, second: &Entries) -> Result<Differences, EntryError> {
    if first.keyer.trim().is_empty() || first.keyer == second.keyer {
        return Err(EntryError::SameKeyer(first.keyer.clone()));
    }
    let mut found = Differences::default();
    for (sheet, own) in &first.sheets {
        let Some(other) = second.sheets.get(sheet) else {
            found.lone.push(sheet.clone());
            continue;
        };
        let agreed = found.agreed.entry(sheet.clone()).or_default();
        let mut fields: Vec<&String> = own.keys().collect();
        fields.extend(other.keys().filter(|field| !own.contains_key(*field)));
        for field in fields {
            let text = |entries: &IndexMap<String, String>| entries.get(field).cloned().unwrap_or_default();
            let (one, two) = (text(own), text(other));
            if one == two {
                agreed.insert(field.clone(), one);
            } else {
                found.differing.push((sheet.clone(), field.clone(), one, two));
            }
        }
    }
    found.lone.extend(second.sheets.keys().filter(|sheet| !first.sheets.contains_key(*sheet)).cloned());
    Ok(found)
}

/// A sheet as an instance.
#[derive(Clone, Debug)]
pub struct Keyed {
    pub xml: String,
    /// What the form's rules have against it; empty for an interview that a tablet would have finished.
    pub problems: Vec<Problem>,
}

/// Fills the form with what was keyed of a sheet, by field. What the tablet draws is what was printed on the sheet.
pub fn fill(form: &Compiled, sheet: &Sheet, answers: &IndexMap<String, String>, now: Moment) -> Keyed {
    let mut pending: HashMap<&str, &str> = answers
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(field, text)| (field.as_str(), text.as_str()))
        .collect();
    let mut problems = Vec::new();
    let problem = |node: &str, rule: Rule, message: String| Problem { node: node.to_owned(), rule, message };
    let day = pending.remove(DAY).and_then(|day| Moment::parse(day, 420));
    if day.is_none() {
        problems.push(problem(DAY, Rule::Required, "Chưa có ngày phỏng vấn, dạng 2026-11-05.".to_owned()));
    }
    let chance = Chance::new(sheet.chance, "expressions");
    let setup = Setup { dialect: Dialect::default(), now: day.unwrap_or(now), zone: 420, chance };
    let mut interview = Interview::new(form, setup);
    let root = interview.tree.root();
    for node in interview.tree.descendants_or_self(root) {
        let kind = interview.item(node).and_then(|item| form.items[item].question());
        let text = match (kind, day) {
            (Some(QuestionType::InstanceId), _) => sheet.instance_id.clone(),
            (Some(QuestionType::Start), Some(day)) => day.date_time_text(),
            (Some(QuestionType::Today), Some(day)) => day.date_text(),
            _ => continue,
        };
        interview.set(node, &text);
    }
    // An answer can open a repeat, so the nodes are looked at again until nothing more is placed.
    let mut placed = true;
    while placed && !pending.is_empty() {
        placed = false;
        for node in interview.tree.descendants_or_self(root) {
            let path = interview.path(node);
            if let Some(text) = pending.remove(path.as_str()) {
                interview.set(node, text);
                placed = true;
            }
        }
        if !placed {
            placed = add_line(&mut interview, &pending);
        }
    }
    let mut rest: Vec<&str> = pending.into_keys().collect();
    rest.sort_unstable();
    problems.extend(rest.into_iter().map(|field| {
        problem(
            field,
            Rule::Structure,
            "Biểu mẫu không có ô này, hoặc số dòng khác với số đã ghi.".to_owned(),
        )
    }));
    for node in interview.tree.descendants_or_self(root) {
        let path = interview.path(node);
        if !interview.tree.get(node).relevant && answers.get(&path).is_some_and(|text| !text.is_empty()) {
            let message = "Có câu trả lời trong khi không được hỏi; xem lại các câu trước.".to_owned();
            problems.push(problem(&path, Rule::Relevant, message));
        }
    }
    let xml = instance(&interview);
    match submission::read(form, xml.as_bytes()) {
        Ok(read) => problems.extend(submission::check(form, &read, Dialect::default())),
        Err(e) => problems.push(problem("", Rule::Structure, e.to_string())),
    }
    Keyed { xml, problems }
}

/// Adds one line to a repeat that the form does not count, where a field waits for it.
fn add_line(interview: &mut Interview<'_>, pending: &HashMap<&str, &str>) -> bool {
    for (item, data) in interview.form.items.iter().enumerate() {
        if !matches!(data.role, Role::Repeat(None)) {
            continue;
        }
        let Some(last) = interview.nodes_of(item).last().copied() else { continue };
        let Some(parent) = interview.tree.get(last).parent else { continue };
        let next = format!("{}[{}]/", data.path, interview.tree.position(last) + 1);
        if pending.keys().any(|field| field.starts_with(&next)) {
            interview.add_repeat(item, parent);
            interview.recompute();
            return true;
        }
    }
    false
}

const DIFFERENCES: [&str; 6] = ["sheet", "field", "first", "second", "chosen", "resolver"];
/// In `chosen`: nothing stands on the paper.
const BLANK: &str = "-";

impl Differences {
    /// The file in which a third person decides: `chosen` is what stands on the paper, `-` for nothing.
    pub fn to_csv(&self) -> String {
        let mut text = format!("\u{feff}{}\r\n", DIFFERENCES.join(","));
        for (sheet, field, first, second) in &self.differing {
            let _ = write!(text, "{sheet},{field},{},{},,\r\n", quoted(first), quoted(second));
        }
        text
    }

    /// What both keyed alike and what the third person decided, by sheet and field; and the sheets that are not decided
    /// yet. Err: a file of another kind, or one of the two keyers decided.
    pub fn settle(
        mut self,
        resolved: Option<&str>,
        keyers: [&str; 2],
    ) -> Result<(KeyedSheets, Vec<String>), ResolveError> {
        let mut chosen: HashMap<(String, String), String> = HashMap::new();
        let mut rows =
            csv::rows(resolved.unwrap_or_default().trim_start_matches('\u{feff}')).into_iter().zip(1..);
        if resolved.is_some() && rows.next().is_none_or(|(header, _)| header != DIFFERENCES) {
            return Err(ResolveError::Header);
        }
        for (row, line) in rows {
            let [sheet, field, _, _, answer, resolver] = row.as_slice() else {
                return Err(ResolveError::Ragged { line });
            };
            let (answer, resolver) =
                (answer.split_whitespace().collect::<Vec<_>>().join(" "), resolver.trim());
            if answer.is_empty() {
                continue;
            }
            if resolver.is_empty() || keyers.contains(&resolver) {
                return Err(ResolveError::Resolver { line, resolver: resolver.to_owned() });
            }
            let answer = if answer == BLANK { String::new() } else { answer };
            chosen.insert((sheet.trim().to_owned(), field.trim().to_owned()), answer);
        }
        let mut open: Vec<String> = Vec::new();
        for (sheet, field, _, _) in self.differing {
            match chosen.remove(&(sheet.clone(), field.clone())) {
                Some(answer) => {
                    if let Some(fields) = self.agreed.get_mut(&sheet) {
                        fields.insert(field, answer);
                    }
                }
                None if open.contains(&sheet) => {}
                None => open.push(sheet),
            }
        }
        for sheet in &open {
            self.agreed.shift_remove(sheet);
        }
        Ok((self.agreed, open))
    }
}

/// What is wrong with a file of decisions.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("the first line must be sheet,field,first,second,chosen,resolver, as `paper compare` wrote it")]
    Header,
    #[error("line {line}: does not have six cells")]
    Ragged { line: usize },
    #[error(
        "line {line}: `{resolver}` may not decide; a third person looks at the paper and writes their name as resolver"
    )]
    Resolver { line: usize, resolver: String },
}
