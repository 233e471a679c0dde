//! Runs over a whole wave: freezing the two vaults to an analysis file, weights, the annual assessment.

pub mod analysis_file;
pub mod analysis_files;
pub mod assessment;
pub mod backup;
pub mod cases;
pub mod close;
pub mod design;
pub mod export;
pub mod freeze;
pub mod microdata;
pub mod quality;
pub mod releases;
pub mod template;
pub mod weights;
pub mod withdrawal;
