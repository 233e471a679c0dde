//! The one page that the demo prints: how the survey went, the headline figures beside the truth, where the files are.

use std::fmt::Write;
use std::path::Path;

use analysis::charts::numerals;

use crate::demo::outputs::LABEL;
use crate::demo::tablet::Sent;
use crate::jobs::analysis_file::AnalysisFile;
use crate::jobs::assessment::Assessment;

pub struct Facts<'a> {
    pub file: &'a AnalysisFile,
    pub assessment: &'a Assessment,
    pub sent: Sent,
}

/// Vietnamese first, English beside it.
pub fn page(folder: &Path, facts: &Facts<'_>) -> String {
    let mut out = String::new();
    let line = |out: &mut String, text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(
        &mut out,
        format!("LẮNG NGHE · KHẢO SÁT NẮM TÌNH HÌNH NHÂN DÂN {} · {LABEL}\n", facts.file.template.year),
    );
    let counts = facts.assessment.unweighted;
    let percent = |share: Option<f64>| share.map_or("–".to_owned(), |s| numerals::percent(s, 1));
    line(
        &mut out,
        format!(
            "Phiếu gửi · sent            {} trường hợp, {} yêu cầu HTTP",
            facts.sent.acknowledged, facts.sent.requests
        ),
    );
    line(
        &mut out,
        format!(
            "                            ({} gửi lặp, {} mất phản hồi rồi gửi lại, {} đến muộn)",
            facts.sent.doubled, facts.sent.lost_replies, facts.sent.late
        ),
    );
    line(&mut out, format!("Hoàn thành · interviews     {}", numerals::whole(counts.interviews as u64)));
    line(
        &mut out,
        format!(
            "Tỷ lệ trả lời · RR3 (AAPOR) {} · có trọng số, weighted {}",
            percent(counts.rr3()),
            percent(facts.assessment.weighted.rr3())
        ),
    );
    let deffs: Vec<f64> = facts.assessment.headlines.iter().filter_map(|row| row.figure().deff()).collect();
    let mean = deffs.iter().sum::<f64>() / deffs.len().max(1) as f64;
    line(
        &mut out,
        format!(
            "Hệ số thiết kế · deff       {} (bình quân 10 chỉ tiêu), do quyền số · Kish {}\n",
            numerals::decimal(mean, 2),
            numerals::decimal(facts.assessment.diagnosis.kish_effect, 2)
        ),
    );
    line(
        &mut out,
        "                                          ước lượng   KTC 95%         thật   trúng   không trọng số"
            .to_owned(),
    );
    line(
        &mut out,
        "                                          estimate    95% interval    true   holds   unweighted"
            .to_owned(),
    );
    let mut held = 0;
    for (headline, row) in facts.file.template.headlines.iter().zip(&facts.assessment.headlines) {
        let figure = row.figure();
        let truth = facts.file.about.truth.get(&headline.id).copied();
        let holds = figure.interval().zip(truth).is_some_and(|((low, high), t)| low <= t && t <= high);
        held += usize::from(holds);
        let plain = facts.assessment.sample.iter().find(|row| row.id() == headline.id);
        let interval = figure.interval().map_or("–".to_owned(), |(low, high)| {
            format!("{}–{}", numerals::decimal(low * 100.0, 1), numerals::percent(high, 1))
        });
        let label = pad(&headline.short, 40);
        let _ = writeln!(
            out,
            "{label}  {:>8}    {:<14}  {:>5}   {}       {:>6}",
            percent(figure.estimate()),
            interval,
            percent(truth),
            if holds { "✓" } else { "✗" },
            percent(plain.and_then(|row| row.figure().estimate())),
        );
    }
    let all = facts.file.template.headlines.len();
    line(
        &mut out,
        format!(
            "\n{held} trong {all} khoảng tin cậy chứa giá trị thật · {held} of {all} intervals hold the true value"
        ),
    );
    line(&mut out, "(trong 100 cuộc khảo sát mô phỏng: ./dev bench coverage)\n".to_owned());
    line(&mut out, "Tệp · Files".to_owned());
    for (file, what) in [
        ("report.docx", "báo cáo năm · annual report"),
        ("report.html", "báo cáo năm, trên trình duyệt · the same for a browser"),
        ("tables.xlsx", "bảng số liệu · tables"),
        ("tables/", "bảng số liệu, CSV"),
        ("charts/", "biểu đồ, SVG · charts"),
        ("sample.csv", "mẫu, kèm sample.csv.design.json · the sample and its design"),
        ("weights.csv", "quyền số · weights"),
    ] {
        line(&mut out, format!("  {}  {what}", pad(&folder.join(file).display().to_string(), 34)));
    }
    out
}

/// Pads to a number of characters, as a terminal counts them.
fn pad(text: &str, width: usize) -> String {
    let length = text.chars().count();
    format!("{text}{}", " ".repeat(width.saturating_sub(length)))
}
