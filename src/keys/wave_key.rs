//! The wave key: sealing with AES-256-GCM, naming with HMAC-SHA-256.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Key, KeyInit, Nonce, Payload};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::zeroize::Zeroize;
use sha2::Sha256;
use surveys::chance::Chance;

/// Sealed things are padded to a multiple of this many bytes, so that their length tells little.
pub const SEAL_STEP: usize = 4096;

/// First byte of everything sealed: the form of what follows (12-byte nonce, ciphertext with its tag).
const SEALED_FORM: u8 = 1;
const NONCE_BYTES: usize = 12;
const LENGTH_BYTES: usize = 4;

/// What is sealed; each purpose has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The field half of a submission.
    FieldHalf,
    /// The answer half of a submission.
    AnswerHalf,
    /// The name a client gave to a file.
    FileName,
    /// The bytes of a file.
    File,
    /// Which interviews a snapshot holds.
    Snapshot,
    /// A user's second factor, under the installation's own key.
    SecondFactor,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::FieldHalf => b"langnghe 1 seal field half",
            Self::AnswerHalf => b"langnghe 1 seal answer half",
            Self::FileName => b"langnghe 1 seal file name",
            Self::File => b"langnghe 1 seal file",
            Self::Snapshot => b"langnghe 1 seal snapshot",
            Self::SecondFactor => b"langnghe 1 seal second factor",
        }
    }
}

/// Why something could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("what was stored does not open: it is damaged, was moved, or belongs to the key of another wave")]
    DoesNotOpen,
    #[error("the operating system gave no random numbers; look at its random source and try again")]
    NoChance,
    #[error("{bytes} bytes are too many to seal at once; split them under 4 GiB")]
    TooLong { bytes: usize },
}

/// The key of one wave: 256 bits, overwritten when dropped.
#[derive(Clone)]
pub struct WaveKey {
    secret: [u8; 32],
}

impl Drop for WaveKey {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl std::fmt::Debug for WaveKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WaveKey(…)")
    }
}

impl WaveKey {
    /// A new key from the operating system's chance.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self { secret: <[u8; 32]>::try_generate().map_err(|_| KeyError::NoChance)? })
    }

    /// **For the demo only**: a key that anyone who knows the seed can make again. It protects nobody; the demo uses it
    /// because it is synthetic and its files are compared byte for byte.
    pub fn from_seed(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "wave key");
        let mut secret = [0; 32];
        for part in secret.chunks_exact_mut(8) {
            part.copy_from_slice(&chance.bits().to_le_bytes());
        }
        Self { secret }
    }

    /// The key with these 32 bytes, as a key file or an escrow copy holds them.
    pub fn from_bytes(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// The 32 bytes, for the key file and the escrow copy.
    pub(in crate::keys) fn bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Seals `plain`: one byte of form, 12 bytes of nonce, then AES-256-GCM of length, text and padding to a multiple
    /// of [`SEAL_STEP`]. `place` says where the sealed thing stands (project, row); it opens only there.
    pub fn seal(&self, purpose: Purpose, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let length = u32::try_from(plain.len()).map_err(|_| KeyError::TooLong { bytes: plain.len() })?;
        let mut padded = Vec::with_capacity((LENGTH_BYTES + plain.len()).next_multiple_of(SEAL_STEP));
        padded.extend_from_slice(&length.to_le_bytes());
        padded.extend_from_slice(plain);
        padded.resize(padded.len().next_multiple_of(SEAL_STEP), 0);

        // 96 random bits: with 2³² messages under one key, two nonces agree with probability 2⁻³³ (NIST SP 800-38D).
        let nonce = Nonce::<Aes256Gcm>::try_generate().map_err(|_| KeyError::NoChance)?;
        let ciphertext = self
            .cipher(purpose)
            .encrypt(&nonce, Payload { msg: &padded, aad: place })
            .map_err(|_| KeyError::TooLong { bytes: plain.len() })?;
        padded.zeroize();

        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len());
        sealed.push(SEALED_FORM);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    /// What was sealed for this purpose and place; anything else does not open.
    pub fn open(&self, purpose: Purpose, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (form, rest) = sealed.split_first().ok_or(KeyError::DoesNotOpen)?;
        if *form != SEALED_FORM || rest.len() < NONCE_BYTES {
            return Err(KeyError::DoesNotOpen);
        }
        let (nonce, ciphertext) = rest.split_at(NONCE_BYTES);
        let nonce = Nonce::<Aes256Gcm>::try_from(nonce).map_err(|_| KeyError::DoesNotOpen)?;
        let mut padded = self
            .cipher(purpose)
            .decrypt(&nonce, Payload { msg: ciphertext, aad: place })
            .map_err(|_| KeyError::DoesNotOpen)?;
        let (length, text) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(KeyError::DoesNotOpen)?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > text.len() {
            return Err(KeyError::DoesNotOpen);
        }
        padded.drain(..LENGTH_BYTES);
        padded.truncate(length);
        Ok(padded)
    }

    /// A name that only the holder of the key can compute again: HMAC-SHA-256 under the key of `label`
    /// (`"instance"`, `"content"`, `"file name"` …). `parts` are kept apart by their lengths.
    pub fn name(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let key = self.derive(&[b"langnghe 1 name ", label.as_bytes()]);
        let mut mac = hmac_sha256(&key);
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn cipher(&self, purpose: Purpose) -> Aes256Gcm {
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(self.derive(&[purpose.label()])))
    }

    fn derive(&self, info: &[&[u8]]) -> [u8; 32] {
        let mut derived = [0; 32];
        // 32 bytes are one block of SHA-256, far below the limit of 255 blocks at which this can fail.
        let filled = Hkdf::<Sha256>::new(None, &self.secret).expand_multi_info(info, &mut derived);
        debug_assert!(filled.is_ok());
        derived
    }
}

fn hmac_sha256(key: &[u8; 32]) -> Hmac<Sha256> {
    // Padding the key to HMAC's block here spares the error of the slice constructor, which HMAC never returns.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new(&block.into())
}
