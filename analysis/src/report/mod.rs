//! The annual assessment as DOCX and HTML: one document model, two writers.
//!
//! Every figure in a report comes from the gate: tables are [`SafeTable`]s, drawings are made from charts,
//! sentences from [`crate::disclosure::Figure`]s.

mod annual;
pub mod cells;
mod contents;
mod docx;
mod docx_body;
mod front;
mod html;
mod pack;
pub mod sentences;

pub use annual::{
    AnnualInput, Authority, Change, Disposition, Fieldwork, NOT_A_PROBABILITY_SAMPLE, NOT_FOR_RANKING,
    Numbers, PROVENANCE_TITLE, Section, Statement, annual, findings, plain, provenance, typed,
};
pub use contents::heading_pages;
pub use docx::{docx, docx_with_pages};
pub use front::{Front, Layout, Signature};
pub(crate) use html::fonts;
pub use html::html;
pub use pack::{PackError, pack};

use crate::charts::{Chart, RasterError, Width};
use crate::disclosure::SafeTable;

/// A document: front matter and blocks in reading order.
#[derive(Clone, Debug)]
pub struct Report {
    pub front: Front,
    pub blocks: Vec<Block>,
}

/// One piece of a report.
#[derive(Clone, Debug)]
pub enum Block {
    /// Level 1–3.
    Heading(u8, String),
    Paragraph(String),
    /// A list with dashes.
    Items(Vec<String>),
    /// Page one: each finding is a headline sentence and the lines under it.
    Findings(Vec<Finding>),
    /// A framed warning or decision.
    Notice(String),
    Table(SafeTable),
    Figure(Drawing),
    /// The table of contents.
    Contents,
    PageBreak,
}

/// One finding of page one.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub headline: String,
    pub lines: Vec<String>,
}

/// A chart, drawn for page and telephone. Made from a chart only.
#[derive(Clone, Debug)]
pub struct Drawing {
    title: String,
    alternative_text: String,
    page: String,
    phone: String,
}

impl Drawing {
    pub fn of(chart: &dyn Chart) -> Self {
        Self {
            title: chart.caption().title.clone(),
            alternative_text: chart.alternative_text(),
            page: chart.svg(Width::Page),
            phone: chart.svg(Width::Phone),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("figure {number} (“{title}”): {source}")]
    Picture { number: usize, title: String, source: RasterError },
    #[error("the document could not be packed: {0}")]
    Pack(#[from] PackError),
}

/// Text safe inside XML and HTML, also in attributes. Characters that XML forbids are left out.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' => safe.push(' '),
            c if (c as u32) < 0x20 || matches!(c as u32, 0xFFFE | 0xFFFF) => {}
            c => safe.push(c),
        }
    }
    safe
}
