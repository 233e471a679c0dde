//! Random answers by type, tried against the constraint.

use crate::expression::{Moment, NodeId};
use crate::form::Role;
use crate::question_type::{QuestionType, Stored};

use super::{Respondent, pattern};

/// How often a random candidate is tried before giving up.
const TRIES: usize = 60;

const WORDS: [&str; 12] = [
    "đường vào thôn",
    "nước sạch",
    "giá phân bón",
    "học phí",
    "trạm y tế",
    "đất sản xuất",
    "việc làm",
    "thủ tục nhanh hơn",
    "điện",
    "rác thải",
    "sóng điện thoại",
    "không có ý kiến gì thêm",
];

/// Codes that stand apart from the substance: other, don't know, refused.
const APART: [&str; 3] = ["97", "98", "99"];

impl Respondent<'_, '_> {
    /// A valid random answer; `None` where none was found or the question takes a file.
    pub(super) fn draw(&mut self, node: NodeId, item: usize) -> Option<String> {
        let Role::Question { kind, stored, range } = self.interview.form.items[item].role else {
            return None;
        };
        if let Some(codes) = self.interview.codes(node) {
            return self.draw_codes(node, item, stored, codes);
        }
        match stored {
            Stored::Integer => self.draw_number(node, item, range, 0),
            Stored::Decimal => self.draw_number(node, item, range, 1),
            Stored::Date | Stored::DateTime => self.draw_date(node, item, stored),
            Stored::Time => {
                let text =
                    format!("{:02}:{:02}:00.000+07:00", 6 + self.chance.below(15), self.chance.below(60));
                self.satisfies(node, item, &text).then_some(text)
            }
            Stored::Tick => Some("OK".to_owned()),
            Stored::Place => {
                let points = match kind {
                    QuestionType::Geotrace => 3,
                    QuestionType::Geoshape => 4,
                    _ => 1,
                };
                let mut points: Vec<String> = (0..points).map(|_| self.point()).collect();
                if kind == QuestionType::Geoshape {
                    points.push(points[0].clone());
                }
                Some(points.join("; "))
            }
            Stored::Text => self.draw_text(node, item, kind),
            // Selects without their file, files that nobody takes, and notes.
            Stored::Choice | Stored::Choices | Stored::Ranking | Stored::File | Stored::Nothing => None,
        }
    }

    fn draw_codes(
        &mut self,
        node: NodeId,
        item: usize,
        stored: Stored,
        codes: Vec<String>,
    ) -> Option<String> {
        let luck = self.chance.unit();
        let (unknown, refused) = (self.options.dont_know, self.options.refused);
        let special = if luck < unknown {
            Some("98")
        } else if luck < unknown + refused {
            Some("99")
        } else {
            None
        };
        if stored != Stored::Ranking
            && let Some(code) = special
            && codes.iter().any(|known| known == code)
            && self.satisfies(node, item, code)
        {
            return Some(code.to_owned());
        }
        let (mut own, apart): (Vec<String>, Vec<String>) =
            codes.iter().cloned().partition(|code| !APART.contains(&code.as_str()));
        match stored {
            Stored::Ranking => {
                let mut all = codes;
                for _ in 0..TRIES {
                    self.chance.shuffle(&mut all);
                    let text = all.join(" ");
                    if self.satisfies(node, item, &text) {
                        return (!text.is_empty()).then_some(text);
                    }
                }
                None
            }
            Stored::Choices => {
                for _ in 0..TRIES {
                    if own.is_empty() {
                        break;
                    }
                    let many = 1 + self.chance.below(own.len().min(4));
                    let mut order: Vec<usize> = (0..own.len()).collect();
                    self.chance.shuffle(&mut order);
                    order.truncate(many);
                    order.sort_unstable();
                    let text = order.iter().map(|i| own[*i].as_str()).collect::<Vec<_>>().join(" ");
                    if self.satisfies(node, item, &text) {
                        return Some(text);
                    }
                }
                own.extend(apart);
                own.into_iter().find(|code| self.satisfies(node, item, code))
            }
            _ => {
                self.chance.shuffle(&mut own);
                own.extend(apart);
                own.into_iter().find(|code| self.satisfies(node, item, code))
            }
        }
    }

    fn draw_number(
        &mut self,
        node: NodeId,
        item: usize,
        range: Option<(f64, f64, f64)>,
        decimals: usize,
    ) -> Option<String> {
        if let Some((start, end, step)) = range {
            let steps = ((end - start) / step).abs().floor();
            if !steps.is_finite() || steps < 0.0 {
                return None;
            }
            let steps = steps.min(1e9);
            for _ in 0..TRIES {
                let number =
                    start + step.abs().copysign(end - start) * self.chance.below(steps as usize + 1) as f64;
                // Tenths add up to 0.30000000000000004; the answer is 0.3.
                let text = format!("{}", (number * 1e6).round() / 1e6);
                if self.satisfies(node, item, &text) {
                    return Some(text);
                }
            }
            return None;
        }
        let constraint = self.interview.form.items[item].constraint.as_ref();
        let (low, high) = constraint.map_or((None, None), |constraint| constraint.bounds());
        let low = low.unwrap_or_else(|| high.map_or(0.0, |high| if high < 0.0 { high - 100.0 } else { 0.0 }));
        let high = high.unwrap_or(low + 20.0).max(low);
        for _ in 0..TRIES {
            let text = if decimals == 0 {
                let span = (high.floor() - low.ceil()).clamp(0.0, 1.0e9);
                format!("{}", low.ceil() + self.chance.below(span as usize + 1) as f64)
            } else {
                format!("{:.decimals$}", low + (high - low) * self.chance.unit())
            };
            if self.satisfies(node, item, &text) {
                return Some(text);
            }
        }
        // A narrow rule that names another answer, such as `. <= ${members}`.
        let mut near = (0..=200).map(|i| format!("{}", low.ceil() + f64::from(i)));
        near.find(|text| self.satisfies(node, item, text))
    }

    fn draw_date(&mut self, node: NodeId, item: usize, stored: Stored) -> Option<String> {
        let start = self.options.start.milliseconds() as f64;
        for round in 0..TRIES {
            // Back within a year, then further off, then ahead.
            let reach = [365.0, 365.0, 20_000.0, -365.0][round % 4];
            let days = (self.chance.unit() * reach).trunc();
            let moment = Moment::from_milliseconds(start - days * 86_400_000.0, self.options.zone)?;
            let text = if stored == Stored::Date { moment.date_text() } else { moment.date_time_text() };
            if self.satisfies(node, item, &text) {
                return Some(text);
            }
        }
        None
    }

    fn draw_text(&mut self, node: NodeId, item: usize, kind: QuestionType) -> Option<String> {
        let form = self.interview.form;
        if let Some(pattern) =
            form.items[item].constraint.as_ref().and_then(|constraint| constraint.pattern())
        {
            // A length may be asked for beside the pattern.
            for _ in 0..TRIES * 10 {
                if let Some(text) = pattern::example(pattern, &mut self.chance)
                    && self.satisfies(node, item, &text)
                {
                    return Some(text);
                }
            }
        }
        for round in 0..TRIES {
            let digits = |respondent: &mut Self, length: usize| -> String {
                (0..length).map(|_| char::from(b'0' + respondent.chance.below(10) as u8)).collect()
            };
            let text = match (kind, round) {
                (QuestionType::Barcode | QuestionType::DigitsOnly, _) => digits(self, 10),
                (_, 0..20) => WORDS[self.chance.below(WORDS.len())].to_owned(),
                (_, 20..40) => digits(self, round - 19),
                _ => {
                    let length = 1 + self.chance.below(12);
                    (0..length).map(|_| char::from(b'a' + self.chance.below(26) as u8)).collect()
                }
            };
            if self.satisfies(node, item, &text) {
                return Some(text);
            }
        }
        None
    }

    /// `lat lon alt acc`
    pub(super) fn point(&mut self) -> String {
        let (latitude, longitude) = self
            .options
            .point
            .unwrap_or_else(|| (22.4 + 0.8 * self.chance.unit(), 104.5 + 0.9 * self.chance.unit()));
        let (north, east) = (self.chance.unit() * 1e-4, self.chance.unit() * 1e-4);
        format!(
            "{:.6} {:.6} {} {}",
            latitude + north,
            longitude + east,
            300 + self.chance.below(900),
            4 + self.chance.below(9)
        )
    }
}
