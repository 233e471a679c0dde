//! What kind of value a part of an expression gives, and what its constants come to.

use super::{Finder, Found};
use crate::expression::Reference;
use crate::expression::dates::Moment;
use crate::expression::function::Function as F;
use crate::expression::numbers::from_text;
use crate::expression::references::{Spot, written};
use crate::expression::syntax::{Expr, Operator};
use crate::question_type::Stored;

/// Kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Text,
    Number,
    Boolean,
    Date,
    DateTime,
    Time,
    /// A group, which has no value.
    Group,
    Unknown,
}

impl Finder<'_> {
    pub(super) fn sort(&self, expr: &Expr, spot: &Spot) -> Sort {
        match expr {
            Expr::Number(_) | Expr::Negate(_) => Sort::Number,
            Expr::Text(_) => Sort::Text,
            Expr::Question(_) => Sort::Unknown,
            Expr::Binary(operator, ..) => match operator {
                Operator::Add
                | Operator::Subtract
                | Operator::Multiply
                | Operator::Divide
                | Operator::Remainder => Sort::Number,
                Operator::Union => Sort::Unknown,
                _ => Sort::Boolean,
            },
            Expr::Path(path) => match self.end(path, spot) {
                Spot::Main(names) => match (self.standing.look_up)(&Reference::Path(written(&names))) {
                    Found::Question(stored) => sort_of(stored),
                    Found::Group | Found::Repeat => Sort::Group,
                    Found::Something | Found::Nothing => Sort::Unknown,
                },
                _ => Sort::Unknown,
            },
            Expr::Call(function, arguments) => self.sort_of_call(*function, arguments, spot),
        }
    }

    fn sort_of_call(&self, function: F, arguments: &[Expr], spot: &Spot) -> Sort {
        let of = |i: usize| arguments.get(i).map_or(Sort::Unknown, |argument| self.sort(argument, spot));
        match function {
            F::True
            | F::False
            | F::Not
            | F::Boolean
            | F::BooleanFromString
            | F::Selected
            | F::Contains
            | F::StartsWith
            | F::EndsWith
            | F::Regex
            | F::Checklist
            | F::WeightedChecklist
            | F::Geofence
            | F::Intersects => Sort::Boolean,
            F::Today | F::Date => Sort::Date,
            F::Now => Sort::DateTime,
            // The tablet keeps a date a date.
            F::DateTime => match arguments.first() {
                Some(Expr::Text(text)) if !text.contains('T') => Sort::Date,
                _ if of(0) == Sort::Date => Sort::Date,
                _ => Sort::DateTime,
            },
            F::If => match (of(1), of(2)) {
                (Sort::Text | Sort::Unknown, other) | (other, _) => other,
            },
            F::Coalesce => match (of(0), of(1)) {
                (Sort::Text | Sort::Unknown, other) | (other, _) => other,
            },
            F::Once => of(0),
            F::IndexedRepeat => of(0),
            F::Number
            | F::Random
            | F::Int
            | F::Sum
            | F::Max
            | F::Min
            | F::Round
            | F::Pow
            | F::Count
            | F::CountNonEmpty
            | F::CountSelected
            | F::Position
            | F::StringLength
            | F::DecimalDateTime
            | F::DecimalTime
            | F::Abs
            | F::Sqrt
            | F::Area
            | F::Distance => Sort::Number,
            F::PullData | F::Current | F::Instance | F::Randomize => Sort::Unknown,
            _ => Sort::Text,
        }
    }
}

pub(super) fn sort_of(stored: Stored) -> Sort {
    match stored {
        Stored::Integer | Stored::Decimal => Sort::Number,
        Stored::Date => Sort::Date,
        Stored::DateTime => Sort::DateTime,
        Stored::Time => Sort::Time,
        _ => Sort::Text,
    }
}

/// The number that an expression without questions comes to.
pub(super) fn constant(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Number(number) => Some(*number),
        Expr::Negate(inner) => Some(-constant(inner)?),
        Expr::Binary(operator, left, right) => {
            let (a, b) = (constant(left)?, constant(right)?);
            match operator {
                Operator::Add => Some(a + b),
                Operator::Subtract => Some(a - b),
                Operator::Multiply => Some(a * b),
                Operator::Divide => Some(a / b),
                _ => None,
            }
        }
        Expr::Call(F::Pow, arguments) => match &arguments[..] {
            [base, exponent] => Some(constant(base)?.powf(constant(exponent)?)),
            _ => None,
        },
        _ => None,
    }
}

/// Digits with a minus and a point, nothing else.
pub(super) fn is_plain_number(text: &str) -> bool {
    !from_text(text).is_nan()
}

/// A text whose number JavaRosa and JavaScript read differently: `1,5`, `1e3`, `+1`, a space.
pub(super) fn reads_differently(text: &str) -> bool {
    if is_plain_number(text) || text.is_empty() {
        return false;
    }
    let trimmed = text.trim();
    trimmed.is_empty()
        || is_plain_number(&trimmed.replace(',', "."))
        || trimmed.parse::<f64>().is_ok_and(|number| !number.is_nan())
        || trimmed.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"))
        || is_date(trimmed)
}

/// A number written otherwise than an integer or decimal question holds it: `30.0`, `007`.
pub(super) fn is_odd_number(text: &str) -> bool {
    let number = from_text(text);
    !number.is_nan() && crate::expression::plain_number(number) != text
}

pub(super) fn is_date(text: &str) -> bool {
    Moment::parse(text, 0).is_some()
}

pub(super) fn is_date_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Text(text) if text.len() >= 10 && is_date(text))
}
