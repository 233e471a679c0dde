//! Blocks that are due sealed and came plain (another client than ours, an older form): the server seals them to the
//! custodian before anything is stored (protection.md rule 10).

use surveys::form::Compiled;
use surveys::submission::{self, ReadError};

use super::sealed_block::{BlockPlace, CustodianPublic, SealedBlockError, seal_block};

/// The flag of a submission whose block the server sealed.
pub const SEALED_BY_SERVER: &str = "block_sealed_by_server";

/// Why a plain block could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum PlainBlockError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Seal(#[from] SealedBlockError),
}

/// The submission with each plain block of a sealed group sealed to the custodian; `None` where there is none, which is
/// as it should be. `first_instance_id`: of the first version of the interview.
pub fn seal_plain_blocks(
    form: &Compiled,
    xml: &[u8],
    first_instance_id: &str,
    custodian: &CustodianPublic,
) -> Result<Option<Vec<u8>>, PlainBlockError> {
    let mut sealed: Option<Vec<u8>> = None;
    for path in form.sealed_groups() {
        let current = sealed.as_deref().unwrap_or(xml);
        let Some(content) = submission::content_range(current, path)? else { continue };
        let block = &current[content.clone()];
        if block.trim_ascii().is_empty() || block.trim_ascii().starts_with(b"<ln_sealed") {
            continue;
        }
        let place = BlockPlace {
            form_id: &form.form_id,
            form_version: form.version.as_deref().unwrap_or_default(),
            block_path: path,
            first_instance_id,
        };
        let text = format!("<ln_sealed>{}</ln_sealed>", seal_block(custodian, place, block)?);
        let mut whole = current.to_vec();
        whole.splice(content, text.into_bytes());
        sealed = Some(whole);
    }
    Ok(sealed)
}
