//! Functions of dates and times.

use crate::expression::dates::{Moment, format_moment, parse_time};
use crate::expression::evaluate::EvaluateError;
use crate::expression::function::Function;
use crate::expression::values::Value;

use super::{Call, Result};

pub(super) fn call(call: &Call<'_, '_>) -> Result {
    let now = call.scope.environment.now;
    match call.function {
        Function::Today => Ok(Value::Moment(now.start_of_day())),
        Function::Now => Ok(Value::Moment(now)),
        Function::Date | Function::DateTime => {
            let value = call.value(0)?.single(call.scope)?;
            match moment(&value, call)? {
                // JavaRosa's `date` drops the time of a number or a date, not of a text.
                Some(moment)
                    if call.is_javarosa()
                        && call.function == Function::Date
                        && !matches!(value, Value::Text(_)) =>
                {
                    Ok(Value::Moment(moment.start_of_day()))
                }
                Some(moment) => Ok(Value::Moment(moment)),
                None => Ok(Value::Text(String::new())),
            }
        }
        Function::FormatDate | Function::FormatDateTime => {
            let format = call.text(1)?;
            let times = call.is_javarosa() || call.function == Function::FormatDateTime;
            let text = moment(&call.value(0)?, call)?.map(|moment| format_moment(moment, &format, times));
            Ok(Value::Text(text.unwrap_or_default()))
        }
        Function::DecimalDateTime => {
            let value = call.value(0)?;
            if let (Value::Number(number), true) = (&value, call.is_javarosa()) {
                return Ok(Value::Number(*number));
            }
            Ok(Value::Number(moment(&value, call)?.map_or(f64::NAN, Moment::decimal_days)))
        }
        _ => {
            let value = call.value(0)?.single(call.scope)?;
            if let Value::Number(days) = value {
                return Ok(Value::Number(days - days.floor()));
            }
            let text = value.text(call.scope)?;
            // JavaRosa knows a time by the type of its node only.
            if let Some((time, _)) = parse_time(&text).filter(|_| !call.is_javarosa()) {
                let at = format!("1970-01-01T{}", time.format("%H:%M:%S%.3f"));
                let days = Moment::parse(&at, call.scope.zone()).map_or(f64::NAN, Moment::time_of_day);
                return Ok(Value::Number(days));
            }
            Ok(Value::Number(moment(&value, call)?.map_or(f64::NAN, Moment::time_of_day)))
        }
    }
}

/// A date from a date, a text or a number of days; `None` for blank and NaN.
fn moment(value: &Value, call: &Call<'_, '_>) -> std::result::Result<Option<Moment>, EvaluateError> {
    let zone = call.scope.zone();
    match value.single(call.scope)? {
        Value::Moment(moment) => Ok(Some(moment)),
        Value::Number(days) if days.is_nan() => Ok(None),
        Value::Number(days) => {
            // Whole days since 1970 are local dates; JavaRosa counts them so, and a sum like
            // `date(d) + 7` on the tablet carries its own part of the day.
            let local = days.fract() == 0.0;
            let shift = if local { f64::from(zone) * 60_000.0 } else { 0.0 };
            let moment = Moment::from_milliseconds((days * 86_400_000.0).round() - shift, zone);
            match moment {
                Some(moment) => Ok(Some(moment)),
                None => Err(EvaluateError::new(format!("{days} is too far off to be a date"))),
            }
        }
        Value::Text(text) if text.is_empty() => Ok(None),
        Value::Text(text) => match Moment::parse(&text, zone) {
            Some(moment) => Ok(Some(moment)),
            None if call.is_javarosa() => {
                Err(EvaluateError::new(format!("`{text}` is not a date; write it as 2026-11-23")))
            }
            None => Ok(None),
        },
        Value::Boolean(_) | Value::Nodes(_) => Ok(None),
    }
}
