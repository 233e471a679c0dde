//! Backups: each vault in a file of its own, sealed to its own recipient (`age`), with the files that belong to it; and
//! back. No key is ever in one.
//!
//! The field vault is copied first: an interview that is acknowledged in the copy then has its answers in the copy of
//! the answer vault, which is taken later.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use age::x25519::Recipient;
use age::{Decryptor, Encryptor, Identity};
use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{ZipArchive, ZipWriter};

use crate::db::{AnswerVault, Contents, FieldVault, VaultKind, restore_vault};

/// What stands first in a backup file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The same in both files of a backup.
    pub id: Uuid,
    /// What was received before is in it.
    pub taken_at: DateTime<Utc>,
    pub program: String,
    pub contents: Contents,
    /// Files that belong to the vault: attachments, or analysis files.
    pub files: u64,
}

const MANIFEST: &str = "backup.json";
const VAULT: &str = "vault/";
const FILES: &str = "files/";

/// Where the parts of an installation lie, beside its two vaults.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Attachments; go with the field vault.
    pub files: PathBuf,
    /// Analysis files; go with the answer vault.
    pub analysis: PathBuf,
}

impl Folders {
    fn of(&self, kind: VaultKind) -> &Path {
        match kind {
            VaultKind::Field => &self.files,
            VaultKind::Answers => &self.analysis,
        }
    }
}

/// The file of one vault in the folder of a backup.
pub fn file_of(folder: &Path, kind: VaultKind) -> PathBuf {
    folder.join(format!("{}.age", kind.name()))
}

/// Writes `field.age` and `answers.age` into `into`. `beside` is where the unsealed copies may lie meanwhile: the data
/// folder, where the same lies anyway.
pub fn back_up(
    field: &FieldVault,
    answers: &AnswerVault,
    folders: &Folders,
    beside: &Path,
    into: &Path,
    recipients: [&Recipient; 2],
    now: DateTime<Utc>,
) -> anyhow::Result<[Manifest; 2]> {
    for kind in [VaultKind::Field, VaultKind::Answers] {
        let file = file_of(into, kind);
        if file.exists() {
            return Err(anyhow!("{}: there is a backup already; name a new folder", file.display()));
        }
    }
    make_private(into)?;
    let id = Uuid::new_v4();
    let copies = Scratch::new(beside, id)?;
    let taken: Vec<(VaultKind, PathBuf, Contents)> = [VaultKind::Field, VaultKind::Answers]
        .into_iter()
        .map(|kind| {
            let copy = copies.0.join(kind.name());
            make_private(&copy)?;
            let contents = match kind {
                VaultKind::Field => field.snapshot(&copy)?,
                VaultKind::Answers => answers.snapshot(&copy)?,
            };
            anyhow::Ok((kind, copy, contents))
        })
        .collect::<Result<_, _>>()?;
    let mut manifests = Vec::new();
    for ((kind, copy, contents), recipient) in taken.into_iter().zip(recipients) {
        let kept = files_below(folders.of(kind))?;
        let manifest = Manifest {
            id,
            taken_at: now,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            contents,
            files: kept.len() as u64,
        };
        let path = file_of(into, kind);
        let unfinished = path.with_extension("part");
        write_sealed(&unfinished, recipient, &manifest, &copy, folders.of(kind), &kept)
            .with_context(|| format!("{}: the backup was not written", path.display()))?;
        fs::rename(&unfinished, &path)?;
        manifests.push(manifest);
    }
    File::open(into).and_then(|folder| folder.sync_all())?;
    field.transaction(|db| db.record_backup(id, now))?;
    manifests.try_into().map_err(|_| anyhow!("a backup has two files"))
}

fn write_sealed(
    path: &Path,
    recipient: &Recipient,
    manifest: &Manifest,
    copy: &Path,
    folder: &Path,
    kept: &[PathBuf],
) -> anyhow::Result<()> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient as &dyn age::Recipient))?;
    let mut zip = ZipWriter::new_stream(encryptor.wrap_output(file)?);
    // Sealed halves do not become smaller; the rest is little.
    let options =
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).large_file(true);
    zip.start_file(MANIFEST, options)?;
    zip.write_all(&serde_json::to_vec_pretty(manifest)?)?;
    let mut add = |name: String, from: &Path| -> anyhow::Result<()> {
        let mut file = File::open(from).with_context(|| from.display().to_string())?;
        zip.start_file(name, options)?;
        io::copy(&mut file, &mut zip)?;
        Ok(())
    };
    for part in files_below(copy)? {
        add(format!("{VAULT}{}", part.display()), &copy.join(&part))?;
    }
    for name in kept {
        add(format!("{FILES}{}", name.display()), &folder.join(name))?;
    }
    let sealing: age::stream::StreamWriter<File> = StreamWriter::into_inner(zip.finish()?);
    sealing.finish()?.sync_all()?;
    Ok(())
}

/// Restores a backup: vaults at addresses where there is nothing yet, files into `folders`. Compares what it restored
/// with what was backed up.
pub fn restore(
    from: &Path,
    identities: &[Box<dyn Identity>],
    urls: [&str; 2],
    folders: &Folders,
    beside: &Path,
) -> anyhow::Result<[Manifest; 2]> {
    let copies = Scratch::new(beside, Uuid::new_v4())?;
    let mut manifests = Vec::new();
    for (kind, url) in [VaultKind::Field, VaultKind::Answers].into_iter().zip(urls) {
        let path = file_of(from, kind);
        let sealed = File::open(&path)
            .map_err(|e| anyhow!("{}: cannot be read ({e}); check the path", path.display()))?;
        let copy = copies.0.join(kind.name());
        make_private(&copy)?;
        let opened = Decryptor::new_buffered(io::BufReader::new(sealed))
            .and_then(|decryptor| decryptor.decrypt(identities.iter().map(AsRef::as_ref)))
            .map_err(|e| anyhow!("{}: does not open with these identities ({e})", path.display()))?;
        let manifest = unpack(opened, &copy, folders.of(kind))
            .with_context(|| format!("{}: damaged or no backup of this program", path.display()))?;
        restore_vault(url, kind, &copy, &manifest.contents)?;
        manifests.push(manifest);
    }
    let manifests: [Manifest; 2] = manifests.try_into().map_err(|_| anyhow!("a backup has two files"))?;
    if manifests[0].id != manifests[1].id {
        return Err(anyhow!(
            "{}: the two files belong to different backups; bring together what was made together",
            from.display()
        ));
    }
    Ok(manifests)
}

fn unpack(opened: impl Read + Seek, copy: &Path, folder: &Path) -> anyhow::Result<Manifest> {
    let mut zip = ZipArchive::new(opened)?;
    let mut text = String::new();
    zip.by_name(MANIFEST)?.read_to_string(&mut text)?;
    let manifest: Manifest = serde_json::from_str(&text)?;
    let mut files = 0;
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i)?;
        let name = entry.name()?.into_owned();
        let to = if let Some(name) = name.strip_prefix(VAULT) {
            copy.join(inside(name)?)
        } else if let Some(name) = name.strip_prefix(FILES) {
            files += 1;
            folder.join(inside(name)?)
        } else {
            continue;
        };
        if let Some(parent) = to.parent() {
            make_private(parent)?;
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&to)
            .with_context(|| to.display().to_string())?;
        io::copy(&mut entry, &mut file)?;
        file.sync_all()?;
    }
    if files != manifest.files {
        return Err(anyhow!("it holds {files} files instead of {}", manifest.files));
    }
    Ok(manifest)
}

/// A name that leads nowhere else.
fn inside(name: &str) -> anyhow::Result<&Path> {
    let path = Path::new(name);
    if path.components().all(|part| matches!(part, Component::Normal(_))) && !name.is_empty() {
        Ok(path)
    } else {
        Err(anyhow!("`{name}` leads out of the backup"))
    }
}

/// Files below a folder, by their path in it, sorted; none where there is no folder.
fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(place) = waiting.pop() {
        let entries = match fs::read_dir(folder.join(&place)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && place.as_os_str().is_empty() => continue,
            entries => entries.with_context(|| folder.join(&place).display().to_string())?,
        };
        for entry in entries {
            let entry = entry?;
            let path = place.join(entry.file_name());
            let unfinished = path.extension().is_some_and(|ending| ending == "part");
            match entry.file_type()? {
                kind if kind.is_dir() => waiting.push(path),
                kind if kind.is_file() && !unfinished => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

fn make_private(folder: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| anyhow!("{}: the folder cannot be made ({e}); make it writable", folder.display()))
}

/// A folder that goes when the work ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(beside: &Path, id: Uuid) -> anyhow::Result<Self> {
        let path = beside.join(format!("copy-{id}.part"));
        make_private(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What a crash leaves is named `.part`; the next look at the folder shows it.
        let _ = fs::remove_dir_all(&self.0);
    }
}
