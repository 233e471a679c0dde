//! `langnghe weight`: the weights of an estimation plan's design and adjustments, and their diagnosis.

use std::path::PathBuf;

use analysis::estimation::Plan;
use analysis::weighting;

/// Tính quyền số theo kế hoạch phân tích · Weights of an estimation plan
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe weight plan.json --output weights.csv")]
pub struct Args {
    /// Estimation plan (.json or .toml); its data, design and adjust are used
    plan: PathBuf,
    /// .csv or .parquet: the data's columns, `weight` (empty where not responding), replicates
    #[arg(long, value_name = "F")]
    output: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let plan: Plan = super::read_plan(&args.plan)?;
    let (table, diagnosis) = weighting::run(&plan, &super::folder_of(&args.plan))
        .map_err(|e| anyhow::anyhow!("{}: {e}", args.plan.display()))?;
    table.write(&args.output)?;
    super::write_output(None, diagnosis.to_string().as_bytes())
}
