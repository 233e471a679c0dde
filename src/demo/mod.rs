//! The demonstration: the whole annual survey on a simulated population.

pub mod enumerators;
pub mod population;
pub mod tablet;
