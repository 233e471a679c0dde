//! `langnghe bench`: what `./dev bench` runs inside the program.

use crate::demo::coverage;
use crate::demo::population::ITEMS;

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Bench {
    /// 100 simulated waves: how many 95% intervals hold the true value
    Coverage,
}

/// Benchmarks on simulated data
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe bench coverage --samples 100")]
pub struct Args {
    bench: Bench,
    /// Simulated waves
    #[arg(long, default_value_t = 100, value_name = "N")]
    samples: u64,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    match args.bench {
        Bench::Coverage => {
            let counts = coverage::run(1..=args.samples, &|done| {
                if done % 10 == 0 {
                    eprintln!("  {done}/{}", args.samples);
                }
            })?;
            let samples = counts.samples as f64;
            say!("{:<16} {:>7} {:>9} {:>9} {:>12}", "item", "true", "mean est.", "coverage", "unweighted");
            for (i, item) in ITEMS.iter().enumerate() {
                say!(
                    "{:<16} {:>7.4} {:>9.4} {:>8.1}% {:>11.1}%",
                    item.name,
                    counts.truth[i],
                    counts.estimates[i] / samples,
                    100.0 * counts.weighted[i] as f64 / samples,
                    100.0 * counts.unweighted[i] as f64 / samples,
                );
            }
            say!(
                "all: {:.1}% of {} weighted 95% intervals hold the truth (92–98% asked), {:.1}% of unweighted ones (under 70% asked)",
                100.0 * counts.share(),
                counts.samples * ITEMS.len(),
                100.0 * counts.unweighted_share(),
            );
            Ok(())
        }
    }
}
