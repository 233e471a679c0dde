//! What is wrong in a workbook: where, what, what now, in Vietnamese and English.

use std::fmt;

use serde::Serialize;

/// One problem of a form. Rows count from 1, the header is row 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `survey`, `choices`, `settings` …; empty where the whole file is meant.
    pub sheet: String,
    pub row: Option<u32>,
    /// The column's header as the workbook spells it.
    pub column: Option<String>,
    pub message_vi: String,
    pub message_en: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl Problem {
    pub fn new(sheet: &str, vietnamese: impl Into<String>, english: impl Into<String>) -> Self {
        Self {
            sheet: sheet.to_owned(),
            row: None,
            column: None,
            message_vi: vietnamese.into(),
            message_en: english.into(),
            suggestion: None,
        }
    }

    pub fn row(mut self, row: u32) -> Self {
        self.row = Some(row);
        self
    }

    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    pub fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// The whole message for the people who design forms.
    pub fn vietnamese(&self) -> String {
        let mut place = Vec::new();
        if !self.sheet.is_empty() {
            place.push(format!("trang {}", self.sheet));
        }
        place.extend(self.row.map(|row| format!("dòng {row}")));
        place.extend(self.column.as_ref().map(|column| format!("cột {column}")));
        let meant = self.suggestion.as_ref().map(|meant| format!("; có phải ý bạn là `{meant}`?"));
        sentence(&place.join(", "), &self.message_vi, &meant.unwrap_or_default())
    }
}

/// ``survey sheet, row 14, relevant: `${agee}` is not a question; did you mean `${age}`?``
impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut place = Vec::new();
        if !self.sheet.is_empty() {
            place.push(format!("{} sheet", self.sheet));
        }
        place.extend(self.row.map(|row| format!("row {row}")));
        place.extend(self.column.clone());
        let meant = self.suggestion.as_ref().map(|meant| format!("; did you mean `{meant}`?"));
        out.write_str(&sentence(&place.join(", "), &self.message_en, &meant.unwrap_or_default()))
    }
}

fn sentence(place: &str, message: &str, meant: &str) -> String {
    if place.is_empty() { format!("{message}{meant}") } else { format!("{place}: {message}{meant}") }
}
