//! `langnghe estimate`: a complete, repeatable analysis of a CSV or Parquet file.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use analysis::estimation::{self, Plan, format};

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Json,
    Csv,
    Table,
}

/// Ước lượng theo một kế hoạch phân tích · Estimates of an estimation plan, with their errors
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe estimate plan.json --format table")]
pub struct Args {
    /// Estimation plan (.json or .toml); paths in it are relative to it
    plan: PathBuf,
    /// Default: table on a terminal, else json
    #[arg(long)]
    format: Option<Format>,
    /// File to write instead of standard output
    #[arg(long, value_name = "F")]
    output: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let plan: Plan = super::read_plan(&args.plan)?;
    let folder = super::folder_of(&args.plan);
    if let Some(output) = &args.output {
        let data = plan.data.as_ref().map(|data| folder.join(data));
        let inputs: Vec<&Path> = data.iter().chain([&args.plan]).map(PathBuf::as_path).collect();
        super::keep_inputs(output, &inputs)?;
    }
    let results =
        estimation::run(&plan, &folder).map_err(|e| anyhow::anyhow!("{}: {e}", args.plan.display()))?;
    for warning in &results.warnings {
        eprintln!("langnghe: warning: {warning}");
    }
    let to_terminal = args.output.is_none() && std::io::stdout().is_terminal();
    let text = match args.format.unwrap_or(if to_terminal { Format::Table } else { Format::Json }) {
        Format::Json => format::json(&results),
        Format::Csv => format::csv(&results),
        Format::Table => format::table(&results, None, "vi"),
    };
    super::write_output(args.output.as_deref(), text.as_bytes())
}
