//! Forms in time and memory, beside pyxform in the same run: `./dev bench forms`.
//!
//! Every measure is taken in a process of its own, from the bytes of the workbook in memory to the
//! text of the XForm; starting the process (and Python with its imports) does not count. What stands
//! in the table is the middle one of the runs and the largest peak of memory. Times are those on the
//! processor, so that other programs do not count; the clock on the wall stands beside them.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use surveys::answer::{Options, answer};
use surveys::expression::{Dialect, Moment};
use surveys::form::Compiled;
use surveys::{submission, xform, xlsform};

/// Questions of the large form, and sections that they stand in.
const QUESTIONS: usize = 5_000;
const SECTIONS: usize = 100;
/// The country before July 2025, nearly.
const PROVINCES: usize = 63;
const DISTRICTS: usize = 700;
const COMMUNES: usize = 11_000;

/// Reads and converts with pyxform; prints what [`Measure`] holds.
const PYXFORM: &str = "
import resource, sys, time
from pyxform.xls2xform import convert
wall, start = time.perf_counter(), time.process_time()
xml = convert(sys.argv[1], validate=False, pretty_print=True).xform
seconds, wall = time.process_time() - start, time.perf_counter() - wall
print(seconds, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(xml.encode()))
";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [command, task, file] = &arguments[..]
        && command == "measure"
    {
        return measure(task, Path::new(file));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-forms");
    fs::create_dir_all(&folder)?;
    let instrument = folder.join("instrument.xlsx");
    fs::write(&instrument, include_bytes!("../surveys/instruments/2026/questionnaire.xlsx"))?;
    let large = folder.join("large.xlsx");
    fs::write(&large, large_workbook()?)?;
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyxform-4.5.0/bin/python");
    let python = Some(python).filter(|python| python.exists());
    if python.is_none() {
        println!("pyxform 4.5.0 is not installed; `./dev bench forms` sees to it");
    }

    println!("a  the instrument of 2026: workbook to XForm");
    let (ours, theirs) = convert(&instrument, 9, 3, python.as_deref())?;
    judge_time(ours, 20.0);
    compare(ours, theirs);

    println!("b  {QUESTIONS} questions, {COMMUNES} communes in a cascade: workbook to XForm");
    let (ours, theirs) = convert(&large, 5, 1, python.as_deref())?;
    judge_time(ours, 1_000.0);
    judge("peak memory", ours.peak_kilobytes / 1024.0, 300.0, "MB");
    compare(ours, theirs);

    println!("c  one submission of that form, read and judged, the form compiled before");
    for task in ["validate-javarosa", "validate-webforms"] {
        let ours = run(Command::new(env::current_exe()?).args(["measure", task]).arg(&large), 3)?;
        println!("   {task}, {:.0} bytes", ours.bytes);
        judge_time(ours, 20.0);
    }
    Ok(())
}

/// What one run took.
#[derive(Clone, Copy)]
struct Measure {
    /// On the processor.
    seconds: f64,
    /// On the wall.
    wall: f64,
    peak_kilobytes: f64,
    /// Of the XForm or the submission.
    bytes: f64,
}

fn judge_time(ours: Measure, most: f64) {
    judge("time", ours.seconds * 1e3, most, "ms");
    println!("   on the wall  {:>9.1} ms", ours.wall * 1e3);
}

fn judge(what: &str, got: f64, most: f64, unit: &str) {
    let verdict = if got < most { "met" } else { "MISSED" };
    println!("   {what:<12} {got:>9.1} {unit}   target under {most:.0} {unit}: {verdict}");
}

fn compare(ours: Measure, theirs: Option<Measure>) {
    println!("   XForm of {:.0} bytes, peak memory {:.1} MB", ours.bytes, ours.peak_kilobytes / 1024.0);
    let Some(theirs) = theirs else { return };
    println!(
        "   pyxform      {:>9.1} ms ({:.1} on the wall), {:.1} MB: {:.0} times as long, {:.1} times the memory",
        theirs.seconds * 1e3,
        theirs.wall * 1e3,
        theirs.peak_kilobytes / 1024.0,
        theirs.seconds / ours.seconds,
        theirs.peak_kilobytes / ours.peak_kilobytes
    );
}

/// Ours and pyxform's measure of one conversion.
fn convert(
    workbook: &Path,
    runs: usize,
    their_runs: usize,
    python: Option<&Path>,
) -> Result<(Measure, Option<Measure>), Box<dyn Error>> {
    let ours = run(Command::new(env::current_exe()?).args(["measure", "convert"]).arg(workbook), runs)?;
    let theirs = match python {
        Some(python) => Some(run(Command::new(python).args(["-c", PYXFORM]).arg(workbook), their_runs)?),
        None => None,
    };
    Ok((ours, theirs))
}

/// The middle time and the largest peak of several runs, each in a process of its own.
fn run(command: &mut Command, runs: usize) -> Result<Measure, Box<dyn Error>> {
    let mut measures = Vec::new();
    for _ in 0..runs {
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [seconds, wall, peak_kilobytes, bytes] = numbers[..] else {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{command:?} did not measure: {said}{told}").into());
        };
        measures.push(Measure { seconds, wall, peak_kilobytes, bytes });
    }
    measures.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let peak_kilobytes = measures.iter().map(|measure| measure.peak_kilobytes).fold(0.0, f64::max);
    Ok(Measure { peak_kilobytes, ..measures[runs / 2] })
}

/// The child's part: one task, its measure on standard output.
fn measure(task: &str, file: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = fs::read(file)?;
    let name = PathBuf::from(file.file_name().unwrap_or_default());
    let name = name.to_string_lossy();
    let told = |problems: Vec<xlsform::Problem>| format!("{problems:?}");
    if task == "convert" {
        let (start, wall) = (on_processor()?, Instant::now());
        let read = xlsform::read(&name, &bytes).map_err(told)?;
        let xml = xform::write(&read.questionnaire).map_err(told)?;
        report(on_processor()? - start, wall.elapsed().as_secs_f64(), xml.len());
        return Ok(());
    }
    let dialect = if task == "validate-javarosa" { Dialect::JavaRosa } else { Dialect::WebForms };
    let read = xlsform::read(&name, &bytes).map_err(told)?;
    let form = Compiled::new(&read.questionnaire).map_err(|problems| format!("{problems:?}"))?;
    let start = Moment::parse("2026-10-05T08:00:00+07:00", 420).ok_or("a date")?;
    let answered = answer(&form, 2026, &Options { dialect, ..Options::at(start) });
    if let Some(path) = answered.unanswered.first() {
        return Err(format!("{path} has no valid answer").into());
    }
    let xml = answered.xml.as_bytes();
    let mut times = Vec::new();
    for _ in 0..9 {
        let (start, wall) = (on_processor()?, Instant::now());
        let submission = submission::read(&form, xml)?;
        let problems = submission::check(&form, &submission, dialect);
        times.push((on_processor()? - start, wall.elapsed().as_secs_f64()));
        if let Some(problem) = problems.first() {
            return Err(format!("{problem:?} in a valid submission").into());
        }
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (seconds, wall) = times[times.len() / 2];
    report(seconds, wall, xml.len());
    Ok(())
}

/// Seconds that this process has been on the processor.
fn on_processor() -> Result<f64, Box<dyn Error>> {
    // The kernel brings the count up to date when the process lets others run.
    std::thread::yield_now();
    let status = fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = status.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}

fn report(seconds: f64, wall: f64, bytes: usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.split_whitespace().next()).unwrap_or("0");
    println!("{seconds} {wall} {peak} {bytes}");
}

/// The large form as a workbook, in two languages: in each section a cascade of three, numbers with
/// bounds and their sum, scales with skips, lists of several answers; every twentieth section is a
/// counted repeat.
fn large_workbook() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut text = String::from(
        "| survey | | | | | | | | | | |\n| | type | name | label::Tiếng Việt (vi) | label::English (en) \
         | relevant | constraint | required | calculation | choice_filter | repeat_count |\n",
    );
    for section in 0..SECTIONS {
        add_section(&mut text, section)?;
    }
    text.push_str(
        "| choices | | | | | | |\n| | list_name | name | label::Tiếng Việt (vi) | label::English (en) | province | district |\n",
    );
    for list in 0..10 {
        for (code, vietnamese, english) in [
            ("1", "Rất đồng ý", "Strongly agree"),
            ("2", "Đồng ý", "Agree"),
            ("3", "Không đồng ý", "Disagree"),
            ("4", "Rất không đồng ý", "Strongly disagree"),
            ("98", "Không biết", "Do not know"),
            ("99", "Từ chối", "Refused"),
        ] {
            writeln!(text, "| | scale{list} | {code} | {vietnamese} {list} | {english} {list} | | |")?;
        }
    }
    for province in 0..PROVINCES {
        writeln!(text, "| | province | p{province} | Tỉnh {province} | Province {province} | | |")?;
    }
    for district in 0..DISTRICTS {
        let province = district * PROVINCES / DISTRICTS;
        writeln!(
            text,
            "| | district | d{district} | Huyện {district} | District {district} | p{province} | |"
        )?;
    }
    for commune in 0..COMMUNES {
        let district = commune * DISTRICTS / COMMUNES;
        writeln!(text, "| | commune | c{commune} | Xã {commune} | Commune {commune} | | d{district} |")?;
    }
    let mut read = xlsform::read("large.md", text.as_bytes()).map_err(|problems| format!("{problems:?}"))?;
    read.questionnaire.settings.form_id = "large".to_owned();
    let outline = read.questionnaire.outline();
    // `instanceID` is one of them.
    let questions = outline.places.iter().filter(|place| place.node.question().is_some()).count();
    assert_eq!(questions, QUESTIONS + 1);
    Ok(xlsform::write(&read.questionnaire).map_err(|problems| format!("{problems:?}"))?)
}

fn add_section(text: &mut String, section: usize) -> std::fmt::Result {
    let s = format!("s{section}");
    let repeats = section % 20 == 19;
    let (block, count) =
        if repeats { ("repeat", format!("${{s{}_adults}}", section - 1)) } else { ("group", String::new()) };
    let asked =
        if section == 0 { String::new() } else { format!("${{s{}_q0}} != ''", section - section % 20) };
    let asked = if section.is_multiple_of(20) { "" } else { &asked };
    writeln!(
        text,
        "| | begin {block} | {s} | Phần {section} | Section {section} | {asked} | | | | | {count} |"
    )?;
    let mut row = |kind: &str,
                   name: &str,
                   relevant: &str,
                   constraint: &str,
                   calculation: &str,
                   filter: &str| {
        let required = if calculation.is_empty() { "yes" } else { "" };
        writeln!(
            text,
            "| | {kind} | {s}_{name} | Câu hỏi {name} của phần {section} | Question {name} of section {section} \
             | {relevant} | {constraint} | {required} | {calculation} | {filter} | |"
        )
    };
    row("select_one province", "province", "", "", "", "")?;
    row("select_one district", "district", "", "", "", &format!("province = ${{{s}_province}}"))?;
    row("select_one commune", "commune", "", "", "", &format!("district = ${{{s}_district}}"))?;
    row("integer", "adults", "", ". >= 1 and . <= 4", "", "")?;
    row("integer", "children", "", ". >= 0 and . <= 20", "", "")?;
    row("calculate", "people", "", "", &format!("${{{s}_adults}} + ${{{s}_children}}"), "")?;
    row("text", "note", &format!("${{{s}_people}} > 3"), "", "", "")?;
    row("decimal", "income", "", ". >= 0 and . < 1000", "", "")?;
    for number in 0..QUESTIONS / SECTIONS - 8 {
        let kind = if number % 10 == 9 { "select_multiple" } else { "select_one" };
        let kind = format!("{kind} scale{}", number % 10);
        let relevant =
            if number % 4 == 3 { format!("${{{s}_q{}}} != '99'", number - 1) } else { String::new() };
        let alone = "not(selected(., '98')) or count-selected(.) = 1";
        let constraint = if number % 10 == 9 { alone } else { "" };
        row(&kind, &format!("q{number}"), &relevant, constraint, "", "")?;
    }
    writeln!(text, "| | end {block} | | | | | | | | | |")
}
