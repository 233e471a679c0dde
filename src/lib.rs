//! Lắng Nghe: the annual public-opinion survey, from the questionnaire to the report.
//!
//! The rooms and the one way that imports run are described in ARCHITECTURE.md.

pub mod accounts;
pub mod api;
pub mod central;
pub mod cli;
pub mod config;
pub mod db;
pub mod demo;
pub mod fieldwork;
pub mod files;
pub mod intake;
pub mod jobs;
pub mod keys;
pub mod openrosa;
pub mod people;
pub mod web;
