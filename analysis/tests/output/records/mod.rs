//! Records for other programs: what the files hold, byte by byte, read by small readers of these tests' own.

mod ddi;
mod dta;
mod programs;
mod sav;
mod scripts;
mod tables;

use std::collections::BTreeMap;

use analysis::estimation::{self, Plan};
use analysis::export::records::{Analysts, Design, Notes, Records};
use analysis::table::{Column, Table, Types};
use serde_json::json;
use surveys::codebook::Codebook;
use surveys::xlsform;

/// A question longer than Stata's 80 letters and SPSS's 255 bytes.
pub const LONG: &str = "Ông/bà hài lòng đến mức nào với cuộc sống hiện nay của gia đình mình, kể cả việc làm, thu nhập, nhà ở, \
    nước sinh hoạt, đường đi, trường học của con cháu, trạm y tế, an ninh trật tự ở thôn và quan hệ với bà con lối xóm?";

pub fn codebook() -> Codebook {
    let form = format!(
        "
| survey   |                   |         |                        |                     |                        |              |
|          | type              | name    | label::Tiếng Việt (vi) | label::English (en) | bind::ln:measure       | relevant     |
|          | select_one muc    | c1      | {LONG}                 | How satisfied?      | ordinal                |              |
|          | select_one dt     | b3      | Dân tộc                | Ethnic group        |                        |              |
|          | integer           | tuoi    | Tuổi                   | Age                 |                        |              |
|          | select_multiple n | nguon   | Nghe tin từ đâu        | Sources of news     |                        | ${{c1}} != '' |
|          | text              | y_kien  | Ý kiến khác            | Other opinions      |                        |              |
|          | select_one dai    | kenh    | Kênh                   | Channel             |                        |              |
| choices  |                   |         |                        |                     |                        |              |
|          | list_name         | name    | label::Tiếng Việt (vi) | label::English (en) |                        |              |
|          | muc               | 1       | Rất không hài lòng     | Very dissatisfied   |                        |              |
|          | muc               | 2       | Hài lòng               | Satisfied           |                        |              |
|          | muc               | 98      | Không biết             | Don't know          |                        |              |
|          | muc               | 99      | Không muốn trả lời     | Refused             |                        |              |
|          | dt                | 01      | Kinh                   | Kinh                |                        |              |
|          | dt                | 08      | Mông                   | Mong                |                        |              |
|          | dt                | 98      | Không biết             | Don't know          |                        |              |
|          | n                 | tv      | Tivi                   | Television          |                        |              |
|          | n                 | loa     | Loa, đài               | Loudspeaker         |                        |              |
|          | dai               | truyen_hinh_tinh | Truyền hình tỉnh | Provincial television |                |              |
|          | dai               | khong_ro | Không rõ              | Not clear           |                        |              |
| settings |                   |         |                        |                     |                        |              |
|          | default_language  | form_id | version                | form_title          |                        |              |
|          | Tiếng Việt (vi)   | ks      | 7                      | Khảo sát thử        |                        |              |
"
    );
    Codebook::of(&xlsform::read("form.md", form.as_bytes()).expect("a form").questionnaire)
}

/// The long answer of the third respondent.
pub fn long_answer() -> String {
    "Đường vào bản hỏng, mùa mưa các cháu không đến trường được. ".repeat(10).trim_end().to_owned()
}

/// Forty respondents of two strata with five PSUs each; the first four are looked at.
pub fn table() -> Table {
    let rows = 40;
    let text = |of: &dyn Fn(usize) -> Option<String>| {
        let texts: Vec<Option<String>> = (0..rows).map(of).collect();
        Column::from_texts(texts.iter().map(Option::as_deref))
    };
    let pick = |from: &[&str], row: usize| Some(from[row % from.len()].to_owned());
    Table::from_columns([
        ("stratum", text(&|row| pick(&["núi", "thấp"], row / 20))),
        ("psu", text(&|row| Some(format!("{:03}", row / 4 + 1)))),
        ("person_weight", Column::Number((0..rows).map(|row| 10.5 + (row % 7) as f64).collect())),
        ("c1", text(&|row| pick(&["2", "98", "99", "", "1", "2", "1"], row).filter(|c| !c.is_empty()))),
        ("b3", text(&|row| pick(&["08", "01", "98", "08", "01"], row))),
        (
            "tuoi",
            Column::Number(
                (0..rows).map(|row| if row == 3 { f64::NAN } else { 18.0 + row as f64 }).collect(),
            ),
        ),
        ("nguon", text(&|row| pick(&["tv loa", "loa", "", "tv"], row).filter(|c| !c.is_empty()))),
        (
            "y_kien",
            text(&|row| match row {
                0 => Some("=HYPERLINK(\"http://x\")".into()),
                1 => Some("-5".into()),
                2 => Some(long_answer()),
                5 => Some("+1 người, \"hai\" ý\nxuống dòng".into()),
                _ => None,
            }),
        ),
        ("kenh", text(&|row| pick(&["truyen_hinh_tinh", "khong_ro", ""], row).filter(|c| !c.is_empty()))),
    ])
    .expect("columns of one height")
}

/// Raked to sex-like margins, with the estimation's own weights and figures.
pub fn plan() -> Plan {
    serde_json::from_value(json!({
        "types": { "c1": "category", "b3": "category", "psu": "category" },
        "derive": {
            "c1_satisfied": "CASE WHEN c1 = '2' THEN 1 WHEN c1 = '1' THEN 0 END",
            "rake_ethnic": "CASE WHEN b3 = '08' THEN 'Mông' ELSE 'khác' END",
            "rake_age": "CASE WHEN tuoi < 40 THEN '18–39' ELSE '40+' END"
        },
        "design": { "clusters": ["psu"], "strata": ["stratum"], "weights": "person_weight", "single_psu": "adjust" },
        "adjust": [{ "method": "rake", "margins": [
            { "by": "rake_ethnic", "totals": [{ "rake_ethnic": "Mông", "total": 240 }, { "rake_ethnic": "khác", "total": 310 }] },
            { "by": "rake_age", "totals": [{ "rake_age": "18–39", "total": 330 }, { "rake_age": "40+", "total": 220 }] }
        ] }],
        "requests": [
            { "id": "c1_satisfied", "statistic": "mean", "of": "c1_satisfied", "missing": "drop" },
            { "id": "tuoi", "statistic": "mean", "of": "tuoi", "missing": "drop" },
            { "id": "kenh", "statistic": "mean", "of": "kenh", "missing": "drop" }
        ]
    }))
    .expect("a plan")
}

pub fn notes() -> Notes {
    let text = |vi: &str| [("vi".to_owned(), vi.to_owned())].into_iter().collect();
    Notes {
        title: "Khảo sát thử năm 2026".into(),
        producer: "Ban Tuyên giáo và Dân vận".into(),
        summary: vec!["Nắm tình hình Nhân dân.".into()],
        population: "Người từ 18 tuổi".into(),
        period: "tháng 8 năm 2026".into(),
        method: vec!["Mẫu hai giai đoạn.".into()],
        licence: "Chỉ để thử".into(),
        label: Some("DỮ LIỆU MÔ PHỎNG".into()),
        sources: vec![("sample.csv".into(), "abc".into())],
        program: "langnghe 0".into(),
        labels: [("weight".to_owned(), text("Quyền số cuối")), ("c1_satisfied".to_owned(), text("Hài lòng"))]
            .into_iter()
            .collect(),
        created: (2026, 11, 1),
    }
}

pub fn records() -> Records<Analysts> {
    let (mut table, plan) = (table(), plan());
    let weighted = analysis::weighting::weight(&table, &plan).expect("weights");
    let weights = weighted.weights.iter().map(|w| w.unwrap_or(f64::NAN)).collect();
    table.push("weight", Column::Number(weights)).expect("a new column");
    let answers = estimation::estimate(&table, &plan).expect("estimates").results;
    let design = Design { plan, weight: "weight".into(), answers };
    Records::new(&table, &codebook(), notes(), design).expect("records")
}

/// Names of the columns in their order in every file.
pub const NAMES: [&str; 15] = [
    "c1",
    "b3",
    "tuoi",
    "nguon",
    "nguon_tv",
    "nguon_loa",
    "y_kien",
    "kenh",
    "stratum",
    "psu",
    "person_weight",
    "weight",
    "c1_satisfied",
    "rake_ethnic",
    "rake_age",
];

/// Types that keep every column of a CSV as text.
pub fn as_text(names: &[&str]) -> Types {
    names.iter().map(|name| ((*name).to_owned(), analysis::table::Declared::Category)).collect()
}

/// A reader over bytes, little-endian.
pub struct Bytes<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Bytes<'a> {
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        taken
    }

    pub fn i32(&mut self) -> i32 {
        i32::from_le_bytes(self.take(4).try_into().expect("four bytes"))
    }

    pub fn f64(&mut self) -> f64 {
        f64::from_le_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    pub fn text(&mut self, count: usize) -> String {
        String::from_utf8(self.take(count).to_vec()).expect("UTF-8")
    }
}

/// What the small readers give: a variable as the other program would show it.
#[derive(Debug, Default, PartialEq)]
pub struct Read {
    pub label: String,
    pub labels: BTreeMap<String, String>,
    pub missing: Vec<String>,
    pub measure: i32,
    /// Numbers as text; `.` is missing, `.a` and `.b` Stata's others.
    pub cells: Vec<String>,
}

#[test]
fn a_column_of_the_field_vault_never_stands_beside_answers() {
    let mut book = codebook();
    book.variables["y_kien"].field = true;
    let design = Design { plan: plan(), weight: "weight".into(), answers: Vec::new() };
    let refused = Records::new(&table(), &book, notes(), design).expect_err("it is refused");
    assert!(refused.to_string().contains("`y_kien` belongs to the field vault"), "{refused}");
}

#[test]
fn columns_stand_in_the_order_of_the_questionnaire_then_the_design_then_what_was_derived() {
    let records = records();
    let names: Vec<&str> = records.names().collect();
    assert_eq!(names, NAMES);
    assert_eq!(records.height(), 40);
}
