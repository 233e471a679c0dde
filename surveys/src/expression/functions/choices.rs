//! Functions of selected codes and of the form's texts.

use crate::expression::evaluate::EvaluateError;
use crate::expression::function::Function;
use crate::expression::values::Value;

use super::{Call, Result};

pub(super) fn call(call: &Call<'_, '_>) -> Result {
    let lookups = call.scope.environment.lookups;
    match call.function {
        Function::Selected => {
            if call.is_javarosa() && !matches!(call.value(1)?.single(call.scope)?, Value::Text(_)) {
                return Err(EvaluateError::new("the code that `selected()` looks for must stand in quotes"));
            }
            let (list, code) = (list(call)?, call.text(1)?);
            let code = code.trim();
            // A blank list has the blank code, in both engines.
            let found = if code.is_empty() {
                list.trim().is_empty()
            } else if call.is_javarosa() {
                format!(" {list} ").contains(&format!(" {code} "))
            } else {
                list.split_whitespace().any(|one| one == code)
            };
            Ok(Value::Boolean(found))
        }
        Function::SelectedAt => {
            let (list, mut index) = (list(call)?, call.number(1)?);
            if index.is_nan() && call.is_javarosa() {
                index = 0.0;
            }
            let code = if index >= 0.0 { list.split_whitespace().nth(index as usize) } else { None };
            Ok(Value::Text(code.unwrap_or_default().to_owned()))
        }
        Function::CountSelected => Ok(Value::Number(list(call)?.split_whitespace().count() as f64)),
        Function::ChoiceName => {
            let (value, path) = (call.text(0)?, call.text(1)?);
            let label = lookups.choice_label(path.trim(), &value);
            Ok(Value::Text(label.unwrap_or_default()))
        }
        Function::Itext => Ok(Value::Text(lookups.text(&call.text(0)?).unwrap_or_default())),
        Function::Property => Ok(Value::Text(lookups.property(&call.text(0)?).unwrap_or_default())),
        _ => Ok(Value::Text(lookups.version())),
    }
}

/// The codes of the first argument. JavaRosa breaks down on a number or a date.
fn list(call: &Call<'_, '_>) -> std::result::Result<String, EvaluateError> {
    match call.value(0)?.single(call.scope)? {
        Value::Number(_) | Value::Moment(_) | Value::Boolean(_) if call.is_javarosa() => {
            let name = call.function.name();
            Err(EvaluateError::new(format!("`{name}()` needs a select; compare a number with `=`")))
        }
        other => other.text(call.scope),
    }
}
