//! Evaluates expressions column by column; texts are handled by level, not by row.

use std::collections::HashMap;

use super::{Arithmetic, Comparison, Function, Kind, Node, SqlError};
use crate::table::{Column, MISSING, Table, number_text, parse_number};

/// The third truth value.
const UNKNOWN: u8 = 2;

/// Values of an expression: one a row, or a single one for all rows.
#[derive(Clone, Debug)]
pub(super) enum Vector {
    Null,
    /// NaN = missing.
    Number(Vec<f64>),
    /// 0, 1 or [`UNKNOWN`].
    Truth(Vec<u8>),
    Text {
        codes: Vec<u32>,
        levels: Vec<String>,
    },
}

pub(super) struct Evaluation<'a> {
    pub sql: &'a str,
    pub table: &'a Table,
}

impl Evaluation<'_> {
    pub(super) fn of(&self, node: &Node) -> Result<Vector, SqlError> {
        Ok(match node {
            Node::Null => Vector::Null,
            Node::Number(value) => Vector::Number(vec![*value]),
            Node::Text(text) => Vector::Text { codes: vec![0], levels: vec![text.clone()] },
            Node::Truth(truth) => Vector::Truth(vec![u8::from(*truth)]),
            Node::Column(name) => match self.table.column(name) {
                Ok(Column::Number(values)) => Vector::Number(values.clone()),
                Ok(Column::Category { codes, levels }) => {
                    Vector::Text { codes: codes.clone(), levels: levels.clone() }
                }
                Err(table) => return Err(SqlError::Table { sql: self.sql.to_owned(), table }),
            },
            Node::Negate(a) => map(self.numbers(a, "-")?, |x| -x),
            Node::Arithmetic(kind, a, b) => {
                let (a, b) = (self.numbers(a, "arithmetic")?, self.numbers(b, "arithmetic")?);
                match kind {
                    Arithmetic::Add => pairs(&a, &b, |x, y| x + y),
                    Arithmetic::Subtract => pairs(&a, &b, |x, y| x - y),
                    Arithmetic::Multiply => pairs(&a, &b, |x, y| x * y),
                    Arithmetic::Divide => pairs(&a, &b, |x, y| x / y),
                }
            }
            Node::Join(a, b) => join(self.of(a)?.text(), self.of(b)?.text()),
            Node::Compare(kind, a, b) => self.compare(*kind, self.of(a)?, self.of(b)?)?,
            Node::And(a, b) => {
                truths(&self.truth(a)?, &self.truth(b)?, |x, y| if x == 0 || y == 0 { 0 } else { x.max(y) })
            }
            Node::Or(a, b) => {
                truths(&self.truth(a)?, &self.truth(b)?, |x, y| if x == 1 || y == 1 { 1 } else { x.max(y) })
            }
            Node::Not(a) => Vector::Truth(
                self.truth(a)?.into_iter().map(|x| if x == UNKNOWN { x } else { 1 - x }).collect(),
            ),
            Node::IsNull(a) => Vector::Truth(match self.of(a)? {
                Vector::Null => vec![1],
                Vector::Number(values) => values.iter().map(|v| u8::from(v.is_nan())).collect(),
                Vector::Truth(values) => values.iter().map(|v| u8::from(*v == UNKNOWN)).collect(),
                Vector::Text { codes, .. } => codes.iter().map(|c| u8::from(*c == MISSING)).collect(),
            }),
            Node::Case(branches, otherwise) => {
                let mut conditions = Vec::with_capacity(branches.len());
                let mut results = Vec::with_capacity(branches.len() + 1);
                for (condition, result) in branches {
                    conditions.push(self.truth(condition)?);
                    results.push(self.of(result)?);
                }
                results.push(self.of(otherwise)?);
                let lengths = conditions.iter().map(Vec::len);
                self.choose(&results, lengths, |row| {
                    conditions
                        .iter()
                        .position(|c| c[if c.len() == 1 { 0 } else { row }] == 1)
                        .unwrap_or(conditions.len())
                })?
            }
            Node::Call(function, arguments) => self.call(*function, arguments)?,
            Node::Cast(kind, a) => {
                let value = self.of(a)?;
                match kind {
                    Kind::Number => Vector::Number(value.numbers(self.sql, "CAST")?),
                    // As PostgreSQL and DuckDB do: to the nearest, halves to the even one.
                    Kind::Integer => map(value.numbers(self.sql, "CAST")?, f64::round_ties_even),
                    Kind::Text => {
                        let (codes, levels) = value.text();
                        Vector::Text { codes, levels }
                    }
                    Kind::Truth => Vector::Truth(value.truth(self.sql)?),
                }
            }
        })
    }

    fn numbers(&self, node: &Node, place: &'static str) -> Result<Vec<f64>, SqlError> {
        self.of(node)?.numbers(self.sql, place)
    }

    fn truth(&self, node: &Node) -> Result<Vec<u8>, SqlError> {
        self.of(node)?.truth(self.sql)
    }

    fn compare(&self, kind: Comparison, a: Vector, b: Vector) -> Result<Vector, SqlError> {
        use std::cmp::Ordering;
        let holds = |order: Ordering| {
            u8::from(match kind {
                Comparison::Equal => order.is_eq(),
                Comparison::Unequal => order.is_ne(),
                Comparison::Less => order.is_lt(),
                Comparison::LessOrEqual => order.is_le(),
                Comparison::Greater => order.is_gt(),
                Comparison::GreaterOrEqual => order.is_ge(),
            })
        };
        if let (Vector::Text { codes: a, levels: of_a }, Vector::Text { codes: b, levels: of_b }) = (&a, &b) {
            let mut all: Vec<&str> = of_a.iter().chain(of_b).map(String::as_str).collect();
            all.sort_unstable();
            all.dedup();
            let rank = |levels: &[String]| -> Vec<usize> {
                levels.iter().map(|level| all.partition_point(|other| *other < level.as_str())).collect()
            };
            let (rank_a, rank_b) = (rank(of_a), rank(of_b));
            return Ok(Vector::Truth(zip(a, b, |x, y| {
                if x == MISSING || y == MISSING {
                    UNKNOWN
                } else {
                    holds(rank_a[x as usize].cmp(&rank_b[y as usize]))
                }
            })));
        }
        let (a, b) = (a.numbers(self.sql, "the comparison")?, b.numbers(self.sql, "the comparison")?);
        Ok(Vector::Truth(zip(&a, &b, |x, y| x.partial_cmp(&y).map_or(UNKNOWN, holds))))
    }

    fn call(&self, function: Function, arguments: &[Node]) -> Result<Vector, SqlError> {
        let number = |i: usize, place| self.numbers(&arguments[i], place);
        let values = || arguments.iter().map(|a| self.of(a)).collect::<Result<Vec<_>, _>>();
        Ok(match function {
            Function::Abs => map(number(0, "ABS")?, f64::abs),
            Function::Floor => map(number(0, "FLOOR")?, f64::floor),
            Function::Ceil => map(number(0, "CEIL")?, f64::ceil),
            Function::Ln => map(number(0, "LN")?, f64::ln),
            Function::Exp => map(number(0, "EXP")?, f64::exp),
            Function::Sqrt => map(number(0, "SQRT")?, f64::sqrt),
            Function::Power => pairs(&number(0, "POWER")?, &number(1, "POWER")?, f64::powf),
            Function::Round if arguments.len() == 1 => map(number(0, "ROUND")?, f64::round),
            Function::Round => pairs(&number(0, "ROUND")?, &number(1, "ROUND")?, |x, digits| {
                let unit = 10_f64.powf(digits.trunc());
                (x * unit).round() / unit
            }),
            Function::Coalesce => {
                let values = values()?;
                self.choose(&values, [], |row| values.iter().position(|v| !v.is_missing(row)).unwrap_or(0))?
            }
            Function::NullIf => {
                let equal =
                    self.compare(Comparison::Equal, self.of(&arguments[0])?, self.of(&arguments[1])?)?;
                let equal = equal.truth(self.sql)?;
                let values = [self.of(&arguments[0])?, Vector::Null];
                self.choose(&values, [equal.len()], |row| {
                    usize::from(equal[if equal.len() == 1 { 0 } else { row }] == 1)
                })?
            }
            Function::Least => self.extreme(values()?, Comparison::Less)?,
            Function::Greatest => self.extreme(values()?, Comparison::Greater)?,
            Function::Lower => self.of(&arguments[0])?.map_levels(|text| text.to_lowercase()),
            Function::Upper => self.of(&arguments[0])?.map_levels(|text| text.to_uppercase()),
            Function::Length => {
                let (codes, levels) = self.of(&arguments[0])?.text();
                let lengths: Vec<f64> = levels.iter().map(|l| l.chars().count() as f64).collect();
                Vector::Number(
                    codes.iter().map(|c| lengths.get(*c as usize).copied().unwrap_or(f64::NAN)).collect(),
                )
            }
            Function::Substr => self.substring(arguments)?,
        })
    }

    fn extreme(&self, values: Vec<Vector>, better: Comparison) -> Result<Vector, SqlError> {
        let mut values = values.into_iter();
        let mut best = values.next().unwrap_or(Vector::Null);
        for next in values {
            let wins = self.compare(better, next.clone(), best.clone())?.truth(self.sql)?;
            let pair = [best, next];
            best = self.choose(&pair, [wins.len()], |row| {
                usize::from(wins[if wins.len() == 1 { 0 } else { row }] == 1 || pair[0].is_missing(row))
            })?;
        }
        Ok(best)
    }

    fn substring(&self, arguments: &[Node]) -> Result<Vector, SqlError> {
        let (codes, levels) = self.of(&arguments[0])?.text();
        let start = self.numbers(&arguments[1], "SUBSTR")?;
        let length = match arguments.get(2) {
            Some(length) => self.numbers(length, "SUBSTR")?,
            None => vec![f64::INFINITY],
        };
        let rows = codes.len().max(start.len()).max(length.len());
        let at = |values: &[f64], row: usize| values[if values.len() == 1 { 0 } else { row }];
        let mut cut: HashMap<(u32, u64, u64), u32> = HashMap::new();
        let mut out = Vec::new();
        let codes = (0..rows)
            .map(|row| {
                let code = codes[if codes.len() == 1 { 0 } else { row }];
                let (start, length) = (at(&start, row), at(&length, row));
                if code == MISSING || start.is_nan() || length.is_nan() {
                    return MISSING;
                }
                *cut.entry((code, start.to_bits(), length.to_bits())).or_insert_with(|| {
                    // SQL counts from 1; a start before it uses up length.
                    let end = start + length;
                    let text = levels[code as usize]
                        .chars()
                        .zip(1_u32..)
                        .filter(|(_, place)| f64::from(*place) >= start && f64::from(*place) < end)
                        .map(|(letter, _)| letter)
                        .collect();
                    out.push(text);
                    out.len() as u32 - 1
                })
            })
            .collect();
        Ok(Vector::Text { codes, levels: out })
    }

    /// Picks one of `values` for every row; they are brought to one kind first.
    fn choose(
        &self,
        values: &[Vector],
        lengths: impl IntoIterator<Item = usize>,
        pick: impl Fn(usize) -> usize,
    ) -> Result<Vector, SqlError> {
        let rows = values.iter().map(Vector::len).chain(lengths).max().unwrap_or(1);
        if values.iter().any(|v| matches!(v, Vector::Text { .. })) {
            let mut levels = Vec::new();
            let mut shifted = Vec::with_capacity(values.len());
            for value in values {
                let (codes, own) = value.clone().text();
                shifted.push((codes, levels.len() as u32));
                levels.extend(own);
            }
            let codes = (0..rows)
                .map(|row| {
                    let (codes, shift) = &shifted[pick(row)];
                    let code = codes[if codes.len() == 1 { 0 } else { row }];
                    if code == MISSING { MISSING } else { code + shift }
                })
                .collect();
            return Ok(Vector::Text { codes, levels });
        }
        let only_truths = values.iter().all(|v| matches!(v, Vector::Truth(_) | Vector::Null));
        if only_truths && values.iter().any(|v| matches!(v, Vector::Truth(_))) {
            let values: Vec<Vec<u8>> =
                values.iter().map(|v| v.clone().truth(self.sql)).collect::<Result<_, _>>()?;
            return Ok(Vector::Truth(
                (0..rows)
                    .map(|row| {
                        let chosen = &values[pick(row)];
                        chosen[if chosen.len() == 1 { 0 } else { row }]
                    })
                    .collect(),
            ));
        }
        let values: Vec<Vec<f64>> =
            values.iter().map(|v| v.clone().numbers(self.sql, "the choice")).collect::<Result<_, _>>()?;
        Ok(Vector::Number(
            (0..rows)
                .map(|row| {
                    let chosen = &values[pick(row)];
                    chosen[if chosen.len() == 1 { 0 } else { row }]
                })
                .collect(),
        ))
    }
}

impl Vector {
    fn len(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Number(values) => values.len(),
            Self::Truth(values) => values.len(),
            Self::Text { codes, .. } => codes.len(),
        }
    }

    fn is_missing(&self, row: usize) -> bool {
        let row = if self.len() == 1 { 0 } else { row };
        match self {
            Self::Null => true,
            Self::Number(values) => values[row].is_nan(),
            Self::Truth(values) => values[row] == UNKNOWN,
            Self::Text { codes, .. } => codes[row] == MISSING,
        }
    }

    fn numbers(self, sql: &str, place: &'static str) -> Result<Vec<f64>, SqlError> {
        Ok(match self {
            Self::Null => vec![f64::NAN],
            Self::Number(values) => values,
            Self::Truth(values) => {
                values.into_iter().map(|v| if v == UNKNOWN { f64::NAN } else { f64::from(v) }).collect()
            }
            Self::Text { codes, levels } => {
                let parsed: Vec<f64> = levels
                    .into_iter()
                    .map(|level| {
                        parse_number(&level).ok_or(SqlError::NotNumeric {
                            sql: sql.to_owned(),
                            text: level,
                            place,
                        })
                    })
                    .collect::<Result<_, _>>()?;
                codes.iter().map(|c| parsed.get(*c as usize).copied().unwrap_or(f64::NAN)).collect()
            }
        })
    }

    /// As a condition: a number is true when it is not 0.
    pub(super) fn truth(self, sql: &str) -> Result<Vec<u8>, SqlError> {
        Ok(match self {
            Self::Null => vec![UNKNOWN],
            Self::Truth(values) => values,
            Self::Number(values) => {
                values.into_iter().map(|v| if v.is_nan() { UNKNOWN } else { u8::from(v != 0.0) }).collect()
            }
            Self::Text { levels, .. } => {
                return Err(SqlError::NotCondition {
                    sql: sql.to_owned(),
                    text: levels.into_iter().next().unwrap_or_default(),
                });
            }
        })
    }

    /// Codes and levels (unsorted, perhaps repeated); numbers as their shortest text.
    fn text(self) -> (Vec<u32>, Vec<String>) {
        let numbers = match self {
            Self::Text { codes, levels } => return (codes, levels),
            Self::Null => vec![f64::NAN],
            Self::Number(values) => values,
            Self::Truth(values) => {
                let codes =
                    values.into_iter().map(|v| if v == UNKNOWN { MISSING } else { u32::from(v) }).collect();
                return (codes, vec!["false".to_owned(), "true".to_owned()]);
            }
        };
        let mut places: HashMap<u64, u32> = HashMap::new();
        let mut levels = Vec::new();
        let codes = numbers
            .into_iter()
            .map(|value| {
                if value.is_nan() {
                    return MISSING;
                }
                *places.entry((value + 0.0).to_bits()).or_insert_with(|| {
                    levels.push(number_text(value));
                    levels.len() as u32 - 1
                })
            })
            .collect();
        (codes, levels)
    }

    fn map_levels(self, change: impl Fn(&str) -> String) -> Self {
        let (codes, levels) = self.text();
        Self::Text { codes, levels: levels.iter().map(|level| change(level)).collect() }
    }

    /// A column of `height` rows; only levels that occur, by code point.
    pub(super) fn into_column(self, height: usize) -> Column {
        let spread = |values: Vec<f64>| match values.as_slice() {
            [one] => vec![*one; height],
            _ => values,
        };
        match self {
            Self::Text { codes, levels } => {
                let codes = match codes.as_slice() {
                    [one] => vec![*one; height],
                    _ => codes,
                };
                Column::from_texts(codes.iter().map(|c| levels.get(*c as usize).map(String::as_str)))
            }
            Self::Null => Column::Number(vec![f64::NAN; height]),
            Self::Number(values) => Column::Number(spread(values)),
            Self::Truth(values) => Column::Number(spread(
                values.into_iter().map(|v| if v == UNKNOWN { f64::NAN } else { f64::from(v) }).collect(),
            )),
        }
    }
}

fn zip<A: Copy, B: Copy, T>(a: &[A], b: &[B], f: impl Fn(A, B) -> T) -> Vec<T> {
    match (a, b) {
        (a, [y]) => a.iter().map(|x| f(*x, *y)).collect(),
        ([x], b) => b.iter().map(|y| f(*x, *y)).collect(),
        (a, b) => a.iter().zip(b).map(|(x, y)| f(*x, *y)).collect(),
    }
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

fn map(values: Vec<f64>, f: impl Fn(f64) -> f64) -> Vector {
    Vector::Number(values.into_iter().map(|x| finite(f(x))).collect())
}

fn pairs(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vector {
    // powf(NaN, 0) is 1; a missing value stays missing.
    Vector::Number(zip(a, b, |x, y| if x.is_nan() || y.is_nan() { f64::NAN } else { finite(f(x, y)) }))
}

fn truths(a: &[u8], b: &[u8], f: impl Fn(u8, u8) -> u8) -> Vector {
    Vector::Truth(zip(a, b, f))
}

fn join((a, of_a): (Vec<u32>, Vec<String>), (b, of_b): (Vec<u32>, Vec<String>)) -> Vector {
    let mut places: HashMap<(u32, u32), u32> = HashMap::new();
    let mut levels = Vec::new();
    let rows = a.len().max(b.len());
    let codes = (0..rows)
        .map(|row| {
            let x = a[if a.len() == 1 { 0 } else { row }];
            let y = b[if b.len() == 1 { 0 } else { row }];
            if x == MISSING || y == MISSING {
                return MISSING;
            }
            *places.entry((x, y)).or_insert_with(|| {
                levels.push(format!("{}{}", of_a[x as usize], of_b[y as usize]));
                levels.len() as u32 - 1
            })
        })
        .collect();
    Vector::Text { codes, levels }
}
