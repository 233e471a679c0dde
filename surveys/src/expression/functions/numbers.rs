//! Functions of numbers.

use crate::expression::function::Function;
use crate::expression::numbers;
use crate::expression::values::Value;

use super::{Call, Result};

pub(super) fn call(call: &Call<'_, '_>) -> Result {
    let one = |f: fn(f64) -> f64| -> Result { Ok(Value::Number(f(call.number(0)?))) };
    match call.function {
        Function::Number => one(|n| n),
        Function::Random => Ok(Value::Number(call.scope.environment.chance.borrow_mut().unit())),
        Function::Int => one(f64::trunc),
        Function::Sum => {
            let set = call.set(0)?;
            let mut total = 0.0;
            for text in set.texts(call.scope) {
                let number = Value::Text(text.clone()).number(call.scope)?;
                // A blank has nothing to add; JavaRosa passes over words too.
                if !number.is_nan() {
                    total += number;
                } else if !text.is_empty() && !call.is_javarosa() {
                    total = f64::NAN;
                }
            }
            Ok(Value::Number(total))
        }
        Function::Max => extreme(call, f64::max, f64::MIN_POSITIVE),
        Function::Min => extreme(call, f64::min, f64::MAX),
        Function::Round => {
            let digits = if call.len() > 1 { call.number(1)? } else { 0.0 };
            if digits.is_nan() && !call.is_javarosa() {
                return Ok(Value::Number(f64::NAN));
            }
            Ok(Value::Number(numbers::round(call.number(0)?, digits.clamp(-31.0, 31.0) as i32)))
        }
        Function::Pow => Ok(Value::Number(call.number(0)?.powf(call.number(1)?))),
        Function::Atan2 => Ok(Value::Number(call.number(0)?.atan2(call.number(1)?))),
        Function::Log => one(f64::ln),
        Function::Log10 => one(f64::log10),
        Function::Abs => one(f64::abs),
        Function::Sin => one(f64::sin),
        Function::Cos => one(f64::cos),
        Function::Tan => one(f64::tan),
        Function::Asin => one(f64::asin),
        Function::Acos => one(f64::acos),
        Function::Atan => one(f64::atan),
        Function::Sqrt => one(f64::sqrt),
        Function::Exp => one(f64::exp),
        Function::Exp10 => one(|n| 10_f64.powf(n)),
        Function::Floor => one(f64::floor),
        Function::Ceiling => one(f64::ceil),
        _ => Ok(Value::Number(std::f64::consts::PI)),
    }
}

/// Largest or smallest. JavaRosa passes over what is no number, and starts its search for the largest
/// at the smallest positive number; on the tablet one blank makes the whole NaN.
fn extreme(call: &Call<'_, '_>, pick: fn(f64, f64) -> f64, javarosa_start: f64) -> Result {
    let mut best: Option<f64> = None;
    for value in call.values_from(0)? {
        let number = value.number(call.scope)?;
        if number.is_nan() {
            if call.is_javarosa() {
                continue;
            }
            return Ok(Value::Number(f64::NAN));
        }
        let before = if call.is_javarosa() { best.or(Some(javarosa_start)) } else { best };
        best = Some(before.map_or(number, |before| pick(before, number)));
    }
    Ok(Value::Number(best.unwrap_or(f64::NAN)))
}
