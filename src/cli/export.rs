//! `langnghe export`: a wave's records for other programs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::key::passphrase;
use super::user::Installation;
use crate::config::{DATA, DataPlace};
use crate::jobs::analysis_files::AnalysisFiles;
use crate::jobs::export::{self, Format};

/// Xuất số liệu của một đợt cho phần mềm khác · A wave's records for other programs
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe export 2 --analysts --output wave.sav --data /srv/langnghe")]
pub struct Args {
    /// Number of the wave
    #[arg(value_name = "ID")]
    project: i64,
    /// .csv, .xlsx, .sav, .dta, .parquet, .ddi.xml, or a script that declares the design: .R, .do
    #[arg(long, value_name = "F")]
    output: PathBuf,
    /// The whole analysis file with PSUs, strata and weights, for the analysts' room; needs the analysts' key
    #[arg(long)]
    analysts: bool,
    /// Which freeze; the latest where none is named
    #[arg(long, value_name = "N")]
    snapshot: Option<u32>,
    /// Begin a .csv with a byte-order mark, by which Excel knows Vietnamese letters
    #[arg(long)]
    bom: bool,
    #[command(flatten)]
    place: DataPlace,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let name = args.output.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((format, stem)) = Format::of(name) else {
        let endings: Vec<&str> = Format::ALL.iter().map(|(_, ending)| *ending).collect();
        anyhow::bail!("{}: name a file that ends in {}", args.output.display(), endings.join(", "))
    };
    anyhow::ensure!(
        args.analysts,
        "đợt {id}: chưa có bộ số liệu rút gọn được người thứ hai duyệt, nên không có gì để công bố từng phiếu \
         (there are no reduced microdata of wave {id} that a second person approved: protection.md rule 21). \
         Trong phòng phân tích, thêm --analysts (in the analysts' room add --analysts)",
        id = args.project
    );
    let folder = args.place.folder(DATA);
    let files = folder.join("analysis");
    anyhow::ensure!(
        files.is_dir(),
        "{}: there is no folder of analysis files; check --data, or freeze the wave first: langnghe wave freeze {}",
        files.display(),
        args.project
    );
    let mut installation = Installation::open(&args.place)?;
    if installation.keys.needs_passphrase()
        && let Some(passphrase) = passphrase()?
    {
        installation.keys = installation.keys.with_passphrase(passphrase);
    }
    let files = AnalysisFiles::open(files)?;
    let key = installation.keys.path().join(format!("analysts-{}.key", args.project));
    // Asking the folder for a key that is not there would make one.
    anyhow::ensure!(
        files.snapshots(args.project)?.is_empty() || key.exists(),
        "{}: the analysts' key of wave {} is not here; give its folder with --keys",
        key.display(),
        args.project
    );
    anyhow::ensure!(
        !files.snapshots(args.project)?.is_empty(),
        "wave {id} has no analysis file; freeze it first: langnghe wave freeze {id}",
        id = args.project
    );
    let file = files.read(args.project, args.snapshot, &installation.keys.analysts(args.project)?)?;
    let records = export::analysts(&file)?;
    let bytes = export::write(&records, format, stem, args.bom)?;
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    // Logged before it is written: no file without its entry.
    installation.log(
        "records exported",
        serde_json::json!({
            "project": args.project, "snapshot": file.about.snapshot, "audience": "analysts",
            "format": format!("{format:?}").to_lowercase(), "sha256": sha256,
        }),
    )?;
    keep(&args.output, &bytes)?;
    eprintln!(
        "langnghe: {}: {} phiếu, {} cột, chỉ dùng trong phòng phân tích ({} respondents, for the analysts' room only)",
        args.output.display(),
        records.height(),
        records.names().count(),
        records.height()
    );
    Ok(())
}

/// Writes a file that its owner alone can read.
fn keep(output: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let unwritable =
        |e| anyhow::anyhow!("{}: cannot be written ({e}); choose another --output", output.display());
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(output)
        .map_err(unwritable)?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(unwritable)?;
    file.write_all(bytes).map_err(unwritable)
}
