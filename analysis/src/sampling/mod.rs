//! From a frame to a documented probability sample.
//!
//! Read in this order: [`plan`] says what a plan may contain, [`frame`] checks the list of units, [`area_history`]
//! carries its areas to another day, [`summary`] says what it holds, [`strata`] forms and merges strata, [`allocation`] and [`bethel`] share the sample among them,
//! [`probabilities`] and [`selection`] hold the methods, [`mod@draw`] puts them together and
//! [`document`] writes the result, [`design_page`] shows it. [`coordination`] keeps units from year to year. [`size`]
//! answers "how many", [`household`] "which adult" ([`kish_page`] on paper), [`cost`] "how much" and [`schedule`] "when".

pub mod allocate;
pub mod allocation;
mod area_codes;
pub mod area_history;
pub mod bethel;
pub mod budget;
pub mod calendar;
pub mod coordination;
pub mod cost;
pub mod design_page;
pub mod document;
pub mod draw;
pub mod frame;
pub mod household;
pub mod joint;
pub mod kish_page;
mod listing;
pub mod plan;
pub mod precision;
pub mod probabilities;
pub mod problem;
mod quota;
mod sample;
pub mod schedule;
pub mod selection;
pub mod size;
pub mod strata;
pub mod summary;
mod targets;
mod units;

pub use coordination::{Coordination, Earlier};
pub use document::{DesignDocument, Drawn, StratumSummary};
pub use draw::{draw, draw_after, draw_from, draw_listing, draw_listing_from};
pub use frame::Frame;
pub use plan::Plan;
pub use problem::{Problem, SamplingError};
pub use summary::{FrameSummary, summarise, summarise_from};
