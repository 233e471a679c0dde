//! The survey's statistics: sampling, weighting, estimation, disclosure control, charts, report, export.
//! Pure over tables: nothing here opens a network connection or a database.

pub mod charts;
pub mod disclosure;
pub mod estimation;
pub mod export;
pub mod report;
pub mod sampling;
pub mod sql;
pub mod table;
pub mod weighting;
