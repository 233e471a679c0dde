//! `langnghe demo`: the whole annual survey on a simulated population.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::config::{DataPlace, LISTEN};
use crate::demo::{self, Progress, SEED};

/// Toàn bộ cuộc khảo sát năm trên dân số mô phỏng · The whole annual survey on a simulated population
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe demo --data langnghe-demo --listen 127.0.0.1:8080")]
pub struct Args {
    #[command(flatten)]
    place: DataPlace,
    /// Address to serve on
    #[arg(long, env = "LANGNGHE_LISTEN", default_value = LISTEN, value_name = "ADDR")]
    listen: String,
    /// End when all files are written
    #[arg(long)]
    no_serve: bool,
    /// Seed of the sample and the fieldwork
    #[arg(long, default_value_t = SEED, value_name = "N")]
    seed: u64,
}

/// A bar on a terminal, plain lines elsewhere.
struct Shown {
    bar: ProgressBar,
    terminal: bool,
}

impl Progress for Shown {
    fn step(&self, text: &str) {
        self.bar.suspend(|| eprintln!("· {text}"));
    }

    fn sent(&self, done: usize, all: usize) {
        self.bar.set_length(all as u64);
        self.bar.set_position(done as u64);
        if done == all {
            self.bar.finish_and_clear();
        }
        if !self.terminal && done.is_multiple_of(500) {
            eprintln!("  {done}/{all}");
        }
    }
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let terminal = std::io::stderr().is_terminal();
    let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    if let Ok(style) = ProgressStyle::with_template("  {bar:40} {pos}/{len} phiếu") {
        bar.set_style(style);
    }
    // Without --no-serve the port that was asked for must be free; with it any port will do.
    let listen = if args.no_serve { "127.0.0.1:0" } else { &args.listen };
    let done = demo::run(&args.place, listen, args.seed, &Shown { bar, terminal })?;
    super::write_output(None, done.summary.as_bytes())?;
    if args.no_serve {
        return Ok(done.running.stop()?);
    }
    say!("\nTrang web · Pages:       http://{}/", done.running.address);
    say!("ODK Collect:             {}", done.device_address);
    say!("Nhấn Ctrl+C để dừng · Press Ctrl+C to stop");
    Ok(done.running.join()?)
}
