//! `langnghe weight`: the weights of an estimation plan's design and adjustments, and their diagnosis.

use std::path::{Path, PathBuf};

use analysis::estimation::{self, Plan};
use analysis::weighting::{self, Diagnosis, Distribution};

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Tính quyền số theo kế hoạch phân tích · Weights of an estimation plan
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe weight plan.json --output weights.csv")]
pub struct Args {
    /// Estimation plan (.json or .toml); its data, design and adjust are used
    plan: PathBuf,
    /// .csv or .parquet: the data's columns, `weight` (empty where not responding), replicates
    #[arg(long, value_name = "F")]
    output: PathBuf,
    /// Of the diagnosis on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let plan: Plan = super::read_plan(&args.plan)?;
    let folder = super::folder_of(&args.plan);
    let data = plan.data.as_ref().map(|data| folder.join(data));
    let inputs: Vec<&Path> = data.iter().chain([&args.plan]).map(PathBuf::as_path).collect();
    super::keep_inputs(&args.output, &inputs)?;
    let failed = |e: estimation::EstimationError| anyhow::anyhow!("{}: {e}", args.plan.display());
    let data = estimation::read_data(&plan, &folder).map_err(failed)?;
    let weighted = weighting::weight_in(&data, &plan, Some(&folder)).map_err(failed)?;
    for warning in &weighted.warnings {
        eprintln!("langnghe: warning: {warning}");
    }
    weighted.table(&data)?.write(&args.output)?;
    let text = match args.format {
        Format::Json => serde_json::to_string_pretty(&weighted.diagnosis)? + "\n",
        Format::Text => text(&weighted.diagnosis),
    };
    super::write_output(None, text.as_bytes())
}

/// The diagnosis for people.
fn text(diagnosis: &Diagnosis) -> String {
    let spread = |name: &str, d: &Distribution| {
        format!(
            "{name:<8} min {:.4}  p5 {:.4}  median {:.4}  mean {:.4}  p95 {:.4}  max {:.4}  cv {:.3}\n",
            d.min, d.p5, d.median, d.mean, d.p95, d.max, d.cv
        )
    };
    let mut out = format!(
        "respondents {} of {} rows, sum of weights {:.3}\n",
        diagnosis.respondents, diagnosis.rows, diagnosis.sum_of_weights
    );
    out += &spread("base", &diagnosis.base);
    out += &spread("final", &diagnosis.r#final);
    out += &spread("factor", &diagnosis.factor);
    out += &format!("Kish effect {:.3}, effective n {:.1}\n", diagnosis.kish_effect, diagnosis.effective_n);
    for step in &diagnosis.steps {
        out += &format!(
            "{}: {} iterations, largest gap {:.1e}, {} trimmed\n",
            step.method, step.iterations, step.gap, step.trimmed
        );
    }
    for margin in &diagnosis.margins {
        out += &format!("margin {}\n", margin.margin);
        for c in &margin.categories {
            out += &format!(
                "  {:<24} target {:>14.2}  before {:>14.2}  after {:>14.2}\n",
                c.category, c.target, c.before, c.after
            );
        }
    }
    out
}
