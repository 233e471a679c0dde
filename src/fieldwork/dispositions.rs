//! How cases end: the questionnaire's codes, with AAPOR's number and class. The rates that follow are
//! [`analysis::weighting::response`].

pub use analysis::weighting::response::{Class, Outcomes};
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

    /// The rates' own reading of codes agrees with the questionnaire's table.
    #[test]
    fn each_code_has_its_aapor_class() {
        for d in Disposition::all() {
            assert_eq!(Class::of_code(d.code()), Some(d.class()), "{d:?}");
            assert_eq!(Class::of_code(d.aapor()), Some(d.class()), "{d:?}");
        }
    }
}
