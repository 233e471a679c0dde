//! Sentences made from figures by rules: whole percentages, differences from unrounded figures, no judgement.

use super::annual::Change;
use crate::charts::numerals;
use crate::disclosure::Figure;

/// What is said where a difference is within its error. Never "unchanged": that would be a finding.
pub const NO_EVIDENCE_OF_CHANGE: &str = "chưa đủ căn cứ kết luận có thay đổi";
pub const NO_EVIDENCE_OF_DIFFERENCE: &str = "chưa đủ căn cứ kết luận có khác biệt so với mức chung";
pub const NOT_PUBLISHED: &str = "không công bố";

/// `62%`; hidden and absent figures are said to be so.
pub fn share(figure: &Figure) -> String {
    match figure.estimate() {
        Some(estimate) => numerals::percent(estimate, 0),
        None if figure.is_hidden() => NOT_PUBLISHED.to_owned(),
        None => "không có số liệu".to_owned(),
    }
}

/// `62% (khoảng tin cậy 95%: từ 60% đến 64%; n = 1.912)`.
pub fn share_with_error(figure: &Figure) -> String {
    let mut details = Vec::new();
    if let Some((low, high)) = figure.interval() {
        details.push(format!(
            "khoảng tin cậy 95%: từ {} đến {}",
            numerals::percent(low, 0),
            numerals::percent(high, 0)
        ));
    }
    if let Some(n) = figure.n() {
        details.push(format!("n\u{a0}=\u{a0}{}", numerals::whole(n as u64)));
    }
    let share = share(figure);
    if details.is_empty() { share } else { format!("{share} ({})", details.join("; ")) }
}

/// A statement with its figure: `Tỷ lệ …: 62% (…).`
pub fn statement(subject: &str, figure: &Figure) -> String {
    format!("{}: {}.", subject.trim_end_matches(['.', ':']), share_with_error(figure))
}

/// How a share moved between two waves: `so với năm 2025: tăng 5 điểm phần trăm (khoảng tin cậy 95%: từ 2 đến 8)`.
///
/// The difference and its interval come from unrounded figures. A change whose interval holds zero is no evidence; one
/// that stands alone but not beside all others that were looked at says so.
pub fn change(change: &Change) -> String {
    let since = &change.since;
    if let Some(obstacle) = &change.obstacle {
        return format!("so với {since}: không so sánh được ({obstacle})");
    }
    let (Some(difference), Some((low, high))) = (change.difference.estimate(), change.difference.interval())
    else {
        return format!("so với {since}: không so sánh được");
    };
    if low <= 0.0 && high >= 0.0 {
        return format!("so với {since}: {NO_EVIDENCE_OF_CHANGE}");
    }
    let (verb, low, high) = if difference > 0.0 { ("tăng", low, high) } else { ("giảm", -high, -low) };
    let alone =
        if change.holds { "" } else { "; chưa giữ được khi xét đồng thời mọi so sánh" };
    format!(
        "so với {since}: {verb} {} điểm phần trăm (khoảng tin cậy 95%: từ {} đến {}{alone})",
        points(difference.abs()),
        points(low),
        points(high)
    )
}

/// A difference in percentage points with its sign, and its interval: `+5`, `từ +2 đến +8`; dashes where none is measured.
pub fn difference(figure: &Figure) -> (String, String) {
    let signed = |share: f64| {
        let text = points(share.abs());
        let is_zero = text.chars().all(|c| matches!(c, '0' | ','));
        match (is_zero, share > 0.0) {
            (true, _) => text,
            (false, true) => format!("+{text}"),
            (false, false) => format!("−{text}"),
        }
    };
    let estimate = figure.estimate().map_or("–".to_owned(), signed);
    let interval = figure
        .interval()
        .map_or("–".to_owned(), |(low, high)| format!("từ {} đến {}", signed(low), signed(high)));
    (estimate, interval)
}

/// What may be concluded from a change, in a few words for a table.
pub fn verdict(change: &Change) -> String {
    if let Some(obstacle) = &change.obstacle {
        return format!("không so sánh được: {obstacle}");
    }
    match change.difference.interval() {
        None => "không so sánh được".to_owned(),
        Some((low, high)) if low <= 0.0 && high >= 0.0 => NO_EVIDENCE_OF_CHANGE.to_owned(),
        Some(_) if change.holds => "có thay đổi".to_owned(),
        Some(_) => "chưa giữ được khi xét đồng thời mọi so sánh".to_owned(),
    }
}

/// A difference of shares in percentage points; below one point with a decimal.
fn points(share: f64) -> String {
    numerals::decimal(share * 100.0, if share.abs() < 0.01 { 1 } else { 0 })
}

/// The large areas that stand clearly below (or above) the whole: their interval lies wholly beyond that of
/// the whole. Names stand in the order given, never by their figures: this is no ranking.
pub fn worse_areas(overall: &Figure, areas: &[(String, Figure)], higher_is_better: bool) -> String {
    let Some((low, high)) = overall.interval() else {
        return format!("Theo địa bàn: {NO_EVIDENCE_OF_DIFFERENCE}.");
    };
    let is_worse = |figure: &Figure| {
        figure.interval().is_some_and(|(l, h)| if higher_is_better { h < low } else { l > high })
    };
    let named: Vec<String> =
        areas.iter().filter(|(_, f)| is_worse(f)).map(|(name, f)| format!("{name} ({})", share(f))).collect();
    let side = if higher_is_better { "Thấp hơn mức chung" } else { "Cao hơn mức chung" };
    if named.is_empty() {
        return format!("Theo địa bàn: {NO_EVIDENCE_OF_DIFFERENCE}.");
    }
    format!(
        "{side} (ngoài sai số): {}; các địa bàn khác {NO_EVIDENCE_OF_DIFFERENCE}, hoặc tốt hơn.",
        named.join(", ")
    )
}
