//! `langnghe form`: check, convert, answer and validate questionnaires.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde_json::json;
use surveys::answer::{Options, answer};
use surveys::expression::{Dialect, Moment};
use surveys::form::Compiled;
use surveys::questionnaire::Questionnaire;
use surveys::{submission, xform, xlsform};

#[derive(Debug, clap::Subcommand)]
#[command(about = "Phiếu hỏi: kiểm tra, chuyển đổi, điền thử, kiểm phiếu · Questionnaires")]
pub enum Command {
    Check(CheckArgs),
    Convert(ConvertArgs),
    Answer(AnswerArgs),
    Validate(ValidateArgs),
}

/// Nêu mọi lỗi của phiếu cùng lúc · Every problem of a questionnaire at once
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe form check questionnaire.xlsx")]
pub struct CheckArgs {
    /// XLSForm (.xlsx .xls .csv .md)
    file: PathBuf,
}

/// Chuyển XLSForm thành XForm · XLSForm to XForm
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe form convert questionnaire.xlsx questionnaire.xml")]
pub struct ConvertArgs {
    /// XLSForm (.xlsx .xls .csv .md)
    input: PathBuf,
    /// XForm to write (.xml)
    output: PathBuf,
}

/// Điền phiếu ngẫu nhiên hợp lệ để thử · Random valid interviews
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: langnghe form answer questionnaire.xlsx --seed 1 --count 10 --output answers"
)]
pub struct AnswerArgs {
    /// XLSForm (.xlsx .xls .csv .md)
    file: PathBuf,
    #[arg(long, value_name = "N")]
    seed: u64,
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u64,
    /// Folder for the instances, 0001.xml and on
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DialectName {
    Javarosa,
    Webforms,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Kiểm phiếu đã điền theo quy tắc của phiếu hỏi · Judges instances by the form's rules
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe form validate questionnaire.xlsx answers/0001.xml --format json")]
pub struct ValidateArgs {
    /// XLSForm (.xlsx .xls .csv .md)
    form: PathBuf,
    /// Instance XML
    #[arg(required = true)]
    instances: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t = DialectName::Javarosa)]
    dialect: DialectName,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Check(args) => check(args),
        Command::Convert(args) => convert(args),
        Command::Answer(args) => answer_forms(args),
        Command::Validate(args) => validate(args),
    }
}

fn read(file: &Path) -> anyhow::Result<Questionnaire> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let read = xlsform::read(&name, &super::read_bytes(file)?).map_err(|problems| told(file, &problems))?;
    for warning in &read.warnings {
        eprintln!("langnghe: warning: {}: {warning}", file.display());
    }
    Ok(read.questionnaire)
}

fn told(file: &Path, problems: &[impl ToString]) -> anyhow::Error {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let noun = if lines.len() == 1 { "problem" } else { "problems" };
    anyhow!("{}: {} {noun}\n{}", file.display(), lines.len(), lines.join("\n"))
}

fn compile(file: &Path) -> anyhow::Result<Compiled> {
    Compiled::new(&read(file)?).map_err(|problems| told(file, &problems))
}

fn check(args: &CheckArgs) -> anyhow::Result<()> {
    let questionnaire = read(&args.file)?;
    xform::write(&questionnaire).map_err(|problems| told(&args.file, &problems))?;
    Compiled::new(&questionnaire).map_err(|problems| told(&args.file, &problems))?;
    println!("{}: không có lỗi · no problems", args.file.display());
    Ok(())
}

fn convert(args: &ConvertArgs) -> anyhow::Result<()> {
    if args.output.extension().is_none_or(|ending| ending != "xml") {
        return Err(anyhow!("{}: an XForm is written to a file that ends in .xml", args.output.display()));
    }
    super::keep_inputs(&args.output, &[&args.input])?;
    let xml = xform::write(&read(&args.input)?).map_err(|problems| told(&args.input, &problems))?;
    super::write_output(Some(&args.output), xml.as_bytes())
}

fn answer_forms(args: &AnswerArgs) -> anyhow::Result<()> {
    let form = compile(&args.file)?;
    let start =
        Moment::parse("2026-08-03T08:00:00.000+07:00", 420).ok_or_else(|| anyhow!("no such moment"))?;
    std::fs::create_dir_all(&args.output)
        .map_err(|e| anyhow!("{}: cannot be made ({e}); choose another --output", args.output.display()))?;
    for number in 1..=args.count {
        let answered = answer(&form, args.seed.wrapping_add(number - 1), &Options::at(start));
        for path in &answered.unanswered {
            eprintln!("langnghe: warning: {number:04}.xml: no valid answer was found for {path}");
        }
        super::write_output(Some(&args.output.join(format!("{number:04}.xml"))), answered.xml.as_bytes())?;
    }
    Ok(())
}

fn validate(args: &ValidateArgs) -> anyhow::Result<()> {
    let form = compile(&args.form)?;
    let dialect = match args.dialect {
        DialectName::Javarosa => Dialect::JavaRosa,
        DialectName::Webforms => Dialect::WebForms,
    };
    let mut listed = Vec::new();
    let mut bad = 0;
    for file in &args.instances {
        let bytes = super::read_bytes(file)?;
        let submission = submission::read(&form, &bytes).map_err(|e| anyhow!("{}: {e}", file.display()))?;
        let problems = submission::check(&form, &submission, dialect);
        bad += usize::from(!problems.is_empty());
        if args.format == Format::Text {
            for problem in &problems {
                println!("{}: {}: {}: {}", file.display(), problem.node, problem.rule, problem.message);
            }
        }
        let problems: Vec<_> = problems
            .iter()
            .map(|p| json!({ "node": p.node, "rule": p.rule.to_string(), "message": p.message }))
            .collect();
        listed.push(json!({ "file": file.display().to_string(), "problems": problems }));
    }
    if args.format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&listed)?);
    }
    if bad > 0 { Err(anyhow!("{bad} of {} instances have problems", args.instances.len())) } else { Ok(()) }
}
