//! `langnghe sample`: how many, how shared, and the draw itself.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use analysis::sampling::{self, Plan, allocate, size};
use analysis::table::Table;

use super::sample_pages::{self, CostArgs, DocumentArgs, KishArgs};

#[derive(Debug, clap::Subcommand)]
#[command(about = "Cỡ mẫu, phân bổ, chọn mẫu · Sample size, allocation, the draw")]
pub enum Command {
    Size(PlanArgs),
    Allocate(PlanArgs),
    Frame(FrameArgs),
    Draw(DrawArgs),
    Document(DocumentArgs),
    Cost(CostArgs),
    Kish(KishArgs),
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Format {
    Json,
    Csv,
    Table,
}

/// Kiểm tra dàn mẫu, đếm theo tầng · Checks a plan's frame and counts it by stratum
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe sample frame sampling.json --format table")]
pub struct FrameArgs {
    /// Sampling plan (.json or .toml); paths in it are relative to it
    plan: PathBuf,
    /// Default: table on a terminal, else json
    #[arg(long)]
    format: Option<Format>,
    /// File to write instead of standard output
    #[arg(long, value_name = "F")]
    output: Option<PathBuf>,
}

/// Cỡ mẫu, sai số · Sample sizes and margins of error
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe sample size size.json")]
pub struct PlanArgs {
    /// Plan (.json or .toml)
    plan: PathBuf,
    /// File to write instead of standard output
    #[arg(long, value_name = "F")]
    output: Option<PathBuf>,
}

/// Chọn mẫu theo kế hoạch · Draws the sample of a plan
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe sample draw sampling.json --seed 2026 --output sample.csv")]
pub struct DrawArgs {
    /// Sampling plan (.json or .toml); paths in it are relative to it
    plan: PathBuf,
    /// Replaces the plan's seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// CSV or Parquet; the design goes beside it (sample.csv → sample.csv.design.json). Default: sample.csv
    #[arg(long, value_name = "F", default_value = "sample.csv")]
    output: PathBuf,
    /// Writes the first stage's joint inclusion probabilities
    #[arg(long, value_name = "F")]
    joint: Option<PathBuf>,
    /// Draws this stage among units that were listed in the field
    #[arg(long, value_name = "N", requires = "listing")]
    stage: Option<usize>,
    /// The listing: the unit's column and the listed number
    #[arg(long, value_name = "F", requires = "stage")]
    listing: Option<PathBuf>,
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Size(args) => {
            let plan: size::SizePlan = super::read_plan(&args.plan)?;
            print(args, &size::sizes(&plan)?)
        }
        Command::Allocate(args) => {
            let plan: serde_json::Value = super::read_plan(&args.plan)?;
            let plan = allocate::AllocatePlan::from_json(&plan.to_string()).map_err(|e| {
                anyhow::anyhow!(
                    "{}: is not a valid plan: {}; correct it there",
                    args.plan.display(),
                    super::plainly(&e)
                )
            })?;
            print(args, &plan.answer(&super::folder_of(&args.plan))?)
        }
        Command::Frame(args) => frame(args),
        Command::Draw(args) => draw(args),
        Command::Document(args) => sample_pages::document(args),
        Command::Cost(args) => sample_pages::cost(args),
        Command::Kish(args) => sample_pages::kish(args),
    }
}

fn print<T: serde::Serialize>(args: &PlanArgs, answer: &T) -> anyhow::Result<()> {
    if let Some(output) = &args.output {
        super::keep_inputs(output, &[&args.plan])?;
    }
    let mut text = serde_json::to_string_pretty(answer)?;
    text.push('\n');
    super::write_output(args.output.as_deref(), text.as_bytes())
}

fn frame(args: &FrameArgs) -> anyhow::Result<()> {
    let plan: Plan = super::read_plan(&args.plan)?;
    let folder = super::folder_of(&args.plan);
    if let Some(output) = &args.output {
        super::keep_inputs(output, &[&args.plan, &folder.join(&plan.frame)])?;
    }
    let summary = sampling::summarise(&plan, &folder)?;
    for note in &summary.notes {
        eprintln!("langnghe: note: {note}");
    }
    let to_terminal = args.output.is_none() && std::io::stdout().is_terminal();
    let text = match args.format.unwrap_or(if to_terminal { Format::Table } else { Format::Json }) {
        Format::Json => serde_json::to_string_pretty(&summary)? + "\n",
        Format::Csv => summary.to_csv(),
        Format::Table => summary.to_text(),
    };
    super::write_output(args.output.as_deref(), text.as_bytes())
}

fn draw(args: &DrawArgs) -> anyhow::Result<()> {
    let plan: Plan = super::read_plan(&args.plan)?;
    let folder = super::folder_of(&args.plan);
    let frame = folder.join(&plan.frame);
    // A coordinated draw must not overwrite the year before.
    let earlier = plan.stages.first().and_then(|stage| stage.coordinate.as_ref()?.with.as_ref());
    let earlier = earlier.map(|with| folder.join(with));
    let inputs: Vec<&Path> =
        [&args.plan, &frame].into_iter().chain(&args.listing).chain(&earlier).map(PathBuf::as_path).collect();
    for output in [&args.output].into_iter().chain(&args.joint) {
        super::keep_inputs(output, &inputs)?;
    }
    let drawn = match (args.stage, &args.listing) {
        (Some(stage), Some(listing)) => {
            let listing = Table::read(listing, &plan.types)?;
            sampling::draw_listing(&plan, &folder, stage, &listing, args.seed)?
        }
        _ => sampling::draw(&plan, &folder, args.seed)?,
    };
    for warning in &drawn.warnings {
        eprintln!("langnghe: warning: {warning}");
    }
    for note in drawn.write(&args.output)? {
        eprintln!("langnghe: warning: {note}");
    }
    if let Some(file) = &args.joint {
        drawn.joint()?.write(file)?;
    }
    say!("{}: {} rows, {} strata", args.output.display(), drawn.sample.height(), drawn.strata.len());
    if let Some(kept) = drawn.design.coordination.as_ref().filter(|kept| kept.with.is_some()) {
        say!(
            "{}: {} of {} first-stage units are here again, {:.1} were to be expected",
            kept.with.as_deref().unwrap_or_default(),
            kept.kept,
            kept.earlier,
            kept.expected
        );
    }
    if !drawn.design.probability_sample {
        say!(
            "{}: not a probability sample ({}): no weights, no margins of error",
            args.output.display(),
            plan.design.name()
        );
    }
    Ok(())
}
