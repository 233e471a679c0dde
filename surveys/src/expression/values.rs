//! Values of expressions and how each engine turns one kind into another.

use super::Dialect;
use super::dates::Moment;
use super::evaluate::{EvaluateError, Scope};
use super::numbers::{from_text, java_number, plain_number};
use super::tree::{Kind, NodeId, Tree};

/// Nodes of one tree, in document order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeSet {
    /// `None` is the primary instance, else the id of a secondary one.
    pub instance: Option<String>,
    pub nodes: Vec<NodeId>,
    /// Set where the nodes stand for attributes of that name.
    pub attribute: Option<String>,
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nodes(NodeSet),
    Text(String),
    Number(f64),
    Boolean(bool),
    Moment(Moment),
}

/// A number as XPath reads it from text, and in the tablet's engine also from a date.
pub(super) fn number_of_text(text: &str, scope: &Scope<'_>) -> f64 {
    let text = if scope.dialect() == Dialect::JavaRosa { text.replace(',', ".") } else { text.to_owned() };
    let number = from_text(&text);
    // Only a text that may be a date is tried as one: four digits and a minus.
    if number.is_nan()
        && scope.dialect() == Dialect::WebForms
        && text.as_bytes().get(4) == Some(&b'-')
        && let Some(moment) = Moment::parse(&text, scope.zone())
    {
        return moment.decimal_days();
    }
    number
}

impl NodeSet {
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The tree that the nodes stand in.
    pub(super) fn tree<'a>(&self, scope: &Scope<'a>) -> Option<&'a Tree> {
        match &self.instance {
            None => Some(scope.main),
            Some(id) => scope.environment.lookups.instance(id),
        }
    }

    /// Text of each node.
    pub(super) fn texts(&self, scope: &Scope<'_>) -> Vec<String> {
        let Some(tree) = self.tree(scope) else { return Vec::new() };
        self.nodes.iter().map(|node| self.text_of(tree, *node)).collect()
    }

    fn text_of(&self, tree: &Tree, node: NodeId) -> String {
        match &self.attribute {
            None => tree.text(node).into_owned(),
            Some(name) => {
                let attributes = &tree.get(node).attributes;
                attributes.iter().find(|(n, _)| **n == **name).map_or_else(String::new, |(_, v)| v.clone())
            }
        }
    }

    /// Each node as a value of its own.
    pub(super) fn values(&self, scope: &Scope<'_>) -> Vec<Value> {
        let Some(tree) = self.tree(scope) else { return Vec::new() };
        let value = |node: &NodeId| match scope.dialect() {
            Dialect::JavaRosa => self.typed(tree, *node, scope),
            Dialect::WebForms => Value::Text(self.text_of(tree, *node)),
        };
        self.nodes.iter().map(value).collect()
    }

    /// The value of one node as JavaRosa types it.
    fn typed(&self, tree: &Tree, node: NodeId, scope: &Scope<'_>) -> Value {
        // A group has no value of its own, whatever lies inside.
        if self.attribute.is_none() && !tree.children(node).is_empty() {
            return Value::Text(String::new());
        }
        let text = self.text_of(tree, node);
        if self.instance.is_some() || self.attribute.is_some() || text.is_empty() {
            return Value::Text(text);
        }
        match tree.get(node).kind {
            Kind::Text => Value::Text(text),
            Kind::Number => {
                let number = from_text(&text);
                if number.is_nan() { Value::Text(text) } else { Value::Number(number) }
            }
            Kind::Date => match Moment::parse(&text, scope.zone()) {
                Some(moment) => Value::Moment(moment.start_of_day()),
                None => Value::Text(text),
            },
            Kind::DateTime => match Moment::parse(&text, scope.zone()) {
                Some(moment) => Value::Moment(moment),
                None => Value::Text(text),
            },
            // A time is one of the day on which it is read.
            Kind::Time => match Moment::parse(&format!("{}T{text}", scope.now().date_text()), scope.zone()) {
                Some(moment) => Value::Moment(moment),
                None => Value::Text(text),
            },
            // A boolean reads back as the 1 or 0 that was stored.
            Kind::Boolean => Value::Text(text),
        }
    }
}

impl Value {
    /// One value in the place of a nodeset: the first node's text in the tablet's engine; in JavaRosa
    /// its typed value, blank for no node, and an error for several.
    pub(super) fn single(&self, scope: &Scope<'_>) -> Result<Self, EvaluateError> {
        let Value::Nodes(set) = self else { return Ok(self.clone()) };
        let Some(tree) = set.tree(scope) else { return Ok(Self::Text(String::new())) };
        match (&set.nodes[..], scope.dialect()) {
            ([], _) => Ok(Self::Text(String::new())),
            ([node], Dialect::JavaRosa) => Ok(set.typed(tree, *node, scope)),
            ([_, _, ..], Dialect::JavaRosa) => Err(EvaluateError::new(format!(
                "the path finds {} nodes where one value is due; say which one with [position() = n]",
                set.nodes.len()
            ))),
            ([node, ..], Dialect::WebForms) => Ok(Self::Text(set.text_of(tree, *node))),
        }
    }

    pub(super) fn text(&self, scope: &Scope<'_>) -> Result<String, EvaluateError> {
        Ok(match self.single(scope)? {
            Self::Text(text) => text,
            Self::Boolean(yes) => yes.to_string(),
            Self::Number(number) if scope.dialect() == Dialect::JavaRosa => java_number(number),
            // On the tablet what is no number reads as blank.
            Self::Number(number) if number.is_nan() => String::new(),
            Self::Number(number) => plain_number(number),
            Self::Moment(moment) if scope.dialect() == Dialect::JavaRosa => moment.date_text(),
            Self::Moment(moment) if moment.is_midnight() => moment.date_text(),
            Self::Moment(moment) => moment.date_time_text(),
            Self::Nodes(_) => String::new(),
        })
    }

    pub(super) fn number(&self, scope: &Scope<'_>) -> Result<f64, EvaluateError> {
        Ok(match self.single(scope)? {
            Self::Text(text) => number_of_text(&text, scope),
            Self::Boolean(yes) => f64::from(u8::from(yes)),
            Self::Number(number) => number,
            Self::Moment(moment) if scope.dialect() == Dialect::JavaRosa => moment.whole_days(),
            Self::Moment(moment) => moment.decimal_days(),
            Self::Nodes(_) => f64::NAN,
        })
    }

    /// As a condition. A path is true in the tablet's engine where the node exists, in JavaRosa where
    /// its value is not blank (and not 0, if it is a number).
    pub(super) fn boolean(&self, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
        if let (Self::Nodes(set), Dialect::WebForms) = (self, scope.dialect()) {
            return Ok(!set.is_empty());
        }
        Ok(match self.single(scope)? {
            Self::Text(text) => !text.is_empty(),
            Self::Boolean(yes) => yes,
            Self::Number(number) if scope.dialect() == Dialect::JavaRosa => number.abs() > 1.0e-12,
            Self::Number(number) => number != 0.0 && !number.is_nan(),
            Self::Moment(_) => true,
            Self::Nodes(_) => false,
        })
    }
}
