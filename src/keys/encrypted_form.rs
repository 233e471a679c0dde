//! ODK's encrypted forms: what Collect encrypts on the device, opened with the custodian's RSA key (protection.md rule 10).
//!
//! Key of the files: 256 random bits, encrypted with RSA-OAEP (SHA-256, MGF1 with SHA-256). Files: AES-256 in CFB mode
//! with padding to blocks; the vector of file n is MD5 of instance id and key, of which byte n mod 16 is raised by one
//! more with every file: media in the order of the manifest, the answers last. Signature: MD5 over form id, version,
//! encrypted key, instance id and the plain files with their MD5, encrypted like the key. It shows that the parts belong
//! together, not who made them: the public key is in everybody's form.
//!
//! Source: ODK's encrypted-forms specification; where it leaves room, ODK Collect's and Central's code (the hash of
//! MGF1, the lines of the signature).

use aes::Aes256;
use aes::cipher::KeyIvInit;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use p256::elliptic_curve::zeroize::Zeroizing;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rsa::{Generate, Oaep};
use sha1::Sha1;
use sha2::Sha256;
use surveys::submission::{self, Encryption};

const BLOCK: usize = 16;
const ENDING: &str = ".enc";

/// Why what a device encrypted does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptedFormError {
    #[error("it was encrypted to another custodian's key, or its key is damaged")]
    AnotherKey,
    #[error(
        "its file {file} has not arrived or is damaged on the server; send the interview again from its device"
    )]
    MissingFile { file: String },
    #[error("its file {file} is damaged")]
    DamagedFile { file: String },
    #[error("its parts do not belong together: the signature over them does not fit")]
    Signature,
    #[error("it does not say how it was encrypted")]
    Unreadable,
    #[error("the RSA key of the custodian's bundle is damaged; take the other copy")]
    NotAKey,
    #[error("the operating system gave no random numbers; look at its random source and try again")]
    NoChance,
}

/// The public half, which forms carry to the devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormsPublic(rsa::PublicKey);

/// The private half, with the custodian alone.
#[derive(Clone)]
pub struct FormsPrivate(rsa::PrivateKey);

impl std::fmt::Debug for FormsPrivate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormsPrivate(…)")
    }
}

impl FormsPublic {
    /// Reads `base64RsaPublicKey` of a form: base64 of X.509 DER.
    pub fn from_text(text: &str) -> Result<Self, EncryptedFormError> {
        let der = STANDARD.decode(text.trim()).map_err(|_| EncryptedFormError::NotAKey)?;
        rsa::PublicKey::from_public_key_der(&der).map(Self).map_err(|_| EncryptedFormError::NotAKey)
    }

    pub fn to_text(&self) -> Result<String, EncryptedFormError> {
        let der = self.0.to_public_key_der().map_err(|_| EncryptedFormError::NotAKey)?;
        Ok(STANDARD.encode(der.as_bytes()))
    }
}

impl FormsPrivate {
    /// A new key of 3072 bits from the operating system's chance.
    pub fn generate() -> Result<Self, EncryptedFormError> {
        rsa::PrivateKey::try_generate().map(Self).map_err(|_| EncryptedFormError::NoChance)
    }

    /// Reads base64 of PKCS #8.
    pub fn from_text(text: &str) -> Result<Self, EncryptedFormError> {
        let der = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| EncryptedFormError::NotAKey)?);
        rsa::PrivateKey::from_pkcs8_der(&der).map(Self).map_err(|_| EncryptedFormError::NotAKey)
    }

    pub fn to_text(&self) -> Result<Zeroizing<String>, EncryptedFormError> {
        let der = self.0.to_pkcs8_der().map_err(|_| EncryptedFormError::NotAKey)?;
        Ok(Zeroizing::new(STANDARD.encode(der.as_bytes())))
    }

    pub fn public(&self) -> FormsPublic {
        FormsPublic(self.0.to_public_key())
    }

    /// Devices whose cryptography takes SHA-1 for MGF1 under the same name are understood too.
    fn decrypt(&self, text: &str) -> Result<Zeroizing<Vec<u8>>, EncryptedFormError> {
        let wrong = |_| EncryptedFormError::AnotherKey;
        let bytes: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(bytes).map_err(|_| EncryptedFormError::AnotherKey)?;
        let as_collect = self.0.decrypt(Oaep::<Sha256>::new(), &bytes);
        let opened =
            as_collect.or_else(|_| self.0.decrypt(Oaep::<Sha256, Sha1>::new_with_mgf_hash(), &bytes));
        opened.map(Zeroizing::new).map_err(wrong)
    }
}

/// The XML with the answers of a submission that a device encrypted.
///
/// `manifest`: the submission as it came. `file`: the bytes of a file of that name, `None` where it has not arrived.
///
/// Errors: another key, files that are missing or damaged, parts that do not belong together.
pub fn open_encrypted(
    key: &FormsPrivate,
    manifest: &[u8],
    mut file: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, EncryptedFormError> {
    let head = submission::head(manifest).map_err(|_| EncryptedFormError::Unreadable)?;
    let encryption = submission::encryption(manifest).ok_or(EncryptedFormError::Unreadable)?;
    let instance_id = head.instance_id.as_deref().ok_or(EncryptedFormError::Unreadable)?;
    let Encryption { key: encrypted_key, media, answers, signature } = &encryption;
    if answers.is_empty() || encrypted_key.is_empty() {
        return Err(EncryptedFormError::Unreadable);
    }
    let secret = key.decrypt(encrypted_key)?;
    if secret.len() != 32 {
        return Err(EncryptedFormError::AnotherKey);
    }
    let mut seed: [u8; BLOCK] = Md5::new().chain_update(instance_id).chain_update(&*secret).finalize().into();
    let mut signed = format!("{}\n", head.form_id);
    if !head.version.is_empty() {
        signed += &format!("{}\n", head.version);
    }
    signed += &format!("{encrypted_key}\n{instance_id}\n");
    let mut plain = Vec::new();
    for (n, name) in media.iter().chain([answers]).enumerate() {
        seed[n % BLOCK] = seed[n % BLOCK].wrapping_add(1);
        let sealed = file(name).ok_or_else(|| EncryptedFormError::MissingFile { file: name.clone() })?;
        plain = decrypt_file(&secret, &seed, sealed)
            .ok_or_else(|| EncryptedFormError::DamagedFile { file: name.clone() })?;
        let hash: String = Md5::digest(&plain).iter().map(|byte| format!("{byte:02x}")).collect();
        signed += &format!("{}::{hash}\n", name.strip_suffix(ENDING).unwrap_or(name));
    }
    if let Some(signature) = signature {
        let digest = key.decrypt(signature).map_err(|_| EncryptedFormError::Signature)?;
        if *digest != Md5::digest(&signed)[..] {
            return Err(EncryptedFormError::Signature);
        }
    }
    let inside = submission::head(&plain).map_err(|_| EncryptedFormError::Signature)?;
    let same = inside.form_id == head.form_id
        && inside.version == head.version
        && inside.instance_id == head.instance_id;
    // The last file is the answers; they must be this interview's.
    if same { Ok(plain) } else { Err(EncryptedFormError::Signature) }
}

fn decrypt_file(secret: &[u8], vector: &[u8; BLOCK], mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK) {
        return None;
    }
    cfb_mode::Decryptor::<Aes256>::new_from_slices(secret, vector).ok()?.decrypt(&mut bytes);
    let padding = usize::from(*bytes.last()?);
    let length = bytes.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding))?;
    if bytes[length..].iter().any(|byte| usize::from(*byte) != padding) {
        return None;
    }
    bytes.truncate(length);
    Some(bytes)
}
