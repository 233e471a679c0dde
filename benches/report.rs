//! A large report in time and memory: `./dev bench report`.
//!
//! 60 tables and 40 charts, each kind among them, made of figures that passed the gate: every chart as SVG for page
//! and telephone, the DOCX with its pictures, the HTML, the workbook. The work runs in a process of its own on two
//! threads. Beside it stands what no program could do without: writing the same bytes to the disk.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use analysis::charts::{Chart, Width, png};
use analysis::disclosure::SafeTable;
use analysis::export::{About, xlsx};
use analysis::report::{self, Block, Drawing, Front, Report};
use chart_cases::{Case, each};

// The same charts that the tests look at.
#[path = "../analysis/tests/output/chart_cases.rs"]
#[allow(dead_code)]
mod chart_cases;
#[path = "../analysis/tests/output/figures.rs"]
mod figures;

const TABLES: usize = 60;
const CHARTS: usize = 40;
/// Seconds for all of it on two cores.
const TARGET: f64 = 10.0;

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("measure") {
        return measure();
    }
    println!("{TABLES} tables and {CHARTS} charts, 2 threads");
    let output = Command::new(env::current_exe()?).arg("measure").env("RAYON_NUM_THREADS", "2").output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(())
}

/// Charts of all kinds: long labels, hidden figures, one row, and one kind in ten with 54 rows.
fn charts() -> Vec<Box<dyn Chart>> {
    let cases = [Case::Long, Case::Hidden, Case::One, Case::Long, Case::Hidden];
    let mut all: Vec<Box<dyn Chart>> =
        cases.into_iter().flat_map(each).map(|(_, chart)| chart).take(CHARTS - 4).collect();
    all.extend(each(Case::Groups).into_iter().map(|(_, chart)| chart).take(4));
    all
}

/// The tables of the charts, again and again.
fn tables(charts: &[Box<dyn Chart>]) -> Vec<SafeTable> {
    charts.iter().cycle().take(TABLES).map(|chart| chart.table()).collect()
}

fn measure() -> Result<(), Box<dyn Error>> {
    let charts = charts();
    let (start, before) = (Instant::now(), processor_seconds()?);
    let mut bytes = 0;
    let drawings: Vec<Drawing> = timed("SVG of 40 charts, page and telephone", || {
        let drawings: Vec<Drawing> = charts.iter().map(|chart| Drawing::of(chart.as_ref())).collect();
        Ok(drawings)
    })?;
    let tables = tables(&charts);
    let mut blocks = vec![Block::Contents];
    for (i, drawing) in drawings.into_iter().enumerate() {
        blocks.push(Block::Heading(1 + (i % 3 > 0) as u8, format!("{}. Kết quả", i + 1)));
        blocks.push(Block::Figure(drawing));
    }
    blocks.extend(tables.iter().cloned().map(Block::Table));
    let sheet = Report { front: Front::sheet("BÁO CÁO", "đo tốc độ".into(), None), blocks };
    let docx = timed("DOCX with 40 pictures", || Ok(report::docx(&sheet)?))?;
    let html = timed("HTML", || Ok(report::html(&sheet)))?;
    let book = timed("XLSX of 60 tables", || Ok(xlsx(&tables, &about())?))?;
    let (all, processor) = (start.elapsed().as_secs_f64(), processor_seconds()? - before);
    bytes += docx.len() + html.len() + book.len();

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-report");
    fs::create_dir_all(&folder)?;
    let start = Instant::now();
    for (name, content) in
        [("report.docx", docx.as_slice()), ("report.html", html.as_bytes()), ("tables.xlsx", book.as_slice())]
    {
        let file = fs::File::create(folder.join(name))?;
        std::io::Write::write_all(&mut &file, content)?;
        file.sync_all()?;
    }
    let disk = start.elapsed().as_secs_f64();
    let page = charts[0].svg(Width::Page);
    let start = Instant::now();
    png(&page, 1.5)?;
    println!("   one picture alone: {:.3} s", start.elapsed().as_secs_f64());
    println!(
        "   writing the same {:.1} MB to the disk: {disk:.2} s ({:.0} times less)",
        bytes as f64 / 1e6,
        all / disk
    );
    println!("   on the processor: {processor:.2} s; other programs at work make the clock run longer");
    let verdict = if all <= TARGET { "met" } else { "MISSED" };
    println!("   all: {all:.2} s, target {TARGET:.0} s: {verdict}; peak memory {:.0} MB", peak_megabytes()?);
    Ok(())
}

fn timed<T>(name: &str, work: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<T, Box<dyn Error>> {
    let start = Instant::now();
    let made = work()?;
    println!("   {name}: {:.2} s", start.elapsed().as_secs_f64());
    Ok(made)
}

fn about() -> About {
    About { title: "Bảng số liệu".into(), created: (2026, 11, 23), ..About::default() }
}

/// Time that this process has had on all processors.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // After the name in brackets: state is the third field, user and system time the 14th and 15th, in 1/100 s.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|t| t.parse::<f64>().ok()).ok_or("no times of the process");
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn peak_megabytes() -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak memory")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
