//! The folder of analysis files, `DATA/analysis/`: one file a snapshot of a wave, each sealed to the wave's analysts'
//! key (`age`), so that what lies there tells nothing without it.

use std::fs;
use std::path::{Path, PathBuf};

use age::x25519::{Identity, Recipient};
use anyhow::{Context, anyhow};
use sha2::{Digest, Sha256};

use super::analysis_file::AnalysisFile;

/// The analysis files of all waves.
#[derive(Clone, Debug)]
pub struct AnalysisFiles {
    folder: PathBuf,
}

impl AnalysisFiles {
    /// Opens the folder, making it where it is missing.
    pub fn open(folder: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(|e| {
            anyhow!("{}: the folder cannot be made ({e}); make it writable", folder.display())
        })?;
        Ok(Self { folder })
    }

    /// Keeps a snapshot, in place of an unfinished or earlier one of the same number. It is on the disk when this
    /// returns.
    pub fn keep(&self, file: &AnalysisFile, recipient: &Recipient) -> anyhow::Result<PathBuf> {
        let path = self.path(file.about.project, file.about.snapshot);
        self.seal_into(&path, &file.to_zip()?, recipient)?;
        Ok(path)
    }

    /// Keeps the log of what was released of a wave. It is on the disk when this returns.
    pub fn keep_releases(&self, project: i64, log: &str, recipient: &Recipient) -> anyhow::Result<()> {
        self.seal_into(&self.releases(project), log.as_bytes(), recipient)
    }

    /// The log of what was released of a wave, none where there is no file.
    pub fn read_releases(&self, project: i64, identity: &Identity) -> anyhow::Result<Option<String>> {
        let path = self.releases(project);
        let sealed = match fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|e| anyhow!("{}: cannot be read ({e}); check the path", path.display()))?,
        };
        let log = age::decrypt(identity, &sealed).map_err(|e| {
            anyhow!(
                "{}: the log of releases does not open with the analysts' key of wave {project} ({e}); put it back from \
                 the backup",
                path.display()
            )
        })?;
        Ok(Some(String::from_utf8(log).with_context(|| path.display().to_string())?))
    }

    /// Held until it is dropped: waits until nobody else of this machine holds it.
    pub fn lock(&self) -> anyhow::Result<fs::File> {
        let failed = |e| anyhow!("{}: cannot be locked ({e}); check the folder", self.folder.display());
        let folder = fs::File::open(&self.folder).map_err(failed)?;
        folder.lock().map_err(failed)?;
        Ok(folder)
    }

    fn seal_into(&self, path: &Path, bytes: &[u8], recipient: &Recipient) -> anyhow::Result<()> {
        let sealed = age::encrypt(recipient, bytes).context("sealing to the analysts' key")?;
        let unfinished = path.with_extension("part");
        let unwritable = |e| anyhow!("{}: cannot be written ({e}); is the disk full?", path.display());
        fs::write(&unfinished, sealed).map_err(unwritable)?;
        fs::File::open(&unfinished).and_then(|f| f.sync_all()).map_err(unwritable)?;
        fs::rename(&unfinished, path).map_err(unwritable)?;
        fs::File::open(&self.folder).and_then(|f| f.sync_all()).map_err(unwritable)
    }

    /// Removes a snapshot that a later one replaces; gone already is as good.
    pub fn destroy(&self, project: i64, snapshot: u32) -> anyhow::Result<()> {
        let path = self.path(project, snapshot);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(anyhow!("{}: cannot be removed ({e}); remove it by hand", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// File name and SHA-256 of each snapshot of a wave as it lies on the disk, earliest first.
    pub fn hashes(&self, project: i64) -> anyhow::Result<Vec<(String, String)>> {
        let one = |snapshot: u32| {
            let path = self.path(project, snapshot);
            let bytes = fs::read(&path)
                .map_err(|e| anyhow!("{}: cannot be read ({e}); check the path", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()))
        };
        self.snapshots(project)?.into_iter().map(one).collect()
    }

    /// Snapshots of a wave, earliest first.
    pub fn snapshots(&self, project: i64) -> anyhow::Result<Vec<u32>> {
        let head = format!("wave-{project}-snapshot-");
        let entries = fs::read_dir(&self.folder)
            .map_err(|e| anyhow!("{}: cannot be read ({e}); check the path", self.folder.display()))?;
        let mut found: Vec<u32> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                name.strip_prefix(&head)?.strip_suffix(".age")?.parse().ok()
            })
            .collect();
        found.sort_unstable();
        Ok(found)
    }

    /// A snapshot of a wave, the latest where none is named.
    pub fn read(
        &self,
        project: i64,
        snapshot: Option<u32>,
        identity: &Identity,
    ) -> anyhow::Result<AnalysisFile> {
        let known = self.snapshots(project)?;
        let snapshot = match snapshot {
            Some(wanted) if known.contains(&wanted) => wanted,
            Some(wanted) => {
                return Err(anyhow!("wave {project} has no snapshot {wanted}; there are {known:?}"));
            }
            None => *known.last().ok_or_else(|| {
                anyhow!(
                    "wave {project} has no analysis file in {}; freeze it first: langnghe wave freeze {project}",
                    self.folder.display()
                )
            })?,
        };
        let path = self.path(project, snapshot);
        let sealed = fs::read(&path)
            .map_err(|e| anyhow!("{}: cannot be read ({e}); check the path", path.display()))?;
        let zip = age::decrypt(identity, &sealed).map_err(|e| {
            anyhow!("{}: does not open with the analysts' key of wave {project} ({e})", path.display())
        })?;
        AnalysisFile::from_zip(&zip).with_context(|| path.display().to_string())
    }

    fn releases(&self, project: i64) -> PathBuf {
        self.folder.join(format!("wave-{project}-releases.age"))
    }

    fn path(&self, project: i64, snapshot: u32) -> PathBuf {
        self.folder.join(format!("wave-{project}-snapshot-{snapshot}.age"))
    }
}
