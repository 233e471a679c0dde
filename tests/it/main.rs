//! What the program promises, asked through its public doors. One binary, so that it is linked once.

mod databases;
mod keys;
mod opening_vaults;
mod postgres;
mod storage;
mod storage_kills;
mod storage_secrecy;
