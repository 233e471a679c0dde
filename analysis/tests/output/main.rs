//! What leaves: the gate, tables of counts, charts, reports, files.

mod charts;
mod figures;
mod files;
mod gate;
mod protect;
mod report;
