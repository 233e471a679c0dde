//! What each function does, by subject.

mod choices;
mod logic;
mod nodes;
mod numbers;
mod patterns;
mod text;
mod times;

pub(super) use patterns::is_readable;

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

    /// All arguments from `i` on, each node of a nodeset for itself; in JavaRosa only where the nodeset
    /// is the only one of them.
    fn values_from(&self, i: usize) -> std::result::Result<Vec<Value>, EvaluateError> {
        let mut found = Vec::new();
        for k in i..self.len() {
            match self.value(k)? {
                Value::Nodes(set) if !self.is_javarosa() || self.len() == i + 1 => {
                    found.extend(set.values(self.scope));
                }
                other => found.push(other.single(self.scope)?),
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
    if !call.is_javarosa() && !function.known_to_web_forms() {
        return Err(EvaluateError::new(format!("the tablet has no function `{}()`", function.name())));
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
    if call.is_javarosa() {
        return place_in_javarosa(call);
    }
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
    let read: Option<Vec<Vec<places::Point>>> = texts.iter().map(|text| places::points(text)).collect();
    let points = read.map(|parts| parts.concat());
    Ok(Value::Number(match (call.function, points) {
        (Function::Area, points) => places::hundredths(places::area(&points.unwrap_or_default())),
        (_, Some(points)) if points.len() >= 2 => places::hundredths(places::distance(&points)),
        _ => f64::NAN,
    }))
}

/// JavaRosa reads shapes from nodes only, does not round, and does not look whether a latitude is one.
fn place_in_javarosa(call: &Call<'_, '_>) -> Result {
    let name = call.function.name();
    let points = |text: &str| match places::points_anywhere(text) {
        _ if text.trim().is_empty() => Ok(Vec::new()),
        Some(points) => Ok(points),
        None => Err(EvaluateError::new(format!("`{text}` is no place for `{name}()`"))),
    };
    let of_nodes = |i: usize| match call.value(i)? {
        Value::Nodes(set) => set.texts(call.scope).iter().try_fold(Vec::new(), |mut all, text| {
            all.extend(points(text)?);
            Ok(all)
        }),
        _ => Err(EvaluateError::new(format!("`{name}()` of JavaRosa needs a question, not a text"))),
    };
    Ok(match call.function {
        Function::Area => Value::Number(places::flat_area(&of_nodes(0)?)),
        // Collect adds it to JavaRosa.
        Function::Intersects => Value::Boolean(places::intersects(&points(&call.text(0)?)?)),
        Function::Geofence => {
            let point = points(&call.text(0)?)?.first().copied();
            let ring = of_nodes(1)?;
            Value::Boolean(point.is_some_and(|point| places::inside(point, &ring)))
        }
        _ => {
            let mut all = Vec::new();
            for part in call.values_from(0)? {
                all.extend(points(&part.text(call.scope)?)?);
            }
            Value::Number(if all.len() < 2 { 0.0 } else { places::distance(&all) })
        }
    })
}
