//! Functions of dates and times.

use crate::expression::dates::{Moment, format_moment, parse_time, unknown_token};
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
            let Some(moment) = moment(&call.value(0)?, call)? else { return Ok(Value::Text(String::new())) };
            if let (Some(token), true) = (unknown_token(&format), call.is_javarosa()) {
                return Err(EvaluateError::new(format!("`{token}` is no token of a date's format")));
            }
            Ok(Value::Text(format_moment(moment, &format)))
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
            if parse_time(&text).is_some() && !call.is_javarosa() {
                let at = format!("1970-01-01T{text}");
                let days = Moment::parse(&at, call.scope.zone()).map_or(f64::NAN, Moment::time_of_day);
                return Ok(Value::Number(days));
            }
            let of_day = if call.is_javarosa() { Moment::late_time_of_day } else { Moment::time_of_day };
            Ok(Value::Number(moment(&value, call)?.map_or(f64::NAN, of_day)))
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
            // Whole days since 1970 are local dates for `date`; JavaRosa counts them so, and a sum like
            // `date(d) + 7` on the tablet carries its own part of the day. Elsewhere days are those of UTC.
            let is_date = call.function == Function::Date;
            let local = is_date && (call.is_javarosa() || days.fract() == 0.0);
            let days = if local { days.trunc() } else { days };
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
        Value::Boolean(yes) if call.is_javarosa() => {
            Err(EvaluateError::new(format!("`{yes}` is not a date; write it as 2026-11-23")))
        }
        Value::Boolean(_) | Value::Nodes(_) => Ok(None),
    }
}
