//! `langnghe sample document`, `sample kish`, `sample cost`: pages and the budget around a sample.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use analysis::charts::Outline;
use analysis::report::{self, Report};
use analysis::sampling::cost::CostPlan;
use analysis::sampling::design_page::DesignPage;
use analysis::sampling::document::{design_path, read_drawn};
use analysis::sampling::kish_page::{MOST_FORMS, kish_page};
use analysis::sampling::precision::Assumptions;
use analysis::sampling::{budget, cost};

use super::sample::Format;

/// Tài liệu thiết kế của một mẫu đã chọn · The documentation of a drawn sample
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe sample document sample.csv --output design.docx")]
pub struct DocumentArgs {
    /// The sample; its design lies beside it (sample.csv.design.json)
    sample: PathBuf,
    /// .html or .docx
    #[arg(long, value_name = "F")]
    output: PathBuf,
    /// Expected share of drawn households that answer
    #[arg(long, value_name = "SHARE", default_value_t = 0.9, value_parser = share)]
    response: f64,
    /// Expected correlation of answers within a village
    #[arg(long, value_name = "ICC", default_value_t = 0.05, value_parser = correlation)]
    icc: f64,
}

/// Bảng Kish để in cho phiếu giấy · The printed Kish grid for forms on paper
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe sample kish --forms 240 --seed 2026 --output kish.docx")]
pub struct KishArgs {
    /// Number of forms
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_FORMS as i64))]
    forms: u32,
    /// The same seed gives the same letters
    #[arg(long, value_name = "N")]
    seed: u64,
    /// .html or .docx
    #[arg(long, value_name = "F")]
    output: PathBuf,
}

/// Dự toán kinh phí và lịch thực địa · Budget and calendar of the fieldwork
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe sample cost surveys/instruments/2026/cost.json --format table")]
pub struct CostArgs {
    /// Cost plan (.json or .toml); paths in it are relative to it
    plan: PathBuf,
    /// Default: table on a terminal, else json; csv is the budget by line and stratum
    #[arg(long)]
    format: Option<Format>,
    /// File to write instead of standard output
    #[arg(long, value_name = "F")]
    output: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|v| *v > 0.0 && *v <= 1.0);
    value.ok_or_else(|| "give a share above 0 and at most 1, such as 0.9".into())
}

fn correlation(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|v| (0.0..=1.0).contains(v));
    value.ok_or_else(|| "give a correlation from 0 to 1, such as 0.05".into())
}

pub fn document(args: &DocumentArgs) -> anyhow::Result<()> {
    let beside = design_path(&args.sample);
    super::keep_inputs(&args.output, &[&args.sample, &beside])?;
    let (sample, design) = read_drawn(&args.sample)?;
    let outlines = Outline::read(surveys::outlines::COMMUNES_TUYEN_QUANG)?;
    let file = args.sample.file_name().unwrap_or_default().to_string_lossy();
    let page = DesignPage {
        design: &design,
        sample: &sample,
        file: &file,
        assumptions: Assumptions { icc: args.icc, response: args.response, level: 0.95 },
        outlines: &outlines,
    };
    write(&page.report(), &args.output)
}

pub fn kish(args: &KishArgs) -> anyhow::Result<()> {
    write(&kish_page(args.forms as usize, args.seed), &args.output)
}

fn write(report: &Report, output: &Path) -> anyhow::Result<()> {
    let ending = output.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    let bytes = match ending.as_str() {
        "html" | "htm" => report::html(report).into_bytes(),
        "docx" => report::docx(report)?,
        _ => anyhow::bail!("{}: end the name in .html or .docx", output.display()),
    };
    super::write_output(Some(output), &bytes)
}

pub fn cost(args: &CostArgs) -> anyhow::Result<()> {
    let plan: CostPlan = super::read_plan(&args.plan)?;
    let folder = super::folder_of(&args.plan);
    if let Some(output) = &args.output {
        let read: Vec<PathBuf> =
            [&plan.sample, &plan.sampling].into_iter().flatten().map(|f| folder.join(f)).collect();
        let inputs: Vec<&Path> = read.iter().chain([&args.plan]).map(PathBuf::as_path).collect();
        super::keep_inputs(output, &inputs)?;
    }
    let estimate: cost::Estimate = plan.estimate(&folder)?;
    for warning in &estimate.warnings {
        eprintln!("langnghe: warning: {warning}");
    }
    let to_terminal = args.output.is_none() && std::io::stdout().is_terminal();
    let text = match args.format.unwrap_or(if to_terminal { Format::Table } else { Format::Json }) {
        Format::Json => serde_json::to_string_pretty(&estimate)? + "\n",
        Format::Csv => budget::csv(&estimate),
        Format::Table => budget::table(&estimate),
    };
    super::write_output(args.output.as_deref(), text.as_bytes())
}
