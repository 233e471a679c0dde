//! From a frame to a documented probability sample.
pub mod allocate;
pub mod allocation;
pub mod bethel;
pub mod household;
pub mod joint;
pub mod probabilities;
pub mod problem;
pub mod selection;
pub mod size;
