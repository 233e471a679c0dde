//! `langnghe wave progress`: how far the fieldwork is.

use chrono::Utc;

use super::user::Installation;
use super::wave::survey;
use crate::config::DataPlace;
use crate::fieldwork::progress::{Group, Precision, Progress};
use crate::jobs::progress::of_wave;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_name = "ID")]
    wave: i64,
    #[arg(long, value_parser = ["table", "json"], default_value = "table")]
    format: String,
    #[command(flatten)]
    place: DataPlace,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let installation = Installation::open(&args.place)?;
    survey(&installation, args.wave)?;
    let told = of_wave(&installation.field, args.wave, |_| true, Utc::now())?;
    anyhow::ensure!(
        told.total.planned > 0,
        "wave {} has no cases: not made yet (`langnghe wave cases`), or gone with its closing",
        args.wave
    );
    if args.format == "json" {
        say!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        print(&told);
    }
    Ok(())
}

fn print(told: &Progress) {
    say!("Tiến độ ngày {} (progress)", told.on.format("%d/%m/%Y"));
    for (title, groups) in [
        ("", std::slice::from_ref(&told.total)),
        ("Địa bàn (area)", &told.areas),
        ("Tầng (stratum)", &told.strata),
        ("Điều tra viên (enumerator)", &told.enumerators),
    ] {
        say!("");
        say!(
            "{title:<26} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}",
            "chính",
            "đến nay",
            "dự bị",
            "chưa",
            "hẹn",
            "xong",
            "dở",
            "từ chối",
            "RR1",
            "thay"
        );
        groups.iter().for_each(line);
    }
    say!("");
    let end = |day: Option<chrono::NaiveDate>| {
        day.map_or("–".to_owned(), |day| day.format("%d/%m/%Y").to_string())
    };
    say!(
        "Dự kiến xong: {} (kế hoạch {}); {}",
        end(told.projection.ends),
        end(told.projection.planned_end),
        told.projection.how
    );
    say!(
        "Thôn: {} đang làm, {} hoãn, {} đã thay (villages: in the field, postponed, replaced)",
        told.villages,
        told.villages_postponed,
        told.villages_replaced
    );
    say!("");
    say!("Độ chính xác đến nay của một tỷ lệ 50% (precision so far of a share of 50%)");
    say!("{:<26} {:>6} {:>6} {:>6} {:>9}", "", "phiếu", "thôn", "deff", "±");
    told.precision.iter().for_each(precise);
    say!(
        "± gồm quyền số không đều và giả định trả lời trong thôn giống nhau {} (assumed likeness inside a village)",
        decimal(told.likeness, 2)
    );
}

fn line(group: &Group) {
    say!(
        "{:<26} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}",
        group.name,
        group.planned,
        group.due_by_now.map_or("–".to_owned(), |due| due.to_string()),
        group.released,
        group.not_begun,
        group.begun,
        group.interviews,
        group.partials,
        group.refusals,
        percent(group.rr1),
        percent(group.substitution)
    );
}

fn precise(row: &Precision) {
    let deff = row.deff.map_or("–".to_owned(), |deff| decimal(deff, 2));
    let half = row.half_width.map_or("–".to_owned(), |half| format!("{} điểm", decimal(100.0 * half, 1)));
    let reason = row.reason.map_or(String::new(), |reason| format!("  {reason}"));
    say!("{:<26} {:>6} {:>6} {deff:>6} {half:>9}{reason}", row.domain, row.n, row.villages);
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{}%", decimal(100.0 * share, 0)))
}

fn decimal(value: f64, places: usize) -> String {
    format!("{value:.places$}").replace('.', ",")
}
