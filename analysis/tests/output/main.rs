//! What leaves: the gate, tables of counts, charts, reports, files.

mod attack;
mod charts;
mod figures;
mod files;
mod gate;
mod protect;
mod records;
mod report;
mod snapshots;
mod table_sets;
