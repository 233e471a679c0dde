//! Questionnaires: reading XLSForm workbooks, writing XForms, expressions, submissions, codebook,
//! and the dated administrative areas. No input or output, no database, no Polars.

pub mod answer;
pub mod areas;
pub mod chance;
pub mod codebook;
mod csv;
pub mod expression;
pub mod form;
pub mod halves;
pub mod outlines;
pub mod paper;
pub mod question_type;
pub mod questionnaire;
pub mod submission;
pub mod xform;
pub mod xlsform;
pub mod years;
