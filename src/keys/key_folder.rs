//! The key folder (`--keys DIR`): one file a key, readable by its owner alone (mode 0600 in a folder of mode 0700),
//! kept out of every backup.
//!
//! A survey's keys lie under a passphrase. Keys of waves without respondents, and the installation's own key, lie as
//! they are: their protection is the folder's. The second word of a key file says which: `plain` or `passphrase`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{NaiveDate, Utc};

use super::bundle::{Bundle, CUSTODIAN, PublicBundle, load_custodian_public};
use super::encrypted_form::EncryptedFormError;
use super::passphrase::{Passphrase, SHORTEST_PASSPHRASE};
use super::sealed_block::{
    BlockPlace, CustodianPrivate, CustodianPublic, SealedBlockError, open_block, seal_block,
};
use super::wave_key::{KeyError, WaveKey};

const WAVE: &str = "langnghe-wave-key";
const TABLET: &str = "langnghe-tablet-key";
const ANALYSTS: &str = "langnghe-analysts-key";

/// Why a key could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFolderError {
    #[error("key folder {}: {source}; make the folder writable for the program's user or name another with --keys", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("{}: there is already a key here; a key is never replaced, because what it sealed would be lost", path.display())]
    Exists { path: PathBuf },
    #[error("{}: no key of wave {wave}; restore it from the custodian's copy or name the right folder with --keys", path.display())]
    Missing { wave: i64, path: PathBuf },
    #[error("{}: others can read this key (mode {mode:o}); run `chmod 600` on it and consider who may have read it", path.display())]
    Readable { path: PathBuf, mode: u32 },
    #[error("{}: not a key file of this program, or damaged; restore it from the custodian's copy", path.display())]
    NotAKey { path: PathBuf },
    #[error("{}: this key lies under a passphrase; give it in LANGNGHE_KEY_PASSPHRASE, as the systemd credential langnghe-key-passphrase, or at the terminal", path.display())]
    PassphraseNeeded { path: PathBuf },
    #[error("{}: the passphrase does not open this key, or the file is damaged", path.display())]
    WrongPassphrase { path: PathBuf },
    #[error(
        "the passphrase has fewer than {SHORTEST_PASSPHRASE} letters; choose several words that do not belong together"
    )]
    Short,
    #[error("{}: the analysts' key was to be kept until {until}; it opens nothing any more, destroy it with `langnghe key retire {wave}`", path.display())]
    Retired { wave: i64, path: PathBuf, until: NaiveDate },
    #[error("{}: this copy does not open with this custodian's key for wave {wave}", path.display())]
    Escrow { wave: i64, path: PathBuf },
    #[error(transparent)]
    Block(#[from] SealedBlockError),
    #[error(transparent)]
    Forms(#[from] EncryptedFormError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The folder with the keys.
#[derive(Clone, Debug)]
pub struct KeyFolder {
    path: PathBuf,
    passphrase: Option<Passphrase>,
}

impl KeyFolder {
    /// Opens the folder, making it with mode 0700 where it is missing.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyFolderError> {
        let path = path.into();
        match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path, passphrase: None }),
            Err(source) => Err(KeyFolderError::Folder { path, source }),
        }
    }

    /// Opens keys that lie under this passphrase too.
    pub fn with_passphrase(self, passphrase: Passphrase) -> Self {
        Self { passphrase: Some(passphrase), ..self }
    }

    /// Makes and keeps the key of a wave without respondents, as it is.
    pub fn create(&self, wave: i64) -> Result<WaveKey, KeyFolderError> {
        let key = WaveKey::generate()?;
        self.keep(wave, &key)?;
        Ok(key)
    }

    /// Keeps a key that came from elsewhere (the demo's seed) as it is. It is on the disk when this returns.
    pub fn keep(&self, wave: i64, key: &WaveKey) -> Result<(), KeyFolderError> {
        write_key(&self.file_of(wave), WAVE, key.bytes(), None)
    }

    /// Makes the keys of a survey's wave (protection.md rule 9): the wave key and the tablet key under the passphrase,
    /// the custodian's public key beside them, and the copy that only the custodian opens. Answers where that copy lies.
    pub fn create_survey(
        &self,
        wave: i64,
        custodian: &PublicBundle,
        passphrase: &Passphrase,
    ) -> Result<PathBuf, KeyFolderError> {
        if !passphrase.is_long_enough() {
            return Err(KeyFolderError::Short);
        }
        let escrow = self.path.join(format!("wave-{wave}.escrow"));
        let tablet_file = self.path.join(format!("tablet-{wave}.key"));
        for path in [&self.file_of(wave), &tablet_file, &escrow, &self.analysts_file(wave)] {
            if path.exists() {
                return Err(KeyFolderError::Exists { path: path.clone() });
            }
        }
        let key = WaveKey::generate()?;
        let tablet = CustodianPrivate::generate()?;
        let analysts = Identity::generate();
        let analysts = analysts.to_string();
        let all = format!(
            "{} {} {}",
            URL_SAFE_NO_PAD.encode(key.bytes()),
            tablet.to_text(),
            analysts.expose_secret()
        );
        let number = wave.to_string();
        let sealed = seal_block(&custodian.blocks, escrow_place(&number), all.as_bytes())?;
        // The copy first: a key without one could be lost for good.
        write_new(&escrow, format!("{sealed}\n").as_bytes())?;
        write_new(&self.path.join(format!("wave-{wave}.custodian.pub")), custodian.to_text()?.as_bytes())?;
        write_new(
            &self.path.join(format!("tablet-{wave}.pub")),
            format!("{}\n", tablet.public().to_text()).as_bytes(),
        )?;
        write_key(&tablet_file, TABLET, tablet.to_text().as_bytes(), Some(passphrase))?;
        write_key(&self.file_of(wave), WAVE, key.bytes(), Some(passphrase))?;
        let analysts_file = self.analysts_file(wave);
        write_key(&analysts_file, ANALYSTS, analysts.expose_secret().as_bytes(), Some(passphrase))?;
        Ok(escrow)
    }

    /// Puts the keys of a survey's wave back from the custodian's copy.
    pub fn restore_survey(
        &self,
        wave: i64,
        escrow: &Path,
        custodian: &Bundle,
        passphrase: &Passphrase,
    ) -> Result<(), KeyFolderError> {
        if !passphrase.is_long_enough() {
            return Err(KeyFolderError::Short);
        }
        let wrong = || KeyFolderError::Escrow { wave, path: escrow.to_owned() };
        let sealed = fs::read_to_string(escrow)
            .map_err(|source| KeyFolderError::Folder { path: escrow.to_owned(), source })?;
        let number = wave.to_string();
        let all = open_block(&custodian.blocks, escrow_place(&number), sealed.trim()).map_err(|_| wrong())?;
        let all = String::from_utf8(all).map_err(|_| wrong())?;
        let (key, rest) = all.split_once(' ').ok_or_else(wrong)?;
        // Copies of the first version have no analysts' key.
        let (tablet, analysts) =
            rest.split_once(' ').map_or((rest, None), |(tablet, analysts)| (tablet, Some(analysts)));
        let key = URL_SAFE_NO_PAD.decode(key).map_err(|_| wrong())?;
        let tablet_file = self.path.join(format!("tablet-{wave}.key"));
        if !tablet_file.exists() {
            write_key(&tablet_file, TABLET, tablet.as_bytes(), Some(passphrase))?;
        }
        let analysts_file = self.analysts_file(wave);
        if let Some(analysts) = analysts.filter(|_| !analysts_file.exists()) {
            write_key(&analysts_file, ANALYSTS, analysts.as_bytes(), Some(passphrase))?;
        }
        write_key(&self.file_of(wave), WAVE, &key, Some(passphrase))
    }

    fn analysts_file(&self, wave: i64) -> PathBuf {
        self.path.join(format!("analysts-{wave}.key"))
    }

    /// The key of a wave.
    pub fn load(&self, wave: i64) -> Result<WaveKey, KeyFolderError> {
        let path = self.file_of(wave);
        if !path.exists() {
            return Err(KeyFolderError::Missing { wave, path });
        }
        let secret = read_key(&path, WAVE, self.passphrase.as_ref())?;
        let secret = secret.try_into().map_err(|_| KeyFolderError::NotAKey { path })?;
        Ok(WaveKey::from_bytes(secret))
    }

    /// The private half of the key that finished interviews on tablets are sealed to.
    pub fn load_tablet(&self, wave: i64) -> Result<CustodianPrivate, KeyFolderError> {
        let path = self.path.join(format!("tablet-{wave}.key"));
        if !path.exists() {
            return Err(KeyFolderError::Missing { wave, path });
        }
        let secret = read_key(&path, TABLET, self.passphrase.as_ref())?;
        let text = String::from_utf8(secret).map_err(|_| KeyFolderError::NotAKey { path })?;
        Ok(CustodianPrivate::from_text(&text)?)
    }

    /// The public halves of the custodian's bundle of a wave; the demo's has none here.
    pub fn custodian(&self, wave: i64) -> Result<Option<PublicBundle>, KeyFolderError> {
        let path = self.path.join(format!("wave-{wave}.custodian.pub"));
        if path.exists() { load_custodian_public(&path).map(Some) } else { Ok(None) }
    }

    /// The public half of a wave's tablet key.
    pub fn tablet(&self, wave: i64) -> Result<Option<CustodianPublic>, KeyFolderError> {
        let path = self.path.join(format!("tablet-{wave}.pub"));
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path)
            .map_err(|source| KeyFolderError::Folder { path: path.clone(), source })?;
        let key = CustodianPublic::from_text(text.trim()).map_err(|_| KeyFolderError::NotAKey { path })?;
        Ok(Some(key))
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

    /// The analysts' key of a wave: an `age` identity that opens its analysis files, until the retention date. A survey's
    /// is made with its other keys, the demo's at the first call; under the passphrase where there is one.
    pub fn analysts(&self, wave: i64) -> Result<Identity, KeyFolderError> {
        let path = self.analysts_file(wave);
        if let Some(until) = self.retention(wave)?.filter(|until| Utc::now().date_naive() > *until) {
            return Err(KeyFolderError::Retired { wave, path, until });
        }
        if !path.exists() {
            let identity = Identity::generate();
            let secret = identity.to_string();
            let made =
                write_key(&path, ANALYSTS, secret.expose_secret().as_bytes(), self.passphrase.as_ref());
            match made {
                // Another process made it at the same moment.
                Err(KeyFolderError::Exists { .. }) => {}
                made => made?,
            }
        }
        let secret = read_key(&path, ANALYSTS, self.passphrase.as_ref())?;
        let text = str::from_utf8(&secret).ok().and_then(|text| text.parse().ok());
        text.ok_or(KeyFolderError::NotAKey { path })
    }

    /// True when the wave has a key here.
    pub fn has(&self, wave: i64) -> bool {
        self.file_of(wave).exists()
    }

    /// True when some key here lies under a passphrase.
    pub fn needs_passphrase(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.path) else { return false };
        let heads = [WAVE, ANALYSTS].map(|head| format!("{head} passphrase "));
        entries.flatten().any(|entry| {
            fs::read(entry.path())
                .is_ok_and(|line| heads.iter().any(|head| line.starts_with(head.as_bytes())))
        })
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

fn escrow_place(wave: &str) -> BlockPlace<'_> {
    BlockPlace { form_id: "langnghe escrow", form_version: wave, block_path: "", first_instance_id: "" }
}

/// Binds a sealed key to what it is, so that two files cannot be swapped.
fn place(path: &Path, head: &str) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // A custodian may rename their file; the server's files are known by their names.
    if head == CUSTODIAN { head.to_owned() } else { format!("{head} {name}") }
}

pub(in crate::keys) fn write_key(
    path: &Path,
    head: &str,
    secret: &[u8],
    passphrase: Option<&Passphrase>,
) -> Result<(), KeyFolderError> {
    let line = match passphrase {
        Some(passphrase) => format!("{head} passphrase {}\n", passphrase.seal(&place(path, head), secret)?),
        None => format!("{head} plain {}\n", URL_SAFE_NO_PAD.encode(secret)),
    };
    write_new(path, line.as_bytes())
}

pub(in crate::keys) fn read_key(
    path: &Path,
    head: &str,
    passphrase: Option<&Passphrase>,
) -> Result<Vec<u8>, KeyFolderError> {
    let failed = |source: io::Error| KeyFolderError::Folder { path: path.to_owned(), source };
    let not_a_key = || KeyFolderError::NotAKey { path: path.to_owned() };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFolderError::Readable { path: path.to_owned(), mode });
    }
    let line = fs::read(path).map_err(failed)?;
    let text = str::from_utf8(&line).ok().and_then(|text| text.strip_suffix('\n'));
    let rest = text.and_then(|text| text.strip_prefix(head)?.strip_prefix(' ')).ok_or_else(not_a_key)?;
    match rest.split_once(' ') {
        Some(("plain", secret)) => URL_SAFE_NO_PAD.decode(secret).map_err(|_| not_a_key()),
        Some(("passphrase", sealed)) => {
            let passphrase =
                passphrase.ok_or_else(|| KeyFolderError::PassphraseNeeded { path: path.to_owned() })?;
            passphrase
                .open(&place(path, head), sealed)
                .map_err(|_| KeyFolderError::WrongPassphrase { path: path.to_owned() })
        }
        _ => Err(not_a_key()),
    }
}

/// Writes a file that is not there yet. It is on the disk when this returns.
pub(in crate::keys) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyFolderError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |source| KeyFolderError::Folder { path: folder.to_owned(), source };
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFolderError::Exists { path: path.to_owned() },
        _ => failed(source),
    })?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|source| {
        // Half a key would look like a damaged one; nothing is sealed under it yet, so it can go.
        let _ = fs::remove_file(path);
        failed(source)
    })
}
