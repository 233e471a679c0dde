//! The end of keys: which files of the key folder a closing wave destroys, until when the analysts' key is kept, and the
//! list of withdrawn interviews, which no backup holds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use uuid::Uuid;

use super::key_folder::{KeyFolder, KeyFolderError, write_new};

impl KeyFolder {
    /// Notes that an instance (its HMAC) was withdrawn, outside every backup: a restored backup does not revive it. It is
    /// on the disk when this returns.
    pub fn note_withdrawn(
        &self,
        wave: i64,
        form_id: &str,
        instance: &[u8; 32],
    ) -> Result<(), KeyFolderError> {
        let path = self.withdrawn(wave);
        let failed = |source| KeyFolderError::Folder { path: path.clone(), source };
        let mut file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
        let line = format!("{}\t{form_id}\n", URL_SAFE_NO_PAD.encode(instance));
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(self.path())?.sync_all())
            .map_err(failed)
    }

    /// Form and HMAC of every instance of a wave that was withdrawn.
    pub fn list_withdrawn(&self, wave: i64) -> Result<Vec<(String, [u8; 32])>, KeyFolderError> {
        let path = self.withdrawn(wave);
        let text = match fs::read_to_string(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(|source| KeyFolderError::Folder { path: path.clone(), source })?,
        };
        // A line that a crash cut off was never answered to.
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        whole
            .map(|line| {
                let (instance, form_id) = line.split_once('\t')?;
                let instance = URL_SAFE_NO_PAD.decode(instance).ok()?.try_into().ok()?;
                Some((form_id.to_owned(), instance))
            })
            .map(|line| line.ok_or_else(|| KeyFolderError::NotAKey { path: path.clone() }))
            .collect()
    }

    fn withdrawn(&self, wave: i64) -> PathBuf {
        self.path().join(format!("withdrawn-{wave}.list"))
    }

    /// Destroys everything here that opens a wave's vaults or tablets, or names its withdrawn interviews: overwritten,
    /// then removed. What is gone already is left out. Answers the names of the files that went.
    pub fn destroy_wave(&self, wave: i64) -> Result<Vec<String>, KeyFolderError> {
        self.destroy(names_of_wave(wave))
    }

    /// Names of the files that [`Self::destroy_wave`] will destroy.
    pub fn files_of_wave(&self, wave: i64) -> Vec<String> {
        names_of_wave(wave).into_iter().filter(|name| self.path().join(name).exists()).collect()
    }

    /// Destroys the analysts' key of a wave: its analysis files open never again.
    pub fn destroy_analysts(&self, wave: i64) -> Result<Vec<String>, KeyFolderError> {
        self.destroy([format!("analysts-{wave}.key")])
    }

    fn destroy(&self, names: impl IntoIterator<Item = String>) -> Result<Vec<String>, KeyFolderError> {
        let mut gone = Vec::new();
        for name in names {
            let path = self.path().join(&name);
            let failed = |source| KeyFolderError::Folder { path: path.clone(), source };
            match OpenOptions::new().write(true).open(&path) {
                Err(source) if source.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(failed(source)),
                Ok(mut file) => {
                    let length = file.metadata().map_err(failed)?.len();
                    let zeros = vec![0; usize::try_from(length).unwrap_or_default()];
                    file.write_all(&zeros).and_then(|()| file.sync_all()).map_err(failed)?;
                }
            }
            fs::remove_file(&path).and_then(|()| File::open(self.path())?.sync_all()).map_err(failed)?;
            gone.push(name);
        }
        Ok(gone)
    }

    /// Says until when the analysts' key of a wave is kept. Once said it can be brought forward, never put off.
    pub fn keep_until(&self, wave: i64, until: NaiveDate) -> Result<NaiveDate, KeyFolderError> {
        let path = self.retention_file(wave);
        let until = self.retention(wave)?.map_or(until, |known| known.min(until));
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(KeyFolderError::Folder { path, source });
            }
            _ => write_new(&path, format!("{until}\n").as_bytes())?,
        }
        Ok(until)
    }

    /// The last day on which the analysts' key of a wave opens anything; `None` where nothing was said.
    pub fn retention(&self, wave: i64) -> Result<Option<NaiveDate>, KeyFolderError> {
        let path = self.retention_file(wave);
        match fs::read_to_string(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(KeyFolderError::Folder { path, source }),
            Ok(text) => text.trim().parse().map(Some).map_err(|_| KeyFolderError::NotAKey { path }),
        }
    }

    fn retention_file(&self, wave: i64) -> PathBuf {
        self.path().join(format!("analysts-{wave}.until"))
    }

    /// The random id that tells this key folder from every other, made at the first call. It is no secret.
    pub fn id(&self) -> Result<String, KeyFolderError> {
        let path = self.path().join("folder.id");
        if !path.exists() {
            match write_new(&path, format!("{}\n", Uuid::new_v4()).as_bytes()) {
                // Another process made it at the same moment.
                Err(KeyFolderError::Exists { .. }) => {}
                made => made?,
            }
        }
        let id = fs::read_to_string(&path).map_err(|source| KeyFolderError::Folder { path, source })?;
        Ok(id.trim().to_owned())
    }

    /// Names of all files here, in order.
    pub fn list_files(&self) -> Result<Vec<String>, KeyFolderError> {
        let failed = |source| KeyFolderError::Folder { path: self.path().to_owned(), source };
        let mut names: Vec<String> = fs::read_dir(self.path())
            .map_err(failed)?
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names)
    }
}

/// Files of the key folder that open a wave or name its withdrawn interviews, the most telling first.
fn names_of_wave(wave: i64) -> [String; 5] {
    [
        format!("wave-{wave}.key"),
        format!("tablet-{wave}.key"),
        format!("wave-{wave}.escrow"),
        format!("tablet-{wave}.pub"),
        format!("withdrawn-{wave}.list"),
    ]
}
