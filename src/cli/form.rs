//! `langnghe form`: check, convert, answer and validate questionnaires.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde_json::json;
use surveys::answer::{Options, answer};
use surveys::expression::{Dialect, Moment};
use surveys::form::Compiled;
use surveys::questionnaire::{Questionnaire, design, publishing, running};
use surveys::xlsform::Problem;
use surveys::{submission, xform, xlsform, years};

#[derive(Debug, clap::Subcommand)]
#[command(about = "Phiếu hỏi: kiểm tra, chuyển đổi, điền thử, kiểm phiếu · Questionnaires")]
pub enum Command {
    Check(CheckArgs),
    Convert(ConvertArgs),
    Diff(DiffArgs),
    Answer(AnswerArgs),
    Validate(ValidateArgs),
    Paper(super::paper::PrintArgs),
}

/// Nêu mọi lỗi của phiếu cùng lúc · Every problem of a questionnaire at once
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe form check questionnaire.xlsx")]
pub struct CheckArgs {
    /// XLSForm (.xlsx .xls .csv .md) or XForm (.xml)
    file: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// So phiếu hai năm: thêm, bỏ, sửa lời, đổi mã · Two years of a questionnaire side by side
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: langnghe form diff 2026/questionnaire.xlsx 2027/questionnaire.xlsx --concordance codes.csv"
)]
pub struct DiffArgs {
    /// The earlier form: XLSForm (.xlsx .xls .csv .md) or XForm (.xml)
    old: PathBuf,
    /// The later form
    new: PathBuf,
    /// Writes old code → new code and which trends go on (.csv or .json)
    #[arg(long, value_name = "FILE")]
    concordance: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Chuyển XLSForm thành XForm và ngược lại · XLSForm to XForm, with itemsets.csv beside it where needed, and back
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples: langnghe form convert questionnaire.xlsx questionnaire.xml\n          \
                        langnghe form convert questionnaire.xml questionnaire.xlsx")]
pub struct ConvertArgs {
    /// XLSForm (.xlsx .xls .csv .md) or XForm (.xml)
    input: PathBuf,
    /// XForm (.xml) or workbook (.xlsx) to write
    output: PathBuf,
}

/// Điền phiếu ngẫu nhiên hợp lệ để thử · Random valid interviews
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: langnghe form answer questionnaire.xlsx --seed 1 --count 10 --output answers"
)]
pub struct AnswerArgs {
    /// XLSForm (.xlsx .xls .csv .md) or XForm (.xml)
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
    /// XLSForm (.xlsx .xls .csv .md) or XForm (.xml)
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
        Command::Paper(args) => {
            let (questionnaire, compiled) = read_compiled(&args.file)?;
            super::paper::print(args, &questionnaire, &compiled)
        }
        Command::Convert(args) => convert(args),
        Command::Diff(args) => diff(args),
        Command::Answer(args) => answer_forms(args),
        Command::Validate(args) => validate(args),
    }
}

fn read_form(file: &Path) -> anyhow::Result<Result<xlsform::Read, Vec<Problem>>> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let bytes = super::read_bytes(file)?;
    let is_xform = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xml"));
    Ok(if is_xform { xform::read(&bytes) } else { xlsform::read(&name, &bytes) })
}

fn read(file: &Path) -> anyhow::Result<Questionnaire> {
    let read = read_form(file)?.map_err(|problems| told(file, &problems))?;
    for warning in &read.warnings {
        eprintln!("langnghe: warning: {}: {} · {warning}", file.display(), warning.vietnamese());
    }
    Ok(read.questionnaire)
}

/// All problems, each in Vietnamese and below it in English.
fn told(file: &Path, problems: &[Problem]) -> anyhow::Error {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{}\n  {problem}", problem.vietnamese())).collect();
    let noun = if lines.len() == 1 { "problem" } else { "problems" };
    anyhow!("{}: {count} lỗi · {count} {noun}\n{}", file.display(), lines.join("\n"), count = lines.len())
}

fn compile(file: &Path) -> anyhow::Result<Compiled> {
    running::compile(&read(file)?).map_err(|problems| told(file, &problems))
}

/// A form, and the same made ready to run.
pub(super) fn read_compiled(file: &Path) -> anyhow::Result<(Questionnaire, Compiled)> {
    let questionnaire = read(file)?;
    let compiled = running::compile(&questionnaire).map_err(|problems| told(file, &problems))?;
    Ok((questionnaire, compiled))
}

/// Everything that is wrong with a form, and everything that a designer should look at.
#[derive(Default, serde::Serialize)]
struct Checked {
    file: String,
    /// What keeps the form from being used.
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// What keeps a form of a survey from being published.
    refusals: Vec<Problem>,
    /// What a second person must confirm before publishing.
    confirmations: Vec<Problem>,
    hints: Vec<Problem>,
    missing_translations: Vec<design::MissingTranslation>,
    minutes: Option<design::Length>,
}

fn check_form(file: &Path) -> anyhow::Result<Checked> {
    let mut checked = Checked { file: file.display().to_string(), ..Checked::default() };
    let form = match read_form(file)? {
        Err(problems) => return Ok(Checked { problems, ..checked }),
        Ok(read) => {
            checked.warnings = read.warnings;
            read.questionnaire
        }
    };
    checked.problems.extend(xform::write(&form).err().into_iter().flatten());
    for problem in running::compile(&form).err().into_iter().flatten() {
        // What the XForm could not name the program cannot run either: it is told once.
        let known =
            checked.problems.iter().any(|known| (&known.sheet, known.row) == (&problem.sheet, problem.row));
        if !known {
            checked.problems.push(problem);
        }
    }
    checked.problems.extend(running::cycles(&form));
    checked.refusals = publishing::refusals(&form);
    checked.confirmations = publishing::confirmations(&form);
    checked.hints = design::hints(&form);
    checked.missing_translations = design::missing_translations(&form);
    checked.minutes = Some(design::length(&form));
    Ok(checked)
}

fn check(args: &CheckArgs) -> anyhow::Result<()> {
    let checked = check_form(&args.file)?;
    if args.format == Format::Json {
        say!("{}", serde_json::to_string_pretty(&checked)?);
        return match checked.problems.len() {
            0 => Ok(()),
            count => Err(anyhow!("{}: {count} problems", args.file.display())),
        };
    }
    for (title, list) in [
        ("Cảnh báo · Warnings", &checked.warnings),
        ("Chưa được công bố trong cuộc khảo sát · Not to be published in a survey", &checked.refusals),
        ("Cần người thứ hai xác nhận · For a second person to confirm", &checked.confirmations),
        ("Gợi ý · Hints", &checked.hints),
    ] {
        if !list.is_empty() {
            say!("{title}: {}", list.len());
        }
        for problem in list {
            say!("  {}\n    {problem}", problem.vietnamese());
        }
    }
    if !checked.missing_translations.is_empty() {
        say!("Thiếu bản dịch · Missing translations: {}", checked.missing_translations.len());
        print!("{}", translations_table(&checked.missing_translations));
    }
    if let Some(minutes) = checked.minutes {
        let (shortest, longest) = (minutes.shortest, minutes.longest);
        say!("Thời gian hỏi, ước chừng · Length, roughly: {shortest:.0}–{longest:.0} phút · minutes");
    }
    if !checked.problems.is_empty() {
        return Err(told(&args.file, &checked.problems));
    }
    say!("{}: không có lỗi · no problems", args.file.display());
    Ok(())
}

/// One line a missing text, under a header, in columns as wide as their longest cell.
fn translations_table(missing: &[design::MissingTranslation]) -> String {
    let header = ["trang · sheet", "dòng · row", "tên · name", "cột · column", "ngôn ngữ · language"];
    let mut lines = vec![header.map(str::to_owned)];
    lines.extend(missing.iter().map(|text| {
        let (sheet, name) = (text.sheet.clone(), text.name.clone());
        [sheet, text.row.to_string(), name, text.column.clone(), text.language.clone()]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut table = String::new();
    for line in &lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        table.push_str(&format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end()));
    }
    table
}

fn diff(args: &DiffArgs) -> anyhow::Result<()> {
    let as_json = match args.concordance.as_ref().and_then(|file| file.extension()) {
        Some(ending) if ending == "json" => true,
        Some(ending) if ending == "csv" => false,
        None if args.concordance.is_none() => false,
        _ => return Err(anyhow!("--concordance: the file ends in .csv or .json")),
    };
    let compared = years::compare(&read(&args.old)?, &read(&args.new)?);
    if let Some(file) = &args.concordance {
        let text = match as_json {
            true => serde_json::to_string_pretty(&compared.concordance)? + "\n",
            false => years::concordance_csv(&compared.concordance),
        };
        super::write_output(Some(file), text.as_bytes())?;
    }
    if args.format == Format::Json {
        say!("{}", serde_json::to_string_pretty(&compared)?);
        return Ok(());
    }
    for change in &compared.changes {
        let (vietnamese, english) = change.kind.words();
        say!("{}: {vietnamese} · {english}", change.question);
        say!("  {}", change.vietnamese);
        if change.english != change.vietnamese {
            say!("  {}", change.english);
        }
    }
    let lines = &compared.concordance;
    let trends = lines.iter().filter(|line| line.comparable).count();
    let changes = compared.changes.len();
    say!(
        "{changes} thay đổi, {trends} trong {} dòng so sánh được · {changes} changes, {trends} of {} lines comparable",
        lines.len(),
        lines.len()
    );
    Ok(())
}

fn convert(args: &ConvertArgs) -> anyhow::Result<()> {
    let ending = args.output.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if !matches!(ending, "xml" | "xlsx") {
        return Err(anyhow!(
            "{}: an XForm is written to a file that ends in .xml, a workbook to one that ends in .xlsx",
            args.output.display()
        ));
    }
    super::keep_inputs(&args.output, &[&args.input])?;
    let form = read(&args.input)?;
    if ending == "xlsx" {
        let workbook = xlsform::write(&form).map_err(|problems| told(&args.input, &problems))?;
        return super::write_output(Some(&args.output), &workbook);
    }
    let xml = xform::write(&form).map_err(|problems| told(&args.input, &problems))?;
    super::write_output(Some(&args.output), xml.as_bytes())?;
    if let Some(itemsets) = xform::itemsets(&form) {
        super::write_output(Some(&args.output.with_file_name("itemsets.csv")), itemsets.as_bytes())?;
    }
    Ok(())
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
                say!("{}: {}: {}: {}", file.display(), problem.node, problem.rule, problem.message);
            }
        }
        let problems: Vec<_> = problems
            .iter()
            .map(|p| json!({ "node": p.node, "rule": p.rule.to_string(), "message": p.message }))
            .collect();
        listed.push(json!({ "file": file.display().to_string(), "problems": problems }));
    }
    if args.format == Format::Json {
        say!("{}", serde_json::to_string_pretty(&listed)?);
    }
    if bad > 0 { Err(anyhow!("{bad} of {} instances have problems", args.instances.len())) } else { Ok(()) }
}
