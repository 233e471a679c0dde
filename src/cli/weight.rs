//! `langnghe weight`: the weights of an estimation plan's design and adjustments, and their diagnosis.

use std::path::{Path, PathBuf};

use analysis::estimation::{self, Plan};
use analysis::weighting::{self, Diagnosis, Distribution, page};

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
    /// Write the diagnosis to a file as well: a page (.html) or all figures (.json)
    #[arg(long, value_name = "F")]
    diagnosis: Option<PathBuf>,
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
    let ending = |file: &Path| file.extension().map(|e| e.to_string_lossy().to_lowercase());
    if let Some(file) = &args.diagnosis {
        super::keep_inputs(file, &inputs)?;
        if !matches!(ending(file).as_deref(), Some("html" | "json")) {
            anyhow::bail!(
                "{}: the diagnosis is written as .html or .json; choose such a name",
                file.display()
            );
        }
        if file == &args.output {
            anyhow::bail!("{}: is the weights' own file; choose another --diagnosis", file.display());
        }
    }
    let failed = |e: estimation::EstimationError| anyhow::anyhow!("{}: {e}", args.plan.display());
    let data = estimation::read_data(&plan, &folder).map_err(failed)?;
    let weighted = weighting::weight_in(&data, &plan, Some(&folder)).map_err(failed)?;
    for warning in &weighted.warnings {
        eprintln!("langnghe: warning: {warning}");
    }
    weighted.table(&data)?.write(&args.output)?;
    if let Some(file) = &args.diagnosis {
        let text = match ending(file).as_deref() {
            Some("html") => page::html(&weighted.diagnosis, &args.plan.display().to_string()),
            _ => serde_json::to_string_pretty(&weighted.diagnosis)? + "\n",
        };
        super::write_output(Some(file), text.as_bytes())?;
    }
    let text = match args.format {
        Format::Text if !weighted.diagnosis.assumed.is_empty() && !plan.requests.is_empty() => {
            // The weights are written; a request that cannot be answered takes nothing from them.
            let moves = match estimation::estimate_in(&data, &plan, Some(&folder)) {
                Ok(results) => moves(&results),
                Err(reason) => format!("the plan's estimates were not followed: {reason}\n"),
            };
            text(&weighted.diagnosis) + &moves
        }
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
    for run in &diagnosis.assumed {
        out += &format!(
            "assumed {}: {} at {:.1}% in place of {:.1}%: ",
            run.margin,
            run.category,
            100.0 * run.moved_to,
            100.0 * run.share
        );
        out += &match (&run.reason, run.kish_effect, run.effective_n) {
            (Some(reason), ..) => format!("no weights, {reason}\n"),
            (None, Some(kish), Some(n)) => format!("Kish effect {kish:.3}, effective n {n:.1}\n"),
            _ => "–\n".to_owned(),
        };
    }
    for extreme in &diagnosis.extremes {
        out += &format!(
            "stratum {}: heaviest weight {:.4} (row {}), {:.2} times the median\n",
            extreme.stratum,
            extreme.weight,
            extreme.row,
            extreme.weight / extreme.stratum_median
        );
    }
    if let Some(response) = &diagnosis.response {
        let share =
            |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{:.1}%", 100.0 * v));
        out += "response rates (AAPOR), unweighted and by base weight\n";
        let both = response.rates.named().into_iter().zip(response.weighted_rates.named());
        for ((name, plain), (_, weighted)) in both {
            out += &format!("  {name:<6} {:>7} {:>7}\n", share(plain), share(weighted));
        }
    }
    out
}

/// The plan's own estimates that move most with an assumed margin.
fn moves(results: &estimation::Results) -> String {
    let mut out = String::new();
    for assumed in &results.assumed {
        for moved in assumed.largest(5) {
            out += &format!(
                "assumed {}: {} at {:.1}%: {} {} moves by {:+.5} ({:+.2} standard errors)\n",
                assumed.run.margin,
                assumed.run.category,
                100.0 * assumed.run.moved_to,
                moved.id,
                moved.row,
                moved.difference.unwrap_or(0.0),
                moved.in_errors.unwrap_or(0.0)
            );
        }
    }
    out
}
