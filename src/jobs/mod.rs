//! Runs over a whole wave: freezing the two vaults to an analysis file, weights, the annual assessment.

pub mod analysis_file;
pub mod analysis_files;
pub mod assessment;
pub mod assignment;
pub mod back_checks;
pub mod backup;
pub mod cases;
pub mod close;
pub mod design;
pub mod earlier_waves;
pub mod export;
pub mod form_drafts;
pub mod freeze;
pub mod microdata;
pub mod paper;
pub mod progress;
pub mod quality;
pub mod releases;
pub mod reserves;
pub mod reviews;
pub mod servers;
pub mod template;
pub mod villages;
pub mod weights;
pub mod withdrawal;
