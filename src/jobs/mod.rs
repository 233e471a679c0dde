//! Runs over a whole wave: freezing the two vaults to an analysis file, weights, the annual assessment.

pub mod analysis_file;
pub mod freeze;
pub mod weights;
