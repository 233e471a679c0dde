//! One form for conditions that say the same, so that `a = 1 AND b <> 2` and `NOT (b = 2) AND 1 = a` are found alike.
//!
//! Only what holds in three-valued logic too is used: negations go to the comparisons, `BETWEEN` and `IN` become
//! comparisons, the sides of a comparison and the parts of `AND` and `OR` get an order. Conditions that agree on the
//! data alone (`age > 4`, `age >= 5`) are found by their respondents (`sets.rs`).

use crate::table::number_text;
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A condition in its one form, without the equalities `column = value` that all its respondents share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Empty where nothing is left.
    pub rest: String,
    pub equal: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// A comparison or anything else that is not taken apart.
    Leaf(String),
    Equal(String, String),
    All(BTreeSet<Form>),
    Any(BTreeSet<Form>),
}

/// The one form of all these conditions together. What cannot be read stays as it is written.
pub(super) fn canonical<'a>(conditions: impl IntoIterator<Item = &'a str>) -> Condition {
    let read = |text: &str| {
        let parsed = Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut p| p.parse_expr());
        parsed.map_or_else(|_| Form::Leaf(text.trim().to_owned()), |e| form(&e, false))
    };
    let all = join(conditions.into_iter().map(read).collect(), true);
    let parts = match all {
        Form::All(parts) => parts,
        one => BTreeSet::from([one]),
    };
    let mut equal = BTreeMap::new();
    let mut rest = BTreeSet::new();
    for part in parts {
        match part {
            // A column that equals two values stays written out: nobody is there.
            Form::Equal(column, value) if !equal.contains_key(&column) => {
                equal.insert(column, value);
            }
            part => {
                rest.insert(part);
            }
        }
    }
    let rest = match rest.is_empty() {
        true => String::new(),
        false => join(rest.into_iter().collect(), true).to_string(),
    };
    Condition { rest, equal }
}

impl Condition {
    /// The rest and the equalities as one text of SQL.
    #[cfg(test)]
    fn sql(&self) -> String {
        let equal = self.equal.iter().map(|(c, v)| Form::Equal(c.clone(), v.clone()).to_string());
        let rest = (!self.rest.is_empty()).then(|| self.rest.clone());
        equal.chain(rest).collect::<Vec<_>>().join(" AND ")
    }
}

fn join(parts: Vec<Form>, all: bool) -> Form {
    let mut flat = BTreeSet::new();
    for part in parts {
        match (part, all) {
            (Form::All(inner), true) | (Form::Any(inner), false) => flat.extend(inner),
            (part, _) => {
                flat.insert(part);
            }
        }
    }
    match (flat.len(), all) {
        (1, _) => flat.pop_first().unwrap_or(Form::Leaf(String::new())),
        (_, true) => Form::All(flat),
        (_, false) => Form::Any(flat),
    }
}

fn form(expression: &Expr, negated: bool) -> Form {
    match expression {
        Expr::Nested(inner) => form(inner, negated),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => form(expr, !negated),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            join(vec![form(left, negated), form(right, negated)], !negated)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            join(vec![form(left, negated), form(right, negated)], negated)
        }
        Expr::BinaryOp { left, op, right } if sign(op, negated).is_some() => {
            compare(left, sign(op, negated).unwrap_or_default(), right)
        }
        Expr::InList { expr, list, negated: outside } => {
            let outside = *outside != negated;
            let sign = if outside { "<>" } else { "=" };
            join(list.iter().map(|item| compare(expr, sign, item)).collect(), outside)
        }
        Expr::Between { expr, negated: outside, low, high } => {
            let outside = *outside != negated;
            let (from, to) = if outside { ("<", ">") } else { (">=", "<=") };
            join(vec![compare(expr, from, low), compare(expr, to, high)], !outside)
        }
        Expr::IsNull(inner) => null(inner, negated),
        Expr::IsNotNull(inner) => null(inner, !negated),
        other if negated => Form::Leaf(format!("NOT ({other})")),
        other => Form::Leaf(operand(other)),
    }
}

fn null(inner: &Expr, negated: bool) -> Form {
    Form::Leaf(format!("{} IS {}NULL", operand(inner), if negated { "NOT " } else { "" }))
}

fn sign(operator: &BinaryOperator, negated: bool) -> Option<&'static str> {
    let (plain, opposite) = match operator {
        BinaryOperator::Eq => ("=", "<>"),
        BinaryOperator::NotEq => ("<>", "="),
        BinaryOperator::Lt => ("<", ">="),
        BinaryOperator::LtEq => ("<=", ">"),
        BinaryOperator::Gt => (">", "<="),
        BinaryOperator::GtEq => (">=", "<"),
        _ => return None,
    };
    Some(if negated { opposite } else { plain })
}

/// A value stands on the right; two columns stand in the order of their names.
fn compare(left: &Expr, sign: &'static str, right: &Expr) -> Form {
    let turned = match sign {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    };
    let (a, b) = (operand(left), operand(right));
    let turn = match (value(left), value(right)) {
        (Some(_), None) => true,
        (None, Some(_)) => false,
        _ => b < a,
    };
    let (left, a, sign, right, b) =
        if turn { (right, b, turned, left, a) } else { (left, a, sign, right, b) };
    match (sign, name(left), value(right)) {
        ("=", Some(column), Some(value)) => Form::Equal(column, value),
        _ => Form::Leaf(format!("{a} {sign} {b}")),
    }
}

fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => bare(inner),
        other => other,
    }
}

fn name(expression: &Expr) -> Option<String> {
    match bare(expression) {
        Expr::Identifier(name) => Some(name.value.clone()),
        _ => None,
    }
}

/// A number or a text, as a level of a column is written.
fn value(expression: &Expr) -> Option<String> {
    match bare(expression) {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok().map(number_text),
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn operand(expression: &Expr) -> String {
    match bare(expression) {
        Expr::Identifier(name) => column(&name.value),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().map_or_else(|_| text.clone(), number_text),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

fn column(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &BTreeSet<Form>, word: &str| {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Self::All(_) | Self::Any(_) => write!(f, "({part})")?,
                    _ => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Leaf(text) => f.write_str(text),
            Self::Equal(name, value) => write!(f, "{} = '{}'", column(name), value.replace('\'', "''")),
            Self::All(parts) => list(f, parts, "AND"),
            Self::Any(parts) => list(f, parts, "OR"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn conditions_that_say_the_same_have_one_form() {
        for alike in [
            ["a = 1 AND b <> 2", "NOT (b = 2) and 1 = a"],
            ["age BETWEEN 3 AND 5", "(age <= 5) AND 3 <= age"],
            ["area IN ('x', 'y')", "area = 'y' OR (area = 'x')"],
            ["NOT (a = 1 OR b < 2)", "b >= 2.0 AND a <> 1"],
            ["a NOT IN (1, 2)", "NOT (a IN (2, 1))"],
            ["a IS NOT NULL", "NOT (a IS NULL)"],
            ["a > b", "b < a"],
            ["(a = 1 AND b > 2) AND c = 3", "c = 3 AND (b > 2 AND a = 1)"],
        ] {
            assert_eq!(canonical([alike[0]]).sql(), canonical([alike[1]]).sql());
        }
    }

    #[test]
    fn conditions_that_differ_keep_different_forms() {
        for other in
            ["a = 1 OR b = 2", "a = 1 AND b = 3", "a = 1", "NOT (a = 1 AND b = 2)", "a = 1 AND b <> 2"]
        {
            assert_ne!(canonical(["a = 1 AND b = 2"]).sql(), canonical([other]).sql(), "{other}");
        }
    }
}
