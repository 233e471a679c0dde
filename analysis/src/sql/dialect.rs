//! Expressions of plans in the SQL of other engines, with the values they have here.

use super::{Arithmetic, Comparison, Expression, Function, Kind, Node, SqlError};

/// An engine that can do the grouping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    DuckDb,
    Spark,
}

/// What a written expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Number,
    Text,
    Truth,
    /// A column of the engine's own type: a number or a text.
    Native,
    Null,
}

/// SQL text and what it gives.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub sql: String,
    pub sort: Sort,
}

impl Dialect {
    /// A name in the engine's quotes.
    pub(crate) fn name(self, name: &str) -> String {
        match self {
            Self::Spark => format!("`{}`", name.replace('`', "``")),
            Self::Postgres | Self::DuckDb => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    pub(crate) fn double(self) -> &'static str {
        match self {
            Self::Postgres => "double precision",
            Self::DuckDb | Self::Spark => "double",
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Postgres => "text",
            Self::DuckDb => "varchar",
            Self::Spark => "string",
        }
    }

    pub(crate) fn literal(self, text: &str) -> String {
        let text = text.replace('\'', "''");
        // Spark reads a backslash as an escape.
        let text = if self == Self::Spark { text.replace('\\', "\\\\") } else { text };
        format!("'{text}'")
    }

    pub(crate) fn number(self, value: f64) -> String {
        format!("cast({value:?} as {})", self.double())
    }
}

impl Written {
    fn new(sql: String, sort: Sort) -> Self {
        Self { sql, sort }
    }

    /// As a double; a condition is 0 or 1, missing stays missing.
    pub fn as_number(&self, dialect: Dialect) -> String {
        let double = dialect.double();
        match self.sort {
            Sort::Number => self.sql.clone(),
            Sort::Truth => format!("cast(cast({} as integer) as {double})", self.sql),
            Sort::Text | Sort::Native | Sort::Null => format!("cast({} as {double})", self.sql),
        }
    }

    /// As text; whole numbers without a decimal point.
    pub fn as_text(&self, dialect: Dialect) -> String {
        let (x, text) = (&self.sql, dialect.text());
        match self.sort {
            Sort::Text => x.clone(),
            Sort::Number => format!(
                "case when {x} = floor({x}) then cast(cast({x} as bigint) as {text}) else cast({x} as {text}) end"
            ),
            Sort::Truth | Sort::Native | Sort::Null => format!("cast({x} as {text})"),
        }
    }

    fn as_truth(&self, sql: &str) -> Result<String, SqlError> {
        match self.sort {
            Sort::Truth => Ok(self.sql.clone()),
            Sort::Number | Sort::Native => Ok(format!("({} <> 0)", self.sql)),
            Sort::Null => Ok("cast(null as boolean)".into()),
            Sort::Text => Err(SqlError::NotCondition { sql: sql.into(), text: self.sql.clone() }),
        }
    }
}

impl Expression {
    /// The expression in the engine's SQL. `sort_of`: what the columns it reads give.
    pub(crate) fn written(
        &self,
        dialect: Dialect,
        sort_of: &dyn Fn(&str) -> Sort,
    ) -> Result<Written, SqlError> {
        Writer { dialect, sort_of, sql: &self.sql }.of(&self.root)
    }

    /// The condition in the engine's SQL.
    pub(crate) fn written_condition(
        &self,
        dialect: Dialect,
        sort_of: &dyn Fn(&str) -> Sort,
    ) -> Result<Written, SqlError> {
        let truth = self.written(dialect, sort_of)?.as_truth(&self.sql)?;
        Ok(Written::new(truth, Sort::Truth))
    }
}

struct Writer<'a> {
    dialect: Dialect,
    sort_of: &'a dyn Fn(&str) -> Sort,
    sql: &'a str,
}

impl Writer<'_> {
    fn of(&self, node: &Node) -> Result<Written, SqlError> {
        let dialect = self.dialect;
        let number = |sql: String| Written::new(sql, Sort::Number);
        let truth = |sql: String| Written::new(sql, Sort::Truth);
        Ok(match node {
            Node::Null => Written::new("null".into(), Sort::Null),
            Node::Number(value) => number(dialect.number(*value)),
            Node::Text(text) => Written::new(dialect.literal(text), Sort::Text),
            Node::Truth(value) => truth(value.to_string()),
            Node::Column(name) => Written::new(dialect.name(name), (self.sort_of)(name)),
            Node::Negate(a) => number(format!("(-{})", self.number(a)?)),
            Node::Arithmetic(kind, a, b) => {
                let (a, b) = (self.number(a)?, self.number(b)?);
                number(match kind {
                    Arithmetic::Add => format!("({a} + {b})"),
                    Arithmetic::Subtract => format!("({a} - {b})"),
                    Arithmetic::Multiply => format!("({a} * {b})"),
                    Arithmetic::Divide => format!("({a} / nullif({b}, 0))"),
                })
            }
            Node::Join(a, b) => Written::new(format!("({} || {})", self.text(a)?, self.text(b)?), Sort::Text),
            Node::Compare(kind, a, b) => truth(self.compare(*kind, &self.of(a)?, &self.of(b)?)),
            Node::And(a, b) => truth(format!("({} and {})", self.truth(a)?, self.truth(b)?)),
            Node::Or(a, b) => truth(format!("({} or {})", self.truth(a)?, self.truth(b)?)),
            Node::Not(a) => truth(format!("(not {})", self.truth(a)?)),
            Node::IsNull(a) => truth(format!("({} is null)", self.of(a)?.sql)),
            Node::Case(branches, otherwise) => {
                let mut results = Vec::with_capacity(branches.len() + 1);
                for (_, result) in branches {
                    results.push(self.of(result)?);
                }
                results.push(self.of(otherwise)?);
                let (results, sort) = self.alike(&results)?;
                let mut sql = String::from("(case");
                for ((condition, _), result) in branches.iter().zip(&results) {
                    sql.push_str(&format!(" when {} then {result}", self.truth(condition)?));
                }
                sql.push_str(&format!(" else {} end)", results[branches.len()]));
                Written::new(sql, sort)
            }
            Node::Call(function, arguments) => self.call(*function, arguments)?,
            Node::Cast(kind, a) => match kind {
                Kind::Number => number(self.number(a)?),
                // To the nearest, halves to the even one.
                Kind::Integer => {
                    let x = self.number(a)?;
                    number(match dialect {
                        Dialect::Postgres => format!("round({x})"),
                        Dialect::DuckDb => format!("round_even({x}, 0)"),
                        Dialect::Spark => format!("rint({x})"),
                    })
                }
                Kind::Text => Written::new(self.text(a)?, Sort::Text),
                Kind::Truth => truth(self.truth(a)?),
            },
        })
    }

    fn number(&self, node: &Node) -> Result<String, SqlError> {
        Ok(self.of(node)?.as_number(self.dialect))
    }

    fn text(&self, node: &Node) -> Result<String, SqlError> {
        Ok(self.of(node)?.as_text(self.dialect))
    }

    fn truth(&self, node: &Node) -> Result<String, SqlError> {
        self.of(node)?.as_truth(self.sql)
    }

    fn compare(&self, kind: Comparison, a: &Written, b: &Written) -> String {
        let sign = match kind {
            Comparison::Equal => "=",
            Comparison::Unequal => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        };
        let textual = |w: &Written| matches!(w.sort, Sort::Text | Sort::Native);
        let is_text = textual(a) && textual(b) && (a.sort == Sort::Text || b.sort == Sort::Text);
        if is_text {
            // By code point, as here; PostgreSQL would use the language's order.
            let order = match (self.dialect, kind) {
                (Dialect::Postgres, Comparison::Equal | Comparison::Unequal) => "",
                (Dialect::Postgres, _) => " collate \"C\"",
                _ => "",
            };
            return format!("({} {sign} {}{order})", a.as_text(self.dialect), b.as_text(self.dialect));
        }
        format!("({} {sign} {})", a.as_number(self.dialect), b.as_number(self.dialect))
    }

    /// Results brought to one kind, as `CASE` and `COALESCE` need them.
    fn alike(&self, values: &[Written]) -> Result<(Vec<String>, Sort), SqlError> {
        if values.iter().any(|v| v.sort == Sort::Text) {
            return Ok((values.iter().map(|v| v.as_text(self.dialect)).collect(), Sort::Text));
        }
        let conditions = values.iter().all(|v| matches!(v.sort, Sort::Truth | Sort::Null));
        if conditions && values.iter().any(|v| v.sort == Sort::Truth) {
            let all = values.iter().map(|v| v.as_truth(self.sql)).collect::<Result<_, _>>()?;
            return Ok((all, Sort::Truth));
        }
        Ok((values.iter().map(|v| v.as_number(self.dialect)).collect(), Sort::Number))
    }

    fn call(&self, function: Function, arguments: &[Node]) -> Result<Written, SqlError> {
        let x = |i: usize| self.number(&arguments[i]);
        let number = |sql: String| Written::new(sql, Sort::Number);
        let all = || arguments.iter().map(|a| self.of(a)).collect::<Result<Vec<_>, _>>();
        let listed = |word: &str| -> Result<Written, SqlError> {
            let (values, sort) = self.alike(&all()?)?;
            Ok(Written::new(format!("{word}({})", values.join(", ")), sort))
        };
        Ok(match function {
            Function::Abs => number(format!("abs({})", x(0)?)),
            Function::Floor => number(format!("cast(floor({}) as {})", x(0)?, self.dialect.double())),
            Function::Ceil => number(format!("cast(ceil({}) as {})", x(0)?, self.dialect.double())),
            Function::Ln => {
                let x = x(0)?;
                number(format!("ln(case when {x} > 0 then {x} end)"))
            }
            // Above 709 the result is no finite number.
            Function::Exp => {
                let x = x(0)?;
                number(format!("exp(case when {x} < 709.78 then {x} end)"))
            }
            Function::Sqrt => {
                let x = x(0)?;
                number(format!("sqrt(case when {x} >= 0 then {x} end)"))
            }
            Function::Power => {
                let (x, y) = (x(0)?, x(1)?);
                number(format!(
                    "power(case when {x} > 0 or ({x} = 0 and {y} >= 0) or ({x} < 0 and {y} = floor({y})) then {x} end, {y})"
                ))
            }
            // Halves go away from zero; PostgreSQL's own rounding of doubles goes to the even number.
            Function::Round => {
                let (x, unit) = match arguments.len() {
                    1 => (x(0)?, self.dialect.number(1.0)),
                    _ => (x(0)?, format!("power({}, {})", self.dialect.number(10.0), x(1)?)),
                };
                let half = self.dialect.number(0.5);
                number(format!("(sign({x}) * floor(abs({x}) * {unit} + {half}) / {unit})"))
            }
            Function::Coalesce => listed("coalesce")?,
            Function::Least => listed("least")?,
            Function::Greatest => listed("greatest")?,
            Function::NullIf => {
                let (a, b) = (self.of(&arguments[0])?, self.of(&arguments[1])?);
                let equal = self.compare(Comparison::Equal, &a, &b);
                Written::new(format!("(case when {equal} then null else {} end)", a.sql), a.sort)
            }
            Function::Lower => Written::new(format!("lower({})", self.text(&arguments[0])?), Sort::Text),
            Function::Upper => Written::new(format!("upper({})", self.text(&arguments[0])?), Sort::Text),
            Function::Length => {
                let text = self.text(&arguments[0])?;
                number(format!("cast(length({text}) as {})", self.dialect.double()))
            }
            Function::Substr => {
                let (text, start) = (self.text(&arguments[0])?, x(1)?);
                // SQL counts from 1; a start before it uses up length, which engines do differently.
                let first = format!("cast(case when {start} < 1 then 1 else {start} end as integer)");
                let sql = match arguments.len() {
                    2 => format!("substr({text}, {first})"),
                    _ => {
                        let end = format!("({start} + {})", x(2)?);
                        let length = format!(
                            "cast(case when {end} < {first} then 0 else {end} - {first} end as integer)"
                        );
                        format!("substr({text}, {first}, {length})")
                    }
                };
                Written::new(sql, Sort::Text)
            }
        })
    }
}
