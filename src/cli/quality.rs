//! `langnghe quality`: how the interviewing goes, per enumerator (protection.md rule 16).

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::anyhow;

use super::key::passphrase;
use super::user::Installation;
use crate::config::{DATA, DataPlace};
use crate::db::AnswerVault;
use crate::intake::{Receiver, Ties};
use crate::jobs::quality::{self, Quality};

/// Kiểm tra chất lượng phỏng vấn · How the interviewing goes, per enumerator
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe quality 1 --data /srv/langnghe\n\
                  Enumerators are compared inside the villages that they share; a check cries out in one honest wave of a\n\
                  hundred. No rate is given of fewer than 10 interviews, and no answer is shown.")]
pub struct Args {
    #[arg(value_name = "ID")]
    wave: i64,
    /// The form, where the wave has several
    #[arg(long, value_name = "FORM_ID")]
    form: Option<String>,
    #[arg(long, value_parser = ["table", "json"], default_value = "table")]
    format: String,
    #[command(flatten)]
    place: DataPlace,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let folder = args.place.folder(DATA);
    let installation = Installation::open(&args.place)?;
    let answers = AnswerVault::open(&args.place.answers_url(&folder))?;
    let mut keys = installation.keys.clone();
    if keys.needs_passphrase()
        && let Some(passphrase) = passphrase()?
    {
        keys = keys.with_passphrase(passphrase);
    }
    let key = Arc::new(keys.load(args.wave)?);
    let forms = installation.field.read(|db| db.list_forms(args.wave))?;
    let mut ids: Vec<String> = forms.into_iter().map(|form| form.form_id).collect();
    ids.dedup();
    let form = match (&args.form, &ids[..]) {
        (Some(form), _) if ids.contains(form) => form.clone(),
        (None, [only]) => only.clone(),
        (_, []) => return Err(anyhow!("wave {} has no form yet", args.wave)),
        _ => return Err(anyhow!("name the form with --form: {}", ids.join(", "))),
    };
    let receiver =
        Receiver::new(installation.field.clone(), answers, HashMap::from([(args.wave, key)]), Ties::Random);
    let found = quality::check(&receiver, args.wave, &form)?;
    if args.format == "json" {
        say!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print(&found);
    }
    Ok(())
}

const CHECKS: [(&str, &str); 5] = [
    ("length", "phút một phiếu"),
    ("straight_lining", "câu bảng trả lời một mức"),
    ("alike", "giống phiếu khác nhất"),
    ("silence", "không biết, không trả lời"),
    ("answers", "câu trả lời khác thường"),
];
const FACTS: [(&str, &str); 5] = [
    ("too_short", "quá ngắn"),
    ("overlap", "trùng giờ với phiếu khác của cùng người"),
    ("night", "ban đêm"),
    ("far_away", "xa thôn trên 3 km"),
    ("sent_late", "gửi sau hơn 3 ngày"),
];

fn print(found: &Quality) {
    let number = |value: Option<f64>, percent: bool| match value {
        Some(value) if percent => format!("{:.0}%", 100.0 * value),
        Some(value) => format!("{value:.1}").replace('.', ","),
        None => "–".to_owned(),
    };
    say!("{} phiếu hoàn thành; {} điều tra viên chưa đủ 10 phiếu", found.interviews, found.too_few);
    say!("{:<12} {:<28} {:>5} {:>8} {:>8} {:>6}", "ĐTV", "", "phiếu", "của ĐTV", "so sánh", "z");
    for rate in &found.rates {
        // Every rate where something was found, else only the length as a sign of life.
        if !rate.flagged && rate.check != "length" {
            continue;
        }
        let label = CHECKS.iter().find(|(check, _)| *check == rate.check).map_or("", |(_, label)| label);
        let percent = rate.check != "length";
        say!(
            "{:<12} {:<28} {:>5} {:>8} {:>8} {:>6}{}{}",
            rate.enumerator,
            label,
            rate.n,
            number(rate.own, percent),
            number(rate.expected, percent),
            number(rate.z, false),
            rate.question.as_deref().map_or(String::new(), |question| format!("  {question}")),
            if rate.flagged { "  ← hỏi lại" } else { "" }
        );
    }
    for (fact, label) in FACTS {
        let many = found.facts.iter().filter(|one| one.fact == fact).count();
        if many > 0 {
            say!("{many} phiếu {label} ({fact})");
        }
    }
    eprintln!(
        "Dấu ← chỉ là lý do để hỏi lại người phỏng vấn, không phải kết luận (a mark is a reason to ask, no verdict); \
         danh sách trường hợp: --format json"
    );
}
