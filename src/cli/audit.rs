//! `langnghe audit`: the log of who did what kind of thing (protection.md rule 15), and its head for a second body.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::Utc;

use super::user::Installation;
use crate::config::DataPlace;
use crate::db::AuditEntry;

/// Nhật ký · The log
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Kiểm tra chuỗi nhật ký · Check the log's chain and print its head
    #[command(
        after_help = "Example: langnghe audit verify --head nhat-ky-2026-08-05.txt --data /srv/langnghe"
    )]
    Verify {
        /// Files that `audit head` wrote and a second body kept: the log must still go through them
        #[arg(long, value_name = "F")]
        head: Vec<PathBuf>,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Đầu nhật ký trong ngày · Write today's head of the log into a file for a second body; run it daily
    #[command(after_help = "Example: langnghe audit head --output /media/second-body --data /srv/langnghe")]
    Head {
        /// Folder; the file is named by the day
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
        #[command(flatten)]
        place: DataPlace,
    },
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    let (Command::Verify { place, .. } | Command::Head { place, .. }) = command;
    let installation = Installation::open(place)?;
    let entries = installation.field.read(|db| db.verify_audit())?;
    let last = entries.last().map_or([0; 32], |entry| entry.hash);
    match command {
        Command::Verify { head, .. } => {
            for file in head {
                goes_through(&entries, file)?;
            }
            say!("{} mục, chuỗi nguyên vẹn (entries, the chain is whole)\n{}", entries.len(), hex(&last));
        }
        Command::Head { output, .. } => {
            let now = Utc::now();
            let file = output.join(format!("nhat-ky-{}.txt", now.format("%Y-%m-%d")));
            let line = format!("{} {} {}\n", now.format("%Y-%m-%dT%H:%M:%SZ"), entries.len(), hex(&last));
            std::fs::write(&file, line).with_context(|| {
                format!("{}: cannot be written; name a folder that is there", file.display())
            })?;
            say!("{}", file.display());
        }
    }
    Ok(())
}

/// Whether the log still holds the entry that a head of an earlier day names.
fn goes_through(entries: &[AuditEntry], file: &Path) -> anyhow::Result<()> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name}: cannot be read"))?;
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [day, number, hash] = parts.as_slice() else {
        anyhow::bail!("{name}: this is no head of a log; give a file that `langnghe audit head` wrote")
    };
    let number: usize = number.parse().with_context(|| format!("{name}: this is no head of a log"))?;
    let known = number.checked_sub(1).map_or(Some([0; 32]), |n| entries.get(n).map(|entry| entry.hash));
    anyhow::ensure!(
        known.is_some_and(|known| hex(&known) == *hash),
        "{name}: the log does not go through its head of {day} (entry {number}): entries were removed or written anew \
         since; keep this file and ask who had the database"
    );
    Ok(())
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
