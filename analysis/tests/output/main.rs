//! What leaves: the gate, tables of counts, charts, reports, files.

mod attack;
mod chart_cases;
mod charts;
mod figures;
mod files;
mod gate;
mod linkage;
mod microdata;
mod office;
mod pictures;
mod protect;
mod records;
mod releases;
mod report;
mod rounding;
mod snapshots;
mod table_sets;
mod word;
