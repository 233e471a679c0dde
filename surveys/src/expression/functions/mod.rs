//! What each function does, by subject.

mod choices;
mod logic;
mod nodes;
mod numbers;
mod text;
mod times;

use super::evaluate::{At, EvaluateError, Scope, value};
use super::function::Function;
use super::syntax::Expr;
use super::values::Value;
use super::{Dialect, places};

pub(super) type Result = std::result::Result<Value, EvaluateError>;

/// The arguments of one call, evaluated when they are asked for.
#[derive(Clone, Copy)]
pub(super) struct Call<'c, 'a> {
    pub function: Function,
    pub arguments: &'c [Expr],
    pub scope: &'c Scope<'a>,
    pub at: At<'c>,
}

impl Call<'_, '_> {
    fn len(&self) -> usize {
        self.arguments.len()
    }

    fn is_javarosa(&self) -> bool {
        self.scope.dialect() == Dialect::JavaRosa
    }

    /// Argument `i`; the node at hand where it is not given.
    fn value(&self, i: usize) -> Result {
        match self.arguments.get(i) {
            Some(argument) => value(argument, self.scope, self.at),
            None => Ok(Value::Nodes(super::NodeSet {
                instance: self.at.instance.map(str::to_owned),
                nodes: vec![self.at.node],
                attribute: None,
            })),
        }
    }

    fn text(&self, i: usize) -> std::result::Result<String, EvaluateError> {
        self.value(i)?.text(self.scope)
    }

    fn number(&self, i: usize) -> std::result::Result<f64, EvaluateError> {
        self.value(i)?.number(self.scope)
    }

    fn boolean(&self, i: usize) -> std::result::Result<bool, EvaluateError> {
        self.value(i)?.boolean(self.scope)
    }

    /// All arguments from `i` on, each node of a nodeset for itself.
    fn values_from(&self, i: usize) -> std::result::Result<Vec<Value>, EvaluateError> {
        let mut found = Vec::new();
        for k in i..self.len() {
            match self.value(k)? {
                Value::Nodes(set) => found.extend(set.texts(self.scope).into_iter().map(Value::Text)),
                other => found.push(other),
            }
        }
        Ok(found)
    }

    /// The nodes of argument `i`, a path.
    fn set(&self, i: usize) -> std::result::Result<super::NodeSet, EvaluateError> {
        match self.value(i)? {
            Value::Nodes(set) => Ok(set),
            _ => {
                let name = self.function.name();
                Err(EvaluateError::new(format!("`{name}()` needs a path as argument {}", i + 1)))
            }
        }
    }
}

pub(super) fn call(function: Function, arguments: &[Expr], scope: &Scope<'_>, at: At<'_>) -> Result {
    use Function as F;
    let call = Call { function, arguments, scope, at };
    if call.is_javarosa() && !function.known_to_javarosa() {
        return Err(EvaluateError::new(format!("JavaRosa has no function `{}()`", function.name())));
    }
    match function {
        F::Concat
        | F::Join
        | F::Substr
        | F::Substring
        | F::SubstringBefore
        | F::SubstringAfter
        | F::Translate
        | F::StringLength
        | F::NormalizeSpace
        | F::Contains
        | F::StartsWith
        | F::EndsWith
        | F::Uuid
        | F::Digest
        | F::Base64Decode
        | F::Text => text::call(&call),
        F::If
        | F::Coalesce
        | F::Once
        | F::True
        | F::False
        | F::Boolean
        | F::BooleanFromString
        | F::Not
        | F::Regex
        | F::Checklist
        | F::WeightedChecklist => logic::call(&call),
        F::Number
        | F::Random
        | F::Int
        | F::Sum
        | F::Max
        | F::Min
        | F::Round
        | F::Pow
        | F::Log
        | F::Log10
        | F::Abs
        | F::Sin
        | F::Cos
        | F::Tan
        | F::Asin
        | F::Acos
        | F::Atan
        | F::Atan2
        | F::Sqrt
        | F::Exp
        | F::Exp10
        | F::Pi
        | F::Floor
        | F::Ceiling => numbers::call(&call),
        F::Count
        | F::CountNonEmpty
        | F::Position
        | F::Last
        | F::Name
        | F::LocalName
        | F::Instance
        | F::Current
        | F::Randomize
        | F::IndexedRepeat
        | F::PullData => nodes::call(&call),
        F::Today
        | F::Now
        | F::Date
        | F::DateTime
        | F::FormatDate
        | F::FormatDateTime
        | F::DecimalDateTime
        | F::DecimalTime => times::call(&call),
        F::Selected
        | F::SelectedAt
        | F::CountSelected
        | F::ChoiceName
        | F::Itext
        | F::Version
        | F::Property => choices::call(&call),
        F::Area | F::Distance | F::Geofence | F::Intersects => place(&call),
    }
}

/// `area`, `distance`, `geofence`, `intersects`.
fn place(call: &Call<'_, '_>) -> Result {
    let mut texts = Vec::new();
    for part in call.values_from(0)? {
        texts.push(part.text(call.scope)?);
    }
    // The second argument of geofence is the ring, not a further point.
    if call.function == Function::Geofence {
        let point = places::points(&call.text(0)?).and_then(|points| points.first().copied());
        let ring = places::points(&call.text(1)?);
        let inside = point.zip(ring).is_some_and(|(point, ring)| places::inside(point, &ring));
        return Ok(Value::Boolean(inside));
    }
    let mut points = Some(Vec::new());
    for text in texts {
        points = match (points, places::points(&text)) {
            (Some(mut all), Some(more)) => {
                all.extend(more);
                Some(all)
            }
            _ => None,
        };
    }
    // JavaRosa does not round.
    let rounded =
        |metres: f64| Value::Number(if call.is_javarosa() { metres } else { places::hundredths(metres) });
    Ok(match (call.function, points) {
        (Function::Intersects, points) => Value::Boolean(points.is_some_and(|p| places::intersects(&p))),
        (_, None) => Value::Number(f64::NAN),
        (Function::Area, Some(points)) if points.len() >= 2 => rounded(places::area(&points)),
        (Function::Distance, Some(points)) if points.len() >= 2 => rounded(places::distance(&points)),
        // One point is no line: 0 in JavaRosa, no number on the tablet.
        (_, Some(_)) => Value::Number(if call.is_javarosa() { 0.0 } else { f64::NAN }),
    })
}
