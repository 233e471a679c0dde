//! How cases end, and the response rates that follow (AAPOR Standard Definitions, face-to-face household surveys).

use serde::{Deserialize, Serialize};

/// Final disposition of a case. The code is the questionnaire's (`11` is AAPOR's 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Disposition {
    Complete,
    Partial,
    RefusedHousehold,
    RefusedPerson,
    BrokenOff,
    NoContact,
    OtherNonresponse,
    UnknownHousehold,
    UnknownEligiblePerson,
    NotAHousehold,
    NoAdult,
}

/// The classes that response rates count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// I: complete interview.
    Interview,
    /// P: partial interview.
    Partial,
    /// R: refusal or break-off.
    Refusal,
    /// NC: non-contact.
    NonContact,
    /// O: other reasons of an eligible person.
    Other,
    /// UH, UO: unknown whether eligible.
    Unknown,
    /// Not eligible.
    Ineligible,
}

/// One row a disposition: code on the form, AAPOR's number, class, Vietnamese words.
const TABLE: [(Disposition, &str, &str, Class, &str); 11] = [
    (Disposition::Complete, "11", "1.1", Class::Interview, "Hoàn thành"),
    (Disposition::Partial, "12", "1.2", Class::Partial, "Hoàn thành một phần"),
    (Disposition::RefusedHousehold, "21", "2.1", Class::Refusal, "Từ chối ở hộ"),
    (Disposition::RefusedPerson, "21p", "2.1p", Class::Refusal, "Người được chọn từ chối"),
    (Disposition::BrokenOff, "21b", "2.1b", Class::Refusal, "Dừng giữa chừng"),
    (Disposition::NoContact, "22", "2.2", Class::NonContact, "Không gặp sau 3 lần"),
    (Disposition::OtherNonresponse, "23", "2.3", Class::Other, "Khác (ốm, không giao tiếp được)"),
    (Disposition::UnknownHousehold, "31", "3.1", Class::Unknown, "Không xác định được hộ"),
    (Disposition::UnknownEligiblePerson, "32", "3.2", Class::Unknown, "Không rõ có người đủ điều kiện"),
    (
        Disposition::NotAHousehold,
        "41",
        "4.1",
        Class::Ineligible,
        "Ngoài phạm vi (nhà bỏ trống, không phải hộ)",
    ),
    (Disposition::NoAdult, "42", "4.2", Class::Ineligible, "Không có người từ 18 tuổi"),
];

impl Disposition {
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The disposition with the questionnaire's code.
    pub fn from_code(code: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    fn row(self) -> &'static (Self, &'static str, &'static str, Class, &'static str) {
        // Every variant has its row: the test below walks them all.
        TABLE.iter().find(|row| row.0 == self).unwrap_or(&TABLE[0])
    }

    pub fn code(self) -> &'static str {
        self.row().1
    }

    pub fn aapor(self) -> &'static str {
        self.row().2
    }

    pub fn class(self) -> Class {
        self.row().3
    }

    pub fn label_vi(self) -> &'static str {
        self.row().4
    }
}

/// Cases by class, each counted (weight 1) or weighted by its base weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Outcomes {
    pub interviews: f64,
    pub partials: f64,
    pub refusals: f64,
    pub non_contacts: f64,
    pub others: f64,
    pub unknown: f64,
    pub ineligible: f64,
}

impl Outcomes {
    /// Adds up cases, each with the weight it stands for.
    pub fn tally(cases: impl IntoIterator<Item = (Disposition, f64)>) -> Self {
        let mut sum = Self::default();
        for (disposition, weight) in cases {
            *match disposition.class() {
                Class::Interview => &mut sum.interviews,
                Class::Partial => &mut sum.partials,
                Class::Refusal => &mut sum.refusals,
                Class::NonContact => &mut sum.non_contacts,
                Class::Other => &mut sum.others,
                Class::Unknown => &mut sum.unknown,
                Class::Ineligible => &mut sum.ineligible,
            } += weight;
        }
        sum
    }

    /// e: the share of eligible ones among cases whose eligibility is known (the proportional allocation, or
    /// CASRO, rule). `None` when no case's eligibility is known.
    pub fn eligibility(&self) -> Option<f64> {
        let eligible = self.known_eligible();
        let known = eligible + self.ineligible;
        (known > 0.0).then(|| eligible / known)
    }

    fn known_eligible(&self) -> f64 {
        self.interviews + self.partials + self.refusals + self.non_contacts + self.others
    }

    /// AAPOR response rate 3: I / (I + P + R + NC + O + e (UH + UO)). Partials do not count as interviews.
    /// `None` without eligible cases.
    pub fn rr3(&self) -> Option<f64> {
        let denominator = self.known_eligible() + self.eligibility()? * self.unknown;
        (denominator > 0.0).then(|| self.interviews / denominator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_disposition_has_one_row_and_one_code() {
        for d in Disposition::all() {
            assert_eq!(Disposition::from_code(d.code()), Some(d));
        }
        assert_eq!(Disposition::all().count(), 11);
        assert_eq!(Disposition::from_code("5"), None);
    }

    /// 70 I, 10 R, 10 NC, 10 ineligible, 10 unknown: e = 90/100; RR3 = 70 / (90 + 0.9·10) = 70/99.
    #[test]
    fn rr3_counts_the_eligible_part_of_unknown_cases() {
        let cases = [
            (Disposition::Complete, 70),
            (Disposition::RefusedPerson, 10),
            (Disposition::NoContact, 10),
            (Disposition::NotAHousehold, 10),
            (Disposition::UnknownHousehold, 10),
        ];
        let outcomes = Outcomes::tally(cases.iter().flat_map(|(d, n)| std::iter::repeat_n((*d, 1.0), *n)));
        assert_eq!(outcomes.eligibility(), Some(0.9));
        assert!((outcomes.rr3().unwrap_or(0.0) - 70.0 / 99.0).abs() < 1e-12);
    }

    #[test]
    fn without_a_known_case_there_is_no_rate() {
        assert_eq!(Outcomes::tally([(Disposition::UnknownHousehold, 1.0)]).rr3(), None);
    }
}
