//! The letterhead: who reports, under which number, where and when; State or Party layout.

/// Which family of rules the document follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Hướng dẫn 36-HD/VPTW: documents of a Party body.
    Party,
    /// Nghị định 30/2020/NĐ-CP: documents of a State body.
    State,
}

/// Everything before and after the text. Empty fields are left out.
#[derive(Clone, Debug)]
pub struct Front {
    pub layout: Layout,
    pub parent_body: String,
    /// Without one there is no letterhead: an internal sheet.
    pub issuing_body: String,
    /// As printed: `Số 12-BC/BTGDVTU` (Party), `Số: 15/BC-UBND` (State).
    pub number: String,
    /// `Tuyên Quang, ngày … tháng … năm 2026`.
    pub place_and_date: String,
    /// `BÁO CÁO`.
    pub kind: String,
    /// What the report is about, one line.
    pub about: String,
    /// Printed on every page: for synthetic data.
    pub label: Option<String>,
    pub signature: Option<Signature>,
    /// Items of "Nơi nhận".
    pub recipients: Vec<String>,
    /// Date of the file's properties, `2026-11-23T00:00:00Z`: given, so that the same report has the same bytes.
    pub created: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `T/M BAN THƯỜNG VỤ`, `TM. ỦY BAN NHÂN DÂN`.
    pub authority: String,
    pub position: String,
    pub name: String,
}

impl Front {
    /// A sheet without letterhead, number and signature.
    pub fn sheet(kind: &str, about: String, label: Option<&str>) -> Self {
        Self {
            layout: Layout::Party,
            parent_body: String::new(),
            issuing_body: String::new(),
            number: String::new(),
            place_and_date: String::new(),
            kind: kind.to_owned(),
            about,
            label: label.map(str::to_owned),
            signature: None,
            recipients: Vec::new(),
            // Neither the day nor the hour of printing belongs to what is printed.
            created: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    /// First line of the State's or the Party's name, with the State's motto.
    pub(super) fn heading(&self) -> (&'static str, Option<&'static str>) {
        match self.layout {
            Layout::Party => ("ĐẢNG CỘNG SẢN VIỆT NAM", None),
            Layout::State => ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", Some("Độc lập - Tự do - Hạnh phúc")),
        }
    }

    /// Sizes in points: heading, parent body, issuing body, number and date, kind, about.
    pub(super) fn sizes(&self) -> [u32; 6] {
        match self.layout {
            Layout::Party => [15, 14, 14, 14, 16, 15],
            Layout::State => [12, 12, 12, 13, 14, 14],
        }
    }
}
