//! Files for other programs: safe tables, and [`records`] for those who may have them.

mod csv;
pub mod records;
mod xlsx;

pub use csv::csv;
pub use xlsx::{About, ExportError, xlsx};
