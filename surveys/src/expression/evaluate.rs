//! Evaluates a syntax tree at a node.

use std::cell::RefCell;
use std::collections::HashSet;

use crate::chance::Chance;
use crate::question_type::Stored;

use super::Dialect;
use super::budget;
use super::columns::ITEM;
use super::dates::Moment;
use super::functions;
use super::numbers::{java_stored, plain_number};
use super::syntax::{self, Axis, Expr, Operator, Path, Start, Step, Test};
use super::tree::{Kind, NodeId, Tree};
use super::values::{NodeSet, Value};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvaluateError {
    pub message: String,
}

impl EvaluateError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// What lies outside the primary instance.
pub trait Lookups {
    /// The secondary instance of that id; its root element is `root`.
    fn instance(&self, id: &str) -> Option<&Tree>;

    /// Label of a choice of the question at a schema path (`/data/c1`), for `jr:choice-name`.
    fn choice_label(&self, path: &str, value: &str) -> Option<String>;

    /// Text of an itext id, for `jr:itext`.
    fn text(&self, id: &str) -> Option<String>;

    /// A fact of the device or the user (`deviceid`, `username`), for JavaRosa's `property`.
    fn property(&self, name: &str) -> Option<String>;

    /// The form's version, for JavaRosa's `version`.
    fn version(&self) -> String {
        String::new()
    }
}

/// A form without secondary instances, choices and texts.
#[derive(Clone, Copy, Debug)]
pub struct NoLookups;

impl Lookups for NoLookups {
    fn instance(&self, _: &str) -> Option<&Tree> {
        None
    }

    fn choice_label(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn property(&self, _: &str) -> Option<String> {
        None
    }
}

/// What all evaluations of one interview share.
pub struct Environment<'a> {
    pub dialect: Dialect,
    pub now: Moment,
    /// Minutes east of UTC in which dates are read; Vietnam is 420.
    pub zone: i32,
    /// Source of `random()`, `uuid()` and unseeded `randomize`.
    pub chance: &'a RefCell<Chance>,
    pub lookups: &'a dyn Lookups,
}

/// Where one evaluation happens.
pub struct Scope<'a> {
    /// The primary instance.
    pub main: &'a Tree,
    /// The node that the expression stands on; `.` and `current()`.
    pub node: NodeId,
    pub environment: &'a Environment<'a>,
}

impl Scope<'_> {
    pub(super) fn dialect(&self) -> Dialect {
        self.environment.dialect
    }

    pub(super) fn now(&self) -> Moment {
        self.environment.now
    }

    pub(super) fn zone(&self) -> i32 {
        self.environment.zone
    }
}

/// The node at hand inside predicates.
#[derive(Clone, Copy)]
pub(super) struct At<'e> {
    pub instance: Option<&'e str>,
    pub node: NodeId,
    /// From 1, and the number of candidates; `None` outside predicates.
    pub position: Option<(usize, usize)>,
    /// Absolute paths mean all repeats, also in JavaRosa.
    pub plain: bool,
}

pub(super) fn evaluate(expr: &Expr, scope: &Scope<'_>) -> Result<Value, EvaluateError> {
    budget::begin();
    value(expr, scope, At { instance: None, node: scope.node, position: None, plain: false })
}

/// The text that a calculation leaves in its node; `answer` is the node's type, where it is known.
pub(super) fn stored(
    value: &Value,
    answer: Option<Stored>,
    scope: &Scope<'_>,
) -> Result<String, EvaluateError> {
    let single = value.single(scope)?;
    let answer = answer.unwrap_or(match scope.main.get(scope.node).kind {
        Kind::Text | Kind::Boolean => Stored::Text,
        Kind::Number => Stored::Nothing,
        Kind::Date => Stored::Date,
        Kind::DateTime => Stored::DateTime,
        Kind::Time => Stored::Time,
    });
    if let Value::Number(number) = single
        && number.is_nan()
    {
        return Ok(String::new());
    }
    match scope.dialect() {
        Dialect::WebForms => stored_on_tablet(&single, answer, scope),
        Dialect::JavaRosa => Ok(match (single, answer) {
            (Value::Boolean(yes), _) => if yes { "1" } else { "0" }.to_owned(),
            // Java's cast to int saturates.
            (Value::Number(number), Stored::Integer) => (number as i32).to_string(),
            (Value::Number(number), _) => java_stored(number),
            (Value::Moment(moment), Stored::Date) => moment.date_text(),
            (Value::Moment(moment), Stored::Time) => moment.time_text(),
            (Value::Moment(moment), _) => moment.date_time_text(),
            (other, Stored::Place) => place_text(&other.text(scope)?, " 0.0"),
            (other, _) => other.text(scope)?,
        }),
    }
}

/// The tablet's engine keeps only what the node's type can hold.
fn stored_on_tablet(single: &Value, answer: Stored, scope: &Scope<'_>) -> Result<String, EvaluateError> {
    let text = match single {
        Value::Moment(moment) if answer == Stored::DateTime => return Ok(moment.date_time_text()),
        Value::Moment(moment) if answer == Stored::Date => return Ok(moment.date_text()),
        Value::Moment(moment) if answer == Stored::Time => return Ok(moment.time_text()),
        Value::Number(number) => plain_number(*number),
        other => other.text(scope)?,
    };
    let number = || text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let kept = match answer {
        Stored::Integer => {
            let whole = number()
                .map(f64::trunc)
                .filter(|whole| i32::MIN as f64 <= *whole && *whole <= i32::MAX as f64);
            whole.map(|whole| format!("{whole}"))
        }
        Stored::Decimal => number().map(|number| {
            if number.fract() == 0.0 { format!("{}.0", plain_number(number)) } else { plain_number(number) }
        }),
        Stored::Date => Moment::parse(&text, scope.zone()).map(Moment::date_text),
        Stored::DateTime => Moment::parse(&text, scope.zone())
            .map(|moment| if text.contains('T') { text.clone() } else { moment.date_time_text() }),
        Stored::Time => Moment::parse(&format!("1970-01-01T{text}"), scope.zone()).map(|_| text.clone()),
        Stored::Place => Some(place_text(&text, "")),
        _ => Some(text.clone()),
    };
    Ok(kept.unwrap_or_default())
}

/// A point with decimals everywhere, and `missing` in the place of an altitude or accuracy that is
/// not there; other texts as they are.
fn place_text(text: &str, missing: &str) -> String {
    let numbers: Option<Vec<f64>> = text.split_whitespace().map(|part| part.parse().ok()).collect();
    match numbers {
        Some(numbers) if (2..=4).contains(&numbers.len()) => {
            let written: Vec<String> = numbers.iter().map(|number| format!("{number:?}")).collect();
            written.join(" ") + &missing.repeat(4 - numbers.len())
        }
        _ => text.to_owned(),
    }
}

pub(super) fn condition(value: &Value, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
    value.boolean(scope)
}

pub(super) fn value(expr: &Expr, scope: &Scope<'_>, at: At<'_>) -> Result<Value, EvaluateError> {
    match expr {
        Expr::Number(number) => Ok(Value::Number(*number)),
        Expr::Text(text) => Ok(Value::Text(text.clone())),
        Expr::Question(name) => Err(EvaluateError::new(format!("`${{{name}}}` has not been given its path"))),
        Expr::Negate(inner) => Ok(Value::Number(-value(inner, scope, at)?.number(scope)?)),
        Expr::Binary(..) => {
            // `a or b or c …` leans to the left; going down in a loop keeps long chains off the stack.
            let (mut first, mut rest) = (expr, Vec::new());
            while let Expr::Binary(operator, left, right) = first {
                rest.push((*operator, right));
                first = left;
            }
            let mut so_far = value(first, scope, at)?;
            for (operator, right) in rest.into_iter().rev() {
                so_far = binary(operator, so_far, right, scope, at)?;
            }
            Ok(so_far)
        }
        Expr::Call(function, arguments) => functions::call(*function, arguments, scope, at),
        Expr::Path(path) => Ok(Value::Nodes(nodes(path, scope, at)?)),
    }
}

fn binary(
    operator: Operator,
    a: Value,
    right: &Expr,
    scope: &Scope<'_>,
    at: At<'_>,
) -> Result<Value, EvaluateError> {
    // The right side of a settled `and` or `or` is not evaluated.
    match operator {
        Operator::And if !a.boolean(scope)? => return Ok(Value::Boolean(false)),
        Operator::Or if a.boolean(scope)? => return Ok(Value::Boolean(true)),
        _ => {}
    }
    let b = value(right, scope, at)?;
    let numbers = |f: fn(f64, f64) -> f64| -> Result<Value, EvaluateError> {
        Ok(Value::Number(f(a.number(scope)?, b.number(scope)?)))
    };
    match operator {
        Operator::And | Operator::Or => Ok(Value::Boolean(b.boolean(scope)?)),
        Operator::Add => numbers(|a, b| a + b),
        Operator::Subtract => numbers(|a, b| a - b),
        Operator::Multiply => numbers(|a, b| a * b),
        Operator::Divide => numbers(|a, b| a / b),
        Operator::Remainder => numbers(|a, b| a % b),
        Operator::Union if scope.dialect() == Dialect::JavaRosa => {
            Err(EvaluateError::new("JavaRosa does not know `|` between paths"))
        }
        Operator::Union => union(a, b),
        _ => Ok(Value::Boolean(compare(operator, &a, &b, scope)?)),
    }
}

fn union(a: Value, b: Value) -> Result<Value, EvaluateError> {
    match (a, b) {
        (Value::Nodes(mut a), Value::Nodes(b)) => {
            if a.is_empty() {
                return Ok(Value::Nodes(b));
            }
            if a.instance == b.instance && a.attribute == b.attribute {
                a.nodes.extend(b.nodes);
                a.nodes.sort_unstable();
                a.nodes.dedup();
            }
            Ok(Value::Nodes(a))
        }
        _ => Err(EvaluateError::new("`|` joins two paths, not other values")),
    }
}

fn compare(operator: Operator, a: &Value, b: &Value, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
    if scope.dialect() == Dialect::JavaRosa {
        return compare_single(operator, &a.single(scope)?, &b.single(scope)?, scope);
    }
    // XPath 1.0, section 3.4: true where it holds for some node of a nodeset.
    let parts = |value: &Value, other: &Value| -> Result<Vec<Value>, EvaluateError> {
        Ok(match (value, other) {
            (Value::Nodes(set), Value::Boolean(_)) => vec![Value::Boolean(!set.is_empty())],
            (Value::Nodes(set), _) => set.texts(scope).into_iter().map(Value::Text).collect(),
            (single, _) => vec![single.clone()],
        })
    };
    let (left, right) = (parts(a, b)?, parts(b, a)?);
    budget::spend(left.len().saturating_mul(right.len()))?;
    for x in &left {
        for y in &right {
            if compare_single(operator, x, y, scope)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn compare_single(
    operator: Operator,
    a: &Value,
    b: &Value,
    scope: &Scope<'_>,
) -> Result<bool, EvaluateError> {
    let by_number = |f: fn(&f64, &f64) -> bool| -> Result<bool, EvaluateError> {
        Ok(f(&a.number(scope)?, &b.number(scope)?))
    };
    match operator {
        Operator::Less => by_number(|a, b| a < b),
        Operator::LessOrEqual => by_number(|a, b| a <= b),
        Operator::Greater => by_number(|a, b| a > b),
        Operator::GreaterOrEqual => by_number(|a, b| a >= b),
        _ => {
            let equal = if matches!(a, Value::Boolean(_)) || matches!(b, Value::Boolean(_)) {
                a.boolean(scope)? == b.boolean(scope)?
            } else if is_numeric(a, scope) || is_numeric(b, scope) {
                let (x, y) = (a.number(scope)?, b.number(scope)?);
                // JavaRosa has a tolerance, by which an infinity does not equal itself.
                match scope.dialect() {
                    Dialect::JavaRosa => (x - y).abs() < 1.0e-12,
                    Dialect::WebForms => x == y,
                }
            } else {
                a.text(scope)? == b.text(scope)?
            };
            Ok(equal == (operator == Operator::Equal))
        }
    }
}

/// Dates count as numbers in the tablet's engine and as texts in JavaRosa when tested for equality.
fn is_numeric(value: &Value, scope: &Scope<'_>) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Moment(_) => scope.dialect() == Dialect::WebForms,
        _ => false,
    }
}

/// The nodes that a path finds.
pub(super) fn nodes(path: &Path, scope: &Scope<'_>, at: At<'_>) -> Result<NodeSet, EvaluateError> {
    let absolute = path.start == Start::Root;
    let mut set = match &path.start {
        Start::Root => NodeSet { instance: None, nodes: vec![NodeId::DOCUMENT], attribute: None },
        Start::Here => {
            NodeSet { instance: at.instance.map(str::to_owned), nodes: vec![at.node], attribute: None }
        }
        Start::Expr(base, predicates) => {
            let Value::Nodes(mut set) = value(base, scope, at)? else {
                return Err(EvaluateError::new("only a path can be followed by `/` or `[`"));
            };
            for predicate in predicates {
                set.nodes = filtered(set.nodes, set.instance.as_deref(), predicate, scope)?;
            }
            set
        }
    };
    if scope.dialect() == Dialect::JavaRosa {
        known_to_javarosa(path)?;
        if let Some(id) = set.instance.as_deref()
            && scope.environment.lookups.instance(id).is_none()
        {
            return Err(EvaluateError::new(format!("there is no instance `{id}`")));
        }
    }
    for (i, step) in path.steps.iter().enumerate() {
        if let (Axis::Attribute, Test::Name(name)) = (step.axis, &step.test) {
            if let Some(tree) = set.tree(scope) {
                set.nodes.retain(|node| tree.get(*node).attributes.iter().any(|(n, _)| **n == **name));
            }
            set.attribute = Some(name.clone());
            continue;
        }
        // JavaRosa reads an absolute path inside a repeat as meaning the same instance of it.
        let contextual = absolute
            && !at.plain
            && at.instance.is_none()
            && scope.dialect() == Dialect::JavaRosa
            && step.predicates.is_empty()
            && step.axis == Axis::Child;
        // JavaRosa goes up only at the beginning of a path; later it loses its way.
        if scope.dialect() == Dialect::JavaRosa
            && step.axis == Axis::Parent
            && path.steps[..i].iter().any(|before| before.axis == Axis::Child)
        {
            set.nodes.clear();
        }
        set.nodes = stepped(&set, step, contextual.then_some(at.node), scope)?;
        if set.nodes.is_empty() {
            break;
        }
    }
    Ok(set)
}

/// JavaRosa's paths are names with `.` and `..`.
fn known_to_javarosa(path: &Path) -> Result<(), EvaluateError> {
    for step in &path.steps {
        let problem = match (step.axis, &step.test) {
            (Axis::DescendantOrSelf, _) => "JavaRosa does not know `//`; write the whole path",
            (Axis::Parent, Test::Name(_)) => "JavaRosa knows a parent only as `..`",
            (Axis::Itself, Test::Name(_)) => "JavaRosa knows the node itself only as `.`",
            (Axis::Child, Test::Any) => "JavaRosa does not know `*`; write the name",
            _ => continue,
        };
        return Err(EvaluateError::new(problem));
    }
    Ok(())
}

/// `within`: the node whose own repeat is meant where the path names all.
fn stepped(
    set: &NodeSet,
    step: &Step,
    within: Option<NodeId>,
    scope: &Scope<'_>,
) -> Result<Vec<NodeId>, EvaluateError> {
    let Some(tree) = set.tree(scope) else { return Ok(Vec::new()) };
    let primary = set.instance.is_none();
    // A group that is not relevant is not there; a question reads as blank (and JavaRosa drops it).
    let there = |id: &NodeId| {
        let node = tree.get(*id);
        !primary || node.relevant || (scope.dialect() == Dialect::WebForms && node.children.is_empty())
    };
    let mut found: Vec<NodeId> = Vec::new();
    let mut seen: HashSet<NodeId> = HashSet::new();
    for &node in &set.nodes {
        if let Some(mut items) = looked_up(set, node, step, tree, scope)? {
            for predicate in &step.predicates[1..] {
                items = filtered(items, set.instance.as_deref(), predicate, scope)?;
            }
            return Ok(items);
        }
        let mut candidates: Vec<NodeId> = match (step.axis, &step.test) {
            (Axis::Child, Test::Name(name)) => tree.named(node, name).filter(there).collect(),
            (Axis::Child, Test::Any) => tree.children(node).iter().copied().filter(there).collect(),
            (Axis::Parent, test) => {
                tree.get(node).parent.into_iter().filter(|parent| fits(tree, *parent, test)).collect()
            }
            (Axis::Itself, test) => {
                if fits(tree, node, test) {
                    vec![node]
                } else {
                    Vec::new()
                }
            }
            (Axis::DescendantOrSelf, test) => {
                let all = tree.descendants_or_self(node);
                all.into_iter().filter(there).filter(|id| fits(tree, *id, test)).collect()
            }
            (Axis::Attribute, _) => Vec::new(),
        };
        if let Some(within) = within
            && candidates.len() > 1
        {
            let mut around = std::iter::once(within).chain(tree.ancestors(within));
            if let Some(own) = around.find(|ancestor| candidates.contains(ancestor)) {
                candidates = vec![own];
            }
        }
        budget::spend(candidates.len() + 1)?;
        for predicate in &step.predicates {
            candidates = filtered(candidates, set.instance.as_deref(), predicate, scope)?;
        }
        if set.nodes.len() == 1 {
            return Ok(candidates);
        }
        // Several repeats lead up to one parent, which counts once.
        let may_double = matches!(step.axis, Axis::Parent | Axis::DescendantOrSelf);
        found.extend(candidates.into_iter().filter(|id| !may_double || seen.insert(*id)));
    }
    Ok(found)
}

/// What the first predicate of `root/item[column = value]` leaves of a secondary instance, looked up
/// in the column; `None` where the items have to be tried one by one.
fn looked_up(
    set: &NodeSet,
    node: NodeId,
    step: &Step,
    tree: &Tree,
    scope: &Scope<'_>,
) -> Result<Option<Vec<NodeId>>, EvaluateError> {
    let (Some(instance), Some(first), [_]) = (&set.instance, step.predicates.first(), &set.nodes[..]) else {
        return Ok(None);
    };
    let items = matches!(&step.test, Test::Name(name) if name == ITEM);
    if step.axis != Axis::Child || !items || node != tree.root() {
        return Ok(None);
    }
    looked_up_by(first, instance, tree, scope)
}

fn looked_up_by(
    predicate: &Expr,
    instance: &str,
    tree: &Tree,
    scope: &Scope<'_>,
) -> Result<Option<Vec<NodeId>>, EvaluateError> {
    if let Expr::Binary(Operator::And, left, right) = predicate
        && syntax::ignores_position(predicate)
    {
        return match looked_up_by(left, instance, tree, scope)? {
            Some(items) => filtered(items, Some(instance), right, scope).map(Some),
            None => Ok(None),
        };
    }
    let found = equality(predicate, Some(instance), scope)?;
    Ok(found.map(|(column, texts)| {
        let blank = scope.dialect() == Dialect::JavaRosa && texts.iter().any(String::is_empty);
        tree.column(column).items(&texts, blank)
    }))
}

fn fits(tree: &Tree, id: NodeId, test: &Test) -> bool {
    match test {
        Test::Any => true,
        Test::Name(name) => *tree.get(id).name == **name,
    }
}

fn filtered(
    candidates: Vec<NodeId>,
    instance: Option<&str>,
    predicate: &Expr,
    scope: &Scope<'_>,
) -> Result<Vec<NodeId>, EvaluateError> {
    let size = candidates.len();
    budget::spend(size)?;
    if let (Expr::Number(number), Dialect::WebForms) = (predicate, scope.dialect()) {
        let found = candidates.into_iter().enumerate().find(|(i, _)| (i + 1) as f64 == *number);
        return Ok(found.map(|(_, node)| node).into_iter().collect());
    }
    if let Some((column, wanted)) = equality(predicate, instance, scope)? {
        let Some(tree) = instance.and_then(|id| scope.environment.lookups.instance(id)) else {
            return Ok(Vec::new());
        };
        let blank = scope.dialect() == Dialect::JavaRosa && wanted.iter().any(String::is_empty);
        let fits = |item: &NodeId| match tree.named(*item, column).next() {
            Some(cell) => wanted.contains(&tree.get(cell).text),
            // A missing cell is blank in JavaRosa and equal to nothing on the tablet.
            None => blank,
        };
        return Ok(candidates.into_iter().filter(fits).collect());
    }
    if let (Expr::Binary(Operator::And, left, right), true) = (predicate, instance.is_some())
        && syntax::ignores_position(predicate)
    {
        let left = filtered(candidates, instance, left, scope)?;
        return filtered(left, instance, right, scope);
    }
    let mut kept = Vec::new();
    for (i, node) in candidates.into_iter().enumerate() {
        let at = At { instance, node, position: Some((i + 1, size)), plain: false };
        let keep = match (value(predicate, scope, at)?, scope.dialect()) {
            (Value::Number(number), Dialect::WebForms) => number == (i + 1) as f64,
            (Value::Boolean(yes), _) => yes,
            // JavaRosa keeps only what is true, not what would count as true elsewhere.
            (_, Dialect::JavaRosa) => false,
            (other, Dialect::WebForms) => other.boolean(scope)?,
        };
        if keep {
            kept.push(node);
        }
    }
    Ok(kept)
}

/// A predicate `column = value` on a list, whose value is the same for all items: it is evaluated
/// once, so that a cascade over thousands of communes stays quick. The texts any of which fits.
fn equality<'p>(
    predicate: &'p Expr,
    instance: Option<&str>,
    scope: &Scope<'_>,
) -> Result<Option<(&'p str, Vec<String>)>, EvaluateError> {
    let (Some(_), Expr::Binary(Operator::Equal, left, right)) = (instance, predicate) else {
        return Ok(None);
    };
    let (column, other) = match (syntax::child_name(left), syntax::child_name(right)) {
        (Some(column), None) if syntax::ignores_item(right) => (column, right),
        (None, Some(column)) if syntax::ignores_item(left) => (column, left),
        _ => return Ok(None),
    };
    let at = At { instance: None, node: scope.node, position: None, plain: false };
    let value = value(other, scope, at)?;
    let texts = match (&value, scope.dialect()) {
        (Value::Nodes(set), Dialect::WebForms) => set.texts(scope),
        _ => match value.single(scope)? {
            Value::Text(text) => vec![text],
            // Numbers and dates compare as such.
            _ => return Ok(None),
        },
    };
    Ok(Some((column, texts)))
}
