//! What the program promises, asked through its public doors. One binary, so that it is linked once.

mod analysis_file;
mod backup;
mod bad_input;
mod central;
mod databases;
mod demo;
mod estimates;
mod export;
mod files;
mod imports;
mod keys;
mod licences;
mod opening_vaults;
mod openrosa;
mod people;
mod postgres;
mod pyodk;
mod quality;
mod report;
mod rights;
mod sample_pages;
mod serving;
mod storage;
mod storage_kills;
mod storage_secrecy;
mod wave;
