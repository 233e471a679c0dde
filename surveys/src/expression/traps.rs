//! What JavaRosa (ODK Collect) and the tablet's engine read differently in an expression, each with
//! a remedy that both read alike.

use super::function::Function;
use super::syntax::{Axis, Expr, Operator, Path, Start, walk};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    pub vietnamese: String,
    pub english: String,
}

/// Every difference in the expression, each once, in order of appearance. `stored`: its value is
/// kept as an answer (a calculation), not used as a condition.
pub(super) fn find(root: &Expr, stored: bool) -> Vec<Trap> {
    let mut traps = Vec::new();
    if stored && is_condition(root) {
        add(
            &mut traps,
            "giá trị đúng/sai được lưu là `1`/`0` hay `true`/`false` tùy máy; hãy viết if(…, 1, 0)",
            "a stored true or false is `1`/`0` in Collect, `true`/`false` on the tablet; write if(…, 1, 0)",
        );
    }
    walk(root, &mut |expr| expression(expr, &mut traps));
    traps
}

fn add(traps: &mut Vec<Trap>, vietnamese: impl Into<String>, english: impl Into<String>) {
    let trap = Trap { vietnamese: vietnamese.into(), english: english.into() };
    if !traps.contains(&trap) {
        traps.push(trap);
    }
}

fn expression(expr: &Expr, traps: &mut Vec<Trap>) {
    match expr {
        Expr::Binary(operator, left, right) => binary(*operator, left, right, traps),
        Expr::Call(function, arguments) => call(*function, arguments, traps),
        Expr::Path(path) => steps(path, traps),
        Expr::Number(number) if number.abs() >= 2_147_483_648.0 => add(
            traps,
            "số từ 2.147.483.648 trở lên được ghi khác nhau (`2.5E10`); hãy dùng số nhỏ hơn",
            "numbers from 2,147,483,648 are written `2.5E10` by Collect; use smaller ones, or text",
        ),
        Expr::Number(_) | Expr::Text(_) | Expr::Negate(_) | Expr::Question(_) => {}
    }
}

fn binary(operator: Operator, left: &Expr, right: &Expr, traps: &mut Vec<Trap>) {
    use Operator::{Add, And, Greater, GreaterOrEqual, Less, LessOrEqual, Or, Subtract};
    match operator {
        Less | LessOrEqual | Greater | GreaterOrEqual if is_date_text(left) || is_date_text(right) => add(
            traps,
            "Collect không so sánh được ngày viết trong nháy; hãy viết date('…')",
            "Collect does not compare a date in quotes; write date('…')",
        ),
        And | Or => {
            if matches!(left, Expr::Text(_)) || matches!(right, Expr::Text(_)) {
                add(
                    traps,
                    "and/or với một chuỗi cho kết quả khác nhau; hãy so sánh chuỗi với một giá trị",
                    "and/or with a text gives different values; compare the text with something",
                );
            }
            if is_bare(left) || is_bare(right) {
                bare(traps);
            }
        }
        Add | Subtract if is_call(left, Function::Date) || is_call(right, Function::Date) => add(
            traps,
            "date(…) cộng trừ số ngày lệch phần giờ giữa hai máy; hãy viết round(…, 0)",
            "days added to date(…) differ by the hours of the zone; write round(…, 0) around it",
        ),
        _ => {}
    }
}

fn call(function: Function, arguments: &[Expr], traps: &mut Vec<Trap>) {
    let name = function.name();
    if !function.known_to_javarosa() {
        let instead = match function {
            Function::Floor => "int()",
            Function::Ceiling => "-int(-x)",
            Function::Substring => "substr()",
            Function::Last => "count()",
            _ => "",
        };
        let (vi, en) = match instead {
            "" => ("hãy bỏ".to_owned(), "leave it out".to_owned()),
            instead => (format!("hãy dùng {instead}"), format!("use {instead}")),
        };
        add(
            traps,
            format!("Collect không có hàm `{name}`; {vi}"),
            format!("Collect has no function `{name}`; {en}"),
        );
    }
    if !function.known_to_web_forms() {
        add(
            traps,
            format!("máy tính bảng không có hàm `{name}`; hãy bỏ"),
            format!("the tablet has no function `{name}`; leave it out"),
        );
    }
    let first = arguments.first();
    match function {
        Function::Not | Function::If if first.is_some_and(is_bare) => bare(traps),
        Function::Sum | Function::Max | Function::Min if arguments.iter().any(is_unfiltered) => add(
            traps,
            format!(
                "{name}() qua câu còn trống: Collect bỏ qua, máy tính bảng không tính được; hãy lọc [. != '']"
            ),
            format!(
                "{name}() over a blank: Collect skips it, the tablet gives nothing; filter with [. != '']"
            ),
        ),
        Function::Number if first.is_some_and(is_date_text) => add(
            traps,
            "number() của một ngày: Collect không tính; hãy viết number(date('…'))",
            "number() of a date is nothing in Collect; write number(date('…'))",
        ),
        Function::FormatDate | Function::FormatDateTime => {
            if matches!(first, Some(Expr::Binary(Operator::Add | Operator::Subtract, ..))) {
                add(
                    traps,
                    format!(
                        "{name}() của một phép cộng ngày để trống trên máy tính bảng; hãy viết {name}(date(…), …)"
                    ),
                    format!("{name}() of a sum of days is blank on the tablet; write {name}(date(…), …)"),
                );
            }
            if let Some(Expr::Text(format)) = arguments.get(1)
                && (format.contains("%a") || format.contains("%b"))
            {
                add(
                    traps,
                    "%a, %b theo ngôn ngữ của máy ở Collect, tiếng Anh trên máy tính bảng; hãy dùng %d, %n",
                    "%a and %b follow the phone's language in Collect and are English on the tablet; use %d, %n",
                );
            }
        }
        Function::DecimalTime => add(
            traps,
            "decimal-time() lệch một giờ trên máy tính bảng; hãy tính từ format-date-time(…, '%H') và '%M'",
            "decimal-time() is an hour late on the tablet; compute from format-date-time(…, '%H') and '%M'",
        ),
        Function::Round if !matches!(arguments.get(1), None | Some(Expr::Number(0.0))) => add(
            traps,
            "round() ở đúng nửa (1,255) khác nhau; hãy làm tròn khi phân tích",
            "round() at halves (1.255) differs; round in the analysis instead",
        ),
        Function::Regex => {
            if let Some(Expr::Text(pattern)) = arguments.get(1)
                && !(pattern.starts_with('^') && pattern.ends_with('$'))
            {
                add(
                    traps,
                    "Collect so cả chuỗi, máy tính bảng tìm một phần; hãy viết mẫu với ^ và $",
                    "Collect matches the whole text, the tablet a part of it; write the pattern with ^ and $",
                );
            }
        }
        Function::BooleanFromString => add(
            traps,
            "boolean-from-string('TRUE') đúng ở Collect, sai trên máy tính bảng; hãy so sánh chuỗi",
            "boolean-from-string('TRUE') is true in Collect only; compare the text",
        ),
        _ => {}
    }
}

fn steps(path: &Path, traps: &mut Vec<Trap>) {
    if path.steps.iter().any(|step| step.axis == Axis::DescendantOrSelf) {
        add(
            traps,
            "Collect không nhận `//`; hãy viết cả đường dẫn",
            "Collect refuses `//`; write the whole path",
        );
    }
    let filtered = match &path.start {
        Start::Expr(_, predicates) => predicates.as_slice(),
        Start::Root | Start::Here => &[],
    };
    let mut predicates = filtered.iter().chain(path.steps.iter().flat_map(|step| &step.predicates));
    if predicates.any(|predicate| matches!(predicate, Expr::Number(_))) {
        add(
            traps,
            "Collect không nhận [2]; hãy viết [position() = 2]",
            "Collect finds nothing by [2]; write [position() = 2]",
        );
    }
}

fn bare(traps: &mut Vec<Trap>) {
    add(
        traps,
        "câu trống làm điều kiện: sai ở Collect, đúng trên máy tính bảng; hãy so sánh với ''",
        "a blank question as a condition is false in Collect, true on the tablet; compare it with ''",
    );
}

/// A question as it stands.
fn is_bare(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(_) | Expr::Question(_))
}

fn is_unfiltered(expr: &Expr) -> bool {
    match expr {
        Expr::Question(_) => true,
        Expr::Path(path) => path.steps.last().is_some_and(|step| step.predicates.is_empty()),
        _ => false,
    }
}

fn is_call(expr: &Expr, wanted: Function) -> bool {
    matches!(expr, Expr::Call(function, _) if *function == wanted)
}

fn is_date_text(expr: &Expr) -> bool {
    let Expr::Text(text) = expr else { return false };
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether the value is true or false.
fn is_condition(expr: &Expr) -> bool {
    use Operator::{And, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual, Or};
    match expr {
        Expr::Binary(operator, ..) => {
            matches!(operator, Or | And | Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual)
        }
        Expr::Call(function, _) => matches!(
            function,
            Function::True
                | Function::False
                | Function::Not
                | Function::Boolean
                | Function::BooleanFromString
                | Function::Selected
                | Function::Contains
                | Function::StartsWith
                | Function::EndsWith
                | Function::Regex
                | Function::Checklist
                | Function::WeightedChecklist
                | Function::Geofence
        ),
        _ => false,
    }
}

/// `${name}` or the last name of a path, and the text that it is compared with: `${q} = 'x'`,
/// `selected(${q}, 'x')`.
pub(super) fn compared(root: &Expr) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut pair = |question: &Expr, value: &Expr| {
        let name = match question {
            Expr::Question(name) => Some(name.clone()),
            Expr::Path(path) => path.steps.last().and_then(|step| match &step.test {
                super::syntax::Test::Name(name) if !matches!(path.start, Start::Expr(..)) => {
                    Some(name.clone())
                }
                _ => None,
            }),
            _ => None,
        };
        let value = match value {
            Expr::Text(text) if !text.is_empty() => Some(text.clone()),
            Expr::Number(number) => Some(super::plain_number(*number)),
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
pub(super) fn is_never(expr: &Expr) -> bool {
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
