//! What the constants of an expression tell: codes that questions are compared with, and conditions
//! that never hold.

use crate::expression::function::Function;
use crate::expression::syntax::{Expr, Operator, Start, Test, walk};

/// `${name}` or the last name of a path, and the text that it is compared with: `${q} = 'x'`,
/// `selected(${q}, 'x')`.
pub(in crate::expression) fn compared(root: &Expr) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut pair = |question: &Expr, value: &Expr| {
        let name = match question {
            Expr::Question(name) => Some(name.clone()),
            Expr::Path(path) => path.steps.last().and_then(|step| match &step.test {
                Test::Name(name) if !matches!(path.start, Start::Expr(..)) => Some(name.clone()),
                _ => None,
            }),
            _ => None,
        };
        let value = match value {
            Expr::Text(text) if !text.is_empty() => Some(text.clone()),
            Expr::Number(number) => Some(crate::expression::plain_number(*number)),
            _ => None,
        };
        found.extend(name.zip(value));
    };
    walk(root, &mut |expr| match expr {
        Expr::Binary(Operator::Equal, left, right) => {
            pair(left, right);
            pair(right, left);
        }
        Expr::Call(Function::Selected, arguments) => {
            if let [question, value] = &arguments[..] {
                pair(question, value);
            }
        }
        _ => {}
    });
    found
}

/// Whether the condition can never hold: `false()`, `1 = 2`, or a conjunction with such a part.
pub(in crate::expression) fn is_never(expr: &Expr) -> bool {
    match expr {
        Expr::Call(Function::False, _) => true,
        Expr::Binary(Operator::Equal, left, right) => match (&**left, &**right) {
            (Expr::Number(a), Expr::Number(b)) => a != b,
            (Expr::Text(a), Expr::Text(b)) => a != b,
            _ => false,
        },
        Expr::Binary(Operator::And, left, right) => is_never(left) || is_never(right),
        Expr::Binary(Operator::Or, left, right) => is_never(left) && is_never(right),
        _ => false,
    }
}
