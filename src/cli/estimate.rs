//! `langnghe estimate`: a complete, repeatable analysis of a CSV or Parquet file.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use analysis::estimation::{self, Plan, format, grouped};

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Json,
    Csv,
    Table,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Language {
    Vi,
    En,
}

/// Engines that can group the rows.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Engine {
    Postgres,
    Duckdb,
    Spark,
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
    /// Of a table's words and labels
    #[arg(long, value_enum, default_value_t = Language::Vi)]
    language: Language,
    /// File to write instead of standard output; .parquet writes the rows as a Parquet table
    #[arg(long, value_name = "F")]
    output: Option<PathBuf>,
    /// Print the one query over a table named `data` with which this engine does the grouping
    #[arg(long, value_name = "ENGINE", conflicts_with_all = ["totals", "format"])]
    emit_sql: Option<Engine>,
    /// Finish from the query's result (.parquet or .csv) instead of the rows
    #[arg(long, value_name = "F")]
    totals: Option<PathBuf>,
    /// Leave out, with a warning, what is no function of the totals
    #[arg(long)]
    skip_unsupported: bool,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let plan: Plan = super::read_plan(&args.plan)?;
    let folder = super::folder_of(&args.plan);
    if let Some(output) = &args.output {
        let data = plan.data.as_ref().map(|data| folder.join(data));
        let inputs: Vec<&Path> =
            data.iter().chain(&args.totals).chain([&args.plan]).map(PathBuf::as_path).collect();
        super::keep_inputs(output, &inputs)?;
    }
    let named = |e| anyhow::anyhow!("{}: {e}", args.plan.display());
    if !plan.waves.is_empty() && (args.emit_sql.is_some() || args.totals.is_some()) {
        anyhow::bail!(
            "{}: a plan of several waves is answered from the rows; leave --emit-sql and --totals out",
            args.plan.display()
        );
    }
    if let Some(engine) = args.emit_sql {
        let dialect = match engine {
            Engine::Postgres => grouped::Dialect::Postgres,
            Engine::Duckdb => grouped::Dialect::DuckDb,
            Engine::Spark => grouped::Dialect::Spark,
        };
        let query = grouped::query(&plan, &folder, dialect, args.skip_unsupported).map_err(named)?;
        for line in &query.left_out {
            eprintln!("langnghe: warning: left out: {line}");
        }
        return super::write_output(args.output.as_deref(), query.sql.as_bytes());
    }
    let results = match &args.totals {
        Some(totals) => grouped::finish(&plan, &folder, totals, args.skip_unsupported),
        None => estimation::run(&plan, &folder),
    }
    .map_err(named)?;
    for warning in &results.warnings {
        eprintln!("langnghe: warning: {warning}");
    }
    let parquet = args.output.as_deref().filter(|o| o.extension().is_some_and(|e| e == "parquet"));
    if let Some(output) = parquet {
        if args.format.is_some() {
            anyhow::bail!("{}: a Parquet table has no other --format; leave it out", output.display());
        }
        return Ok(format::rows(&results)?.write(output)?);
    }
    let to_terminal = args.output.is_none() && std::io::stdout().is_terminal();
    let text = match args.format.unwrap_or(if to_terminal { Format::Table } else { Format::Json }) {
        Format::Json => format::json(&results),
        Format::Csv => format::csv(&results),
        Format::Table => {
            let language = match args.language {
                Language::Vi => "vi",
                Language::En => "en",
            };
            let book = estimation::read_codebook(&plan, &folder).map_err(named)?;
            format::table(&results, book.as_ref(), language)
        }
    };
    super::write_output(args.output.as_deref(), text.as_bytes())
}
