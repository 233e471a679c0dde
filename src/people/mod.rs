//! Who may do what: roles, the one function that decides, passwords and second factors. No database, no network.

pub mod grants;
pub mod rights;
pub mod role;
pub mod secrets;

pub use grants::{GrantError, check_approver, check_grant};
pub use rights::{Action, AreaRef, Person, Reach, Refusal, Target, decide, decide_account};
pub use role::Role;
