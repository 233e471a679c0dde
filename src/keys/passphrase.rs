//! Secrets under a passphrase: Argon2id makes a key of it, AES-256-GCM seals the secret.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Key, KeyInit, Nonce, Payload};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::zeroize::Zeroize;

use super::wave_key::KeyError;

/// Shortest passphrase, in letters. It guards a whole wave against whoever has the disk.
pub const SHORTEST_PASSPHRASE: usize = 16;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

/// What somebody remembers or a sealed envelope holds; overwritten when dropped.
#[derive(Clone)]
pub struct Passphrase(String);

impl Drop for Passphrase {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl Passphrase {
    /// A passphrase to open something with.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is long enough to seal something new.
    pub fn is_long_enough(&self) -> bool {
        self.0.chars().count() >= SHORTEST_PASSPHRASE
    }

    /// `SALT SEALED`, both base64url; it opens only under the same `place`.
    pub(in crate::keys) fn seal(&self, place: &str, secret: &[u8]) -> Result<String, KeyError> {
        let salt = <[u8; SALT_BYTES]>::try_generate().map_err(|_| KeyError::NoChance)?;
        let nonce = Nonce::<Aes256Gcm>::try_generate().map_err(|_| KeyError::NoChance)?;
        let sealed = self
            .cipher(&salt)?
            .encrypt(&nonce, Payload { msg: secret, aad: place.as_bytes() })
            .map_err(|_| KeyError::TooLong { bytes: secret.len() })?;
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&sealed);
        Ok(format!("{} {}", URL_SAFE_NO_PAD.encode(salt), URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(in crate::keys) fn open(&self, place: &str, text: &str) -> Result<Vec<u8>, KeyError> {
        let wrong = KeyError::DoesNotOpen;
        let (salt, sealed) = text.split_once(' ').ok_or(wrong)?;
        let salt = URL_SAFE_NO_PAD.decode(salt).map_err(|_| wrong)?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| wrong)?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(wrong)?;
        let nonce = Nonce::<Aes256Gcm>::try_from(nonce).map_err(|_| wrong)?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        self.cipher(&salt)?.decrypt(&nonce, payload).map_err(|_| wrong)
    }

    /// 64 MiB and three passes: a guess costs a fraction of a second and memory that graphics cards lack.
    fn cipher(&self, salt: &[u8]) -> Result<Aes256Gcm, KeyError> {
        let params = Params::new(64 * 1024, 3, 1, Some(32)).map_err(|_| KeyError::DoesNotOpen)?;
        let mut key = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.0.as_bytes(), salt, &mut key)
            .map_err(|_| KeyError::DoesNotOpen)?;
        let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(key));
        key.zeroize();
        Ok(cipher)
    }
}
