//! `langnghe backup`, `restore` and `verify`: both vaults sealed in files, back, and the proof that they come back.

use std::path::{Path, PathBuf};

use age::Identity;
use age::x25519::Recipient;
use anyhow::{Context, anyhow};
use chrono::Utc;

use super::user::Installation;
use super::wave::custodian;
use crate::config::{DATA, DataPlace};
use crate::db::{AnswerVault, FieldVault, VaultKind};
use crate::jobs::backup::{self, Folders, Manifest};
use crate::keys;

/// Sao lưu hai kho dữ liệu, không kèm khóa · Back up both vaults while the server runs; no key is in a backup
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: langnghe backup /media/backup/2026-08-05 --recipient-field age1… --recipient-answers age1…\n\
                  The two recipients should be held by two people: who has one file opens one vault."
)]
pub struct BackupArgs {
    /// Folder that gets field.age and answers.age
    #[arg(value_name = "DIR")]
    into: PathBuf,
    /// `age` recipient of the field vault: age1…, or the public half of a custodian's bundle (F.pub)
    #[arg(long, value_name = "AGE")]
    recipient_field: String,
    /// `age` recipient of the answer vault
    #[arg(long, value_name = "AGE")]
    recipient_answers: String,
    #[command(flatten)]
    place: DataPlace,
}

/// Khôi phục từ bản sao lưu vào một nơi mới · Restore a backup into a new place; nothing is overwritten
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: langnghe restore /media/backup/2026-08-05 --into /srv/langnghe --identity field.txt --identity answers.txt\n\
                  A backup from PostgreSQL needs --field and --answers, two empty databases."
)]
pub struct RestoreArgs {
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// New data folder
    #[arg(long, value_name = "DIR2")]
    into: PathBuf,
    /// File with an `age` identity, or a custodian's bundle; once for each vault
    #[arg(long, value_name = "F", required = true)]
    identity: Vec<PathBuf>,
    /// Where the field vault goes, if not into the folder
    #[arg(long, value_name = "URL")]
    field: Option<String>,
    /// Where the answer vault goes, if not into the folder
    #[arg(long, value_name = "URL")]
    answers: Option<String>,
}

/// Kiểm tra bản sao lưu bằng cách khôi phục thử · Restore a backup into a scratch place and compare
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: langnghe verify /media/backup/2026-08-05 --identity field.txt --identity answers.txt --data /srv/langnghe\n\
                  With the data folder at hand the backup is noted there as verified: tablets may then let go of what it holds."
)]
pub struct VerifyArgs {
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// File with an `age` identity, or a custodian's bundle; once for each vault
    #[arg(long, value_name = "F", required = true)]
    identity: Vec<PathBuf>,
    /// Where the scratch copy is made (and removed again)
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// An empty database for the field vault of a backup from PostgreSQL
    #[arg(long, value_name = "URL")]
    scratch_field: Option<String>,
    /// An empty database for the answer vault of a backup from PostgreSQL
    #[arg(long, value_name = "URL")]
    scratch_answers: Option<String>,
    #[command(flatten)]
    place: DataPlace,
}

pub fn run(args: &BackupArgs) -> anyhow::Result<()> {
    let recipients = [
        recipient(&args.recipient_field, "--recipient-field")?,
        recipient(&args.recipient_answers, "--recipient-answers")?,
    ];
    let folder = args.place.folder(DATA);
    let installation = Installation::open(&args.place)?;
    let answers = AnswerVault::open(&args.place.answers_url(&folder))?;
    let folders = Folders { files: args.place.files_folder(&folder)?, analysis: folder.join("analysis") };
    let manifests = backup::back_up(
        &installation.field,
        &answers,
        &folders,
        &folder,
        &args.into,
        [&recipients[0], &recipients[1]],
        Utc::now(),
    )?;
    installation.log("backup made", serde_json::json!({ "backup": manifests[0].id }))?;
    tell(&args.into, &manifests);
    eprintln!(
        "Khóa không nằm trong bản sao lưu. Tiếp theo: langnghe verify {} --identity … \
         (no key is in the backup; verify it next)",
        args.into.display()
    );
    Ok(())
}

pub fn run_restore(args: &RestoreArgs) -> anyhow::Result<()> {
    let identities = identities(&args.identity)?;
    let url = |given: &Option<String>, name: &str| {
        given.clone().unwrap_or_else(|| crate::config::sqlite_url(&args.into.join(name)))
    };
    let folders = Folders { files: args.into.join("files"), analysis: args.into.join("analysis") };
    std::fs::create_dir_all(&args.into)
        .map_err(|e| anyhow!("{}: the folder cannot be made ({e}); name another", args.into.display()))?;
    let urls = [url(&args.field, "field.db"), url(&args.answers, "answers.db")];
    let manifests = backup::restore(&args.from, &identities, [&urls[0], &urls[1]], &folders, &args.into)?;
    tell(&args.from, &manifests);
    eprintln!(
        "Khóa phải được đưa về riêng: langnghe key restore ID --escrow F --data {} (keys come back on their own way)",
        args.into.display()
    );
    Ok(())
}

pub fn run_verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let identities = identities(&args.identity)?;
    let scratch = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let place = scratch.join(format!("langnghe-verify-{}", uuid::Uuid::new_v4()));
    let restored = verify_in(args, &identities, &place);
    // Also when it failed: the scratch copy must not stay.
    let removed = std::fs::remove_dir_all(&place);
    let manifests = restored?;
    removed.with_context(|| format!("{}: the scratch copy must be removed by hand", place.display()))?;
    tell(&args.from, &manifests);
    let folder = args.place.folder(DATA);
    let id = manifests[0].id;
    let near = args.place.field.is_some() || folder.join("field.db").exists();
    let noted = near
        && FieldVault::open(&args.place.field_url(&folder))?
            .transaction(|db| db.record_verification(id, Utc::now()))?;
    if noted {
        Installation::open(&args.place)?.log("backup verified", serde_json::json!({ "backup": id }))?;
        say!("Đã đối chiếu, ghi nhận · compared, noted as verified: {id}");
    } else {
        say!("Đã đối chiếu · compared: {id}");
        eprintln!("Chưa ghi nhận ở máy chủ: thêm --data của nó (not noted at the server: name its --data)");
    }
    Ok(())
}

fn verify_in(
    args: &VerifyArgs,
    identities: &[Box<dyn Identity>],
    place: &Path,
) -> anyhow::Result<[Manifest; 2]> {
    let url = |given: &Option<String>, name: &str| {
        given.clone().unwrap_or_else(|| crate::config::sqlite_url(&place.join(name)))
    };
    let urls = [url(&args.scratch_field, "field.db"), url(&args.scratch_answers, "answers.db")];
    let folders = Folders { files: place.join("files"), analysis: place.join("analysis") };
    backup::restore(&args.from, identities, [&urls[0], &urls[1]], &folders, place)
}

fn tell(folder: &Path, manifests: &[Manifest; 2]) {
    for (kind, manifest) in [VaultKind::Field, VaultKind::Answers].into_iter().zip(manifests) {
        let rows: u64 = manifest.contents.tables.values().map(|table| table.rows).sum();
        say!(
            "{}  {} bảng · tables, {} dòng · rows, {} tệp · files, {}",
            backup::file_of(folder, kind).display(),
            manifest.contents.tables.len(),
            rows,
            manifest.files,
            manifest.taken_at.format("%Y-%m-%d %H:%M:%S UTC")
        );
    }
}

/// An `age` recipient as it is, or the one in the public half of a custodian's bundle.
fn recipient(text: &str, option: &str) -> anyhow::Result<Recipient> {
    let file = Path::new(text.trim());
    if keys::is_custodian(file) {
        let bundle = keys::load_custodian_public(file)?;
        return bundle.backups.with_context(|| {
            format!(
                "{option} {text}: this bundle has no `age` key; make a new one with `langnghe key custodian`"
            )
        });
    }
    text.trim().parse().map_err(|reason| {
        anyhow!(
            "{option}: `{text}` is no `age` recipient ({reason}); it begins with age1, `age-keygen` makes one \
             (the public key)"
        )
    })
}

fn identities(files: &[PathBuf]) -> anyhow::Result<Vec<Box<dyn Identity>>> {
    let mut found: Vec<Box<dyn Identity>> = Vec::new();
    for file in files {
        let name = file.display();
        if keys::is_custodian(file) {
            let bundle = custodian(Some(file))?.and_then(|bundle| bundle.backups);
            let identity = bundle.with_context(|| format!("{name}: this bundle has no `age` key"))?;
            found.push(Box::new(identity));
            continue;
        }
        let read = age::IdentityFile::from_file(file.to_string_lossy().into_owned())
            .map_err(|e| anyhow!("{name}: no `age` identity can be read here ({e}); check the file"))?;
        let read = read.into_identities().map_err(|e| anyhow!("{name}: {e}"))?;
        found.extend(read.into_iter().map(|identity| identity as Box<dyn Identity>));
    }
    Ok(found)
}
