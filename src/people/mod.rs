//! Who may do what: roles, the one function that decides, passwords and second factors. No database, no network.

pub mod rights;
pub mod role;
pub mod secrets;

pub use rights::{Action, AreaRef, Person, Reach, Refusal, Target, decide};
pub use role::Role;
