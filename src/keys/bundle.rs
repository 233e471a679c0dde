//! The custodian's bundle (protection.md rule 9): three keys in one file under one passphrase, made on the custodian's own
//! machine. Its public halves are all that a server gets.
//!
//! The private file's secret is lines: the P-256 key of sealed blocks, `rsa` and the key of ODK-encrypted forms, `age` and
//! the identity of backups. The public file has the same lines. Bundles of the first version have the first line alone.

use std::fs;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::x25519::{Identity, Recipient};
use p256::elliptic_curve::zeroize::Zeroizing;

use super::encrypted_form::{FormsPrivate, FormsPublic};
use super::key_folder::{KeyFolderError, read_key, write_key, write_new};
use super::passphrase::Passphrase;
use super::sealed_block::{CustodianPrivate, CustodianPublic};

pub(in crate::keys) const CUSTODIAN: &str = "langnghe-custodian-key";
const CUSTODIAN_PUBLIC: &str = "langnghe-custodian-public";

/// The private keys of a custodian.
#[derive(Clone)]
pub struct Bundle {
    /// Opens sealed blocks, and the copy of a wave's keys.
    pub blocks: CustodianPrivate,
    /// Opens what devices encrypted as ODK says.
    pub forms: Option<FormsPrivate>,
    /// Opens backups that were made for the custodian.
    pub backups: Option<Identity>,
}

/// The public halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicBundle {
    pub blocks: CustodianPublic,
    pub forms: Option<FormsPublic>,
    pub backups: Option<Recipient>,
}

impl From<CustodianPrivate> for Bundle {
    /// A bundle of the first version; the demo's is one.
    fn from(blocks: CustodianPrivate) -> Self {
        Self { blocks, forms: None, backups: None }
    }
}

impl Bundle {
    /// New keys from the operating system's chance.
    pub fn generate() -> Result<Self, KeyFolderError> {
        Ok(Self {
            blocks: CustodianPrivate::generate()?,
            forms: Some(FormsPrivate::generate()?),
            backups: Some(Identity::generate()),
        })
    }

    pub fn public(&self) -> PublicBundle {
        PublicBundle {
            blocks: self.blocks.public(),
            forms: self.forms.as_ref().map(FormsPrivate::public),
            backups: self.backups.as_ref().map(Identity::to_public),
        }
    }

    fn to_text(&self) -> Result<Zeroizing<String>, KeyFolderError> {
        let mut text = Zeroizing::new(self.blocks.to_text());
        if let Some(forms) = &self.forms {
            text.push_str("\nrsa ");
            text.push_str(&forms.to_text()?);
        }
        if let Some(backups) = &self.backups {
            text.push_str("\nage ");
            text.push_str(backups.to_string().expose_secret());
        }
        Ok(text)
    }

    fn from_text(text: &str) -> Option<Self> {
        let lines = Lines::read(text)?;
        Some(Self {
            blocks: CustodianPrivate::from_text(lines.blocks).ok()?,
            forms: lines.forms.map(FormsPrivate::from_text).transpose().ok()?,
            backups: lines.backups.map(str::parse).transpose().ok()?,
        })
    }
}

impl PublicBundle {
    pub(in crate::keys) fn to_text(&self) -> Result<String, KeyFolderError> {
        let mut text = format!("{CUSTODIAN_PUBLIC} {}\n", self.blocks.to_text());
        if let Some(forms) = &self.forms {
            text += &format!("rsa {}\n", forms.to_text()?);
        }
        if let Some(backups) = &self.backups {
            text += &format!("age {backups}\n");
        }
        Ok(text)
    }
}

/// The keys of a bundle as they stand in a file.
struct Lines<'a> {
    blocks: &'a str,
    forms: Option<&'a str>,
    backups: Option<&'a str>,
}

impl<'a> Lines<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut lines = text.lines();
        let mut read = Self { blocks: lines.next()?, forms: None, backups: None };
        for line in lines.filter(|line| !line.trim().is_empty()) {
            match line.split_once(' ')? {
                ("rsa", key) => read.forms = Some(key),
                ("age", key) => read.backups = Some(key.trim()),
                _ => return None,
            }
        }
        Some(read)
    }
}

/// Makes a custodian's bundle: `path` with the private halves under the passphrase, `path.pub` with the public ones, the
/// only ones that a server gets.
pub fn create_custodian(path: &Path, passphrase: &Passphrase) -> Result<PathBuf, KeyFolderError> {
    if !passphrase.is_long_enough() {
        return Err(KeyFolderError::Short);
    }
    let bundle = Bundle::generate()?;
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    let public = PathBuf::from(public);
    write_key(path, CUSTODIAN, bundle.to_text()?.as_bytes(), Some(passphrase))?;
    write_new(&public, bundle.public().to_text()?.as_bytes())?;
    Ok(public)
}

/// The private halves of a custodian's bundle.
pub fn load_custodian(path: &Path, passphrase: &Passphrase) -> Result<Bundle, KeyFolderError> {
    let secret = Zeroizing::new(read_key(path, CUSTODIAN, Some(passphrase))?);
    let text = std::str::from_utf8(&secret).ok();
    text.and_then(Bundle::from_text).ok_or_else(|| KeyFolderError::NotAKey { path: path.to_owned() })
}

/// True for a file that looks like a custodian's bundle, private or public.
pub fn is_custodian(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| {
        [CUSTODIAN, CUSTODIAN_PUBLIC].iter().any(|head| bytes.starts_with(head.as_bytes()))
    })
}

/// The public halves of a custodian's bundle.
pub fn load_custodian_public(path: &Path) -> Result<PublicBundle, KeyFolderError> {
    let text = fs::read_to_string(path)
        .map_err(|source| KeyFolderError::Folder { path: path.to_owned(), source })?;
    let read = || {
        let lines = Lines::read(text.trim().strip_prefix(CUSTODIAN_PUBLIC)?.trim_start())?;
        Some(PublicBundle {
            blocks: CustodianPublic::from_text(lines.blocks).ok()?,
            forms: lines.forms.map(FormsPublic::from_text).transpose().ok()?,
            backups: lines.backups.map(str::parse).transpose().ok()?,
        })
    };
    read().ok_or_else(|| KeyFolderError::NotAKey { path: path.to_owned() })
}
