//! Where data live and the settings with their defaults: one place for each.

use std::path::{Path, PathBuf};

/// The data folder and what replaces its parts (contract: `--data`, `--field`, `--answers`, `--files`, `--keys`).
#[derive(Clone, Debug, clap::Args)]
pub struct DataPlace {
    /// Folder that holds field.db, answers.db, files/ and keys/
    #[arg(long, env = "LANGNGHE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address of the field vault: sqlite:///abs/field.db or postgres://…
    #[arg(long, env = "LANGNGHE_FIELD", value_name = "URL")]
    pub field: Option<String>,
    /// Address of the answer vault: sqlite:///abs/answers.db or postgres://…
    #[arg(long, env = "LANGNGHE_ANSWERS", value_name = "URL")]
    pub answers: Option<String>,
    /// Place of files that come with submissions: a folder, file:///dir or s3://bucket/prefix
    #[arg(long, env = "LANGNGHE_FILES", value_name = "URL")]
    pub files: Option<String>,
    /// Folder of keys; never inside a backup
    #[arg(long, env = "LANGNGHE_KEYS", value_name = "DIR")]
    pub keys: Option<PathBuf>,
}

/// Data folder of every command but the demo.
pub const DATA: &str = "langnghe-data";
/// Data folder of the demo.
pub const DEMO_DATA: &str = "langnghe-demo";
/// Where the server listens.
pub const LISTEN: &str = "127.0.0.1:8080";
/// Largest submission XML that is read, in bytes.
pub const LARGEST_SUBMISSION: usize = 20_000_000;
/// Largest form or file of a form that is taken, in bytes.
pub const LARGEST_FORM: usize = 20_000_000;
/// Told to clients as the size of one post; more is accepted.
pub const ACCEPT_CONTENT_LENGTH: usize = 10_000_000;

impl DataPlace {
    /// The data folder, or `default` where none is given.
    pub fn folder(&self, default: &str) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from(default))
    }

    /// Address of the field vault.
    pub fn field_url(&self, folder: &Path) -> String {
        self.field.clone().unwrap_or_else(|| sqlite_url(&folder.join("field.db")))
    }

    /// Address of the answer vault.
    pub fn answers_url(&self, folder: &Path) -> String {
        self.answers.clone().unwrap_or_else(|| sqlite_url(&folder.join("answers.db")))
    }

    /// The folder of attachments; a bucket is no folder and keeps itself.
    pub fn files_folder(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        match self.files.as_deref() {
            None => Ok(folder.join("files")),
            Some(url) if url.starts_with("s3://") => {
                anyhow::bail!("--files {url}: a bucket is backed up by whoever keeps it; name a folder here")
            }
            Some(url) => Ok(PathBuf::from(url.strip_prefix("file://").unwrap_or(url))),
        }
    }

    /// Where files of submissions lie.
    pub fn files_url(&self, folder: &Path) -> String {
        self.files.clone().unwrap_or_else(|| folder.join("files").display().to_string())
    }

    pub fn keys_folder(&self, folder: &Path) -> PathBuf {
        self.keys.clone().unwrap_or_else(|| folder.join("keys"))
    }
}

/// The address of a vault in a file.
pub fn sqlite_url(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    format!("sqlite://{}", absolute.display())
}
