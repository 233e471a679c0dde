//! The commands, one file each. Exit 0 on success, 1 on bad input (where, what, what now), 2 on wrong usage.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Prints a line; a reader that stops early (`| head`) is no error.
macro_rules! say {
    ($($what:tt)*) => { $crate::cli::print_line(format_args!($($what)*)) };
}

mod audit;
mod backup;
mod bench;
mod demo;
mod downgrade;
mod estimate;
mod export;
mod fieldwork;
mod form;
mod grant;
mod key;
mod paper;
mod progress;
mod project;
mod protect;
mod quality;
mod report;
mod sample;
mod sample_pages;
mod serve;
mod user;
mod wave;
mod wave_import;
mod weight;

/// Lắng Nghe: khảo sát nắm tình hình Nhân dân, từ phiếu hỏi đến báo cáo.
///
/// The annual public-opinion survey, from the questionnaire to the report.
#[derive(Debug, Parser)]
#[command(name = "langnghe", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    #[command(subcommand)]
    Form(form::Command),
    #[command(subcommand)]
    Sample(sample::Command),
    Weight(weight::Args),
    Estimate(estimate::Args),
    Protect(protect::Args),
    Export(export::Args),
    Report(report::Args),
    #[command(subcommand)]
    Project(project::Command),
    #[command(subcommand)]
    Wave(wave::Command),
    #[command(subcommand)]
    Fieldwork(fieldwork::Command),
    #[command(subcommand)]
    User(user::Command),
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Grant(grant::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Paper(paper::Command),
    Quality(quality::Args),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Verify(backup::VerifyArgs),
    Downgrade(downgrade::Args),
    #[command(hide = true)]
    Bench(bench::Args),
}

/// Runs the command of this process's arguments.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Form(command) => form::run(&command),
        Command::Sample(command) => sample::run(&command),
        Command::Weight(args) => weight::run(&args),
        Command::Estimate(args) => estimate::run(&args),
        Command::Protect(args) => protect::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Project(command) => project::run(&command),
        Command::Wave(command) => wave::run(&command),
        Command::Fieldwork(command) => fieldwork::run(&command),
        Command::User(command) => user::run(&command),
        Command::Key(command) => key::run(&command),
        Command::Grant(command) => grant::run(&command),
        Command::Audit(command) => audit::run(&command),
        Command::Paper(command) => paper::run(&command),
        Command::Quality(args) => quality::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => backup::run_restore(&args),
        Command::Verify(args) => backup::run_verify(&args),
        Command::Downgrade(args) => downgrade::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("langnghe: {}", message(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, those left out that it has told already.
fn message(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// Reads a whole file, with its name in the message where that fails.
fn read_bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file)
        .map_err(|e| anyhow::anyhow!("{}: cannot be read ({e}); check the path", file.display()))
}

/// Reads a plan in JSON, or in TOML where the file ends in `.toml`.
fn read_plan<T: serde::de::DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = String::from_utf8(read_bytes(file)?)
        .map_err(|_| anyhow::anyhow!("{}: is not UTF-8 text; save it as UTF-8", file.display()))?;
    let text = text.trim_start_matches('\u{feff}');
    let plan = if file.extension().is_some_and(|e| e == "toml") {
        toml::from_str(text).map_err(|e| e.to_string())
    } else {
        serde_json::from_str(text).map_err(|e| e.to_string())
    };
    plan.map_err(|e| {
        anyhow::anyhow!("{}: is not a valid plan: {}; correct it there", file.display(), plainly(&e))
    })
}

/// What the readers of JSON and TOML say, without the names of the program's own types.
fn plainly(reason: &str) -> String {
    ["u64", "usize", "u32"].iter().fold(reason.trim_end().to_owned(), |text, kind| {
        text.replace(&format!("expected {kind}"), "expected a whole number, 0 or more")
    })
}

/// Refuses to write over a file that the command reads: what the caller has must not be lost by a slip.
fn keep_inputs(output: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    let Ok(written) = output.canonicalize() else { return Ok(()) };
    match inputs.iter().find(|input| input.canonicalize().is_ok_and(|read| read == written)) {
        Some(input) => Err(anyhow::anyhow!(
            "{}: is read by this command and would be overwritten; choose another --output",
            input.display()
        )),
        None => Ok(()),
    }
}

/// Folder that the paths inside a plan are relative to.
fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What `say!` does. The reader that stopped early has all it wanted, so the program ends there without a word.
fn print_line(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        let closed = error.kind() == std::io::ErrorKind::BrokenPipe;
        if !closed {
            eprintln!("langnghe: standard output cannot be written ({error})");
        }
        std::process::exit(if closed { 0 } else { 1 });
    }
}

/// Writes to the file, or to standard output without one. A reader that stops early is no error.
fn write_output(output: Option<&Path>, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    match output {
        Some(file) => std::fs::write(file, bytes).map_err(|e| {
            anyhow::anyhow!("{}: cannot be written ({e}); choose another --output", file.display())
        }),
        None => match std::io::stdout().write_all(bytes) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        },
    }
}
