//! The syntax tree of an expression.

use super::function::Function;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Number(f64),
    Text(String),
    Negate(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Call(Function, Vec<Expr>),
    Path(Path),
    /// `${name}` or `${last-saved#name}`, not yet written as a path.
    Question(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Union,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub start: Start,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Start {
    /// `/…`: the document node of the primary instance.
    Root,
    /// Relative to the node at hand.
    Here,
    /// `instance('x')/…`, `current()/…`, `(…)[1]/…`: an expression, filtered.
    Expr(Box<Expr>, Vec<Expr>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub axis: Axis,
    pub test: Test,
    pub predicates: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Child,
    Parent,
    Itself,
    Attribute,
    /// What `//` stands for.
    DescendantOrSelf,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// `*` or `node()`.
    Any,
    /// A local name; a prefix is not compared.
    Name(String),
}

impl Path {
    pub fn relative(steps: Vec<Step>) -> Self {
        Self { start: Start::Here, steps }
    }
}

impl Step {
    pub fn new(axis: Axis, test: Test) -> Self {
        Self { axis, test, predicates: Vec::new() }
    }
}

/// Visits every sub-expression, the outer one first.
pub(super) fn walk<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    visit(expr);
    match expr {
        Expr::Number(_) | Expr::Text(_) | Expr::Question(_) => {}
        Expr::Negate(inner) => walk(inner, visit),
        Expr::Binary(_, left, right) => {
            walk(left, visit);
            walk(right, visit);
        }
        Expr::Call(_, arguments) => arguments.iter().for_each(|argument| walk(argument, visit)),
        Expr::Path(path) => {
            if let Start::Expr(base, predicates) = &path.start {
                walk(base, visit);
                predicates.iter().for_each(|predicate| walk(predicate, visit));
            }
            for step in &path.steps {
                step.predicates.iter().for_each(|predicate| walk(predicate, visit));
            }
        }
    }
}

fn is_this(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(Path { start: Start::Here, steps })
        if matches!(&steps[..], [step] if step.axis == Axis::Itself && step.predicates.is_empty()))
}

fn constant(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Number(number) => Some(*number),
        Expr::Negate(inner) => constant(inner).map(|n| -n),
        _ => None,
    }
}

/// Lower and upper bound that a conjunction sets on `.`.
pub(super) fn bounds(expr: &Expr) -> (Option<f64>, Option<f64>) {
    let Expr::Binary(operator, left, right) = expr else { return (None, None) };
    let (number, flipped) = match (is_this(left), is_this(right)) {
        (true, _) => (constant(right), false),
        (_, true) => (constant(left), true),
        _ => (None, false),
    };
    match (operator, number) {
        (Operator::And, _) => {
            let (a, b) = (bounds(left), bounds(right));
            (tighter(a.0, b.0, f64::max), tighter(a.1, b.1, f64::min))
        }
        (Operator::Equal, Some(n)) => (Some(n), Some(n)),
        (Operator::Less | Operator::LessOrEqual, Some(n)) => {
            if flipped {
                (Some(n), None)
            } else {
                (None, Some(n))
            }
        }
        (Operator::Greater | Operator::GreaterOrEqual, Some(n)) => {
            if flipped {
                (None, Some(n))
            } else {
                (Some(n), None)
            }
        }
        _ => (None, None),
    }
}

fn tighter(a: Option<f64>, b: Option<f64>, pick: fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(pick(a, b)),
        (one, other) => one.or(other),
    }
}

/// The pattern of a `regex(., '…')` that must hold.
pub(super) fn pattern(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Call(Function::Regex, arguments) => match &arguments[..] {
            [value, Expr::Text(pattern)] if is_this(value) => Some(pattern),
            _ => None,
        },
        Expr::Binary(Operator::And, left, right) => pattern(left).or_else(|| pattern(right)),
        _ => None,
    }
}

/// The name in a path that is one name.
pub(super) fn child_name(expr: &Expr) -> Option<&str> {
    let Expr::Path(Path { start: Start::Here, steps }) = expr else { return None };
    match &steps[..] {
        [Step { axis: Axis::Child, test: Test::Name(name), predicates }] if predicates.is_empty() => {
            Some(name)
        }
        _ => None,
    }
}

/// Whether the value is the same for every item that a predicate is tried on.
pub(super) fn ignores_item(expr: &Expr) -> bool {
    let mut same = true;
    walk(expr, &mut |inner| {
        same &= match inner {
            Expr::Path(path) => path.start != Start::Here,
            Expr::Call(Function::Current | Function::Instance, _) => true,
            Expr::Call(Function::Random | Function::Uuid | Function::Position | Function::Randomize, _) => {
                false
            }
            // Without an argument a function may take the item.
            Expr::Call(_, arguments) => !arguments.is_empty(),
            _ => true,
        };
    });
    same
}

/// Whether a predicate can be tried in two steps: no item's position counts.
pub(super) fn ignores_position(expr: &Expr) -> bool {
    let mut free = true;
    walk(expr, &mut |inner| {
        free &= !matches!(inner, Expr::Call(Function::Position | Function::Last | Function::Random, _));
    });
    // `[1 and x]` is a condition, while `[1]` alone would be a position.
    let Expr::Binary(Operator::And, left, right) = expr else { return free };
    free && [left, right].iter().all(|side| is_condition(side))
}

fn is_condition(expr: &Expr) -> bool {
    use Operator::{And, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual, Or};
    matches!(
        expr,
        Expr::Binary(And | Or | Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual, _, _)
    )
}
