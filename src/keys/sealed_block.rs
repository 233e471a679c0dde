//! Sealed blocks: self-completed groups that only the custodian can open, never the server (protection.md rule 10).
//!
//! `ln1:` and base64url without padding of: the ephemeral public point (65 bytes, uncompressed), the nonce (12 bytes),
//! AES-256-GCM of the block's XML with its tag. The XML is filled up with zero bytes, which no XML contains, to a
//! multiple of 1 KiB. Key: HKDF-SHA-256 of the x-coordinate of the shared point, empty salt, info `ln1`. Associated
//! data: form id, version, block path and first instance id, parted by newlines. All of it is in WebCrypto.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Key, KeyInit, Nonce, Payload};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::elliptic_curve::Generate;
use p256::{PublicKey, SecretKey};
use sha2::Sha256;
use surveys::chance::Chance;

/// What every sealed block begins with.
pub const SEALED_BLOCK_PREFIX: &str = "ln1:";

const PADDING_STEP: usize = 1024;
const POINT_BYTES: usize = 65;
const NONCE_BYTES: usize = 12;

/// Why a block could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealedBlockError {
    #[error(
        "the custodian's key is not a P-256 key of {expected} bytes in base64url; copy it again from the bundle"
    )]
    NotAKey { expected: usize },
    #[error("the node does not hold a sealed block (`ln1:` and base64url)")]
    NotABlock,
    #[error("the block ends with a zero byte, which no XML does; it was not sealed")]
    NotXml,
    #[error(
        "the sealed block does not open: it was made for another custodian, form, version, block or interview, \
         or it is damaged"
    )]
    DoesNotOpen,
    #[error("the operating system gave no random numbers; look at its random source and try again")]
    NoChance,
}

/// Public half of the custodian's key: the only half a server or tablet has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustodianPublic(PublicKey);

/// Private half, on the custodian's own machine until the freeze.
#[derive(Clone)]
pub struct CustodianPrivate(SecretKey);

impl std::fmt::Debug for CustodianPrivate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CustodianPrivate(…)")
    }
}

impl CustodianPublic {
    /// Reads base64url of the uncompressed point.
    pub fn from_text(text: &str) -> Result<Self, SealedBlockError> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default();
        if bytes.len() != POINT_BYTES {
            return Err(SealedBlockError::NotAKey { expected: POINT_BYTES });
        }
        let point = PublicKey::from_sec1_bytes(&bytes);
        Ok(Self(point.map_err(|_| SealedBlockError::NotAKey { expected: POINT_BYTES })?))
    }

    /// Base64url of the uncompressed point (65 bytes), as WebCrypto imports it raw.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(point_bytes(&self.0))
    }
}

impl CustodianPrivate {
    /// A new key from the operating system's chance.
    pub fn generate() -> Result<Self, SealedBlockError> {
        Ok(Self(SecretKey::try_generate().map_err(|_| SealedBlockError::NoChance)?))
    }

    /// **For the demo only**: a key that anyone who knows the seed can make again.
    pub fn from_seed(seed: u64) -> Self {
        Self(secret_by_chance(&mut Chance::new(seed, "custodian key")))
    }

    /// Reads base64url of the 32 bytes of the scalar.
    pub fn from_text(text: &str) -> Result<Self, SealedBlockError> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default();
        Ok(Self(SecretKey::from_slice(&bytes).map_err(|_| SealedBlockError::NotAKey { expected: 32 })?))
    }

    /// Base64url of the 32 bytes of the scalar.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.to_bytes())
    }

    pub fn public(&self) -> CustodianPublic {
        CustodianPublic(self.0.public_key())
    }
}

/// Where a block stands; it opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace<'a> {
    pub form_id: &'a str,
    pub form_version: &'a str,
    /// Path of the group, `/data/sealed`.
    pub block_path: &'a str,
    /// Instance id of the first version of the interview, which edits keep pointing to.
    pub first_instance_id: &'a str,
}

impl BlockPlace<'_> {
    fn associated_data(&self) -> Vec<u8> {
        [self.form_id, self.form_version, self.block_path, self.first_instance_id].join("\n").into_bytes()
    }
}

/// True for the text of a sealed block, opened or not.
pub fn is_sealed_block(text: &str) -> bool {
    text.starts_with(SEALED_BLOCK_PREFIX)
}

/// Seals the XML of a block to the custodian.
pub fn seal_block(
    to: &CustodianPublic,
    place: BlockPlace<'_>,
    xml: &[u8],
) -> Result<String, SealedBlockError> {
    let ephemeral = SecretKey::try_generate().map_err(|_| SealedBlockError::NoChance)?;
    let nonce = <[u8; NONCE_BYTES]>::try_generate().map_err(|_| SealedBlockError::NoChance)?;
    seal_with(to, place, xml, &ephemeral, nonce)
}

/// **For the demo only**: as [`seal_block`], with ephemeral key and nonce from a seeded stream, so that the same seed
/// gives the same bytes. The stream must not be used twice for different blocks.
pub fn seal_block_by_chance(
    to: &CustodianPublic,
    place: BlockPlace<'_>,
    xml: &[u8],
    chance: &mut Chance,
) -> Result<String, SealedBlockError> {
    let ephemeral = secret_by_chance(chance);
    let mut nonce = [0; NONCE_BYTES];
    for part in nonce.chunks_exact_mut(4) {
        part.copy_from_slice(&(chance.bits() as u32).to_le_bytes());
    }
    seal_with(to, place, xml, &ephemeral, nonce)
}

/// The XML of a sealed block.
pub fn open_block(
    key: &CustodianPrivate,
    place: BlockPlace<'_>,
    text: &str,
) -> Result<Vec<u8>, SealedBlockError> {
    let text = text.strip_prefix(SEALED_BLOCK_PREFIX).ok_or(SealedBlockError::NotABlock)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealedBlockError::NotABlock)?;
    let (point, rest) = bytes.split_at_checked(POINT_BYTES).ok_or(SealedBlockError::NotABlock)?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(SealedBlockError::NotABlock)?;
    let ephemeral = PublicKey::from_sec1_bytes(point).map_err(|_| SealedBlockError::NotABlock)?;
    let nonce = Nonce::<Aes256Gcm>::try_from(nonce).map_err(|_| SealedBlockError::NotABlock)?;
    let mut xml = cipher(&key.0, &ephemeral)
        .decrypt(&nonce, Payload { msg: ciphertext, aad: &place.associated_data() })
        .map_err(|_| SealedBlockError::DoesNotOpen)?;
    let length = xml.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    xml.truncate(length);
    Ok(xml)
}

fn seal_with(
    to: &CustodianPublic,
    place: BlockPlace<'_>,
    xml: &[u8],
    ephemeral: &SecretKey,
    nonce: [u8; NONCE_BYTES],
) -> Result<String, SealedBlockError> {
    if xml.last() == Some(&0) {
        return Err(SealedBlockError::NotXml);
    }
    let mut padded = xml.to_vec();
    padded.resize(xml.len().next_multiple_of(PADDING_STEP).max(PADDING_STEP), 0);
    let ciphertext = cipher(ephemeral, &to.0)
        .encrypt(&Nonce::<Aes256Gcm>::from(nonce), Payload { msg: &padded, aad: &place.associated_data() })
        .map_err(|_| SealedBlockError::NotABlock)?;
    let mut bytes = point_bytes(&ephemeral.public_key());
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&ciphertext);
    Ok(format!("{SEALED_BLOCK_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

fn cipher(own: &SecretKey, other: &PublicKey) -> Aes256Gcm {
    let mut key = [0; 32];
    // 32 bytes are one block of SHA-256, far below the limit of 255 blocks at which this can fail.
    let filled = own.diffie_hellman(other).extract::<Sha256>(Some(&[])).expand(b"ln1", &mut key);
    debug_assert!(filled.is_ok());
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(key))
}

fn point_bytes(key: &PublicKey) -> Vec<u8> {
    key.to_sec1_bytes().into_vec()
}

fn secret_by_chance(chance: &mut Chance) -> SecretKey {
    loop {
        let mut bytes = [0; 32];
        for part in bytes.chunks_exact_mut(8) {
            part.copy_from_slice(&chance.bits().to_le_bytes());
        }
        // Zero and numbers from the group's order up are no keys; the chance of meeting one is under 2⁻³².
        if let Ok(key) = SecretKey::from_slice(&bytes) {
            return key;
        }
    }
}
