//! `langnghe fieldwork`: who goes where, reserves, villages, back-checks, reviews and the ledger of devices.

use std::path::PathBuf;

use chrono::{NaiveDate, Utc};
use serde::Serialize;

use super::user::Installation;
use super::wave::{ColumnArgs, House, open_survey, survey, table};
use crate::config::DataPlace;
use crate::db::Decision;
use crate::fieldwork::back_checks::{Difference, Found};
use crate::fieldwork::rules::ReleasedBy;
use crate::jobs::reserves::Asked;
use crate::jobs::villages::{self, Redrawn};
use crate::jobs::{assignment, back_checks, reserves, reviews};

/// A wave by its number, how to print, and where data live.
#[derive(Debug, clap::Args)]
pub struct On {
    #[arg(value_name = "ID")]
    wave: i64,
    #[arg(long, value_parser = ["table", "json"], default_value = "table")]
    format: String,
    #[command(flatten)]
    place: DataPlace,
}

/// Thực địa: phân công, dự phòng, kiểm tra lại · Fieldwork
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Quy định thực địa · Show or change the settings of a wave's fieldwork
    #[command(after_help = "Example: langnghe fieldwork rules 1 --begins 2026-08-03 --ends 2026-08-21")]
    Rules(RulesArgs),
    /// Nạp điều tra viên, phiên dịch · Read enumerators and interpreters from a table
    /// (code, kind, languages, areas, pledged_on)
    #[command(after_help = "Example: langnghe fieldwork people 1 people.csv")]
    People {
        #[arg(value_name = "ID")]
        wave: i64,
        file: PathBuf,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Phiên dịch đã ký cam kết · Record the day of an interpreter's pledge of secrecy
    #[command(after_help = "Example: langnghe fieldwork pledge 1 PD-03 --on 2026-08-01")]
    Pledge {
        #[arg(value_name = "ID")]
        wave: i64,
        code: String,
        #[arg(long, value_name = "DATE")]
        on: NaiveDate,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Phân công · Give the cases that nobody visited to two enumerators a village, by area and language
    #[command(after_help = "Example: langnghe fieldwork assign 1 --seed 2026")]
    Assign {
        /// The same seed gives the same teams
        #[arg(long)]
        seed: u64,
        #[command(flatten)]
        on: On,
    },
    /// Chuyển việc · Hand one enumerator's unfinished cases to another
    #[command(
        after_help = "Example: langnghe fieldwork reassign 1 --from ĐTV-03 --to ĐTV-07 --village SYN-00017"
    )]
    Reassign {
        #[arg(value_name = "ID")]
        wave: i64,
        #[arg(long, value_name = "CODE")]
        from: String,
        #[arg(long, value_name = "CODE")]
        to: String,
        /// In this village alone
        #[arg(long)]
        village: Option<String>,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Các tổ theo thôn · The team of each village
    #[command(after_help = "Example: langnghe fieldwork teams 1")]
    Teams(On),
    /// Mở hộ dự phòng · Release reserves: by the rule in every village, or so many in one; prints their codes
    #[command(
        after_help = "Example: langnghe fieldwork release 1\n         langnghe fieldwork release 1 --village SYN-00017 --count 2"
    )]
    Release {
        #[arg(long, requires = "count")]
        village: Option<String>,
        #[arg(long, requires = "village")]
        count: Option<usize>,
        #[command(flatten)]
        on: On,
    },
    /// Hoãn một thôn · Put a village off that cannot be reached
    #[command(
        after_help = "Example: langnghe fieldwork postpone 1 SYN-00017 --until 2026-08-10 --reason \"sạt lở đường\""
    )]
    Postpone {
        #[arg(value_name = "ID")]
        wave: i64,
        village: String,
        #[arg(long, value_name = "DATE")]
        until: NaiveDate,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Thôn đi lại được · A postponed village can be reached again
    #[command(after_help = "Example: langnghe fieldwork reopen 1 SYN-00017")]
    Reopen {
        #[arg(value_name = "ID")]
        wave: i64,
        village: String,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Thay một thôn · Replace a postponed village by the reserve that its stratum drew next
    #[command(
        after_help = "Example: langnghe fieldwork replace 1 SYN-00017 sample-2.csv --frame frame.csv --area old_district_code"
    )]
    Replace(ReplaceArgs),
    /// Các hộ phải kiểm tra lại · Draw back-checks among the new interviews and show all, with rates per enumerator
    #[command(name = "back-checks", after_help = "Example: langnghe fieldwork back-checks 1")]
    BackChecks(On),
    /// Ghi kết quả kiểm tra lại · Keep the facts found at a dwelling: never an opinion
    #[command(
        name = "back-check",
        after_help = "Example: langnghe fieldwork back-check 1 SYN-00017 12 --asked yes --minutes 40 --adults 3"
    )]
    BackCheck(BackCheckArgs),
    /// Các hộ cần xem lại · Cases that field facts flag, and interviews that were broken off
    #[command(after_help = "Example: langnghe fieldwork reviews 1 --form khao_sat_2026")]
    Reviews {
        /// The form, where the wave has several
        #[arg(long, value_name = "FORM_ID")]
        form: Option<String>,
        #[command(flatten)]
        on: On,
    },
    /// Quyết định về một hộ · Accept a case, ask about it, have it revisited; rule on a partial interview
    #[command(after_help = "Example: langnghe fieldwork review 1 SYN-00017 12 revisit")]
    Review {
        #[arg(value_name = "ID")]
        wave: i64,
        village: String,
        household: i64,
        #[arg(value_parser = Decision::ALL.map(Decision::name))]
        decision: String,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Sổ gửi nhận của các máy · The ledger of devices: sent, received, missing, days unsynced
    #[command(after_help = "Example: langnghe fieldwork ledger 1")]
    Ledger(On),
}

#[derive(Debug, clap::Args)]
pub struct RulesArgs {
    /// Attempts before a dwelling where nobody was met is given up …
    #[arg(long)]
    attempts: Option<u32>,
    /// … on at least so many days
    #[arg(long)]
    days: Option<u32>,
    /// Who may release a reserve without network
    #[arg(long, value_parser = ["supervisor", "tablet"])]
    reserves: Option<String>,
    #[arg(long, value_name = "DATE")]
    begins: Option<NaiveDate>,
    #[arg(long, value_name = "DATE")]
    ends: Option<NaiveDate>,
    /// Share of interviews that are checked
    #[arg(long, value_name = "SHARE")]
    back_checks: Option<f64>,
    /// Likeness inside a village that the precision so far assumes
    #[arg(long, value_name = "SHARE")]
    likeness: Option<f64>,
    #[arg(value_name = "ID")]
    wave: i64,
    #[command(flatten)]
    place: DataPlace,
}

#[derive(Debug, clap::Args)]
pub struct ReplaceArgs {
    #[arg(value_name = "ID")]
    wave: i64,
    /// The postponed village
    lost: String,
    /// What `sample draw --stage 2` wrote with the reserve's listing
    sample: PathBuf,
    #[command(flatten)]
    columns: ColumnArgs,
    #[command(flatten)]
    place: DataPlace,
}

#[derive(Debug, clap::Args)]
pub struct BackCheckArgs {
    #[arg(value_name = "ID")]
    wave: i64,
    village: String,
    household: i64,
    /// Somebody of the dwelling was asked at all
    #[arg(long, value_parser = ["yes", "no"])]
    asked: String,
    /// How long it took, as the household remembers
    #[arg(long)]
    minutes: Option<u32>,
    /// People of 18 years and more
    #[arg(long)]
    adults: Option<u32>,
    #[command(flatten)]
    place: DataPlace,
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    let now = Utc::now();
    match command {
        Command::Rules(args) => change_rules(args),
        Command::People { wave, file, place } => {
            let installation = open(place, *wave)?;
            let devices = installation.field.read(|db| db.list_app_users(*wave))?;
            let (enumerators, interpreters) = assignment::read_people(file, &devices)?;
            let detail = serde_json::json!({
                "project": wave, "enumerators": enumerators.len(), "interpreters": interpreters.len(),
            });
            installation.field.transaction(|db| {
                enumerators.iter().try_for_each(|one| db.keep_enumerator(*wave, one))?;
                interpreters.iter().try_for_each(|one| db.keep_interpreter(*wave, one))?;
                db.append_audit(installation.who(), "fieldwork people kept", &detail.to_string(), now)?;
                Ok::<_, crate::db::Error>(())
            })?;
            say!(
                "{} điều tra viên, {} phiên dịch (enumerators, interpreters)",
                enumerators.len(),
                interpreters.len()
            );
            Ok(())
        }
        Command::Pledge { wave, code, on, place } => {
            let installation = open(place, *wave)?;
            let detail = serde_json::json!({ "project": wave, "on": on }).to_string();
            installation.field.transaction(|db| {
                db.record_pledge(*wave, code, *on)?;
                db.append_audit(installation.who(), "interpreter pledged", &detail, now)?;
                Ok::<_, crate::db::Error>(())
            })?;
            say!("{code}: đã ký cam kết ngày {} (pledged)", on.format("%d/%m/%Y"));
            Ok(())
        }
        Command::Assign { seed, on } => {
            let installation = open(&on.place, on.wave)?;
            let done = assignment::assign(&installation.field, on.wave, *seed, installation.who(), now)?;
            for warning in &done.warnings {
                eprintln!("langnghe: warning: {warning}");
            }
            print(on, &done, || {
                say!(
                    "{} thôn, {} hộ đã giao, {} hộ giữ nguyên, {} thôn có phiên dịch (villages, cases given, kept, with \
                     interpreter)",
                    done.villages,
                    done.cases,
                    done.kept,
                    done.interpreted
                );
            })
        }
        Command::Reassign { wave, from, to, village, place } => {
            let installation = open(place, *wave)?;
            let (field, who) = (&installation.field, installation.who());
            let moved = assignment::reassign(field, *wave, (from, to), village.as_deref(), who, now)?;
            say!("{moved} hộ chuyển từ {from} sang {to} (cases handed over)");
            Ok(())
        }
        Command::Teams(on) => {
            let installation = known(on)?;
            let teams = assignment::teams(&installation.field, on.wave)?;
            print(on, &teams, || {
                for team in &teams {
                    let people = team.enumerators.iter().zip(&team.open);
                    let people: Vec<String> =
                        people.map(|(code, open)| format!("{code} ({open} hộ còn)")).collect();
                    let interpreter = team
                        .interpreter
                        .as_deref()
                        .map_or(String::new(), |code| format!("  phiên dịch {code}"));
                    say!("{:<14} {:<8} {}{interpreter}", team.village, team.commune, people.join(", "));
                }
            })
        }
        Command::Release { village, count, on } => {
            let house = House::open(&on.place)?;
            open_survey(&house.installation, on.wave)?;
            let asked = match (village, count) {
                (Some(village), Some(count)) => Asked::In { village, count: *count },
                _ => Asked::ByRule,
            };
            let (field, key) = (&house.installation.field, house.receiver.key(on.wave)?);
            let done = reserves::release(field, &key, on.wave, asked, house.installation.who(), now)?;
            print(on, &done, || {
                for one in &done {
                    say!(
                        "{:<14} dự phòng {:<3} {:<12} mã {}",
                        one.village,
                        one.place,
                        one.enumerator.as_deref().unwrap_or("–"),
                        one.code
                    );
                }
                say!("{} hộ dự phòng được mở (reserves released)", done.len());
            })
        }
        Command::Postpone { wave, village, until, reason, place } => {
            let installation = open(place, *wave)?;
            let who = installation.who();
            villages::postpone(&installation.field, *wave, village, (*until, reason), who, now)?;
            say!("{village}: hoãn đến {} (postponed)", until.format("%d/%m/%Y"));
            Ok(())
        }
        Command::Reopen { wave, village, place } => {
            let installation = open(place, *wave)?;
            villages::reopen(&installation.field, *wave, village, installation.who(), now)?;
            say!("{village}: làm tiếp (open again)");
            Ok(())
        }
        Command::Replace(args) => {
            let installation = open(&args.place, args.wave)?;
            let (sample, frame) = (table(&args.sample)?, table(&args.columns.frame)?);
            let redrawn = Redrawn { sample: &sample, frame: &frame, columns: &args.columns.columns() };
            let (field, who) = (&installation.field, installation.who());
            let by = villages::replace(field, args.wave, &args.lost, &redrawn, who, now)?;
            say!("{} được thay bằng {by}; tiếp theo: langnghe fieldwork assign {}", args.lost, args.wave);
            Ok(())
        }
        Command::BackChecks(on) => list_back_checks(on),
        Command::BackCheck(args) => {
            let house = House::open(&args.place)?;
            open_survey(&house.installation, args.wave)?;
            let found = Found { asked: args.asked == "yes", minutes: args.minutes, adults: args.adults };
            let dwelling = (args.village.as_str(), args.household);
            let (field, key) = (&house.installation.field, house.receiver.key(args.wave)?);
            back_checks::keep(field, &key, args.wave, dwelling, found, house.installation.who(), now)?;
            say!("Đã ghi (kept)");
            Ok(())
        }
        Command::Reviews { form, on } => list_reviews(form.as_deref(), on),
        Command::Review { wave, village, household, decision, place } => {
            let installation = open(place, *wave)?;
            let chosen = Decision::from_name(decision)
                .ok_or_else(|| anyhow::anyhow!("`{decision}` is no decision"))?;
            let (field, who) = (&installation.field, installation.who());
            reviews::decide(field, *wave, (village, *household), chosen, who, now)?;
            say!("{village}, hộ {household}: {decision}");
            Ok(())
        }
        Command::Ledger(on) => list_ledger(on),
    }
}

fn open(place: &DataPlace, wave: i64) -> anyhow::Result<Installation> {
    let installation = Installation::open(place)?;
    open_survey(&installation, wave)?;
    Ok(installation)
}

fn known(on: &On) -> anyhow::Result<Installation> {
    let installation = Installation::open(&on.place)?;
    survey(&installation, on.wave)?;
    Ok(installation)
}

/// JSON, or the lines that `lines` prints.
fn print(on: &On, told: &impl Serialize, lines: impl FnOnce()) -> anyhow::Result<()> {
    if on.format == "json" {
        say!("{}", serde_json::to_string_pretty(told)?);
    } else {
        lines();
    }
    Ok(())
}

fn change_rules(args: &RulesArgs) -> anyhow::Result<()> {
    let installation = open(&args.place, args.wave)?;
    let before = installation.field.read(|db| db.fieldwork_rules(args.wave))?;
    let mut rules = before.clone();
    rules.attempts = args.attempts.unwrap_or(rules.attempts);
    rules.days = args.days.unwrap_or(rules.days);
    rules.begins = args.begins.or(rules.begins);
    rules.ends = args.ends.or(rules.ends);
    rules.back_checks = args.back_checks.unwrap_or(rules.back_checks);
    rules.likeness = args.likeness.unwrap_or(rules.likeness);
    rules.reserves = match args.reserves.as_deref() {
        Some("tablet") => ReleasedBy::Tablet,
        Some(_) => ReleasedBy::Supervisor,
        None => rules.reserves,
    };
    let problems = rules.problems();
    anyhow::ensure!(problems.is_empty(), "{}; nothing was changed", problems.join("; "));
    if rules != before {
        let now = Utc::now();
        let detail = serde_json::json!({ "project": args.wave, "rules": rules }).to_string();
        installation.field.transaction(|db| {
            db.keep_fieldwork_rules(args.wave, &rules, now)?;
            db.append_audit(installation.who(), "fieldwork rules kept", &detail, now)?;
            Ok::<_, crate::db::Error>(())
        })?;
    }
    say!("{}", serde_json::to_string_pretty(&rules)?);
    Ok(())
}

fn list_back_checks(on: &On) -> anyhow::Result<()> {
    let house = House::open(&on.place)?;
    open_survey(&house.installation, on.wave)?;
    let (field, key) = (&house.installation.field, house.receiver.key(on.wave)?);
    let new = back_checks::draw(field, &key, on.wave, house.installation.who(), Utc::now())?;
    let told = back_checks::results(&house.receiver, on.wave)?;
    print(on, &told, || {
        let name = |difference: &Difference| match difference {
            Difference::NotAsked => "không ai hỏi",
            Difference::Minutes => "thời gian",
            Difference::Adults => "số người lớn",
        };
        for check in &told.checks {
            let state = match (check.done, check.differences.is_empty()) {
                (false, _) => "phải đến".to_owned(),
                (true, true) => "khớp".to_owned(),
                (true, false) => {
                    format!("khác: {}", check.differences.iter().map(name).collect::<Vec<_>>().join(", "))
                }
            };
            let household = check.household.map_or(String::new(), |number| number.to_string());
            say!("{:<14} hộ {household:<5} của {:<10} {state}", check.village, check.enumerator);
        }
        for one in &told.enumerators {
            say!(
                "{:<10} {} phiếu, {} phải kiểm tra, {} đã kiểm tra; khác: {} không ai hỏi, {} thời gian, {} số người lớn",
                one.enumerator,
                one.interviews,
                one.drawn,
                one.checked,
                one.not_asked,
                one.minutes,
                one.adults
            );
        }
        say!(
            "{new} hộ mới rút; {} điều tra viên chưa đủ 10 phiếu (newly drawn; too few interviews)",
            told.too_few
        );
    })
}

fn list_reviews(form: Option<&str>, on: &On) -> anyhow::Result<()> {
    let house = House::open(&on.place)?;
    survey(&house.installation, on.wave)?;
    let forms = house.installation.field.read(|db| db.list_forms(on.wave))?;
    let mut ids: Vec<&str> = forms.iter().map(|form| form.form_id.as_str()).collect();
    ids.dedup();
    let form = match (form, ids.as_slice()) {
        (Some(form), ids) if ids.contains(&form) => form,
        (None, [only]) => only,
        (_, []) => anyhow::bail!("wave {} has no form yet", on.wave),
        _ => anyhow::bail!("name the form with --form: {}", ids.join(", ")),
    };
    let told = reviews::flagged(&house.receiver, on.wave, form)?;
    print(on, &told, || {
        for one in &told {
            let household = one.household.map_or(String::new(), |number| number.to_string());
            say!(
                "{:<14} hộ {household:<5} {:<10} {:<24} {}",
                one.village,
                one.enumerator,
                one.facts.join(", "),
                one.decision.unwrap_or("chưa xem")
            );
        }
        say!("{} hộ cần xem lại (cases to look at)", told.len());
    })
}

/// One device, as it is printed.
#[derive(Serialize)]
struct LedgerLine {
    device: String,
    sent: i64,
    received: i64,
    missing: i64,
    waiting: Option<i64>,
    synced_at: Option<chrono::DateTime<Utc>>,
    days_unsynced: i64,
    revoked: bool,
}

fn list_ledger(on: &On) -> anyhow::Result<()> {
    let installation = known(on)?;
    let now = Utc::now();
    let ledger = installation.field.read(|db| db.list_ledger(on.wave, now))?;
    let lines: Vec<LedgerLine> = ledger
        .iter()
        .map(|line| LedgerLine {
            device: assignment::name_of(&line.device),
            sent: line.sent(),
            received: line.received,
            missing: line.missing,
            waiting: line.waiting,
            synced_at: line.synced_at,
            days_unsynced: line.days_unsynced(now),
            revoked: line.device.revoked,
        })
        .collect();
    print(on, &lines, || {
        say!(
            "{:<14} {:>8} {:>8} {:>8} {:>10} {:>12}",
            "máy",
            "đã gửi",
            "đã nhận",
            "thiếu",
            "chưa gửi",
            "ngày im lặng"
        );
        for line in &lines {
            say!(
                "{:<14} {:>8} {:>8} {:>8} {:>10} {:>12}{}",
                line.device,
                line.sent,
                line.received,
                line.missing,
                line.waiting.map_or("–".to_owned(), |waiting| waiting.to_string()),
                line.days_unsynced,
                if line.revoked { "  đã thu hồi" } else { "" }
            );
        }
    })
}
