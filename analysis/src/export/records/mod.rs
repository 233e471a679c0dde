//! Files of records: one row a respondent, with all that the codebook says of every column.
//!
//! Who may get such a file is in its type. [`Records<Analysts>`] holds the whole analysis file, with strata, PSUs
//! and weights, for the analysts' room (protection.md rule 6). [`Records<Public>`] is made from nothing but a table
//! that the gate reduced ([`Released`], rule 21). What declares the design, [`r_script`] and [`stata_script`], takes
//! the analysts' records only:
//!
//! ```compile_fail,E0308
//! use analysis::export::records::{Public, Records, r_script};
//! fn declare(released: &Records<Public>) {
//!     let _ = r_script(released, "released.csv"); // a released file has no design
//! }
//! ```

mod columns;
mod csv;
mod ddi;
mod declared;
mod dta;
mod names;
mod parquet;
mod r;
mod sav;
mod stata;
mod texts;
mod xlsx;
mod xml;

use std::marker::PhantomData;

use indexmap::IndexMap;
use surveys::codebook::{Codebook, Text};

pub use csv::csv;
pub use ddi::ddi;
pub use dta::dta;
pub use parquet::parquet;
pub use r::r_script;
pub use sav::sav;
pub use stata::stata_script;
pub use xlsx::xlsx;

use crate::estimation::{Plan, Row};
use crate::table::Table;
use columns::Item;

/// Who gets a file.
pub trait Audience: sealed::Audience {
    /// Stands in every file, Vietnamese first.
    const NOTICE: Option<&'static str>;
    /// Whether counts of answers may stand in the documentation. That of an analysis file is handed on without the
    /// file, so it has none; a released file's own counts are known to whoever has it.
    const COUNTS: bool;
}

/// The analysts' room: PSUs, strata and weights stand beside the answers.
#[derive(Clone, Copy, Debug)]
pub enum Analysts {}

/// Anybody.
#[derive(Clone, Copy, Debug)]
pub enum Public {}

impl Audience for Analysts {
    const NOTICE: Option<&'static str> =
        Some("CHỈ DÙNG TRONG PHÒNG PHÂN TÍCH, không sao chép ra ngoài · For the analysts' room only");
    const COUNTS: bool = false;
}

impl Audience for Public {
    const NOTICE: Option<&'static str> = None;
    const COUNTS: bool = true;
}

pub(crate) mod sealed {
    pub trait Audience {}
    impl Audience for super::Analysts {}
    impl Audience for super::Public {}

    /// Keeps [`super::Released`] to the types of this crate.
    pub trait Released {}
}

/// Microdata that passed the gate: banded, grouped, without PSU. Only types of the gate are such.
pub trait Released: sealed::Released {
    /// One row a respondent.
    fn rows(&self) -> Table;
}

/// What a file says of itself; empty texts are left out.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Of the study, in the codebook's first language.
    pub title: String,
    pub producer: String,
    /// What the study is for, a paragraph each.
    pub summary: Vec<String>,
    /// Whom the records stand for.
    pub population: String,
    /// Time of the fieldwork, in words.
    pub period: String,
    /// How the sample was drawn, weighted and judged, a paragraph each.
    pub method: Vec<String>,
    pub licence: String,
    /// In every file, when the data are synthetic.
    pub label: Option<String>,
    /// Name and hash of what the records come from.
    pub sources: Vec<(String, String)>,
    /// Program and version.
    pub program: String,
    /// Labels of columns that the codebook does not have.
    pub labels: IndexMap<String, Text>,
    /// Year, month, day: given, so that the same records give the same bytes.
    pub created: (u16, u8, u8),
}

/// How the records were sampled and weighted, for the scripts that declare it.
#[derive(Clone, Debug)]
pub struct Design {
    /// `design` and `adjust` of the estimation plan that the figures were made with; its `requests` are those that
    /// the scripts repeat.
    pub plan: Plan,
    /// Column of the final weights.
    pub weight: String,
    /// Our answers to those requests, which the scripts compare theirs with.
    pub answers: Vec<Row>,
}

/// Respondents with the codebook's words, ready to be written for other programs.
#[derive(Clone, Debug)]
pub struct Records<A> {
    notes: Notes,
    /// Language tags, the first one is that of labels where a format has but one.
    languages: Vec<String>,
    codebook: Codebook,
    items: Vec<Item>,
    height: usize,
    design: Option<Design>,
    audience: PhantomData<A>,
}

/// What keeps records from being written: where, what, what now.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error(
        "column `{name}` belongs to the field vault and never stands beside answers; take it out of the table"
    )]
    Field { name: String },
    #[error("column `{name}` is a place in the design and cannot be released; reduce the table first")]
    Place { name: String },
    #[error("{0}")]
    Table(#[from] crate::table::TableError),
    #[error("{0}")]
    Derive(#[from] Box<crate::sql::SqlError>),
    #[error("{0}")]
    Responses(#[from] Box<crate::estimation::EstimationError>),
    #[error("{format}: {reason}")]
    Format { format: &'static str, reason: String },
    #[error("the design cannot be declared in {format}: {what}")]
    Design { format: &'static str, what: String },
}

impl Records<Analysts> {
    /// The whole analysis file with its design. Columns that the design's plan derives are added where the table does
    /// not have them yet.
    ///
    /// Errors: [`RecordsError::Field`], a value that is no choice of a multiple-response question, a wrong expression.
    pub fn new(
        table: &Table,
        codebook: &Codebook,
        notes: Notes,
        design: Design,
    ) -> Result<Self, RecordsError> {
        Self::build(table, codebook, notes, Some(design))
    }

    fn design(&self, format: &'static str) -> Result<&Design, RecordsError> {
        self.design
            .as_ref()
            .ok_or_else(|| RecordsError::Design { format, what: "the records have none".into() })
    }
}

impl Records<Public> {
    /// What the gate released. Errors: as above, and [`RecordsError::Place`] should a PSU, stratum or probability be
    /// among the columns all the same.
    pub fn released(rows: &impl Released, codebook: &Codebook, notes: Notes) -> Result<Self, RecordsError> {
        let table = rows.rows();
        let places = [
            "psu",
            "stratum",
            "design_stratum",
            "village",
            "village_majority",
            "enumerator",
            "base",
            "probability",
        ];
        if let Some(name) = table.names().find(|name| places.contains(name) || name.starts_with("rep_")) {
            return Err(RecordsError::Place { name: name.to_owned() });
        }
        Self::build(&table, codebook, notes, None)
    }
}

impl<A: Audience> Records<A> {
    fn build(
        table: &Table,
        codebook: &Codebook,
        notes: Notes,
        design: Option<Design>,
    ) -> Result<Self, RecordsError> {
        let mut table = table.clone();
        if let Some(Design { plan, .. }) = &design {
            table.declare(&plan.types)?;
            let missing = plan.derive.iter().filter(|(name, _)| table.get(name).is_none());
            let missing = missing.map(|(name, sql)| (name.clone(), sql.clone())).collect();
            crate::sql::derive(&mut table, &missing, &plan.types).map_err(Box::new)?;
        }
        let items = columns::items(&table, codebook, &notes.labels, design.as_ref())?;
        let mut languages = codebook.languages.clone();
        if languages.is_empty() {
            languages.push("vi".to_owned());
        }
        Ok(Self {
            notes,
            languages,
            codebook: codebook.clone(),
            height: table.height(),
            items,
            design,
            audience: PhantomData,
        })
    }

    /// Number of respondents.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of the files, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.name.as_str())
    }

    /// The language of labels where a format has but one.
    fn language(&self) -> &str {
        self.languages.first().map_or("vi", String::as_str)
    }

    /// The study's title, led by what must stand on every file.
    fn heading(&self) -> String {
        self.notices().chain([self.notes.title.as_str()]).collect::<Vec<_>>().join(" – ")
    }

    /// For whom the file is and that its data are synthetic.
    fn notices(&self) -> impl Iterator<Item = &str> {
        A::NOTICE.into_iter().chain(self.notes.label.as_deref())
    }

    /// All notes as lines for formats that have room for text only.
    fn lines(&self) -> Vec<String> {
        let notes = &self.notes;
        let mut lines: Vec<String> = self.notices().map(str::to_owned).collect();
        let mut named = |name: &str, text: &str| {
            if !text.is_empty() {
                lines.push(format!("{name}: {text}"));
            }
        };
        named("Khảo sát", &notes.title);
        named("Cơ quan", &notes.producer);
        notes.summary.iter().for_each(|text| named("Mục đích", text));
        named("Tổng thể", &notes.population);
        named("Thời gian", &notes.period);
        notes.method.iter().for_each(|text| named("Phương pháp", text));
        named("Điều kiện sử dụng", &notes.licence);
        for (name, hash) in &notes.sources {
            named("Nguồn", &format!("{name} {hash}"));
        }
        named("Phần mềm", &notes.program);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Column;

    /// Stands for what the gate will release.
    struct Reduced(Table);

    impl sealed::Released for Reduced {}

    impl Released for Reduced {
        fn rows(&self) -> Table {
            self.0.clone()
        }
    }

    fn reduced(columns: &[(&str, &[&str])]) -> Reduced {
        let columns =
            columns.iter().map(|(name, texts)| (*name, Column::from_texts(texts.iter().map(|t| Some(*t)))));
        Reduced(Table::from_columns(columns).expect("columns of one height"))
    }

    #[test]
    fn released_records_have_their_counts_and_no_notice() {
        let rows = reduced(&[("age", &["18–29", "60+", "60+"])]);
        let records = Records::released(&rows, &Codebook::default(), Notes::default()).expect("records");
        let documentation = ddi(&records, "released.csv");
        assert!(documentation.contains("<sumStat type=\"vald\">3</sumStat>"), "{documentation}");
        assert!(!documentation.contains("restrctn") && !documentation.contains("PHÒNG"));
        let text = String::from_utf8(csv(&records, false)).expect("UTF-8");
        assert_eq!(text, "age\r\n18–29\r\n60+\r\n60+\r\n");
    }

    #[test]
    fn a_place_in_the_design_is_not_released_whoever_reduced_the_table() {
        for name in ["psu", "stratum", "village", "rep_1", "enumerator"] {
            let rows = reduced(&[("age", &["18–29"]), (name, &["1"])]);
            let refused =
                Records::released(&rows, &Codebook::default(), Notes::default()).expect_err("refused");
            assert!(refused.to_string().contains(&format!("`{name}` is a place in the design")), "{refused}");
        }
    }
}
