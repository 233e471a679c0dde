//! `langnghe export`: a wave's records for other programs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use analysis::disclosure::RiskReport;
use chrono::Utc;
use sha2::{Digest, Sha256};

use super::grant::prove;
use super::key::passphrase;
use super::user::Installation;
use crate::config::{DATA, DataPlace};
use crate::jobs::analysis_file::AnalysisFile;
use crate::jobs::analysis_files::AnalysisFiles;
use crate::jobs::export::{self, Format};
use crate::jobs::microdata::{self, ReleasePlan};
use crate::jobs::releases::Releases;
use crate::people::{Action, Person, Target, decide};

/// Xuất số liệu của một đợt cho phần mềm khác · A wave's records for other programs; without --analysts a reduced file for
/// anybody, whose approver's password and code are asked, or taken from LANGNGHE_APPROVER_PASSWORD and
/// LANGNGHE_APPROVER_TOTP
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples: langnghe export 2 --analysts --output wave.sav --data /srv/langnghe
          langnghe export 2 --output public.csv --requester an@so.vn --approver binh@so.vn --data /srv/langnghe")]
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
    /// What goes into the reduced file; default: the report's breakdowns, headlines and scales
    #[arg(long, value_name = "F.json", conflicts_with = "analysts")]
    plan: Option<PathBuf>,
    /// Who releases the reduced file: an analyst or a custodian
    #[arg(long, value_name = "LOGIN", conflicts_with = "analysts")]
    requester: Option<String>,
    /// Who approves it: somebody else, an analyst or a custodian
    #[arg(long, value_name = "LOGIN2", conflicts_with = "analysts")]
    approver: Option<String>,
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
    let key = installation.keys.analysts(args.project)?;
    let file = files.read(args.project, args.snapshot, &key)?;
    if !args.analysts {
        return public(args, &installation, &files, &file, format, stem);
    }
    let records = export::analysts(&file)?;
    let bytes = export::write(&records, format, stem, args.bom)?;
    // Logged before it is written: no file without its entry.
    installation.log(
        "records exported",
        serde_json::json!({
            "project": args.project, "snapshot": file.about.snapshot, "audience": "analysts",
            "format": format!("{format:?}").to_lowercase(), "sha256": sha256(&bytes),
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

/// Rule 21: reduced, its risks printed, approved by a second person, entered in both logs; then written.
fn public(
    args: &Args,
    installation: &Installation,
    files: &AnalysisFiles,
    file: &AnalysisFile,
    format: Format,
    stem: &str,
) -> anyhow::Result<()> {
    let (Some(requester), Some(approver)) = (&args.requester, &args.approver) else {
        anyhow::bail!(
            "bộ số liệu công bố phải có người thứ hai duyệt (released microdata need a second person's approval: \
             protection.md rule 21); add --requester LOGIN --approver LOGIN2. Trong phòng phân tích, thêm --analysts (in the \
             analysts' room add --analysts)"
        )
    };
    let now = Utc::now();
    let first = installation.accounts.find(requester)?;
    let target = Target { project: Some(args.project), organisation: None, area: None };
    let person = Person { id: first.id, role: first.role, reach: first.reach.clone(), second_factor: false };
    decide(&person, Action::OpenRecords, target)
        .map_err(|why| anyhow::anyhow!("--requester {requester} may not release microdata: {why}"))?;
    anyhow::ensure!(
        installation.accounts.find(approver)?.id != first.id,
        "--approver {approver}: nobody approves a release to themselves; name another person"
    );
    let plan = args.plan.as_deref().map(super::read_plan::<ReleasePlan>).transpose()?;
    if let Some(plan) = &args.plan {
        super::keep_inputs(&args.output, &[plan])?;
    }
    let mut releases = Releases::alone(files)?;
    releases.load(files, args.project, &installation.keys.analysts(args.project)?)?;
    let released = microdata::released(file, plan.as_ref(), &mut releases)?;
    let bytes = export::write_public(&released.records, format, stem, args.bom)?;
    // What the approver judges stands on the screen before the code is asked.
    print_risk(&released.risk, &released.plan);
    let second = prove(installation, approver, now)?;
    decide(&second, Action::ApproveGrant, target)
        .map_err(|why| anyhow::anyhow!("--approver {approver} may not approve: {why}"))?;
    let variances = args.output.with_file_name(format!("{stem}.variances.csv"));
    let table = analysis::export::csv(&released.variances, file.about.label.as_deref());
    let heads = releases.keep(files)?;
    installation.log(
        "microdata released",
        serde_json::json!({
            "project": args.project, "snapshot": file.about.snapshot, "audience": "public",
            "format": format!("{format:?}").to_lowercase(), "sha256": sha256(&bytes),
            "user": first.id, "approver": second.id, "risk": released.risk, "plan": released.plan, "releases": heads,
        }),
    )?;
    super::write_output(Some(&args.output), &bytes)?;
    super::write_output(Some(&variances), table.as_bytes())?;
    eprintln!(
        "langnghe: {}: {} phiếu, {} cột, đã duyệt để công bố; sai số chuẩn: {} ({} respondents, approved for release; \
         standard errors beside it)",
        args.output.display(),
        released.records.height(),
        released.records.names().count(),
        variances.display(),
        released.records.height(),
    );
    Ok(())
}

fn print_risk(risk: &RiskReport, plan: &ReleasePlan) {
    let percent = |share: f64| format!("{:.2}%", 100.0 * share);
    let keys: Vec<&str> = plan.keys.iter().map(|key| key.column.as_str()).collect();
    say!("Rủi ro của bộ số liệu rút gọn · Risk of the reduced file");
    say!("  khóa nhận dạng (keys): {}", keys.join(", "));
    for (name, of) in [("trước · before", &risk.before), ("sau · after", &risk.after)] {
        say!(
            "  {name}: {} phiếu · rows, {} nhóm · classes, nhóm nhỏ nhất · smallest {}, trong nhóm dưới {} · in classes \
             below {}: {}",
            of.rows,
            of.classes,
            of.smallest_class,
            risk.k,
            risk.k,
            of.rows_in_small_classes
        );
        say!(
            "    rủi ro lớn nhất · largest {}, trung bình · mean {}, số người có thể bị nhận ra · expected \
             identifications {:.1}",
            percent(of.largest_risk),
            percent(of.mean_risk),
            of.expected_identifications
        );
    }
    for (column, values) in risk.left_out.iter().filter(|(_, values)| **values > 0) {
        say!("  bỏ trống · left out: {column} {values}");
    }
    for (column, least) in &risk.diversity {
        say!(
            "  câu nhạy cảm · sensitive: {column}: ít nhất {} phương án · at least {} answers, entropy {:.2}, lớn nhất · \
             largest {}",
            least.distinct,
            least.distinct,
            least.entropy,
            percent(least.largest_share)
        );
    }
    say!(
        "  quyền số · weights: {} → {} giá trị · values, Kish {:.2} → {:.2}",
        risk.weights.distinct_before,
        risk.weights.distinct_after,
        risk.weights.kish_before,
        risk.weights.kish_after
    );
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
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
