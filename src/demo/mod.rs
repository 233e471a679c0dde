//! The demonstration: the whole annual survey on a simulated population.

pub mod enumerators;
pub mod instrument;
pub mod interviewing;
pub mod population;
pub mod simulation;
pub mod tablet;
