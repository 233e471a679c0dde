//! Estimates with their design-based errors.

pub mod result;
