//! `langnghe report`: the reports of a wave and of several years, and whether a report still says what its inputs give.

use std::path::{Path, PathBuf};

use analysis::report::{self, Report};
use anyhow::{Context, anyhow, bail};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::key::passphrase;
use super::user::Installation;
use crate::config::{DATA, DataPlace};
use crate::jobs::analysis_file::AnalysisFile;
use crate::jobs::analysis_files::AnalysisFiles;
use crate::jobs::assessment::provenance::{PLAN, Provenance, TEMPLATE, json_sha256};
use crate::jobs::assessment::review::{self, ReviewPlan};
use crate::jobs::assessment::{self, Kind, Order, pdf, reading, verify};
use crate::jobs::releases::Releases;
use crate::jobs::template::Template;
use crate::keys::KeyFolder;

/// Báo cáo của một đợt, hoặc nhiều năm · Reports
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Example: langnghe report 1 --data langnghe-demo --output report.docx"
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The wave
    #[arg(value_name = "ID", required = true)]
    wave: Option<i64>,
    /// .docx, .html or .pdf (by LibreOffice)
    #[arg(long, value_name = "F", required = true)]
    output: Option<PathBuf>,
    /// annual; quick: first tables after a snapshot; pulse: a small monthly or quarterly wave
    #[arg(long, default_value = "annual", value_parser = ["annual", "quick", "pulse"])]
    kind: String,
    /// Default: the latest
    #[arg(long, value_name = "N")]
    snapshot: Option<u32>,
    /// Waves before, oldest first (ID or ID:SNAPSHOT); changes are measured from the last one
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    previous: Vec<String>,
    /// Template to use instead of the one in the analysis file
    #[arg(long, value_name = "F.json")]
    template: Option<PathBuf>,
    #[command(flatten)]
    place: DataPlace,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Sơ kết, tổng kết qua nhiều năm · A review over several years
    #[command(after_help = "Example: langnghe report years review.json --output so-ket.docx")]
    Years {
        /// Which waves, and what officials write
        plan: PathBuf,
        /// .docx, .html or .pdf (by LibreOffice)
        #[arg(long, value_name = "F")]
        output: PathBuf,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Tính lại số liệu của một báo cáo · Recompute the numbers of a report from the inputs that it names
    #[command(after_help = "Example: langnghe report verify report.docx --data langnghe-demo")]
    Verify {
        /// A report as DOCX or HTML
        file: PathBuf,
        /// The template, where the report was made with another one than the analysis file's
        #[arg(long, value_name = "F.json")]
        template: Option<PathBuf>,
        /// The plan of a review over several years
        #[arg(long, value_name = "PLAN")]
        plan: Option<PathBuf>,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Lấy mẫu báo cáo ra để sửa · Write a wave's template to a file that can be edited
    #[command(after_help = "Example: langnghe report template 1 --output report.json")]
    Template {
        #[arg(value_name = "ID")]
        wave: i64,
        #[arg(long, value_name = "F.json")]
        output: Option<PathBuf>,
        #[command(flatten)]
        place: DataPlace,
    },
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Some(Command::Years { plan, output, place }) => years(plan, output, place),
        Some(Command::Verify { file, template, plan, place }) => {
            verify_file(file, template.as_deref(), plan.as_deref(), place)
        }
        Some(Command::Template { wave, output, place }) => {
            let file = Waves::open(place)?.read(*wave, None, &mut Releases::default())?;
            let mut text = serde_json::to_string_pretty(&file.template)?;
            text.push('\n');
            super::write_output(output.as_deref(), text.as_bytes())
        }
        None => one(args),
    }
}

fn one(args: &Args) -> anyhow::Result<()> {
    let (Some(wave), Some(output)) = (args.wave, &args.output) else {
        bail!("which wave, and where to? Type: langnghe report ID --output report.docx");
    };
    let ending = ending(output)?;
    let kind = Kind::from_name(&args.kind).unwrap_or(Kind::Annual);
    let template = args.template.as_deref().map(super::read_plan::<Template>).transpose()?;
    if let Some(file) = &args.template {
        super::keep_inputs(output, &[file])?;
    }
    let waves = Waves::open(&args.place)?;
    let mut releases = Releases::alone(&waves.files)?;
    let file = waves.read(wave, args.snapshot, &mut releases)?;
    let earlier = args
        .previous
        .iter()
        .map(|named| {
            let (id, snapshot) = match named.split_once(':') {
                Some((id, snapshot)) => (id.parse().ok(), snapshot.parse().ok().map(Some)),
                None => (named.parse().ok(), Some(None)),
            };
            let (Some(id), Some(snapshot)) = (id, snapshot) else {
                bail!("--previous {named}: write the wave's number, or number:snapshot");
            };
            waves.read(id, snapshot, &mut releases)
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let order = Order { kind, file: &file, earlier: &earlier, template: template.as_ref() };
    let report = assessment::report(&order, &mut releases, &mut warn)?;
    let bytes = written(&report, ending)?;
    waves.log(args.kind.as_str(), std::iter::once(&file).chain(&earlier), &bytes, &mut releases)?;
    super::write_output(Some(output), &bytes)
}

fn years(plan_file: &Path, output: &Path, place: &DataPlace) -> anyhow::Result<()> {
    let ending = ending(output)?;
    super::keep_inputs(output, &[plan_file])?;
    let plan: ReviewPlan = super::read_plan(plan_file)?;
    let waves = Waves::open(place)?;
    let mut releases = Releases::alone(&waves.files)?;
    let named = plan.waves.iter().filter_map(|wave| Some((wave.project?, wave.snapshot)));
    let files = named
        .map(|(id, snapshot)| waves.read(id, snapshot, &mut releases))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let report = review::review(&plan, &super::folder_of(plan_file), &files, &mut releases, &mut warn)
        .with_context(|| plan_file.display().to_string())?;
    let bytes = written(&report, ending)?;
    waves.log(review::KIND, &files, &bytes, &mut releases)?;
    super::write_output(Some(output), &bytes)
}

fn verify_file(
    file: &Path,
    template: Option<&Path>,
    plan: Option<&Path>,
    place: &DataPlace,
) -> anyhow::Result<()> {
    let bytes = super::read_bytes(file)?;
    let named = || file.display().to_string();
    let printed = reading::read(&bytes).with_context(named)?;
    let sources = verify::sources(&printed).with_context(named)?;
    let ending = if bytes.starts_with(b"PK") { Ending::Docx } else { Ending::Html };
    let waves = Waves::open(place)?;
    // What is out stays out: the numbers are recomputed as they were released, and nothing is added to the logs.
    let mut releases = Releases::default();
    let snapshots = sources
        .snapshots
        .iter()
        .map(|snapshot| {
            let place = format!("đợt {}, bản chụp {}", snapshot.project, snapshot.number);
            let read = waves
                .read(snapshot.project, Some(snapshot.number), &mut releases)
                .with_context(|| format!("nguồn của báo cáo không còn: {place} (an input is gone)"))?;
            if read.sha256()? != snapshot.sha256 {
                bail!(
                    "nguồn của báo cáo đã đổi: {place} có SHA-256 {}, báo cáo ghi {} (an input has changed)",
                    read.sha256()?,
                    snapshot.sha256
                );
            }
            Ok(read)
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (report, typed) = match sources.kind() {
        Some(kind) => {
            let template = template.map(super::read_plan::<Template>).transpose()?;
            again(kind, &sources, &snapshots, template.as_ref(), &mut releases)?
        }
        None if sources.kind == review::KIND => {
            let path = plan.ok_or_else(|| {
                anyhow!("báo cáo nhiều năm: cần kế hoạch của nó (a review needs its plan); add --plan PLAN")
            })?;
            let plan: ReviewPlan = super::read_plan(path)?;
            same(&sources, PLAN, &json_sha256(&plan)?, "--plan PLAN")?;
            let report = review::review(&plan, &super::folder_of(path), &snapshots, &mut releases, &mut warn)
                .with_context(|| path.display().to_string())?;
            (report, texts(&serde_json::to_value(&plan)?))
        }
        None => bail!("{}: the kind of report “{}” is unknown to this version", file.display(), sources.kind),
    };
    let verdict = verify::compare(&printed, &reading::read(&written(&report, ending)?)?, &typed);
    for note in &verdict.notes {
        eprintln!("langnghe: {note}");
    }
    for difference in &verdict.differences {
        say!("{difference}");
    }
    if !verdict.differences.is_empty() {
        bail!(
            "{}: {} chỗ khác với số tính lại ({} differ from what the inputs give)",
            file.display(),
            verdict.differences.len(),
            verdict.differences.len()
        );
    }
    say!(
        "Bằng nhau · equal: {} số trong {} bảng và {} câu; {} đoạn do người viết không kiểm",
        verdict.numbers,
        verdict.tables,
        verdict.sentences,
        verdict.typed
    );
    Ok(())
}

/// The report on one wave once more, from what it names; and the texts that people typed.
fn again(
    kind: Kind,
    sources: &Provenance,
    snapshots: &[AnalysisFile],
    template: Option<&Template>,
    releases: &mut Releases,
) -> anyhow::Result<(Report, Vec<String>)> {
    let (file, earlier) = snapshots
        .split_first()
        .ok_or_else(|| anyhow!("the report's table of sources names no analysis file"))?;
    same(sources, TEMPLATE, &json_sha256(template.unwrap_or(&file.template))?, "--template F.json")?;
    let order = Order { kind, file, earlier, template };
    let report = assessment::report(&order, releases, &mut |_| {})?;
    Ok((report, texts(&serde_json::to_value(template.unwrap_or(&file.template))?)))
}

/// Refuses an input that is not the one that the report names.
fn same(sources: &Provenance, name: &str, sha256: &str, option: &str) -> anyhow::Result<()> {
    match sources.other(name) {
        Some(known) if known == sha256 => Ok(()),
        Some(known) => bail!(
            "nguồn “{name}” không phải bản mà báo cáo ghi: SHA-256 {sha256}, báo cáo ghi {known} (another {name}); give the \
             right one with {option}"
        ),
        None => bail!("the report's table of sources does not name “{name}”; was it cut?"),
    }
}

/// All texts inside a value.
fn texts(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(items) => items.iter().flat_map(texts).collect(),
        serde_json::Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| [vec![name.clone()], texts(value)].concat()).collect()
        }
        _ => Vec::new(),
    }
}

fn warn(line: &str) {
    eprintln!("langnghe: warning: {line}");
}

#[derive(Clone, Copy)]
enum Ending {
    Docx,
    Html,
    Pdf,
}

fn ending(output: &Path) -> anyhow::Result<Ending> {
    let ending = output.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "docx" => Ok(Ending::Docx),
        "html" | "htm" => Ok(Ending::Html),
        "pdf" => Ok(Ending::Pdf),
        _ => bail!("{}: a report is written as .docx, .html or .pdf; name such a file", output.display()),
    }
}

fn written(report: &Report, ending: Ending) -> anyhow::Result<Vec<u8>> {
    Ok(match ending {
        Ending::Docx => report::docx(report)?,
        Ending::Html => report::html(report).into_bytes(),
        // The table of contents needs the pages that the office program gave the headings.
        Ending::Pdf => {
            let once = pdf::pdf(&report::docx(report)?)?;
            pdf::pdf(&report::docx_with_pages(report, &report::heading_pages(&once))?)?
        }
    })
}

/// The analysis files of an installation with the keys that open them.
struct Waves<'a> {
    place: &'a DataPlace,
    files: AnalysisFiles,
    keys: KeyFolder,
}

impl<'a> Waves<'a> {
    fn open(place: &'a DataPlace) -> anyhow::Result<Self> {
        let folder = place.folder(DATA);
        if !folder.is_dir() {
            bail!("{}: there is no such data folder; name it with --data", folder.display());
        }
        let mut keys = KeyFolder::open(place.keys_folder(&folder))?;
        if keys.needs_passphrase()
            && let Some(passphrase) = passphrase()?
        {
            keys = keys.with_passphrase(passphrase);
        }
        Ok(Self { place, files: AnalysisFiles::open(folder.join("analysis"))?, keys })
    }

    /// A snapshot of a wave, and the log of what was released of the wave.
    fn read(
        &self,
        wave: i64,
        snapshot: Option<u32>,
        releases: &mut Releases,
    ) -> anyhow::Result<AnalysisFile> {
        if self.files.snapshots(wave)?.is_empty() {
            bail!("wave {wave} has no analysis file; freeze it first: langnghe wave freeze {wave}");
        }
        let key = self.keys.analysts(wave)?;
        releases.load(&self.files, wave, &key)?;
        self.files.read(wave, snapshot, &key)
    }

    /// Enters a report in the logs. It leaves afterwards: no report without its entry.
    fn log<'f>(
        &self,
        kind: &str,
        files: impl IntoIterator<Item = &'f AnalysisFile>,
        bytes: &[u8],
        releases: &mut Releases,
    ) -> anyhow::Result<()> {
        let installation = Installation::open(self.place)?;
        let releases = releases.keep(&self.files)?;
        let snapshots: Vec<_> = files
            .into_iter()
            .map(|file| json!({ "project": file.about.project, "snapshot": file.about.snapshot }))
            .collect();
        let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        installation.log(
            "report made",
            json!({ "kind": kind, "of": snapshots, "sha256": sha256, "releases": releases }),
        )
    }
}
