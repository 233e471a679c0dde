//! The expressions of plans (`derive`, `where`): a small, exact subset of SQL with three-valued logic.
//!
//! Operators `+ - * / || = <> < <= > >= AND OR NOT IN BETWEEN IS [NOT] NULL CASE`, functions `ABS ROUND
//! FLOOR CEIL LN EXP SQRT POWER COALESCE NULLIF LEAST GREATEST LOWER UPPER LENGTH SUBSTR CAST`; anything
//! else is an error that names it. `/` is real division and x / 0 is missing; what is no finite number
//! is missing. A condition used as a number is 0/1 and missing stays missing. `LEAST` and `GREATEST`
//! pass over missing values, as in PostgreSQL, DuckDB and Spark.

pub(crate) mod dialect;
mod evaluate;
mod parse;

use indexmap::IndexMap;

use crate::table::{Column, Table, TableError, Types};
pub use dialect::Dialect;
use evaluate::Vector;

/// A parsed expression, not yet tied to a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    sql: String,
    root: Node,
}

/// What is wrong with an expression: the expression, the part, what now.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    #[error("`{sql}`: {reason}")]
    Syntax { sql: String, reason: String },
    #[error(
        "`{sql}`: `{part}` is not offered here; use + - * / || = <> < <= > >= AND OR NOT IN BETWEEN IS NULL CASE \
         and ABS ROUND FLOOR CEIL LN EXP SQRT POWER COALESCE NULLIF LEAST GREATEST LOWER UPPER LENGTH SUBSTR CAST"
    )]
    NotOffered { sql: String, part: String },
    #[error("`{sql}`: `{name}` has a dot; write it in double quotes: \"{name}\"")]
    DottedName { sql: String, name: String },
    #[error("`{sql}`: {function} takes {expected}, not {got}")]
    ArgumentCount { sql: String, function: &'static str, expected: &'static str, got: usize },
    #[error("`{sql}`: {table}")]
    Table { sql: String, table: TableError },
    #[error("`{sql}`: the text `{text}` is no number; {place} needs one")]
    NotNumeric { sql: String, text: String, place: &'static str },
    #[error("`{sql}`: a text (`{text}`) is no condition; compare it with something")]
    NotCondition { sql: String, text: String },
    #[error("derive `{name}`: the table has a column of that name already; choose another")]
    NameTaken { name: String },
    #[error("derive `{name}`: {source}")]
    Derive {
        name: String,
        #[source]
        source: Box<SqlError>,
    },
}

/// One node of an expression.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Null,
    Number(f64),
    Text(String),
    Truth(bool),
    Column(String),
    Negate(Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    Join(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    IsNull(Box<Node>),
    /// Conditions with results, then the result otherwise.
    Case(Vec<(Node, Node)>, Box<Node>),
    Call(Function, Vec<Node>),
    Cast(Kind, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Abs,
    Round,
    Floor,
    Ceil,
    Ln,
    Exp,
    Sqrt,
    Power,
    Coalesce,
    NullIf,
    Least,
    Greatest,
    Lower,
    Upper,
    Length,
    Substr,
}

/// The types `CAST` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Integer,
    Text,
    Truth,
}

impl Expression {
    /// Parses one expression. Errors: [`SqlError`].
    pub fn parse(sql: &str) -> Result<Self, SqlError> {
        Ok(Self { sql: sql.to_owned(), root: parse::parse(sql)? })
    }

    /// The expression as it was written.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Names of the columns it reads, each once, in order of appearance.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.root.collect_columns(&mut names);
        names
    }

    /// The value for every row, as a column: numbers (conditions as 0/1) or a category.
    pub fn column(&self, table: &Table) -> Result<Column, SqlError> {
        // A plain copy keeps the declared order of the levels.
        if let Node::Column(name) = &self.root {
            return table
                .column(name)
                .cloned()
                .map_err(|table| SqlError::Table { sql: self.sql.clone(), table });
        }
        if table.height() == 0 {
            return Ok(Column::Number(Vec::new()));
        }
        Ok(self.evaluate(table)?.into_column(table.height()))
    }

    /// The condition for every row: true, false, or `None` where it is unknown.
    pub fn condition(&self, table: &Table) -> Result<Vec<Option<bool>>, SqlError> {
        if table.height() == 0 {
            return Ok(Vec::new());
        }
        let truth = self.evaluate(table)?.truth(&self.sql)?;
        let value = |byte: u8| match byte {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        };
        Ok(match truth.as_slice() {
            [one] if table.height() != 1 => vec![value(*one); table.height()],
            all => all.iter().map(|byte| value(*byte)).collect(),
        })
    }

    /// Whether each row is in the domain: an unknown condition is outside.
    pub fn holds(&self, table: &Table) -> Result<Vec<bool>, SqlError> {
        Ok(self.condition(table)?.into_iter().map(|value| value == Some(true)).collect())
    }

    fn evaluate(&self, table: &Table) -> Result<Vector, SqlError> {
        evaluate::Evaluation { sql: &self.sql, table }.of(&self.root)
    }
}

impl Node {
    fn collect_columns<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Null | Self::Number(_) | Self::Text(_) | Self::Truth(_) => {}
            Self::Column(name) => {
                if !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
            Self::Negate(a) | Self::Not(a) | Self::IsNull(a) | Self::Cast(_, a) => a.collect_columns(names),
            Self::Arithmetic(_, a, b)
            | Self::Join(a, b)
            | Self::Compare(_, a, b)
            | Self::And(a, b)
            | Self::Or(a, b) => {
                a.collect_columns(names);
                b.collect_columns(names);
            }
            Self::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    condition.collect_columns(names);
                    result.collect_columns(names);
                }
                otherwise.collect_columns(names);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|a| a.collect_columns(names)),
        }
    }
}

/// Adds the derived columns to the table in the order written; `types` apply to them too.
///
/// Errors: [`SqlError::NameTaken`] when a column of that name is there already.
pub fn derive(table: &mut Table, derived: &IndexMap<String, String>, types: &Types) -> Result<(), SqlError> {
    for (name, sql) in derived {
        let inside = |source: SqlError| SqlError::Derive { name: name.clone(), source: Box::new(source) };
        if table.get(name).is_some() {
            return Err(SqlError::NameTaken { name: name.clone() });
        }
        let mut column = Expression::parse(sql).and_then(|e| e.column(table)).map_err(inside)?;
        let of_table = |table: TableError| inside(SqlError::Table { sql: sql.clone(), table });
        if let Some(declared) = types.get(name) {
            column = column.declare(name, declared).map_err(of_table)?;
        }
        table.push(name.clone(), column).map_err(of_table)?;
    }
    Ok(())
}
