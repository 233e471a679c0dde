//! Files that come with submissions: sealed under the wave key, under random names, in a folder or an object store.
//!
//! A stored file is a row of sealed chunks, each with its length before it. Place and number of a chunk, and whether it
//! is the last, are bound into its seal: chunks cannot be moved, and a file that was cut short does not open.

use std::fmt::Display;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::keys::{Purpose, SEAL_STEP, WaveKey};

/// Plain bytes of a chunk: with its length it fills 256 steps of the seal's padding.
const CHUNK: usize = 256 * SEAL_STEP - 4;

/// Why a file could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("`{url}` is no place for files; write a folder, file:///dir or s3://bucket/prefix")]
    Address { url: String },
    #[error(
        "{url}: this program was built without S3; build it with `--features s3` or give a folder with --files"
    )]
    NoS3 { url: String },
    #[error("{place}: files cannot be kept or read here ({reason}); make the place writable and try again")]
    Place { place: String, reason: String },
    #[error("the stored file {file} does not open: it is damaged, cut short, or belongs to another wave")]
    Damaged { file: String },
    #[error("the stored file {file} is gone")]
    Gone { file: String },
}

/// Where files lie.
#[derive(Clone)]
pub struct FileStore {
    store: Arc<dyn ObjectStore>,
    place: String,
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileStore({})", self.place)
    }
}

/// A file that was written and is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The random name.
    pub file: String,
    pub sha256: [u8; 32],
    pub size: u64,
}

impl FileStore {
    /// Opens a folder (made where it is missing), `file:///dir`, or `s3://bucket/prefix` where S3 is built in.
    pub fn open(url: &str) -> Result<Self, FilesError> {
        if url.starts_with("s3://") {
            return Self::open_s3(url);
        }
        let folder = match url.strip_prefix("file://") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => return Err(FilesError::Address { url: url.to_owned() }),
            None if url.contains("://") || url.is_empty() => {
                return Err(FilesError::Address { url: url.to_owned() });
            }
            None => url,
        };
        let wrong =
            |reason: &dyn Display| FilesError::Place { place: folder.to_owned(), reason: reason.to_string() };
        {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| wrong(&e))?;
        }
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|e| wrong(&e))?.with_fsync(true);
        Ok(Self { store: Arc::new(store), place: folder.to_owned() })
    }

    #[cfg(not(feature = "s3"))]
    fn open_s3(url: &str) -> Result<Self, FilesError> {
        Err(FilesError::NoS3 { url: url.to_owned() })
    }

    #[cfg(feature = "s3")]
    fn open_s3(url: &str) -> Result<Self, FilesError> {
        let wrong =
            |reason: &dyn Display| FilesError::Place { place: url.to_owned(), reason: reason.to_string() };
        let (bucket, prefix) = url["s3://".len()..].split_once('/').unwrap_or((&url["s3://".len()..], ""));
        let built = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket).build();
        let store = built.map_err(|e| wrong(&e))?;
        let store: Arc<dyn ObjectStore> = if prefix.is_empty() {
            Arc::new(store)
        } else {
            Arc::new(object_store::prefix::PrefixStore::new(store, prefix))
        };
        Ok(Self { store, place: url.to_owned() })
    }

    /// Begins a file under a new random name.
    pub fn begin(&self, key: Arc<WaveKey>) -> Writing {
        let name = Uuid::new_v4().simple().to_string();
        let file = format!("{}/{name}", &name[..2]);
        let writer = BufWriter::new(Arc::clone(&self.store), ObjectPath::from(file.as_str()));
        Writing {
            place: self.place.clone(),
            file,
            key,
            writer,
            pending: Vec::with_capacity(CHUNK),
            number: 0,
            hash: Sha256::new(),
            size: 0,
        }
    }

    /// Opens a file to be read piece by piece.
    pub async fn open_file(&self, key: Arc<WaveKey>, file: &str) -> Result<Reading, FilesError> {
        let found = self.store.get(&ObjectPath::from(file)).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => FilesError::Gone { file: file.to_owned() },
            error => self.wrong(&error),
        })?;
        Ok(Reading {
            place: self.place.clone(),
            file: file.to_owned(),
            key,
            stream: found.into_stream().map_ok(Vec::from).boxed(),
            sealed: Vec::new(),
            number: 0,
            has_ended: false,
        })
    }

    /// The plain bytes of a file.
    pub async fn read(&self, key: Arc<WaveKey>, file: &str) -> Result<Vec<u8>, FilesError> {
        let mut reading = self.open_file(key, file).await?;
        let mut plain = Vec::new();
        while let Some(piece) = reading.next().await? {
            plain.extend_from_slice(&piece);
        }
        Ok(plain)
    }

    /// Removes a file; one that is gone already is no error.
    pub async fn remove(&self, file: &str) -> Result<(), FilesError> {
        match self.store.delete(&ObjectPath::from(file)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.wrong(&error)),
        }
    }

    /// Names of files that were written before a moment.
    pub async fn list_older(&self, than: DateTime<Utc>) -> Result<Vec<String>, FilesError> {
        let mut listed = self.store.list(None);
        let mut older = Vec::new();
        while let Some(found) = listed.next().await {
            let found = found.map_err(|e| self.wrong(&e))?;
            if found.last_modified < than {
                older.push(found.location.to_string());
            }
        }
        Ok(older)
    }

    fn wrong(&self, reason: &dyn Display) -> FilesError {
        FilesError::Place { place: self.place.clone(), reason: reason.to_string() }
    }
}

/// A file that is being read.
pub struct Reading {
    place: String,
    file: String,
    key: Arc<WaveKey>,
    stream: BoxStream<'static, object_store::Result<Vec<u8>>>,
    sealed: Vec<u8>,
    number: u64,
    has_ended: bool,
}

impl Reading {
    /// The next plain bytes; `None` only after the file's true end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, FilesError> {
        let damaged = |file: &str| FilesError::Damaged { file: file.to_owned() };
        loop {
            if self.has_ended && self.sealed.is_empty() {
                return if self.number > 0 { Ok(None) } else { Err(damaged(&self.file)) };
            }
            if let Some(length) = length_of_first(&self.sealed) {
                let whole = 4 + length;
                // The last chunk is known by the end of the file, so one is held back until more has come.
                let has_next = self.sealed.len() > whole;
                if has_next || (self.has_ended && self.sealed.len() == whole) {
                    let place = place_of(&self.file, self.number, !has_next);
                    let opened = self.key.open(Purpose::File, &place, &self.sealed[4..whole]);
                    let opened = opened.map_err(|_| damaged(&self.file))?;
                    self.sealed.drain(..whole);
                    self.number += 1;
                    return Ok(Some(opened));
                }
            }
            if self.has_ended {
                return Err(damaged(&self.file));
            }
            match self.stream.next().await {
                Some(Ok(bytes)) => self.sealed.extend_from_slice(&bytes),
                Some(Err(error)) => {
                    return Err(FilesError::Place { place: self.place.clone(), reason: error.to_string() });
                }
                None => self.has_ended = true,
            }
        }
    }
}

fn length_of_first(sealed: &[u8]) -> Option<usize> {
    let bytes = sealed.get(..4)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
}

fn place_of(file: &str, number: u64, is_last: bool) -> Vec<u8> {
    format!("file {file} {number} {}", if is_last { "last" } else { "more" }).into_bytes()
}

/// A file that is being written. It is there only after [`Writing::finish`].
pub struct Writing {
    place: String,
    file: String,
    key: Arc<WaveKey>,
    writer: BufWriter,
    pending: Vec<u8>,
    number: u64,
    hash: Sha256,
    size: u64,
}

impl Writing {
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<(), FilesError> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.pending.len() == CHUNK {
                self.seal_pending(false).await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Writes the rest; when this returns, the file is on the disk.
    pub async fn finish(mut self) -> Result<Written, FilesError> {
        self.seal_pending(true).await?;
        let closed = self.writer.shutdown().await;
        closed.map_err(|e| FilesError::Place { place: self.place.clone(), reason: e.to_string() })?;
        Ok(Written { file: self.file, sha256: self.hash.finalize().into(), size: self.size })
    }

    /// Gives the file up.
    pub async fn abandon(mut self) {
        // What was written so far has no name yet; a store that cannot drop it now drops it by its own rules.
        let _ = self.writer.abort().await;
    }

    async fn seal_pending(&mut self, is_last: bool) -> Result<(), FilesError> {
        let wrong = |reason: &dyn Display| FilesError::Place {
            place: self.place.clone(),
            reason: reason.to_string(),
        };
        let place = place_of(&self.file, self.number, is_last);
        let sealed = self.key.seal(Purpose::File, &place, &self.pending).map_err(|e| wrong(&e))?;
        let length = u32::try_from(sealed.len()).map_err(|e| wrong(&e))?;
        self.writer.write_all(&length.to_le_bytes()).await.map_err(|e| wrong(&e))?;
        self.writer.write_all(&sealed).await.map_err(|e| wrong(&e))?;
        self.pending.clear();
        self.number += 1;
        Ok(())
    }
}
