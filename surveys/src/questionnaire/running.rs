//! What keeps a form that can be read from being run: expressions that do not parse, names that mean
//! nothing and expressions that read themselves, as problems with sheet, row and column in Vietnamese
//! and English.

use std::collections::BTreeSet;

use super::references::ReferenceError;
use super::{Outline, Position, Questionnaire};
use crate::expression::{Expression, Function, ParseError, Reference};
use crate::form::{CompileError, Compiled};
use crate::xlsform::Problem;

/// Compiles the form, or says all that is in the way.
pub fn compile(questionnaire: &Questionnaire) -> Result<Compiled, Vec<Problem>> {
    Compiled::new(questionnaire).map_err(|errors| errors.iter().map(problem).collect())
}

/// Expressions that read, perhaps over others, what they decide. ODK Collect opens no such form:
/// there calculation, relevance, readonly and required of all questions must have an order, also
/// where an expression would read another instance of its repeat.
pub fn cycles(questionnaire: &Questionnaire) -> Vec<Problem> {
    let outline = questionnaire.outline();
    let reads: Vec<Vec<(usize, &str)>> = (0..outline.places.len()).map(|at| read_by(&outline, at)).collect();
    let mut told = BTreeSet::new();
    let mut problems = Vec::new();
    for start in 0..reads.len() {
        if told.contains(&start) {
            continue;
        }
        let Some(circle) = way_back(&reads, start) else { continue };
        told.extend(circle.iter().copied());
        // The expression to mend is that of a node which has one; a group may only pass its relevance on.
        let next = |step: usize| circle[(step + 1) % circle.len()];
        let column = |step: usize| {
            let edge = reads[circle[step]].iter().find(|(read, _)| *read == next(step));
            edge.map_or("", |(_, column)| *column)
        };
        let step = (0..circle.len()).find(|&step| !column(step).is_empty()).unwrap_or(0);
        let names: Vec<&str> = (0..=circle.len())
            .map(|offset| outline.places[circle[(step + offset) % circle.len()]].node.name.as_str())
            .collect();
        let names = names.join(" → ");
        problems.push(at(
            &outline.places[circle[step]].node.position,
            column(step),
            format!("các biểu thức đọc lẫn nhau thành vòng ({names}); ODK Collect không mở được phiếu này"),
            format!(
                "the expressions read each other in a circle ({names}); ODK Collect does not open this form"
            ),
        ));
    }
    problems
}

/// What a node waits for, each with the column that reads it; no column where only the relevance of
/// a group around it matters.
fn read_by<'o>(outline: &Outline<'o>, index: usize) -> Vec<(usize, &'o str)> {
    let place = &outline.places[index];
    let logic = &place.node.logic;
    // A triggered calculation waits for its trigger alone.
    let calculation = logic.calculation.as_ref().filter(|_| logic.trigger.is_empty());
    let mut found = Vec::new();
    for (column, text) in [
        ("calculation", calculation),
        ("relevant", logic.relevant.as_ref()),
        ("readonly", logic.readonly.as_ref()),
        ("required", logic.required.as_ref()),
    ] {
        let Some(Ok(expression)) = text.map(|text| Expression::parse(text.trim())) else { continue };
        for reference in expression.references(&place.path) {
            let read = match reference {
                Reference::Question(name) => outline.resolve(&name).ok(),
                Reference::Path(path) => outline.find(&path),
                Reference::Instance(..) => None,
            };
            // `once()` looks at the value that is there already; that is no circle to either engine.
            let of_once = read == Some(index) && expression.functions().contains(&Function::Once);
            found.extend(read.filter(|_| !of_once).map(|read| (read, column)));
        }
    }
    let decides = |&at: &usize| {
        let logic = &outline.places[at].node.logic;
        logic.relevant.is_some() || logic.readonly.is_some()
    };
    found.extend(outline.ancestors(index).filter(decides).map(|around| (around, "")));
    found
}

/// The shortest way from a node over what it reads back to itself.
fn way_back(reads: &[Vec<(usize, &str)>], start: usize) -> Option<Vec<usize>> {
    let mut came_from = vec![None; reads.len()];
    let mut ahead = std::collections::VecDeque::from([start]);
    while let Some(node) = ahead.pop_front() {
        for &(read, _) in &reads[node] {
            if read == start {
                let mut way: Vec<usize> =
                    std::iter::successors(Some(node), |&node| came_from[node]).collect();
                way.reverse();
                return Some(way);
            }
            if came_from[read].is_none() {
                came_from[read] = Some(node);
                ahead.push_back(read);
            }
        }
    }
    None
}

fn problem(error: &CompileError) -> Problem {
    let (position, column, vietnamese, english) = match error {
        CompileError::Syntax { position, column, error } => {
            (position, *column, syntax(error), error.to_string())
        }
        CompileError::Reference { position, column, error, .. } => {
            (position, *column, error.vietnamese(), error.to_string())
        }
        CompileError::UnknownList { position, list } => (
            position,
            "type",
            format!("trang choices không có danh sách `{list}`"),
            format!("there is no choice list `{list}`"),
        ),
    };
    let suggestion = match error {
        CompileError::Reference { suggestion, .. } => suggestion.as_ref().map(|name| format!("${{{name}}}")),
        CompileError::Syntax { .. } | CompileError::UnknownList { .. } => None,
    };
    at(position, column, vietnamese, english).suggest(suggestion)
}

fn at(position: &Position, column: &str, vietnamese: String, english: String) -> Problem {
    match position.row {
        // Nodes of `meta` come from the settings.
        0 => Problem::new("settings", vietnamese, english).column(column),
        row => Problem::new(&position.sheet, vietnamese, english).row(row).column(column),
    }
}

impl ReferenceError {
    /// The message for the people who design forms.
    pub fn vietnamese(&self) -> String {
        match self {
            Self::Malformed { text } => format!("`{text}` không đúng cách viết; hãy viết `${{tên}}`"),
            Self::Unknown { name } => format!("`${{{name}}}` không phải là câu hỏi nào"),
            Self::Ambiguous { name, paths } => {
                format!("`${{{name}}}` chỉ vào {} câu; mỗi câu cần một tên riêng", paths.len())
            }
        }
    }
}

/// ``biểu thức `1 +` sai ở ký tự 4: thiếu một giá trị ở cuối``
fn syntax(error: &ParseError) -> String {
    let ParseError { source_text, at, message } = error;
    let what = words(message).map_or_else(String::new, |words| format!(": {words}"));
    format!("biểu thức `{source_text}` sai ở ký tự {at}{what}")
}

/// The parser's message in Vietnamese; nothing for one that is not known here, whose place is told
/// all the same.
fn words(message: &str) -> Option<String> {
    const FIXED: [(&str, &str); 7] = [
        ("the expression is empty", "biểu thức trống"),
        ("the expression ends where a value is due", "thiếu một giá trị ở cuối"),
        ("a name is missing at the end", "thiếu một tên ở cuối"),
        ("`${` has no closing `}`", "`${` chưa được đóng bằng `}`"),
        ("`${}` names no question", "`${}` chưa có tên câu hỏi"),
        (
            "the expression is too long; split it over several calculations",
            "biểu thức quá dài; hãy tách thành nhiều dòng calculate",
        ),
        (
            "the expression is nested too deeply; split it over several calculations",
            "biểu thức lồng quá sâu; hãy tách thành nhiều dòng calculate",
        ),
    ];
    /// What comes between two parts of an English message, and how the same is said in Vietnamese;
    /// `{0}` and `{1}` are the parts.
    const SHAPES: [(&str, &str, &str); 10] = [
        ("a value is missing before ", "", "thiếu một giá trị trước {1}"),
        ("a name is missing before ", "", "thiếu một tên trước {1}"),
        (
            " is not a function of the form language; did you mean ",
            "?",
            "không có hàm {0}; có phải ý bạn là {1}?",
        ),
        (" is not a function of the form language", "", "không có hàm {0}"),
        (" is missing before ", "", "thiếu {0} trước {1}"),
        (" is missing at the end", "", "thiếu {0} ở cuối"),
        (" is not expected here", "", "{0} không được đứng ở đây"),
        (" has no meaning here", "", "{0} không có nghĩa ở đây"),
        (" is not part of the form language", "", "{0} không dùng được trong phiếu"),
        (" opens has no end; close it with ", "", "đoạn chữ mở ra chưa được đóng bằng {1}"),
    ];
    if let Some((_, vietnamese)) = FIXED.iter().find(|(english, _)| *english == message) {
        return Some((*vietnamese).to_owned());
    }
    if let Some((function, rest)) = message.split_once(" takes ") {
        let (due, got) = rest.split_once(" arguments, not ")?;
        let due = due.replace("at least", "ít nhất").replace(" to ", " đến ");
        return Some(format!("hàm {function} cần {due} tham số, ở đây có {got}"));
    }
    SHAPES.iter().find_map(|(between, end, vietnamese)| {
        let (before, after) = message.split_once(between)?;
        let before = before.strip_prefix("the axis ").unwrap_or(before);
        let after = after.strip_suffix(end)?;
        Some(vietnamese.replace("{0}", before).replace("{1}", after))
    })
}
