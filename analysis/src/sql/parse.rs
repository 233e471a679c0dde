//! From SQL text to the nodes this crate evaluates; everything outside the subset is named and refused.

use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments,
    UnaryOperator, Value,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{Arithmetic, Comparison, Function, Kind, Node, SqlError};

pub(super) fn parse(sql: &str) -> Result<Node, SqlError> {
    let syntax = |reason: String| SqlError::Syntax {
        sql: sql.to_owned(),
        reason: reason.trim_start_matches("sql parser error: ").to_owned(),
    };
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(sql).map_err(|e| syntax(e.to_string()))?;
    let expression = parser.parse_expr().map_err(|e| syntax(e.to_string()))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(syntax(format!("`{rest}` is not expected after the expression")));
    }
    Translation { sql }.node(&expression)
}

struct Translation<'a> {
    sql: &'a str,
}

impl Translation<'_> {
    fn refuse<T>(&self, part: impl ToString) -> Result<T, SqlError> {
        Err(SqlError::NotOffered { sql: self.sql.to_owned(), part: part.to_string() })
    }

    fn boxed(&self, expression: &Expr) -> Result<Box<Node>, SqlError> {
        self.node(expression).map(Box::new)
    }

    fn node(&self, expression: &Expr) -> Result<Node, SqlError> {
        Ok(match expression {
            Expr::Nested(inner) => self.node(inner)?,
            Expr::Identifier(name) => Node::Column(name.value.clone()),
            Expr::CompoundIdentifier(parts) => {
                let parts: Vec<&str> = parts.iter().map(|p| p.value.as_str()).collect();
                return Err(SqlError::DottedName { sql: self.sql.to_owned(), name: parts.join(".") });
            }
            Expr::Value(value) => self.literal(&value.value)?,
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Node::Negate(self.boxed(expr)?),
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => self.node(expr)?,
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Node::Not(self.boxed(expr)?),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right)?,
            Expr::IsNull(inner) => Node::IsNull(self.boxed(inner)?),
            Expr::IsNotNull(inner) => Node::Not(Box::new(Node::IsNull(self.boxed(inner)?))),
            Expr::InList { expr, list, negated } => {
                let value = self.node(expr)?;
                let mut any = Node::Truth(false);
                for item in list {
                    let equal = Node::Compare(Comparison::Equal, Box::new(value.clone()), self.boxed(item)?);
                    any = match any {
                        Node::Truth(false) => equal,
                        any => Node::Or(Box::new(any), Box::new(equal)),
                    };
                }
                negate_if(*negated, any)
            }
            Expr::Between { expr, negated, low, high } => {
                let value = self.node(expr)?;
                let from =
                    Node::Compare(Comparison::GreaterOrEqual, Box::new(value.clone()), self.boxed(low)?);
                let to = Node::Compare(Comparison::LessOrEqual, Box::new(value), self.boxed(high)?);
                negate_if(*negated, Node::And(Box::new(from), Box::new(to)))
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                let operand = operand.as_deref().map(|o| self.node(o)).transpose()?;
                let branches = conditions
                    .iter()
                    .map(|branch| {
                        let condition = self.node(&branch.condition)?;
                        let condition = match &operand {
                            Some(operand) => Node::Compare(
                                Comparison::Equal,
                                Box::new(operand.clone()),
                                Box::new(condition),
                            ),
                            None => condition,
                        };
                        Ok((condition, self.node(&branch.result)?))
                    })
                    .collect::<Result<_, SqlError>>()?;
                let otherwise = else_result.as_deref().map_or(Ok(Node::Null), |e| self.node(e))?;
                Node::Case(branches, Box::new(otherwise))
            }
            Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None } => {
                Node::Cast(self.kind(data_type)?, self.boxed(expr)?)
            }
            Expr::Floor { expr, field } if plain(field) => {
                Node::Call(Function::Floor, vec![self.node(expr)?])
            }
            Expr::Ceil { expr, field } if plain(field) => Node::Call(Function::Ceil, vec![self.node(expr)?]),
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut arguments = vec![self.node(expr)?, self.node(from)?];
                if let Some(length) = substring_for {
                    arguments.push(self.node(length)?);
                }
                Node::Call(Function::Substr, arguments)
            }
            Expr::Function(call) => self.call(call)?,
            other => return self.refuse(other),
        })
    }

    fn literal(&self, value: &Value) -> Result<Node, SqlError> {
        Ok(match value {
            Value::Number(text, _) => match text.parse() {
                Ok(number) => Node::Number(number),
                Err(_) => return self.refuse(text),
            },
            Value::SingleQuotedString(text) => Node::Text(text.clone()),
            Value::Boolean(truth) => Node::Truth(*truth),
            Value::Null => Node::Null,
            other => return self.refuse(other),
        })
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Node, SqlError> {
        let arithmetic = |kind| Ok(Node::Arithmetic(kind, self.boxed(left)?, self.boxed(right)?));
        let compare = |kind| Ok(Node::Compare(kind, self.boxed(left)?, self.boxed(right)?));
        match op {
            BinaryOperator::Plus => arithmetic(Arithmetic::Add),
            BinaryOperator::Minus => arithmetic(Arithmetic::Subtract),
            BinaryOperator::Multiply => arithmetic(Arithmetic::Multiply),
            BinaryOperator::Divide => arithmetic(Arithmetic::Divide),
            BinaryOperator::StringConcat => Ok(Node::Join(self.boxed(left)?, self.boxed(right)?)),
            BinaryOperator::Eq => compare(Comparison::Equal),
            BinaryOperator::NotEq => compare(Comparison::Unequal),
            BinaryOperator::Lt => compare(Comparison::Less),
            BinaryOperator::LtEq => compare(Comparison::LessOrEqual),
            BinaryOperator::Gt => compare(Comparison::Greater),
            BinaryOperator::GtEq => compare(Comparison::GreaterOrEqual),
            BinaryOperator::And => Ok(Node::And(self.boxed(left)?, self.boxed(right)?)),
            BinaryOperator::Or => Ok(Node::Or(self.boxed(left)?, self.boxed(right)?)),
            other => self.refuse(other),
        }
    }

    fn kind(&self, data_type: &DataType) -> Result<Kind, SqlError> {
        let name = data_type.to_string().to_uppercase();
        let word = name.split('(').next().unwrap_or_default().trim();
        Ok(match word {
            "DOUBLE" | "DOUBLE PRECISION" | "REAL" | "FLOAT" | "FLOAT8" | "FLOAT4" | "DECIMAL"
            | "NUMERIC" => Kind::Number,
            "INTEGER" | "INT" | "BIGINT" | "SMALLINT" | "INT4" | "INT8" => Kind::Integer,
            "TEXT" | "VARCHAR" | "CHARACTER VARYING" | "STRING" => Kind::Text,
            "BOOLEAN" | "BOOL" => Kind::Truth,
            _ => return self.refuse(format!("CAST AS {name}")),
        })
    }

    fn call(&self, call: &sqlparser::ast::Function) -> Result<Node, SqlError> {
        let name = call.name.to_string().to_uppercase();
        let (function, word, counts, expected) = match name.as_str() {
            "ABS" => (Function::Abs, "ABS", 1..=1, "one value"),
            "ROUND" => (Function::Round, "ROUND", 1..=2, "a value and perhaps a number of digits"),
            "FLOOR" => (Function::Floor, "FLOOR", 1..=1, "one value"),
            "CEIL" | "CEILING" => (Function::Ceil, "CEIL", 1..=1, "one value"),
            "LN" => (Function::Ln, "LN", 1..=1, "one value"),
            "EXP" => (Function::Exp, "EXP", 1..=1, "one value"),
            "SQRT" => (Function::Sqrt, "SQRT", 1..=1, "one value"),
            "POWER" => (Function::Power, "POWER", 2..=2, "a base and an exponent"),
            "COALESCE" => (Function::Coalesce, "COALESCE", 1..=usize::MAX, "one value or more"),
            "NULLIF" => (Function::NullIf, "NULLIF", 2..=2, "two values"),
            "LEAST" => (Function::Least, "LEAST", 1..=usize::MAX, "one value or more"),
            "GREATEST" => (Function::Greatest, "GREATEST", 1..=usize::MAX, "one value or more"),
            "LOWER" => (Function::Lower, "LOWER", 1..=1, "one text"),
            "UPPER" => (Function::Upper, "UPPER", 1..=1, "one text"),
            "LENGTH" => (Function::Length, "LENGTH", 1..=1, "one text"),
            "SUBSTR" => (Function::Substr, "SUBSTR", 2..=3, "a text, a start and perhaps a length"),
            _ => return self.refuse(name),
        };
        let plain = call.filter.is_none()
            && call.over.is_none()
            && call.within_group.is_empty()
            && matches!(call.parameters, FunctionArguments::None);
        let FunctionArguments::List(list) = &call.args else { return self.refuse(call) };
        if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return self.refuse(call);
        }
        let mut arguments = Vec::with_capacity(list.args.len());
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) => arguments.push(self.node(inner)?),
                other => return self.refuse(other),
            }
        }
        if !counts.contains(&arguments.len()) {
            return Err(SqlError::ArgumentCount {
                sql: self.sql.to_owned(),
                function: word,
                expected,
                got: arguments.len(),
            });
        }
        Ok(Node::Call(function, arguments))
    }
}

fn negate_if(negated: bool, node: Node) -> Node {
    if negated { Node::Not(Box::new(node)) } else { node }
}

/// `FLOOR(x)` without a date field or a scale.
fn plain(field: &CeilFloorKind) -> bool {
    matches!(field, CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime))
}
