//! Functions of truth.

use crate::expression::evaluate::EvaluateError;
use crate::expression::function::Function;
use crate::expression::values::Value;

use super::{Call, Result, patterns};

pub(super) fn call(call: &Call<'_, '_>) -> Result {
    Ok(Value::Boolean(match call.function {
        Function::True => true,
        Function::False => false,
        Function::Boolean => call.boolean(0)?,
        Function::Not => !call.boolean(0)?,
        Function::BooleanFromString => {
            let text = call.text(0)?;
            text == "1" || text == "true" || (call.is_javarosa() && text.eq_ignore_ascii_case("true"))
        }
        Function::Regex => patterns::matches(&call.text(0)?, &call.text(1)?, call.is_javarosa())?,
        Function::Checklist => checklist(call)?,
        Function::WeightedChecklist => weighted(call)?,
        Function::If => return call.value(if call.boolean(0)? { 1 } else { 2 }),
        Function::Coalesce => {
            let first = call.value(0)?;
            let single = first.single(call.scope)?;
            let blank = match &single {
                Value::Number(number) => number.is_nan(),
                other => other.text(call.scope)?.is_empty(),
            };
            return if blank { call.value(1) } else { Ok(first) };
        }
        Function::Once => {
            let kept = call.scope.main.text(call.scope.node);
            return if kept.is_empty() { call.value(0) } else { Ok(Value::Text(kept.into_owned())) };
        }
        _ => false,
    }))
}

fn checklist(call: &Call<'_, '_>) -> std::result::Result<bool, EvaluateError> {
    let (fewest, most) = (call.number(0)?, call.number(1)?);
    let mut count = 0.0;
    for factor in call.values_from(2)? {
        count += f64::from(u8::from(truth(&factor, call)?));
    }
    Ok((fewest < 0.0 || count >= fewest) && (most < 0.0 || count <= most))
}

/// A node's text counts by its boolean meaning, where a nodeset is spread.
fn truth(value: &Value, call: &Call<'_, '_>) -> std::result::Result<bool, EvaluateError> {
    value.boolean(call.scope)
}

fn weighted(call: &Call<'_, '_>) -> std::result::Result<bool, EvaluateError> {
    let (lowest, highest) = (call.number(0)?, call.number(1)?);
    let mut total = 0.0;
    if call.len() == 4
        && let (Value::Nodes(flags), Value::Nodes(weights)) = (call.value(2)?, call.value(3)?)
    {
        let (flags, weights) = (flags.texts(call.scope), weights.texts(call.scope));
        if flags.len() != weights.len() {
            return Err(EvaluateError::new("`weighted-checklist()` has not one weight for each factor"));
        }
        for (flag, weight) in flags.into_iter().zip(weights) {
            if truth(&Value::Text(flag), call)? {
                total += Value::Text(weight).number(call.scope)?;
            }
        }
    } else {
        for i in (2..call.len()).step_by(2) {
            if call.boolean(i)? {
                total += call.number(i + 1)?;
            }
        }
    }
    // −1 is no bound on the tablet, and a bound like others in JavaRosa.
    let open = |bound: f64| bound < 0.0 && !call.is_javarosa();
    Ok((open(lowest) || total >= lowest) && (open(highest) || total <= highest))
}
