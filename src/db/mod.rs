//! Diesel and nothing else: the two vaults, their schema, one file a noun.
//!
//! The field vault knows where, the answer vault knows what was said (protection.md rule 1). They are two databases
//! with two addresses; [`FieldDb`] and [`AnswerDb`] are separate types, so that a query for one cannot be put to the
//! other. Everything here blocks: a server calls it from threads made for that.

mod actors;
mod answers;
mod app_users;
mod arrivals;
mod assignments;
mod attachments;
mod audit;
mod back_checks;
mod backup;
mod case_reviews;
mod cases;
mod closing;
mod connection;
mod documents;
mod entities;
mod error;
mod form_drafts;
mod forms;
mod grants;
mod group_commit;
pub mod intake;
mod interviews;
mod ledger;
mod listings;
mod projects;
mod records;
mod reviews;
mod schema;
mod servers;
mod sessions;
mod settling;
mod snapshots;
mod submissions;
mod users;
mod vault;
mod villages;
mod withdrawals;

pub use answers::Answer;
pub use app_users::AppUser;
pub use assignments::{Enumerator, Interpreter, Team};
pub use attachments::{Attachment, AttachmentKept, NewAttachment};
pub use audit::{AuditEntry, AuditError};
pub use back_checks::BackCheck;
pub use backup::{Contents, TableContent, VaultKind, restore_vault};
pub use case_reviews::{CaseReview, Decision};
pub use cases::{Case, CaseRole, CaseStatus, CaseVisit, NewCase, Visit};
pub use closing::{Destroyed, GOES, STAYS};
pub use documents::Document;
pub use entities::{Dataset, Entity, EntityChange, EntityError, NewEntity};
pub use error::{Error, RuleKind};
pub use form_drafts::FormDraft;
pub use forms::{Confirmation, Form, FormFile, FormState, NewForm, PublishError, StoredConfirmation};
pub use grants::Grant;
pub use group_commit::Intake;
pub use intake::{Incoming, IntakeError, LEASE, Outcome, Stored};
pub use interviews::StoredInterview;
pub use ledger::{Claim, DeviceLedger, Held};
pub use listings::Listing;
pub use projects::{Project, ProjectKind, ProjectState};
pub use records::{Page, Record, Sender};
pub use reviews::{Comment, RecordName, Review};
pub use servers::{Confirmation as ClosingConfirmation, Server};
pub use sessions::Session;
pub use settling::Settled;
pub use snapshots::{Snapshot, SnapshotHead, SnapshotInterview};
pub use submissions::{Standing, Submission, instance_name};
pub use users::{NewUser, User};
pub use vault::{AnswerDb, AnswerVault, FieldDb, FieldVault};
pub use villages::{Village, VillageState};
