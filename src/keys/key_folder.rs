//! The key folder (`--keys DIR`): one file a wave, readable by its owner alone.
//!
//! Not there yet: the passphrase. Until it is, a key file holds the key as it is and its protection is the folder's
//! (mode 0700, file 0600, kept out of every backup). The second word of a key file names how the key is held, now only
//! `plain`, so that files under a passphrase can stand beside these.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::wave_key::{KeyError, WaveKey};

const HEAD: &str = "langnghe-wave-key plain ";

/// Why a key could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFolderError {
    #[error("key folder {}: {source}; make the folder writable for the program's user or name another with --keys", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("{}: there is already a key of this wave; a key is never replaced, because what it sealed would be lost", path.display())]
    Exists { path: PathBuf },
    #[error("{}: no key of wave {wave}; restore it from the custodian's copy or name the right folder with --keys", path.display())]
    Missing { wave: i64, path: PathBuf },
    #[error("{}: others can read this key (mode {mode:o}); run `chmod 600` on it and consider who may have read it", path.display())]
    Readable { path: PathBuf, mode: u32 },
    #[error("{}: not a key file of this program, or damaged; restore it from the custodian's copy", path.display())]
    NotAKey { path: PathBuf },
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The folder with the wave keys.
#[derive(Clone, Debug)]
pub struct KeyFolder {
    path: PathBuf,
}

impl KeyFolder {
    /// Opens the folder, making it with mode 0700 where it is missing.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyFolderError> {
        let path = path.into();
        match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path }),
            Err(source) => Err(KeyFolderError::Folder { path, source }),
        }
    }

    /// Makes and keeps the key of a wave that has none.
    pub fn create(&self, wave: i64) -> Result<WaveKey, KeyFolderError> {
        let key = WaveKey::generate()?;
        self.keep(wave, &key)?;
        Ok(key)
    }

    /// Keeps a key that came from elsewhere (the demo's seed, an escrow copy). It is on the disk when this returns.
    pub fn keep(&self, wave: i64, key: &WaveKey) -> Result<(), KeyFolderError> {
        let path = self.file_of(wave);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = made.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyFolderError::Exists { path: path.clone() },
            _ => KeyFolderError::Folder { path: self.path.clone(), source },
        })?;
        let line = format!("{HEAD}{}\n", URL_SAFE_NO_PAD.encode(key.bytes()));
        let written = file
            .write_all(line.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(&self.path)?.sync_all());
        written.map_err(|source| {
            // Half a key would look like a damaged one; nothing is sealed under it yet, so it can go.
            let _ = fs::remove_file(&path);
            KeyFolderError::Folder { path: self.path.clone(), source }
        })
    }

    /// The key of a wave.
    pub fn load(&self, wave: i64) -> Result<WaveKey, KeyFolderError> {
        let path = self.file_of(wave);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => KeyFolderError::Missing { wave, path: path.clone() },
            _ => KeyFolderError::Folder { path: self.path.clone(), source },
        };
        let mode = fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFolderError::Readable { path, mode });
        }
        let line = fs::read(&path).map_err(failed)?;
        read_key(&line).ok_or(KeyFolderError::NotAKey { path })
    }

    /// The installation's own key, which seals second factors; made at the first call.
    pub fn installation(&self) -> Result<WaveKey, KeyFolderError> {
        const INSTALLATION: i64 = 0;
        match self.load(INSTALLATION) {
            Err(KeyFolderError::Missing { .. }) => match self.create(INSTALLATION) {
                // Another server made it at the same moment.
                Err(KeyFolderError::Exists { .. }) => self.load(INSTALLATION),
                made => made,
            },
            found => found,
        }
    }

    /// True when the wave has a key here.
    pub fn has(&self, wave: i64) -> bool {
        self.file_of(wave).exists()
    }

    /// Where the key of a wave lies.
    pub fn file_of(&self, wave: i64) -> PathBuf {
        match wave {
            // Waves are numbered from 1.
            0 => self.path.join("installation.key"),
            _ => self.path.join(format!("wave-{wave}.key")),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn read_key(line: &[u8]) -> Option<WaveKey> {
    let text = str::from_utf8(line).ok()?.strip_prefix(HEAD)?.strip_suffix('\n')?;
    let secret = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(WaveKey::from_bytes(secret.try_into().ok()?))
}
