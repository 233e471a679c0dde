//! What the program promises, asked through its public doors. One binary, so that it is linked once.

mod analysis_file;
mod bad_input;
mod databases;
mod demo;
mod estimates;
mod imports;
mod keys;
mod licences;
mod opening_vaults;
mod openrosa;
mod people;
mod postgres;
mod rights;
mod sample_pages;
mod storage;
mod storage_kills;
mod storage_secrecy;
mod wave;
