//! Typed answers. Refused, don't know, not asked and missing stay distinct.

use crate::expression::{NodeId, Tree};
use crate::form::Compiled;
use crate::question_type::Stored;

use super::Submission;

/// The code of "don't know".
pub const DONT_KNOW: &str = "98";
/// The code of "refused".
pub const REFUSED: &str = "99";

/// One answer of a submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Index of the form's item.
    pub item: usize,
    /// `/data/roster[2]/age`
    pub path: String,
    pub value: AnswerValue,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerValue {
    Text(String),
    Integer(i64),
    Number(f64),
    /// One code.
    Code(String),
    /// Codes in the order given.
    Codes(Vec<String>),
    /// Code 98 of a list that has it.
    DontKnow,
    /// Code 99 of a list that has it.
    Refused,
    /// The question is not in the submission: it was not relevant.
    NotAsked,
    /// The question is there without an answer.
    Missing,
    /// Inside a block that is still sealed.
    Sealed,
    /// A text that its type cannot read.
    Unreadable(String),
}

/// Every question's answers in document order: one each, in a repeat one an instance.
///
/// Groups, repeats and notes give none. A question of an absent repeat is not listed.
pub fn answers(form: &Compiled, submission: &Submission) -> Vec<Answer> {
    let mut found = Vec::new();
    let tree = &submission.tree;
    let root = tree.root();
    for item in form.top() {
        collect(form, tree, item, Some(root), false, &mut found);
    }
    let meta = tree.named(root, "meta").next();
    for item in form.meta() {
        collect(form, tree, item, meta, false, &mut found);
    }
    found
}

fn collect(
    form: &Compiled,
    tree: &Tree,
    item: usize,
    parent: Option<NodeId>,
    sealed: bool,
    found: &mut Vec<Answer>,
) {
    let data = &form.items[item];
    let mut nodes: Vec<Option<NodeId>> =
        parent.map_or_else(Vec::new, |parent| tree.named(parent, &data.name).map(Some).collect());
    if nodes.is_empty() && !data.is_repeat() {
        nodes.push(None);
    }
    for node in nodes {
        if let Some(stored) = data.stored() {
            if stored != Stored::Nothing {
                let path = path_of(form, tree, item, node, parent);
                let value = match node {
                    None if sealed => AnswerValue::Sealed,
                    None => AnswerValue::NotAsked,
                    Some(node) => read(form, item, stored, &tree.text(node)),
                };
                found.push(Answer { item, path, value });
            }
            continue;
        }
        let closed = data.sealed == Some(item)
            && node.is_some_and(|node| tree.named(node, crate::questionnaire::SEAL).next().is_some());
        for child in &data.children {
            collect(form, tree, *child, node, sealed || closed, found);
        }
    }
}

fn path_of(
    form: &Compiled,
    tree: &Tree,
    item: usize,
    node: Option<NodeId>,
    parent: Option<NodeId>,
) -> String {
    let repeats = |node: &crate::expression::Node| {
        node.place.is_some_and(|place| form.items[place as usize].is_repeat())
    };
    match (node, parent) {
        (Some(node), _) => tree.path(node, &repeats),
        (None, Some(parent)) => format!("{}/{}", tree.path(parent, &repeats), form.items[item].name),
        (None, None) => form.items[item].path.clone(),
    }
}

fn read(form: &Compiled, item: usize, stored: Stored, text: &str) -> AnswerValue {
    let text = text.trim();
    if text.is_empty() {
        return AnswerValue::Missing;
    }
    let has = |code: &str| {
        let list = form.items[item].choices.as_ref().map(|choices| choices.list.as_str());
        list.is_some_and(|list| form.label(list, code).is_some())
    };
    match stored {
        Stored::Choice | Stored::Choices | Stored::Ranking if text == DONT_KNOW && has(DONT_KNOW) => {
            AnswerValue::DontKnow
        }
        Stored::Choice | Stored::Choices | Stored::Ranking if text == REFUSED && has(REFUSED) => {
            AnswerValue::Refused
        }
        Stored::Choice => AnswerValue::Code(text.to_owned()),
        Stored::Choices | Stored::Ranking => {
            AnswerValue::Codes(text.split_whitespace().map(str::to_owned).collect())
        }
        Stored::Integer => {
            text.parse().map_or_else(|_| AnswerValue::Unreadable(text.to_owned()), AnswerValue::Integer)
        }
        Stored::Decimal => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => AnswerValue::Number(number),
            _ => AnswerValue::Unreadable(text.to_owned()),
        },
        _ => AnswerValue::Text(text.to_owned()),
    }
}
