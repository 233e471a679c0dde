//! Pure rules of fieldwork: who goes where, how a case ends, when reserves are released, how far it all is. No clock, no
//! database, no chance but from a seed.

pub mod assignment;
pub mod audit_trail;
pub mod back_checks;
pub mod dispositions;
pub mod progress;
pub mod quality;
pub mod release_codes;
pub mod reserves;
pub mod rules;
pub mod visits;
