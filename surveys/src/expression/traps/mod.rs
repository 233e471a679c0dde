//! What JavaRosa (ODK Collect) and the tablet's engine read differently in an expression, each with
//! a remedy that both read alike.

mod calls;
mod constants;
mod paths;
mod values;

pub(super) use constants::{compared, is_never};

use super::Reference;
use super::function::Function;
use super::numbers::{java_stored, plain_number};
use super::references::Spot;
use super::syntax::{Expr, Operator};
use crate::question_type::Stored;
use values::Sort;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    pub vietnamese: String,
    pub english: String,
}

/// Where an expression stands in a form.
pub struct Standing<'a> {
    /// Schema path of its node, `/data/roster/age`.
    pub path: &'a str,
    pub purpose: Purpose,
    /// What the form has at a path, or under the id of a secondary instance.
    pub look_up: &'a dyn Fn(&Reference) -> Found,
}

/// What becomes of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Kept as an answer of that type.
    Answer(Stored),
    /// Kept as an answer of that type whenever something else changes.
    TriggeredAnswer(Stored),
    Condition,
    /// A number of repeats, or the nodes of a list.
    Other,
}

/// What a form has at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Question(Stored),
    Group,
    Repeat,
    /// It is there, and its type does not matter.
    Something,
    Nothing,
}

/// Every difference, each once, in order of appearance.
pub(super) fn find(root: &Expr, standing: &Standing<'_>) -> Vec<Trap> {
    let here: Vec<String> =
        standing.path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let spot = Spot::Main(here.clone());
    let mut finder = Finder { standing, here, traps: Vec::new() };
    match standing.purpose {
        Purpose::Answer(answer) | Purpose::TriggeredAnswer(answer) => finder.stored(root, answer, &spot),
        Purpose::Condition if is_bare(root) => finder.bare(),
        Purpose::Condition | Purpose::Other => {}
    }
    let want = if standing.purpose == Purpose::Other { Want::Nodes } else { Want::Value };
    finder.visit(root, &spot, want);
    finder.traps
}

/// What is wanted of a part of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// One value.
    Value,
    /// One value, read as a date or rounded: a part of the day does no harm.
    Days,
    /// All nodes that a path finds.
    Nodes,
    /// A path of `indexed-repeat`, whose repeats are numbered beside it.
    Indexed,
}

struct Finder<'a> {
    standing: &'a Standing<'a>,
    /// Names of the path on which the expression stands.
    here: Vec<String>,
    traps: Vec<Trap>,
}

impl Finder<'_> {
    fn add(&mut self, vietnamese: impl Into<String>, english: impl Into<String>) {
        let trap = Trap { vietnamese: vietnamese.into(), english: english.into() };
        if !self.traps.contains(&trap) {
            self.traps.push(trap);
        }
    }

    /// The value of the whole, kept in a node.
    fn stored(&mut self, root: &Expr, answer: Stored, spot: &Spot) {
        use Stored::{Date, DateTime, Decimal, Integer, Place, Time};
        let sort = self.sort(root, spot);
        if sort == Sort::Boolean {
            self.add(
                "giá trị đúng/sai được lưu là `1`/`0` hay `true`/`false` tùy máy; hãy viết if(…, 1, 0)",
                "a stored true or false is `1`/`0` in Collect, `true`/`false` on the tablet; write if(…, 1, 0)",
            );
        }
        match (answer, sort) {
            (Date | DateTime | Decimal | Integer | Time | Place, Sort::Text)
                if matches!(root, Expr::Text(text) if !text.is_empty()) =>
            {
                let is_plain = match (answer, root) {
                    (Integer, Expr::Text(text)) => text.parse::<i32>().is_ok(),
                    (Decimal, Expr::Text(text)) => values::is_plain_number(text),
                    (Date, Expr::Text(text)) => values::is_date(text) && text.len() == 10,
                    (DateTime, Expr::Text(text)) => values::is_date(text) && text.len() > 10,
                    _ => false,
                };
                if !is_plain {
                    self.add(
                        "Collect giữ cả chuỗi sai kiểu, máy tính bảng bỏ đi; hãy viết giá trị đúng kiểu của câu",
                        "Collect keeps a text of another type, the tablet drops it; write a value of the question's type",
                    );
                }
            }
            (Date, Sort::Number | Sort::Boolean | Sort::DateTime) => self.add(
                "câu kiểu ngày chỉ giữ được ngày trên máy tính bảng; hãy viết date(…)",
                "a date question keeps only a date on the tablet; write date(…)",
            ),
            (Integer | Decimal, Sort::Boolean) => self.add(
                "câu kiểu số không giữ được đúng/sai trên máy tính bảng; hãy viết if(…, 1, 0)",
                "a number question does not keep true or false on the tablet; write if(…, 1, 0)",
            ),
            (DateTime, Sort::Date) => self.add(
                "ngày không có giờ bị bỏ ở câu kiểu ngày giờ trên máy tính bảng; hãy dùng câu kiểu ngày",
                "a date without a time is dropped by a date-time question on the tablet; use a date question",
            ),
            (Date | DateTime | Time, _) => {}
            (_, Sort::Date) => self.add(
                "Collect lưu ngày kèm giờ (`2026-01-31T00:00:00…`); hãy viết format-date(…, '%Y-%m-%d')",
                "Collect stores a date with its time (`2026-01-31T00:00:00…`); write format-date(…, '%Y-%m-%d')",
            ),
            (_, Sort::Time) => self.add(
                "Collect lưu giờ kèm ngày; hãy viết format-date-time(…, '%H:%M')",
                "Collect stores a time with a date; write format-date-time(…, '%H:%M')",
            ),
            _ => {}
        }
        if let Some(number) = values::constant(root) {
            let kept = if answer == Integer { number.trunc() } else { number };
            let too_big = answer == Integer && kept.abs() > 2_147_483_647.0;
            if too_big || (!number.is_nan() && java_stored(kept) != plain_number(kept)) {
                self.number_text();
            }
        }
    }

    fn number_text(&mut self) {
        self.add(
            "số rất lớn hay rất nhỏ được ghi khác nhau (`2.5E10`, `1.0E-4`); hãy nhân hay chia cho gọn",
            "very large and very small numbers are written differently (`2.5E10`, `1.0E-4`); scale them",
        );
    }

    fn bare(&mut self) {
        self.add(
            "câu trống làm điều kiện: sai ở Collect, đúng trên máy tính bảng; hãy so sánh với ''",
            "a blank question as a condition is false in Collect, true on the tablet; compare it with ''",
        );
    }

    fn visit(&mut self, expr: &Expr, spot: &Spot, want: Want) {
        match expr {
            Expr::Number(number) if number.abs() >= 2_147_483_648.0 => self.add(
                "số từ 2.147.483.648 trở lên được ghi khác nhau (`2.5E10`); hãy dùng số nhỏ hơn",
                "numbers from 2,147,483,648 are written `2.5E10` by Collect; use smaller ones, or text",
            ),
            Expr::Number(_) | Expr::Text(_) | Expr::Question(_) => {}
            Expr::Negate(inner) => {
                if matches!(**inner, Expr::Negate(_)) {
                    self.add(
                        "máy tính bảng không đọc được hai dấu trừ liền nhau; hãy bỏ cả hai",
                        "the tablet does not read two minus signs in a row; leave both out",
                    );
                }
                self.visit(inner, spot, Want::Value);
            }
            Expr::Binary(operator, left, right) => {
                self.binary(*operator, left, right, spot, want);
                let want = if *operator == Operator::Union { Want::Nodes } else { Want::Value };
                self.visit(left, spot, want);
                self.visit(right, spot, want);
            }
            Expr::Call(function, arguments) => {
                self.call(*function, arguments, spot);
                for (i, argument) in arguments.iter().enumerate() {
                    self.visit(argument, spot, calls::want(*function, i, arguments.len()));
                }
            }
            Expr::Path(path) => {
                self.path(path, spot, want);
            }
        }
    }

    fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr, spot: &Spot, want: Want) {
        use Operator::{
            Add, And, Divide, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Multiply, NotEqual, Or,
            Remainder, Subtract, Union,
        };
        let sorts = (self.sort(left, spot), self.sort(right, spot));
        let either = |sort: Sort| sorts.0 == sort || sorts.1 == sort;
        let ordered = matches!(operator, Less | LessOrEqual | Greater | GreaterOrEqual);
        match operator {
            Less | LessOrEqual | Greater | GreaterOrEqual
                if values::is_date_text(left) || values::is_date_text(right) =>
            {
                self.add(
                    "Collect không so sánh được ngày viết trong nháy; hãy viết date('…')",
                    "Collect does not compare a date in quotes; write date('…')",
                );
            }
            And | Or => {
                for side in [left, right] {
                    if is_bare(side) {
                        self.bare();
                    } else if self.sort(side, spot) != Sort::Boolean {
                        self.add(
                            "and/or với một chuỗi hay số cho kết quả khác nhau; hãy so sánh nó với một giá trị",
                            "and/or with a text or a number gives different values; compare it with something",
                        );
                    }
                }
            }
            Union => self.add(
                "Collect không nhận `|`; hãy đọc từng câu một",
                "Collect refuses `|`; read the questions one by one",
            ),
            Divide if values::constant(right) == Some(0.0) => self.add(
                "chia cho 0 được đọc khác nhau; hãy viết if(…) để tránh",
                "a division by 0 is read differently; avoid it with if(…)",
            ),
            _ => {}
        }
        if (ordered || matches!(operator, Add | Subtract)) && either(Sort::DateTime) {
            self.add(
                "Collect tính ngày giờ theo ngày, bỏ giờ; hãy viết decimal-date-time(…) ở cả hai bên",
                "Collect reckons with the day of a date-time, without the hour; write decimal-date-time(…) on both sides",
            );
        } else if matches!(operator, Add | Subtract)
            && either(Sort::Date)
            && sorts.0 != sorts.1
            && want != Want::Days
        {
            self.add(
                "date(…) cộng trừ số ngày lệch phần giờ giữa hai máy; hãy viết round(…, 0)",
                "days added to date(…) differ by the hours of the zone; write round(…, 0) around it",
            );
        }
        if matches!(operator, Add | Subtract | Multiply | Divide | Remainder) {
            self.text_as_number(left);
            self.text_as_number(right);
        }
        if matches!(operator, Equal | NotEqual) {
            for (side, other) in [(left, right), (right, left)] {
                if operator == Equal {
                    self.blank(side, other, spot);
                }
                self.equality(side, other, spot);
            }
        }
    }

    /// One side of `=`, beside a blank.
    fn blank(&mut self, side: &Expr, other: &Expr, spot: &Spot) {
        if matches!(other, Expr::Text(text) if text.is_empty()) && paths::may_be_missing(side, spot) {
            self.add(
                "chỗ không có so với '': đúng ở Collect, sai trên máy tính bảng; hãy viết string-length(…) = 0",
                "what is missing equals '' in Collect and not on the tablet; write string-length(…) = 0",
            );
        }
    }

    /// One side of `=` or `!=`, beside the other.
    fn equality(&mut self, side: &Expr, other: &Expr, spot: &Spot) {
        let sort = self.sort(side, spot);
        match other {
            Expr::Text(text) if sort == Sort::Number && values::is_odd_number(text) => self.add(
                "Collect so theo số, máy tính bảng so theo chữ; hãy viết số không có nháy",
                "Collect compares as numbers, the tablet as texts; write the number without quotes",
            ),
            Expr::Text(text) if !text.is_empty() && matches!(sort, Sort::DateTime | Sort::Time) => self.add(
                "Collect so ngày giờ theo cách viết riêng; hãy so format-date-time(…) với chuỗi",
                "Collect writes date-times its own way; compare format-date-time(…) with the text",
            ),
            _ if sort == Sort::Date && self.sort(other, spot) == Sort::Number => self.add(
                "ngày so với số lệch phần giờ trên máy tính bảng; hãy so với date(…)",
                "a date is not a whole number on the tablet; compare it with date(…)",
            ),
            _ if values::constant(other).is_some_and(|number| number.fract() != 0.0)
                && matches!(side, Expr::Binary(..) | Expr::Number(_)) =>
            {
                self.add(
                    "Collect coi hai số gần bằng là bằng; hãy viết round(…) hay so sánh khoảng",
                    "Collect takes nearly equal numbers for equal; compare with a range",
                );
            }
            _ => {}
        }
    }

    /// A text in quotes that is read as a number.
    fn text_as_number(&mut self, expr: &Expr) {
        if let Expr::Text(text) = expr
            && values::reads_differently(text)
        {
            self.add(
                "chuỗi này được đọc thành số khác nhau; hãy viết số không có nháy, dấu chấm thập phân",
                "this text is read as different numbers; write the number without quotes, with a point",
            );
        }
    }
}

/// A question as it stands.
fn is_bare(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(_) | Expr::Question(_))
}

fn is_call(expr: &Expr, wanted: Function) -> bool {
    matches!(expr, Expr::Call(function, _) if *function == wanted)
}
