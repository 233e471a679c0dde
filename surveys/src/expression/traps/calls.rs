//! Functions that the two engines read differently.

use super::values::{Sort, constant, is_date, is_date_text, is_plain_number};
use super::{Finder, Found, Want, is_bare};
use crate::expression::Reference;
use crate::expression::dates::unknown_token;
use crate::expression::function::Function as F;
use crate::expression::functions::is_readable;
use crate::expression::numbers::{java_number, plain_number};
use crate::expression::references::{Spot, written};
use crate::expression::syntax::{Axis, Expr, Operator, walk};
use crate::question_type::Stored;

/// What a function wants of its argument `i` of `count`.
pub(super) fn want(function: F, i: usize, count: usize) -> Want {
    match function {
        F::Count | F::CountNonEmpty | F::Sum | F::Position | F::Area | F::Distance | F::WeightedChecklist => {
            Want::Nodes
        }
        F::Randomize if i == 0 => Want::Nodes,
        F::Geofence if i == 1 => Want::Nodes,
        F::Max | F::Min | F::Concat if count == 1 => Want::Nodes,
        F::Join if count == 2 && i == 1 => Want::Nodes,
        F::Checklist if count == 3 && i == 2 => Want::Nodes,
        F::IndexedRepeat if i == 0 || i % 2 == 1 => Want::Indexed,
        F::Date | F::DateTime | F::FormatDate | F::FormatDateTime | F::Round if i == 0 => Want::Days,
        _ => Want::Value,
    }
}

impl Finder<'_> {
    pub(super) fn call(&mut self, function: F, arguments: &[Expr], spot: &Spot) {
        self.unknown_function(function);
        let name = function.name();
        let first = arguments.first();
        match function {
            F::Not | F::If | F::Boolean => {
                if first.is_some_and(is_bare) {
                    self.bare();
                }
                if first.and_then(constant).is_some_and(|number| number != 0.0 && number.abs() < 1.0e-12) {
                    self.number_text();
                }
            }
            F::Sum | F::Max | F::Min => self.sum(function, arguments),
            F::Number | F::Int => {
                if let Some(argument) = first {
                    let is_date_text = is_date_text(argument);
                    if !is_date_text {
                        self.text_as_number(argument);
                    }
                    if is_date_text || matches!(self.sort(argument, spot), Sort::Date | Sort::DateTime) {
                        self.add(
                            format!("{name}() của một ngày khác nhau; hãy viết int(decimal-date-time(…))"),
                            format!("{name}() of a date differs; write int(decimal-date-time(…))"),
                        );
                    }
                }
            }
            F::Round => self.round(arguments),
            F::Date | F::DateTime | F::FormatDate | F::FormatDateTime | F::DecimalDateTime => {
                self.date(function, arguments, spot);
            }
            F::DecimalTime => self.add(
                "decimal-time() lệch một giờ trên máy tính bảng; hãy tính từ format-date-time(…, '%H') và '%M'",
                "decimal-time() is an hour late on the tablet; compute from format-date-time(…, '%H') and '%M'",
            ),
            F::Regex => self.regex(arguments),
            F::BooleanFromString => self.add(
                "boolean-from-string('TRUE') đúng ở Collect, sai trên máy tính bảng; hãy so sánh chuỗi",
                "boolean-from-string('TRUE') is true in Collect only; compare the text",
            ),
            F::PullData => self.add(
                "pulldata() ở Collect đọc tệp theo cách riêng; hãy viết instance('tệp')/root/item[khóa = …]/cột",
                "pulldata() is Collect's own, beside JavaRosa; write instance('file')/root/item[key = …]/column",
            ),
            F::Count if arguments.iter().any(|argument| self.is_question(argument, spot)) => self.add(
                "count() đếm cả câu không được hỏi trên máy tính bảng; hãy viết count-non-empty(…) hay đếm vòng lặp",
                "count() counts questions that are not asked on the tablet; write count-non-empty(…), or count the repeat",
            ),
            F::Position if first.is_some_and(|argument| !is_around(argument)) => self.add(
                "position() của nhiều chỗ: máy tính bảng dừng lại; hãy viết position(..)",
                "position() of several nodes breaks off on the tablet; write position(..)",
            ),
            F::IndexedRepeat => self.indexed(arguments, spot),
            F::Selected | F::SelectedAt | F::CountSelected => self.selection(function, arguments, spot),
            F::ChoiceName => self.choice_name(arguments),
            F::Itext => self.add(
                "jr:itext() ghi mã khi không có chữ; hãy viết thẳng câu chữ",
                "jr:itext() gives the id where there is no text in Collect; write the text itself",
            ),
            F::Area => self.add(
                "hai máy tính diện tích khác nhau khoảng 0,03%; hãy tính khi phân tích",
                "the engines reckon areas differently, by 0.03%; compute them in the analysis",
            ),
            F::Distance => self.add(
                "distance() không làm tròn ở Collect và dừng lại khi trống trên máy tính bảng; hãy viết if(… = '', '', round(distance(…), 0))",
                "distance() is not rounded by Collect and breaks off over a blank on the tablet; write if(… = '', '', round(distance(…), 0))",
            ),
            F::Geofence if matches!(arguments.get(1), Some(Expr::Text(_))) => self.add(
                "geofence() ở Collect cần một câu geoshape, không nhận chuỗi; hãy dùng câu",
                "geofence() of Collect needs a geoshape question, not a text; use a question",
            ),
            F::Digest => self.digest(arguments),
            F::Base64Decode if matches!(first, Some(Expr::Text(text)) if text.len() % 4 != 0) => self.add(
                "Collect không đọc base64 thiếu dấu `=` ở cuối; hãy thêm cho đủ",
                "Collect does not read base64 without the `=` at its end; add them",
            ),
            F::Substr if arguments[1..].iter().any(|place| is_bare(place) || is_no_number(place)) => self.add(
                "substr() với vị trí trống: từ đầu ở Collect, trống trên máy tính bảng; hãy viết coalesce(…, 0)",
                "substr() with a blank place starts at 0 in Collect, is blank on the tablet; write coalesce(…, 0)",
            ),
            F::WeightedChecklist
                if arguments.iter().take(2).filter_map(constant).any(|bound| bound < 0.0) =>
            {
                self.add(
                    "weighted-checklist() với -1: không giới hạn trên máy tính bảng, là số ở Collect; hãy viết giới hạn thật",
                    "weighted-checklist() takes -1 for no bound on the tablet, for a number in Collect; write a real bound",
                );
            }
            _ => {}
        }
        if is_of_text(function) {
            self.texts(function, arguments, spot);
        }
    }

    fn unknown_function(&mut self, function: F) {
        let name = function.name();
        if !function.known_to_javarosa() {
            let instead = match function {
                F::Floor => "int()",
                F::Ceiling => "-int(-x)",
                F::Substring => "substr()",
                F::Last => "count()",
                _ => "",
            };
            let (vi, en) = match instead {
                "" => ("hãy bỏ".to_owned(), "leave it out".to_owned()),
                instead => (format!("hãy dùng {instead}"), format!("use {instead}")),
            };
            self.add(
                format!("Collect không có hàm `{name}`; {vi}"),
                format!("Collect has no function `{name}`; {en}"),
            );
        }
        if !function.known_to_web_forms() {
            self.add(
                format!("máy tính bảng không có hàm `{name}`; hãy bỏ"),
                format!("the tablet has no function `{name}`; leave it out"),
            );
        }
    }

    fn sum(&mut self, function: F, arguments: &[Expr]) {
        let name = function.name();
        let unfiltered = |expr: &Expr| match expr {
            Expr::Question(_) => true,
            Expr::Path(path) => path.steps.last().is_some_and(|step| step.predicates.is_empty()),
            _ => false,
        };
        if arguments.iter().any(|argument| unfiltered(argument) || is_no_number(argument)) {
            self.add(
                format!("{name}() qua câu còn trống: Collect bỏ qua, máy tính bảng không tính được; hãy lọc [. != '']"),
                format!("{name}() over a blank: Collect skips it, the tablet gives nothing; filter with [. != '']"),
            );
        }
        let negative = |expr: &Expr| {
            constant(expr).is_some_and(|number| number < 0.0)
                || matches!(expr, Expr::Binary(Operator::Subtract, ..))
        };
        if function == F::Max
            && arguments.iter().any(negative)
            && constant_max(arguments).is_none_or(|most| most <= 0.0)
        {
            self.add(
                "max() của các số âm là 0 ở Collect; hãy viết -min(…) của số đổi dấu",
                "max() of negative numbers is 0 in Collect; write -min(…) of the numbers with their signs changed",
            );
        }
    }

    fn round(&mut self, arguments: &[Expr]) {
        if let Some(value) = arguments.first() {
            self.text_as_number(value);
        }
        if !matches!(arguments.get(1), None | Some(Expr::Number(0.0))) {
            self.add(
                "round() ở đúng nửa (1,255) khác nhau; hãy làm tròn khi phân tích",
                "round() at halves (1.255) differs; round in the analysis instead",
            );
            return;
        }
        let mut may_be_negative = false;
        if let Some(value) = arguments.first()
            && constant(value).is_none_or(|number| number < 0.0 && (number.fract() + 0.5) == 0.0)
        {
            walk(value, &mut |expr| {
                may_be_negative |= matches!(expr, Expr::Negate(_) | Expr::Binary(Operator::Subtract, ..));
            });
        }
        if may_be_negative {
            self.add(
                "round() của nửa âm (-1,5) là -1 ở Collect, -2 trên máy tính bảng; hãy viết int(… + 0.5) hay làm tròn khi phân tích",
                "round() of a negative half (-1.5) is -1 in Collect, -2 on the tablet; round in the analysis instead",
            );
        }
    }

    fn date(&mut self, function: F, arguments: &[Expr], spot: &Spot) {
        let name = function.name();
        let Some(value) = arguments.first() else { return };
        let formats = matches!(function, F::FormatDate | F::FormatDateTime);
        if formats && matches!(value, Expr::Binary(Operator::Add | Operator::Subtract, ..)) {
            self.add(
                format!(
                    "{name}() của một phép cộng ngày để trống trên máy tính bảng; hãy viết {name}(date(…), …)"
                ),
                format!("{name}() of a sum of days is blank on the tablet; write {name}(date(…), …)"),
            );
        }
        if let Some(Expr::Text(format)) = arguments.get(1).filter(|_| formats) {
            if format.contains("%a") || format.contains("%b") {
                self.add(
                    "%a, %b theo ngôn ngữ của máy ở Collect, tiếng Anh trên máy tính bảng; hãy dùng %d, %n",
                    "%a and %b follow the phone's language in Collect and are English on the tablet; use %d, %n",
                );
            }
            if unknown_token(format).is_some() || format.contains("%%") {
                self.add(
                    "Collect dừng lại ở ký hiệu `%` lạ; hãy dùng %Y %m %d %n %e %H %M %S",
                    "Collect breaks off at an unknown `%` sign; use %Y %m %d %n %e %H %M %S",
                );
            }
        }
        let sort = self.sort(value, spot);
        match value {
            Expr::Text(text) if !text.is_empty() && (!is_date(text) || text.contains("T24")) => self.add(
                format!("`{text}` không phải là ngày; hãy viết như 2026-11-23"),
                format!(
                    "`{text}` is no date, and the engines do different things with it; write it as 2026-11-23"
                ),
            ),
            Expr::Number(_) | Expr::Negate(_) if function != F::DecimalDateTime => self.add(
                format!("{name}() của một số ngày lệch phần giờ; hãy viết ngày trong nháy"),
                format!(
                    "{name}() of a number of days differs by the hours of the zone; write the date in quotes"
                ),
            ),
            _ => {}
        }
        if sort == Sort::Boolean {
            self.add(
                format!("{name}() của đúng/sai không phải là ngày; hãy viết ngày"),
                format!("{name}() of true or false is no date; write a date"),
            );
        }
        if function == F::Date && sort == Sort::DateTime {
            self.add(
                "date() của ngày giờ còn giữ giờ trên máy tính bảng; hãy viết format-date(…, '%Y-%m-%d')",
                "date() of a date-time keeps the time on the tablet; write format-date(…, '%Y-%m-%d')",
            );
        }
        if formats && sort == Sort::Time {
            self.add(
                format!("{name}() của giờ để trống trên máy tính bảng; hãy viết substr(…, 0, 5)"),
                format!("{name}() of a time is blank on the tablet; ask for a date-time"),
            );
        }
    }

    fn regex(&mut self, arguments: &[Expr]) {
        let Some(Expr::Text(pattern)) = arguments.get(1) else { return };
        let anchored = pattern.starts_with('^') && pattern.ends_with('$') && !pattern.ends_with("\\$");
        if !anchored || alternates(pattern) {
            self.add(
                "Collect so cả chuỗi, máy tính bảng tìm một phần; hãy viết mẫu với ^ và $",
                "Collect matches the whole text, the tablet a part of it; write the pattern with ^ and $",
            );
        }
        if ["(?i", "\\p{", "[[", "&&"].iter().any(|own| pattern.contains(own)) {
            self.add(
                "mẫu này chỉ Java đọc được ((?i), \\p, [[ ]], &&); hãy viết các chữ trong [ ]",
                "only Java reads this pattern ((?i), \\p, [[ ]], &&); write the letters in [ ]",
            );
        }
        if !is_readable(pattern) {
            self.add(
                "máy chủ không kiểm tra được mẫu này; hãy viết không có \\1 và (?=…) ở giữa",
                "the server cannot check this pattern; write it without \\1 and without (?=…) in the middle",
            );
        }
    }

    fn digest(&mut self, arguments: &[Expr]) {
        let known = |i: usize, names: &[&str]| match arguments.get(i) {
            Some(Expr::Text(text)) => names.contains(&text.as_str()),
            _ => true,
        };
        if !known(1, &["MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"]) || !known(2, &["hex", "base64"]) {
            self.add(
                "máy tính bảng chỉ nhận 'SHA-256', 'hex' viết đúng như vậy",
                "the tablet knows only 'MD5', 'SHA-1', 'SHA-256', 'hex', 'base64', written so; correct it",
            );
        }
    }

    fn indexed(&mut self, arguments: &[Expr], spot: &Spot) {
        let odd = |index: &Expr| match constant(index) {
            Some(number) => number < 1.0 || number.fract() != 0.0,
            None => {
                matches!(index, Expr::Text(text) if !is_plain_number(text))
                    || matches!(index, Expr::Binary(Operator::Subtract, ..))
            }
        };
        if arguments.iter().skip(2).step_by(2).any(odd) {
            self.add(
                "indexed-repeat() với số dưới 1: lần đầu ở Collect, trống trên máy tính bảng; hãy viết if(số >= 1, indexed-repeat(…), '')",
                "indexed-repeat() with a number below 1 is the first in Collect, blank on the tablet; write if(number >= 1, indexed-repeat(…), '')",
            );
        }
        let names = |expr: &Expr| match expr {
            Expr::Path(path) => match self.end(path, spot) {
                Spot::Main(names) => Some(names),
                _ => None,
            },
            _ => None,
        };
        if let Some(target) = arguments.first().and_then(names)
            && arguments
                .iter()
                .skip(1)
                .step_by(2)
                .filter_map(names)
                .any(|repeat| !target.starts_with(&repeat))
        {
            self.add(
                "Collect dừng lại khi câu không nằm trong vòng lặp; hãy đọc câu trực tiếp",
                "Collect breaks off where the question is not inside the repeat; read the question directly",
            );
        }
    }

    fn selection(&mut self, function: F, arguments: &[Expr], spot: &Spot) {
        let name = function.name();
        let numeric = |expr: Option<&Expr>, finder: &Self| {
            expr.is_some_and(|expr| {
                matches!(finder.sort(expr, spot), Sort::Number | Sort::Date | Sort::DateTime | Sort::Boolean)
            })
        };
        if numeric(arguments.first(), self) {
            self.add(
                format!("{name}() của một số làm Collect dừng lại; hãy so sánh bằng ="),
                format!("{name}() of a number makes Collect break off; compare with ="),
            );
        }
        if function == F::Selected {
            if numeric(arguments.get(1), self) {
                self.add(
                    "mã trong selected() phải viết trong nháy ở Collect; hãy viết '1'",
                    "Collect needs the code of selected() in quotes; write '1'",
                );
            }
            if matches!(arguments.get(1), Some(Expr::Text(code)) if code.trim().contains(' ')) {
                self.add(
                    "selected() với hai mã: Collect tìm cả cụm; hãy viết selected(…, 'a') and selected(…, 'b')",
                    "selected() with two codes finds the pair in Collect; write selected(…, 'a') and selected(…, 'b')",
                );
            }
        }
        if function == F::SelectedAt && arguments.get(1).is_some_and(is_no_number) {
            self.add(
                "selected-at() với số trống: mã đầu ở Collect, trống trên máy tính bảng; hãy viết số",
                "selected-at() without a number is the first code in Collect, blank on the tablet; write a number",
            );
        }
    }

    fn choice_name(&mut self, arguments: &[Expr]) {
        let Some(Expr::Text(path)) = arguments.get(1) else { return };
        if !path.trim().starts_with('/') {
            return;
        }
        let found = (self.standing.look_up)(&Reference::Path(path.trim().to_owned()));
        if !matches!(found, Found::Question(Stored::Choice | Stored::Choices | Stored::Ranking)) {
            self.add(
                "máy tính bảng dừng lại vì đây không phải câu chọn; hãy sửa tên trong jr:choice-name()",
                "the tablet breaks off because this is no select; correct the name in jr:choice-name()",
            );
        }
    }

    /// Arguments that are read as text.
    fn texts(&mut self, function: F, arguments: &[Expr], spot: &Spot) {
        for argument in arguments {
            match self.sort(argument, spot) {
                Sort::DateTime | Sort::Time => self.add(
                    format!(
                        "{}() của ngày giờ chỉ còn ngày ở Collect; hãy viết format-date-time(…)",
                        function.name()
                    ),
                    format!(
                        "{}() of a date-time is its date alone in Collect; write format-date-time(…)",
                        function.name()
                    ),
                ),
                _ => {}
            }
            if constant(argument).is_some_and(|number| java_number(number) != plain_number(number)) {
                self.number_text();
            }
        }
    }

    fn is_question(&self, expr: &Expr, spot: &Spot) -> bool {
        let Expr::Path(path) = expr else { return false };
        match self.end(path, spot) {
            Spot::Main(names) => {
                matches!((self.standing.look_up)(&Reference::Path(written(&names))), Found::Question(_))
            }
            _ => false,
        }
    }
}

/// Functions whose arguments are texts.
fn is_of_text(function: F) -> bool {
    matches!(
        function,
        F::Concat
            | F::Join
            | F::Text
            | F::Substr
            | F::SubstringBefore
            | F::SubstringAfter
            | F::StringLength
            | F::NormalizeSpace
            | F::Contains
            | F::StartsWith
            | F::EndsWith
            | F::Translate
            | F::Regex
            | F::Digest
    )
}

/// A text in quotes that is no number.
fn is_no_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Text(text) if !is_plain_number(text))
        || constant(expr).is_some_and(|number| !number.is_finite())
}

/// `..`, `../..`, or a filtered path: one node.
fn is_around(expr: &Expr) -> bool {
    let Expr::Path(path) = expr else { return false };
    let filtered = path.steps.iter().any(|step| !step.predicates.is_empty());
    filtered || path.steps.last().is_some_and(|step| matches!(step.axis, Axis::Parent | Axis::Itself))
}

fn constant_max(arguments: &[Expr]) -> Option<f64> {
    arguments.iter().filter_map(constant).reduce(f64::max)
}

/// Whether a `|` stands outside all brackets.
fn alternates(pattern: &str) -> bool {
    let mut depth = 0;
    let mut escaped = false;
    pattern.chars().any(|c| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match c {
            '\\' => escaped = true,
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        c == '|' && depth == 0
    })
}
