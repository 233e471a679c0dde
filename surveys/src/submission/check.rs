//! Judges a submission by its form: every problem, not the first.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::chance::Chance;
use crate::expression::{Dialect, Moment, NodeId, Tree};
use crate::form::{Compiled, Interview, Item, Origins, Setup};
use crate::question_type::Stored;
use crate::questionnaire::SEAL;

use super::Submission;

/// More repeats inside repeats than any form has.
const MOST_DEPTH: usize = 8;
/// Elements of a submission whose rules are judged. What each instance of a repeat reads of all others
/// takes the square of their number; 5,000 questions with some repeats have 10,000.
const MOST_JUDGED: usize = 30_000;

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `/data/roster[2]/age`
    pub node: String,
    pub rule: Rule,
    /// For the supervisor, in Vietnamese.
    pub message: String,
}

/// The rules of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Another form, elements that it does not have, or another number of repeats than it asks for.
    Structure,
    /// A text that the question's type cannot hold.
    Type,
    /// A code that the list (as filtered) does not offer.
    Choice,
    Required,
    Constraint,
    /// An answer where the question was not to be asked.
    Relevant,
    /// A calculated value other than the recomputed one.
    Calculation,
}

impl Rule {
    /// Its name in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Type => "type",
            Self::Choice => "choice",
            Self::Required => "required",
            Self::Constraint => "constraint",
            Self::Relevant => "relevant",
            Self::Calculation => "calculation",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a submission is read.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    pub dialect: Dialect,
    /// The clock for `today()` and `now()`; `None` takes the submission's own `end` or `start`, so
    /// that a judgement does not change from day to day.
    pub now: Option<Moment>,
    /// Minutes east of UTC in which dates are read; Vietnam is 420.
    pub zone: i32,
}

/// Judges in Vietnam's zone, at the time of the interview. See [`check_with`].
pub fn check(form: &Compiled, submission: &Submission, dialect: Dialect) -> Vec<Problem> {
    check_with(form, submission, Judge { dialect, now: None, zone: 420 })
}

/// All problems of a submission, in document order, problems of structure first.
///
/// Relevance and calculations are computed anew from the answers, and every rule sees the new
/// values, so that one wrong value in a chain is one problem. Sealed blocks are not looked into.
pub fn check_with(form: &Compiled, submission: &Submission, judge: Judge) -> Vec<Problem> {
    let mut problems = Vec::new();
    structure(form, submission, &mut problems);
    let Some((mut interview, origins)) = restored(form, submission, judge) else { return problems };
    // Values that are computed anew stay as they are: only the number of repeats is looked at.
    for miscounted in interview.miscounted() {
        let parent = interview.path(miscounted.parent);
        let (present, due) = (miscounted.present, miscounted.due);
        problems.push(Problem {
            node: format!("{parent}/{}", form.items[miscounted.item].name),
            rule: Rule::Structure,
            message: format!("Có {present} lần lặp, biểu mẫu đòi {due}."),
        });
    }
    let tree = &submission.tree;
    let mut checker = Checker::new(form, tree, &interview, &origins, judge.dialect);
    checker.problems = problems;
    checker.children(interview.tree.root());
    checker.problems
}

/// The first problem for which the client would not have let the interview be finished: a required
/// question without an answer, a broken constraint, an expression without a value; on the tablet also
/// a wrong code or type. `None` where it would have been finished.
///
/// In [`Dialect::JavaRosa`] the interview is taken as Collect opens it, which by itself adds missing
/// repeats and drops what a type cannot hold or a list does not offer. Problems that [`check_with`]
/// tells beyond that come from another client, a damaged file or a changed form.
///
/// Evidence: `surveys/tests/javarosa_verdicts.rs`.
pub fn refusal(form: &Compiled, submission: &Submission, judge: Judge) -> Option<Problem> {
    let Some((mut interview, origins)) = restored(form, submission, judge) else {
        let mut problems = Vec::new();
        structure(form, submission, &mut problems);
        return problems.into_iter().next();
    };
    let dropped = match judge.dialect {
        Dialect::JavaRosa => open_in_collect(&mut interview),
        Dialect::WebForms => HashMap::new(),
    };
    let mut checker = Checker::new(form, &submission.tree, &interview, &origins, judge.dialect);
    checker.dropped = dropped;
    checker.children(interview.tree.root());
    checker.refusal
}

/// The interview of the submission, recomputed; `None` where the root is another form's or there is more than can be
/// judged.
fn restored<'f>(
    form: &'f Compiled,
    submission: &Submission,
    judge: Judge,
) -> Option<(Interview<'f>, Origins)> {
    let tree = &submission.tree;
    if *tree.get(tree.root()).name != *form.root || tree.len() > MOST_JUDGED {
        return None;
    }
    let now = judge.now.or_else(|| own_clock(form, tree, judge.zone));
    let now = now.or(Moment::from_milliseconds(0.0, judge.zone))?;
    let setup = Setup { dialect: judge.dialect, now, zone: judge.zone, chance: Chance::new(0, "check") };
    Some(Interview::restore(form, setup, tree))
}

/// What Collect does when it opens an interview again: it adds the repeats that are missing, and drops
/// what a type cannot hold and what a list does not offer. The problem of each node that lost its
/// answer.
fn open_in_collect(interview: &mut Interview<'_>) -> HashMap<NodeId, (Rule, String)> {
    for _ in 0..MOST_DEPTH {
        let missing: Vec<_> = interview.miscounted().into_iter().filter(|m| m.present < m.due).collect();
        if missing.is_empty() {
            break;
        }
        for miscounted in missing {
            for _ in miscounted.present..miscounted.due {
                interview.add_repeat(miscounted.item, miscounted.parent);
            }
        }
        interview.recompute();
    }
    let form = interview.form;
    let mut dropped = HashMap::new();
    for node in interview.tree.descendants_or_self(interview.tree.root()) {
        let stored = interview.item(node).and_then(|item| form.items[item].stored());
        let (Some(stored), true) = (stored, interview.tree.get(node).relevant) else { continue };
        let text = interview.tree.text(node).into_owned();
        if text.is_empty() {
            continue;
        }
        if !fits(stored, &text) {
            dropped.insert(node, (Rule::Type, not_of_type(&text)));
            interview.set(node, "");
            continue;
        }
        let strange = strange_codes(interview, node, stored, &text);
        if !strange.is_empty() {
            dropped.insert(node, (Rule::Choice, not_in_list(&strange)));
            let left: Vec<&str> =
                text.split_whitespace().filter(|code| !strange.iter().any(|s| s == code)).collect();
            interview.set(node, &left.join(" "));
        }
    }
    dropped
}

fn not_of_type(text: &str) -> String {
    format!("`{text}` không đúng kiểu dữ liệu của câu hỏi.")
}

fn not_in_list(strange: &[String]) -> String {
    format!("Mã `{}` không có trong danh sách lựa chọn.", strange.join(" "))
}

/// Codes of an answer that its list, as filtered, does not offer.
fn strange_codes(interview: &Interview<'_>, node: NodeId, stored: Stored, text: &str) -> Vec<String> {
    let Some(offer) = interview.offer(node) else { return Vec::new() };
    let given: Vec<&str> =
        if stored == Stored::Choice { vec![text] } else { text.split_whitespace().collect() };
    given.into_iter().filter(|code| !offer.has(code)).map(str::to_owned).collect()
}

/// When the interview says that it took place.
fn own_clock(form: &Compiled, tree: &Tree, zone: i32) -> Option<Moment> {
    use crate::question_type::QuestionType as Q;
    for kind in [Q::End, Q::Start, Q::Today] {
        for node in tree.descendants_or_self(tree.root()) {
            let item = tree.get(node).place.map(|place| &form.items[place as usize]);
            if item.and_then(Item::question) == Some(kind)
                && let Some(moment) = Moment::parse(&tree.text(node), zone)
            {
                return Some(moment);
            }
        }
    }
    None
}

fn structure(form: &Compiled, submission: &Submission, problems: &mut Vec<Problem>) {
    let tree = &submission.tree;
    let root = tree.root();
    let root_path = format!("/{}", tree.get(root).name);
    let mut add = |node: String, message: String| {
        problems.push(Problem { node, rule: Rule::Structure, message });
    };
    if *tree.get(root).name != *form.root {
        let name = &form.root;
        add(root_path.clone(), format!("Phần tử gốc không phải `{name}`: phiếu này thuộc biểu mẫu khác."));
    }
    if submission.head.form_id != form.form_id {
        let (got, due) = (&submission.head.form_id, &form.form_id);
        add(root_path.clone(), format!("Mã biểu mẫu là `{got}`, không phải `{due}`."));
    }
    if let Some(version) = &form.version
        && submission.head.version != *version
    {
        let got = &submission.head.version;
        add(root_path, format!("Phiên bản là `{got}`, không phải `{version}`."));
    }
    for path in &submission.unknown {
        add(path.clone(), "Biểu mẫu không có phần tử này.".to_owned());
    }
    if tree.len() > MOST_JUDGED {
        let root_path = format!("/{}", form.root);
        add(root_path, format!("Phiếu có hơn {MOST_JUDGED} phần tử nên không kiểm được câu trả lời."));
    }
    for node in tree.descendants_or_self(root) {
        let mut seen: HashSet<&str> = HashSet::new();
        for child in tree.children(node) {
            let data = tree.get(*child);
            let Some(item) = data.place.map(|place| &form.items[place as usize]) else { continue };
            if !item.is_repeat() && !seen.insert(&data.name) {
                add(item.path.clone(), "Phần tử này có nhiều hơn một lần.".to_owned());
            }
        }
        let item = tree.get(node).place.map(|place| &form.items[place as usize]);
        let is_group = item.is_some_and(|item| item.stored().is_none());
        let group_with_text = is_group && !tree.get(node).text.trim().is_empty();
        let question_with_children =
            item.is_some_and(|item| item.stored().is_some()) && !tree.children(node).is_empty();
        if group_with_text || question_with_children {
            let repeats = |node: &crate::expression::Node| {
                node.place.is_some_and(|place| form.items[place as usize].is_repeat())
            };
            add(tree.path(node, &repeats), "Nội dung không đúng cấu trúc của biểu mẫu.".to_owned());
        }
    }
}

struct Checker<'c> {
    form: &'c Compiled,
    tree: &'c Tree,
    interview: &'c Interview<'c>,
    origins: &'c Origins,
    /// Nodes whose answer Collect would have dropped.
    dropped: HashMap<NodeId, (Rule, String)>,
    javarosa: bool,
    problems: Vec<Problem>,
    /// The first problem with which the interview would not have been finished.
    refusal: Option<Problem>,
}

impl<'c> Checker<'c> {
    fn new(
        form: &'c Compiled,
        tree: &'c Tree,
        interview: &'c Interview<'c>,
        origins: &'c Origins,
        dialect: Dialect,
    ) -> Self {
        let javarosa = dialect == Dialect::JavaRosa;
        let dropped = HashMap::new();
        Self { form, tree, interview, origins, dropped, javarosa, problems: Vec::new(), refusal: None }
    }

    fn add(&mut self, node: NodeId, rule: Rule, message: impl Into<String>) {
        let stops = match rule {
            Rule::Required | Rule::Constraint => true,
            // Collect takes a list of codes that has become empty for an answer.
            Rule::Choice if self.javarosa && !self.is_single(node) => false,
            Rule::Choice | Rule::Type => !self.javarosa || self.is_missing(node),
            Rule::Structure | Rule::Relevant | Rule::Calculation => false,
        };
        let problem = Problem { node: self.interview.path(node), rule, message: message.into() };
        if stops && self.refusal.is_none() {
            self.refusal = Some(problem.clone());
        }
        self.problems.push(problem);
    }

    /// Whether the node holds one code.
    fn is_single(&self, node: NodeId) -> bool {
        let item = self.interview.item(node).map(|item| &self.form.items[item]);
        item.and_then(Item::stored) == Some(Stored::Choice)
    }

    /// Whether the node is to be answered and blank.
    fn is_missing(&self, node: NodeId) -> bool {
        let Some(item) = self.interview.item(node).map(|item| &self.form.items[item]) else { return false };
        self.interview.tree.text(node).is_empty()
            && item.is_answerable()
            && item.required.as_ref().is_some_and(|due| self.interview.holds(due, node).unwrap_or(false))
    }

    fn children(&mut self, parent: NodeId) {
        for node in self.interview.tree.children(parent).to_vec() {
            self.node(node);
        }
    }

    fn node(&mut self, node: NodeId) {
        let Some(index) = self.interview.item(node) else {
            // `meta` itself.
            self.children(node);
            return;
        };
        let form = self.form;
        let item = &form.items[index];
        let origin = self.origins.get(node);
        if !self.interview.tree.get(node).relevant {
            // One problem for the topmost node: what lies inside follows from it.
            if let Some(origin) = origin
                && self.has_answers(origin)
            {
                self.add(node, Rule::Relevant, "Có câu trả lời ở chỗ lẽ ra không được hỏi.");
            }
            return;
        }
        let Some(stored) = item.stored() else {
            let closed = item.sealed == Some(index)
                && origin.is_some_and(|origin| self.tree.named(origin, SEAL).next().is_some());
            if !closed {
                self.children(node);
            }
            return;
        };
        self.question(node, item, stored, origin);
    }

    /// Whether an answer of a person lies at or under a node of the submission. Calculated values are
    /// no answers: engines differ in whether they leave them behind.
    fn has_answers(&self, origin: NodeId) -> bool {
        self.tree.descendants_or_self(origin).into_iter().any(|node| {
            let item = self.tree.get(node).place.map(|place| &self.form.items[place as usize]);
            let sealed = &*self.tree.get(node).name == SEAL;
            (sealed || item.is_some_and(|item| item.stored().is_some() && item.calculation.is_none()))
                && !self.tree.text(node).trim().is_empty()
        })
    }

    fn question(&mut self, node: NodeId, item: &Item, stored: Stored, origin: Option<NodeId>) {
        let given = origin.map(|origin| self.tree.text(origin).into_owned()).unwrap_or_default();
        let text = self.interview.tree.text(node).into_owned();
        if let Some(error) = self.interview.errors().get(&node) {
            self.add(node, Rule::Calculation, format!("Không tính được biểu thức: {error}"));
            // The client breaks off here.
            if self.refusal.is_none() {
                self.refusal = self.problems.last().cloned();
            }
        } else if item.calculation.is_some() && item.triggers.is_empty() && !same(&given, &text) {
            self.add(node, Rule::Calculation, format!("Giá trị tính được là `{text}`, phiếu ghi `{given}`."));
        }
        if let Some((rule, message)) = self.dropped.remove(&node) {
            self.add(node, rule, message);
            if text.is_empty() {
                return;
            }
        }
        if text.is_empty() {
            if self.is_missing(node) {
                self.add(node, Rule::Required, "Câu này bắt buộc trả lời nhưng còn trống.");
            }
            return;
        }
        if !fits(stored, &text) {
            self.add(node, Rule::Type, not_of_type(&text));
            return;
        }
        let strange = strange_codes(self.interview, node, stored, &text);
        if !strange.is_empty() {
            self.add(node, Rule::Choice, not_in_list(&strange));
            return;
        }
        if stored != Stored::Choice
            && let Some(offer) = self.interview.offer(node)
        {
            let mut once = HashSet::new();
            let doubled = text.split_whitespace().any(|code| !once.insert(code));
            if doubled || (stored == Stored::Ranking && once.len() != offer.len()) {
                self.add(node, Rule::Choice, format!("Các mã `{text}` bị lặp hoặc thiếu."));
                return;
            }
        }
        if item.is_answerable()
            && let Some(constraint) = &item.constraint
        {
            match self.interview.holds(constraint, node) {
                Ok(true) => {}
                Ok(false) => {
                    self.add(node, Rule::Constraint, format!("`{text}` không thỏa điều kiện của câu hỏi."));
                }
                Err(error) => {
                    self.add(node, Rule::Constraint, format!("Không tính được điều kiện: {error}"));
                }
            }
        }
    }
}

/// Equal as texts, or as numbers written differently.
fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    if a == b {
        return true;
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) => (x - y).abs() <= 1.0e-9 * x.abs().max(y.abs()),
        _ => false,
    }
}

/// Whether a type can hold the text.
fn fits(stored: Stored, text: &str) -> bool {
    let text = text.trim();
    match stored {
        // Both engines hold 32 bits.
        Stored::Integer => text.parse::<i32>().is_ok() && !text.starts_with('+'),
        Stored::Decimal => text.parse::<f64>().is_ok_and(f64::is_finite),
        Stored::Date | Stored::DateTime => Moment::parse(text, 0).is_some(),
        Stored::Time => Moment::parse(&format!("1970-01-01T{text}"), 0).is_some(),
        Stored::Place => text.trim_end_matches(';').split(';').all(is_point),
        Stored::Tick => text == "OK",
        Stored::Text
        | Stored::Choice
        | Stored::Choices
        | Stored::Ranking
        | Stored::File
        | Stored::Nothing => true,
    }
}

fn is_point(text: &str) -> bool {
    let numbers: Vec<Option<f64>> = text.split_whitespace().map(|part| part.parse().ok()).collect();
    (2..=4).contains(&numbers.len())
        && numbers.iter().all(|n| n.is_some_and(f64::is_finite))
        && numbers[0].is_some_and(|latitude| latitude.abs() <= 90.0)
        && numbers[1].is_some_and(|longitude| longitude.abs() <= 180.0)
}
