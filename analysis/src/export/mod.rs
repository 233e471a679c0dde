//! Files for other programs, made from safe tables only.

mod csv;
mod xlsx;

pub use csv::csv;
pub use xlsx::{About, ExportError, xlsx};
