//! The keys of a wave and what they do: sealing the two halves, naming by HMAC, sealed blocks.
//!
//! A wave key never enters a database or a backup (protection.md rule 9). It is 256 bits, from which one key a purpose
//! is derived with HKDF-SHA-256, so that a key for names cannot open anything and a key for the field vault cannot
//! open an answer by accident.

mod bundle;
mod encrypted_form;
mod endings;
mod key_folder;
mod passphrase;
mod plain_blocks;
mod sealed_block;
mod wave_key;

pub use bundle::{
    Bundle, PublicBundle, create_custodian, is_custodian, load_custodian, load_custodian_public,
};
pub use encrypted_form::{EncryptedFormError, FormsPrivate, FormsPublic, open_encrypted};
pub use key_folder::{KeyFolder, KeyFolderError};
pub use passphrase::{Passphrase, SHORTEST_PASSPHRASE};
pub use plain_blocks::{PlainBlockError, SEALED_BY_SERVER, seal_plain_blocks};
pub use sealed_block::{
    BlockPlace, CustodianPrivate, CustodianPublic, SEALED_BLOCK_PREFIX, SealedBlockError, is_sealed_block,
    open_block, seal_block, seal_block_by_chance,
};
pub use wave_key::{KeyError, Purpose, SEAL_STEP, WaveKey};
