//! Pure rules of fieldwork: how a case ends, when reserves are released. No clock, no database, no chance.

pub mod audit_trail;
pub mod dispositions;
pub mod quality;
pub mod reserves;
