//! The ODK XPath subset: parser, references and evaluator.
//!
//! An expression is parsed once and evaluated many times against an instance [`Tree`]. Two engines
//! read the same expression differently in places ([`Dialect`]); the differences are those of the
//! trap table of the form language, each at its place in `values` and `functions`.

mod budget;
mod columns;
mod dates;
mod evaluate;
mod function;
mod functions;
mod lexer;
mod numbers;
mod parser;
mod places;
mod randomize;
mod references;
mod syntax;
mod traps;
mod tree;
mod values;

use std::fmt;

pub(crate) use columns::Column;
pub use dates::{Moment, format_moment};
pub use evaluate::{Environment, EvaluateError, Lookups, NoLookups, Scope};
pub use function::Function;
pub use numbers::{java_number, plain_number};
pub(crate) use randomize::uuid;
pub use references::Reference;
pub use traps::{Found, Purpose, Standing, Trap};
pub use tree::{Kind, Node, NodeId, Tree};
pub use values::{NodeSet, Value};

use crate::question_type::Stored;
use syntax::Expr;

/// Whose reading of an expression holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The tablet's engine (`@getodk/xforms-engine`), with its known bugs mended.
    #[default]
    WebForms,
    /// ODK Collect's engine.
    JavaRosa,
}

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    source: String,
    root: Expr,
}

/// Why a text is not an expression of the form language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{source_text}`, character {at}: {message}")]
pub struct ParseError {
    /// The whole expression.
    pub source_text: String,
    /// Position of the trouble, in characters from 1.
    pub at: usize,
    pub message: String,
}

impl Expression {
    /// Parses XPath as it stands in a bind, with `${name}` also allowed.
    pub fn parse(source: &str) -> Result<Self, ParseError> {
        let root = parser::parse(source)?;
        Ok(Self { source: source.to_owned(), root })
    }

    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Every path, `${name}` and secondary instance that the expression reads.
    ///
    /// `context` is the schema path of the node it stands on (`/data/roster/adult/age`); relative
    /// paths are made absolute by it, and predicates are left out of the paths.
    pub fn references(&self, context: &str) -> Vec<Reference> {
        references::collect(&self.root, context)
    }

    /// The functions it calls, each once, in order of appearance.
    pub fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        syntax::walk(&self.root, &mut |expr| {
            if let Expr::Call(function, _) = expr
                && !found.contains(function)
            {
                found.push(*function);
            }
        });
        found
    }

    /// What the two engines read differently in it, with remedies. `${name}` has been given its path.
    pub fn traps(&self, standing: &Standing<'_>) -> Vec<Trap> {
        traps::find(&self.root, standing)
    }

    /// Names of questions with a text or number that the expression compares them with.
    pub fn compared(&self) -> Vec<(String, String)> {
        traps::compared(&self.root)
    }

    /// Whether the expression is a condition that can never hold, as far as its constants say.
    pub fn is_never(&self) -> bool {
        traps::is_never(&self.root)
    }

    /// True where two evaluations with the same inputs may differ: `random()`, `uuid()`, the clock,
    /// or an unseeded `randomize`.
    pub fn is_volatile(&self) -> bool {
        let mut found = false;
        syntax::walk(&self.root, &mut |expr| {
            if let Expr::Call(function, arguments) = expr {
                found |= match function {
                    Function::Random | Function::Uuid | Function::Now | Function::Today => true,
                    Function::Randomize => arguments.len() == 1,
                    _ => false,
                };
            }
        });
        found
    }

    /// The value at `scope`.
    ///
    /// Errors: what neither engine can compute (a nodeset of several nodes used as one value in
    /// JavaRosa, an unknown algorithm of `digest`, a regular expression that does not parse …).
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvaluateError> {
        evaluate::evaluate(&self.root, scope)
    }

    /// The value as the text that a calculation stores; blank for NaN and for nothing.
    pub fn evaluate_stored(&self, scope: &Scope<'_>) -> Result<String, EvaluateError> {
        let value = self.evaluate(scope)?;
        evaluate::stored(&value, None, scope)
    }

    /// The value as the text that a calculation stores in a node of that type.
    pub fn evaluate_answer(&self, answer: Stored, scope: &Scope<'_>) -> Result<String, EvaluateError> {
        let value = self.evaluate(scope)?;
        evaluate::stored(&value, Some(answer), scope)
    }

    /// The value as a condition.
    pub fn evaluate_condition(&self, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
        let value = self.evaluate(scope)?;
        evaluate::condition(&value, scope)
    }

    /// The nodes that a path yields; empty where the value is not a nodeset. For itemsets and
    /// repeat counts.
    pub fn evaluate_nodes(&self, scope: &Scope<'_>) -> Result<NodeSet, EvaluateError> {
        match self.evaluate(scope)? {
            Value::Nodes(nodes) => Ok(nodes),
            _ => Ok(NodeSet::default()),
        }
    }

    /// Texts of the nodes that a path yields, or of their first child of that name.
    pub fn evaluate_texts(
        &self,
        scope: &Scope<'_>,
        child: Option<&str>,
    ) -> Result<Vec<String>, EvaluateError> {
        let set = self.evaluate_nodes(scope)?;
        let Some(tree) = set.tree(scope) else { return Ok(Vec::new()) };
        let text = |node: &NodeId| match child {
            None => Some(tree.text(*node).into_owned()),
            Some(name) => tree.named(*node, name).next().map(|inner| tree.text(inner).into_owned()),
        };
        Ok(set.nodes.iter().filter_map(text).collect())
    }

    /// Number bounds that a conjunction sets on `.`: `. >= 18 and . <= 110` gives (18, 110).
    /// Bounds written with anything but numbers are left open.
    pub fn bounds(&self) -> (Option<f64>, Option<f64>) {
        syntax::bounds(&self.root)
    }

    /// Pattern of a `regex(., 'pattern')` that must hold, if the expression is one or a conjunction
    /// with one.
    pub fn pattern(&self) -> Option<&str> {
        syntax::pattern(&self.root)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
