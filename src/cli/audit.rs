//! `langnghe audit`: the log of who did what kind of thing (protection.md rule 15).

use super::user::Installation;
use crate::config::DataPlace;

/// Nhật ký · The log
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Kiểm tra chuỗi nhật ký · Check the log's chain and print its head
    #[command(after_help = "Example: langnghe audit verify --data /srv/langnghe")]
    Verify {
        #[command(flatten)]
        place: DataPlace,
    },
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Verify { place } = command;
    let installation = Installation::open(place)?;
    let entries = installation.field.read(|db| db.verify_audit())?;
    let head = entries.last().map(|entry| entry.hash).unwrap_or([0; 32]);
    let head: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
    say!("{} mục, chuỗi nguyên vẹn (entries, the chain is whole)\n{head}", entries.len());
    Ok(())
}
