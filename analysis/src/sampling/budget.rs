//! The budget as text: for a terminal in Vietnamese numbers, for a spreadsheet as CSV.

use super::cost::Estimate;
use crate::charts::numerals::{decimal, percent, whole};
use crate::table::quote;

/// Lines, strata, teams and weeks below each other, columns aligned.
pub fn table(estimate: &Estimate) -> String {
    let mut text = String::new();
    if !estimate.name.is_empty() {
        text.push_str(&format!("{}\n\n", estimate.name));
    }
    text.push_str(&format!(
        "{} thôn, {} hộ được chọn, {} phiếu dự kiến (VND)\n\n",
        whole(estimate.villages),
        whole(estimate.households),
        decimal(estimate.interviews, 0)
    ));
    let mut rows: Vec<Vec<String>> = vec![cells(["Khoản chi (line)", "Số tiền", "Tỷ trọng"])];
    for line in &estimate.lines {
        let share = percent(line.amount / estimate.total.max(1.0), 1);
        rows.push(vec![line.line.clone(), decimal(line.amount, 0), share]);
    }
    rows.push(vec!["Tổng cộng (total)".into(), decimal(estimate.total, 0), percent(1.0, 1)]);
    text.push_str(&aligned(&rows, 1));
    text.push('\n');
    let mut rows: Vec<Vec<String>> =
        vec![cells(["Tầng (stratum)", "Vùng", "Thôn", "Hộ", "Ngày-đội", "Số tiền", "Một thôn", "Một hộ"])];
    for s in &estimate.strata {
        rows.push(vec![
            s.stratum.clone(),
            s.terrain.clone(),
            whole(s.villages),
            whole(s.households),
            decimal(s.team_days, 1),
            decimal(s.amount, 0),
            decimal(s.per_village, 0),
            decimal(s.per_household, 0),
        ]);
    }
    text.push_str(&aligned(&rows, 2));
    let Some(schedule) = &estimate.schedule else { return text };
    text.push_str(&format!(
        "\nLịch (calendar): từ {} đến {}, {} ngày làm việc\n\n",
        day(&schedule.start),
        day(&schedule.end),
        whole(schedule.working_days)
    ));
    let mut rows: Vec<Vec<String>> = vec![cells(["Đội (team)", "Thôn", "Hộ", "Ngày-đội", "Xong"])];
    for team in &schedule.teams {
        rows.push(vec![
            team.team.to_string(),
            whole(team.villages),
            whole(team.households),
            decimal(team.team_days, 1),
            day(&team.end),
        ]);
    }
    text.push_str(&aligned(&rows, 0));
    text.push('\n');
    let mut mondays: Vec<&str> = schedule.weeks.iter().map(|w| w.monday.as_str()).collect();
    mondays.sort_unstable();
    mondays.dedup();
    let head = ["Tuần từ (week)".to_owned()].into_iter();
    let mut rows: Vec<Vec<String>> =
        vec![head.chain(schedule.teams.iter().map(|t| format!("Đội {}", t.team))).collect()];
    for monday in mondays {
        let of = |team: u64| {
            let week = schedule.weeks.iter().find(|w| w.team == team && w.monday == monday);
            week.map_or("–".to_owned(), |w| {
                format!("{} thôn, {} hộ", whole(w.villages), whole(w.households))
            })
        };
        let row = [day(monday)].into_iter().chain(schedule.teams.iter().map(|t| of(t.team)));
        rows.push(row.collect());
    }
    text.push_str(&aligned(&rows, 1));
    text
}

/// One row a line and stratum (`stratum` empty for what belongs to the whole), amounts in plain digits.
pub fn csv(estimate: &Estimate) -> String {
    let mut text = String::from("line,stratum,amount\n");
    for line in &estimate.lines {
        let mut left = line.amount;
        for (stratum, amount) in estimate.strata.iter().zip(&line.by_stratum) {
            text.push_str(&format!("{},{},{amount}\n", quote(&line.line), quote(&stratum.stratum)));
            left -= amount;
        }
        if left != 0.0 || line.by_stratum.is_empty() {
            text.push_str(&format!("{},,{left}\n", quote(&line.line)));
        }
    }
    text
}

fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// `2026-08-03` → `03/08/2026`.
fn day(iso: &str) -> String {
    let parts: Vec<&str> = iso.split('-').collect();
    match parts[..] {
        [year, month, day] => format!("{day}/{month}/{year}"),
        _ => iso.to_owned(),
    }
}

/// Columns as wide as their widest cell; the first `left` stand left, the others right.
fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(c, (cell, width))| {
                    if c < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}
