//! `langnghe paper` and `form paper`: the questionnaire on paper, keyed twice.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use chrono::Utc;
use surveys::expression::Moment;
use surveys::form::Compiled;
use surveys::paper::{self, Entries, Sheet, differences};
use surveys::questionnaire::Questionnaire;

use super::wave::House;
use crate::config::DataPlace;
use crate::jobs::freeze::real_chance;
use crate::jobs::paper as intake;
use crate::jobs::withdrawal::receipt;

/// Phiếu giấy: nhập hai lần, so, gửi · Questionnaires on paper, keyed twice
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Tệp trống để một người nhập · The file that one keyer fills
    #[command(
        after_help = "Example: langnghe paper entry-template questionnaire.xlsx --sheets sheets.csv --keyer lan --output lan.csv"
    )]
    EntryTemplate {
        /// XLSForm (.xlsx .xls .csv .md) or XForm (.xml)
        form: PathBuf,
        /// The list that `form paper` wrote beside the sheets
        #[arg(long, value_name = "F.csv")]
        sheets: PathBuf,
        #[arg(long, value_name = "NAME")]
        keyer: String,
        #[arg(long, value_name = "F.csv")]
        output: Option<PathBuf>,
    },
    /// Chỗ hai người nhập khác nhau · What two keyers keyed differently; a third person fills `chosen`
    #[command(after_help = "Example: langnghe paper compare lan.csv minh.csv --output differences.csv")]
    Compare {
        first: PathBuf,
        second: PathBuf,
        #[arg(long, value_name = "F.csv")]
        output: Option<PathBuf>,
    },
    /// Gửi phiếu đã khớp · Send the sheets that both keyed alike or a third person decided
    #[command(
        after_help = "Example: langnghe paper submit 1 lan.csv minh.csv --sheets sheets.csv --resolved differences.csv"
    )]
    Submit(SubmitArgs),
}

#[derive(Debug, clap::Args)]
pub struct SubmitArgs {
    #[arg(value_name = "ID")]
    wave: i64,
    first: PathBuf,
    second: PathBuf,
    /// The list that `form paper` wrote beside the sheets
    #[arg(long, value_name = "F.csv")]
    sheets: PathBuf,
    /// What `paper compare` wrote, with `chosen` and `resolver` filled
    #[arg(long, value_name = "F.csv")]
    resolved: Option<PathBuf>,
    /// The questionnaire's form, where the wave has several
    #[arg(long, value_name = "FORM")]
    form: Option<String>,
    #[command(flatten)]
    place: DataPlace,
}

/// In phiếu giấy A4 · Sheets to print, and beside them the list by which they are keyed
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe form paper questionnaire.xlsx --sheets 30 --output sheets.html")]
pub struct PrintArgs {
    /// XLSForm (.xlsx .xls .csv .md) or XForm (.xml)
    pub file: PathBuf,
    /// How many sheets
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2000))]
    sheets: u16,
    /// Running number of the first one
    #[arg(long, value_name = "N", default_value_t = 1)]
    first: u32,
    /// Prints the sheets of this list once more
    #[arg(long, value_name = "F.csv", conflicts_with_all = ["sheets", "first"])]
    again: Option<PathBuf>,
    /// Tags of languages, the first one large: vi,en
    #[arg(long, value_name = "TAG,…", value_delimiter = ',')]
    language: Vec<String>,
    /// .html, to be printed from a browser; the list of sheets goes beside it as .sheets.csv
    #[arg(long, value_name = "F.html")]
    output: PathBuf,
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::EntryTemplate { form, sheets, keyer, output } => {
            ensure!(!keyer.trim().is_empty(), "--keyer is empty; write who keys");
            let (questionnaire, compiled) = super::form::read_compiled(form)?;
            let text = paper::template(&questionnaire, &compiled, &list(sheets)?, keyer.trim());
            super::write_output(output.as_deref(), text.as_bytes())
        }
        Command::Compare { first, second, output } => compare(first, second, output.as_deref()),
        Command::Submit(args) => submit(args),
    }
}

/// `form paper`.
pub fn print(args: &PrintArgs, questionnaire: &Questionnaire, form: &Compiled) -> anyhow::Result<()> {
    let named = args.output.display();
    ensure!(
        args.output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html")),
        "{named}: sheets are written as .html; print it from a browser, or keep it there as PDF"
    );
    for tag in &args.language {
        let known: Vec<&str> = questionnaire.languages.iter().map(|language| language.tag.as_str()).collect();
        ensure!(known.contains(&tag.as_str()), "--language {tag}: the form has {}", known.join(", "));
    }
    let beside = args.output.with_extension("sheets.csv");
    let sheets = match &args.again {
        Some(file) => list(file)?,
        None => {
            // The list is what ties paper to interviews; a second run must not put another in its place.
            ensure!(
                !beside.exists(),
                "{}: a list of sheets is there already; reprint them with --again, or choose another --output",
                beside.display()
            );
            Sheet::many(args.first, usize::from(args.sheets), &mut real_chance())
        }
    };
    let now = Moment::from_milliseconds(Utc::now().timestamp_millis() as f64, 420)
        .ok_or_else(|| anyhow!("the clock of this machine shows no possible time"))?;
    let options = paper::Options {
        languages: args.language.clone(),
        now,
        receipt: &|sheet: &Sheet| receipt(&sheet.instance_id),
    };
    let page = paper::page(questionnaire, form, &sheets, &options);
    if args.again.is_none() {
        super::write_output(Some(&beside), Sheet::list(&sheets).as_bytes())?;
    }
    super::write_output(Some(&args.output), page.as_bytes())?;
    say!("{named}: {} phiếu (sheets); {}", sheets.len(), beside.display());
    eprintln!(
        "langnghe: giữ {} như giữ khóa: nó nối số phiếu với phiếu đã gửi (keep the list like a key, and destroy it when \
         the sheets are sent)",
        beside.display()
    );
    Ok(())
}

fn list(file: &Path) -> anyhow::Result<Vec<Sheet>> {
    Sheet::read_list(&text(file)?).map_err(|reason| anyhow!("{}: {reason}", file.display()))
}

fn text(file: &Path) -> anyhow::Result<String> {
    String::from_utf8(super::read_bytes(file)?)
        .map_err(|_| anyhow!("{}: is not UTF-8; save it as CSV UTF-8", file.display()))
}

fn entries(file: &Path) -> anyhow::Result<Entries> {
    Entries::read(&text(file)?).with_context(|| file.display().to_string())
}

fn compare(first: &Path, second: &Path, output: Option<&Path>) -> anyhow::Result<()> {
    if let Some(output) = output {
        super::keep_inputs(output, &[first, second])?;
    }
    let found = differences(&entries(first)?, &entries(second)?)?;
    let sheets = found.agreed.len();
    for sheet in &found.lone {
        eprintln!("langnghe: warning: phiếu {sheet} chỉ một người nhập (keyed by one person alone)");
    }
    eprintln!(
        "langnghe: {sheets} phiếu, {} chỗ khác nhau; người thứ ba xem phiếu giấy, ghi vào cột chosen (ghi - nếu để trống) và \
         tên mình vào cột resolver (sheets, differences)",
        found.differing.len()
    );
    super::write_output(output, found.to_csv().as_bytes())
}

fn submit(args: &SubmitArgs) -> anyhow::Result<()> {
    let (first, second) = (entries(&args.first)?, entries(&args.second)?);
    let resolved = args.resolved.as_deref().map(text).transpose()?;
    let found = differences(&first, &second)?;
    let lone = found.lone.clone();
    let (keyed, open) =
        found.settle(resolved.as_deref(), [&first.keyer, &second.keyer]).with_context(|| {
            args.resolved.as_ref().map_or_else(String::new, |file| file.display().to_string())
        })?;
    let sheets = list(&args.sheets)?;
    let house = House::open(&args.place)?;
    let forms = house.receiver.field.read(|db| db.list_forms(args.wave))?;
    let form = match (&args.form, forms.as_slice()) {
        (Some(wanted), forms) => forms.iter().find(|form| form.form_id == *wanted),
        (None, [form]) => Some(form),
        (None, _) => None,
    };
    let Some(form) = form else {
        bail!(
            "wave {} has {} published forms; publish its questionnaire or name it with --form",
            args.wave,
            forms.len()
        )
    };
    let form = house.receiver.read_form(args.wave, &form.form_id, &form.version)?;
    let sent = intake::submit(&house.receiver, args.wave, &form, &sheets, &keyed, Utc::now())?;
    let detail = serde_json::json!({
        "project": args.wave, "stored": sent.stored.len(), "known": sent.known.len(),
        "conflicts": sent.conflicts.len(), "refused": sent.refused.len(),
        "keyers": [&first.keyer, &second.keyer],
    });
    house.installation.log("paper keyed", detail)?;
    say!("{} phiếu đã lưu, {} đã có từ trước (stored, known)", sent.stored.len(), sent.known.len());
    for (number, problems) in &sent.refused {
        for problem in problems {
            eprintln!(
                "langnghe: phiếu {number}: {}: {} ({})",
                problem.node,
                problem.message,
                problem.rule.name()
            );
        }
    }
    let told = [
        (&open, "còn chỗ khác nhau chưa quyết (differences are open)"),
        (&lone, "chỉ một người nhập (keyed by one person alone)"),
        (&sent.conflicts, "đã gửi với câu trả lời khác, giữ cả hai (sent before with other answers)"),
        (&sent.unknown, "không có trong danh sách phiếu đã in (not in the list of sheets)"),
    ];
    for (numbers, why) in told {
        for number in numbers {
            eprintln!("langnghe: phiếu {number}: {why}");
        }
    }
    let left = sent.refused.len() + told.iter().map(|(numbers, _)| numbers.len()).sum::<usize>();
    ensure!(left == 0, "{left} phiếu chưa gửi được (sheets were not sent)");
    Ok(())
}
