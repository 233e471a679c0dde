//! Holds a report against what its inputs give: every number that the program printed, with its place. Words that
//! officials wrote or smoothed are no error.

use std::collections::HashMap;

use analysis::report::PROVENANCE_TITLE;
use anyhow::anyhow;

use super::provenance::Provenance;
use super::reading::{Printed, PrintedTable};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Numbers that were compared.
    pub numbers: usize,
    pub tables: usize,
    pub sentences: usize,
    /// Numbers that differ, a line each: place, what the file says, what the inputs give.
    pub differences: Vec<String>,
    /// What was left out or put in other words; no error.
    pub notes: Vec<String>,
    /// Paragraphs that the program did not write.
    pub typed: usize,
}

/// The inputs that a report names.
///
/// Errors: no table of sources.
pub fn sources(file: &Printed) -> anyhow::Result<Provenance> {
    let table = file.tables.iter().find(|table| table.caption == PROVENANCE_TITLE).ok_or_else(|| {
        anyhow!(
            "the report has no table “{PROVENANCE_TITLE}”, so its inputs are not known; was it cut, or made by another \
             program?"
        )
    })?;
    Provenance::read(table.rows.get(1..).unwrap_or_default())
}

/// Compares. `expected` is the same report made anew in the same format; `typed` are the texts of template or plan.
pub fn compare(file: &Printed, expected: &Printed, typed: &[String]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut typed: Vec<String> =
        typed.iter().map(|text| single_spaced(text)).filter(|text| text.chars().count() >= 6).collect();
    typed.sort_by_key(|text| std::cmp::Reverse(text.len()));
    tables(file, expected, &typed, &mut verdict);
    sentences(file, expected, &typed, &mut verdict);
    for (i, (found, wanted)) in file.drawings.iter().zip(&expected.drawings).enumerate() {
        if found != wanted {
            verdict.differences.push(format!("Hình {}: hình trong tệp khác hình vẽ lại từ số liệu", i + 1));
        }
    }
    verdict
}

fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words that say which way a figure moved or stands; as good as a number.
const DIRECTIONS: [&str; 7] = [
    "chưa đủ căn cứ",
    "không công bố",
    "không so sánh được",
    "thấp hơn mức chung",
    "cao hơn mức chung",
    "tăng",
    "giảm",
];

/// The numbers of a text and its words of direction, in order.
fn figures(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut found: Vec<(usize, String)> = Vec::new();
    for word in DIRECTIONS {
        found.extend(lower.match_indices(word).map(|(at, _)| (at, word.to_owned())));
    }
    let mut number: Option<(usize, String)> = None;
    let mut before = ' ';
    for (at, letter) in lower.char_indices() {
        let goes_on = letter.is_ascii_digit() || matches!(letter, '.' | ',');
        match &mut number {
            Some((_, digits)) if goes_on => digits.push(letter),
            Some((_, digits)) if letter == '%' => digits.push('%'),
            None if letter.is_ascii_digit() => {
                let sign =
                    if matches!(before, '−' | '+' | '±') { before.to_string() } else { String::new() };
                number = Some((at, format!("{sign}{letter}")));
            }
            _ => found.extend(number.take()),
        }
        before = letter;
    }
    found.extend(number);
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, text)| text.trim_end_matches(['.', ',']).to_owned()).collect()
}

/// The text without its numbers and without what was typed.
fn computed(text: &str, typed: &[String]) -> String {
    typed.iter().fold(text.to_owned(), |text, typed| {
        if text.contains(typed.as_str()) { text.replace(typed.as_str(), " ") } else { text }
    })
}

fn masked(text: &str) -> String {
    let mut masked = String::new();
    for letter in text.chars() {
        if !letter.is_ascii_digit() && !matches!(letter, '.' | ',' | '%' | '−' | '+' | '±') {
            masked.push(letter);
        } else if letter.is_ascii_digit() && !masked.ends_with('#') {
            masked.push('#');
        }
    }
    masked
}

fn sentences(file: &Printed, expected: &Printed, typed: &[String], verdict: &mut Verdict) {
    let wanted: Vec<&String> =
        expected.paragraphs.iter().filter(|text| !figures(&computed(text, typed)).is_empty()).collect();
    let mut open: Vec<Option<&String>> = file.paragraphs.iter().map(Some).collect();
    let mut left: Vec<&String> = Vec::new();
    for wanted in wanted {
        verdict.sentences += 1;
        verdict.numbers += figures(wanted).len();
        match open.iter_mut().find(|found| found.is_some_and(|found| found == wanted)) {
            Some(found) => *found = None,
            None => left.push(wanted),
        }
    }
    let known: HashMap<&String, usize> = expected.paragraphs.iter().map(|text| (text, 1)).collect();
    for wanted in left {
        let same = open.iter().position(|found| found.is_some_and(|found| masked(found) == masked(wanted)));
        let near = || {
            let alike = |found: &Option<&String>| match found {
                Some(found) if !known.contains_key(found) => likeness(found, wanted),
                _ => 0.0,
            };
            let best = open.iter().map(alike).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            best.filter(|(_, likeness)| *likeness >= 0.6).map(|(place, _)| place)
        };
        let Some(found) = same.or_else(near).and_then(|place| open[place].take()) else {
            verdict.notes.push(format!("bỏ câu: “{}”", shortened(wanted)));
            continue;
        };
        let (got, due) = (figures(found), figures(wanted));
        if is_part(&got, &due) {
            verdict.notes.push(format!("sửa lời: “{}”", shortened(found)));
            continue;
        }
        let (wrong, right) = apart(&got, &due);
        verdict.differences.push(format!(
            "Câu “{}”: tệp ghi {}, tính lại {}",
            shortened(found),
            or_nothing(&wrong),
            or_nothing(&right)
        ));
    }
    verdict.typed = open.iter().flatten().filter(|text| !known.contains_key(*text)).count();
}

/// The figures of two lists from where they part to where they meet again.
fn apart(got: &[String], due: &[String]) -> (Vec<String>, Vec<String>) {
    let head = got.iter().zip(due).take_while(|(a, b)| a == b).count();
    let rest = (&got[head..], &due[head..]);
    let tail = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(a, b)| a == b).count();
    (rest.0[..rest.0.len() - tail].to_vec(), rest.1[..rest.1.len() - tail].to_vec())
}

fn or_nothing(figures: &[String]) -> String {
    if figures.is_empty() { "(không có số)".to_owned() } else { figures.join(" · ") }
}

/// True where `part` comes out of `whole` by leaving figures out.
fn is_part(part: &[String], whole: &[String]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|figure| rest.any(|other| other == figure))
}

/// Share of words in common, numbers apart.
fn likeness(a: &str, b: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let masked = masked(&text.to_lowercase());
        let mut words: Vec<String> =
            masked.split_whitespace().filter(|word| !word.contains('#')).map(str::to_owned).collect();
        words.sort();
        words
    };
    let (a, b) = (words(a), words(b));
    let mut rest = b.clone();
    let common = a
        .iter()
        .filter(|word| rest.iter().position(|other| other == *word).map(|place| rest.remove(place)).is_some())
        .count();
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(90).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

fn tables(file: &Printed, expected: &Printed, typed: &[String], verdict: &mut Verdict) {
    let mut open: Vec<Option<&PrintedTable>> =
        file.tables.iter().filter(|table| !table.caption.is_empty()).map(Some).collect();
    let wanted: Vec<&PrintedTable> =
        expected.tables.iter().filter(|table| !table.caption.is_empty()).collect();
    let mut left = Vec::new();
    for table in wanted {
        verdict.tables += 1;
        // Of several tables with one caption the most alike.
        let best = open
            .iter()
            .enumerate()
            .filter_map(|(place, found)| found.filter(|f| f.caption == table.caption).map(|f| (place, f)))
            .max_by(|a, b| equal_cells(a.1, table).total_cmp(&equal_cells(b.1, table)));
        match best.map(|(place, _)| place).and_then(|place| open[place].take()) {
            Some(found) => rows(found, table, typed, verdict),
            None => left.push(table),
        }
    }
    for table in left {
        let best = open
            .iter()
            .enumerate()
            .filter_map(|(place, found)| Some((place, equal_cells((*found)?, table))))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .filter(|(_, share)| *share > 0.5);
        match best.and_then(|(place, _)| open[place].take()) {
            Some(found) => {
                let (got, due) = (figures(&found.caption), figures(&table.caption));
                if got != due {
                    let (wrong, right) = apart(&got, &due);
                    verdict.differences.push(format!(
                        "Tên bảng “{}”: tệp ghi {}, tính lại {}",
                        shortened(&found.caption),
                        or_nothing(&wrong),
                        or_nothing(&right)
                    ));
                } else {
                    verdict.notes.push(format!("đổi tên bảng: “{}”", shortened(&found.caption)));
                }
                rows(found, table, typed, verdict);
            }
            None => verdict.notes.push(format!("bỏ bảng: “{}”", shortened(&table.caption))),
        }
    }
    for table in open.into_iter().flatten() {
        verdict.notes.push(format!("bảng thêm vào, không kiểm: “{}”", shortened(&table.caption)));
    }
}

fn equal_cells(a: &PrintedTable, b: &PrintedTable) -> f64 {
    let cells = |table: &PrintedTable| table.rows.iter().map(Vec::len).sum::<usize>();
    let equal: usize =
        a.rows.iter().zip(&b.rows).map(|(a, b)| a.iter().zip(b).filter(|(a, b)| a == b).count()).sum();
    equal as f64 / cells(a).max(cells(b)).max(1) as f64
}

/// The words of a row, figures apart: what it is about.
fn about(row: &[String]) -> Vec<String> {
    let word = |cell: &String| {
        let is_figure =
            cell.contains(|c: char| c.is_ascii_digit()) || matches!(cell.as_str(), "…" | "–" | "");
        if is_figure { "#".to_owned() } else { cell.clone() }
    };
    row.iter().map(word).collect()
}

fn rows(found: &PrintedTable, wanted: &PrintedTable, typed: &[String], verdict: &mut Verdict) {
    let heads = wanted.rows.first().cloned().unwrap_or_default();
    let mut open: Vec<Option<&Vec<String>>> = found.rows.iter().map(Some).collect();
    let mut left: Vec<&Vec<String>> = Vec::new();
    for row in &wanted.rows {
        verdict.numbers += row.iter().filter(|cell| cell.contains(|c: char| c.is_ascii_digit())).count();
        match open.iter_mut().find(|found| found.is_some_and(|found| found == row)) {
            Some(found) => *found = None,
            None => left.push(row),
        }
    }
    let mut pairs: Vec<(Option<&Vec<String>>, &Vec<String>)> = Vec::new();
    let mut unknown: Vec<&Vec<String>> = Vec::new();
    for row in left {
        match open.iter().position(|found| found.is_some_and(|found| about(found) == about(row))) {
            Some(place) => pairs.push((open[place].take(), row)),
            None => unknown.push(row),
        }
    }
    for row in unknown {
        let place = open.iter().position(Option::is_some);
        pairs.push((place.and_then(|place| open[place].take()), row));
    }
    let caption = shortened(&wanted.caption);
    for (found, row) in pairs {
        let Some(found) = found else {
            verdict.notes.push(format!("bỏ hàng trong bảng “{caption}”: {}", shortened(&row.join(" | "))));
            continue;
        };
        let label: Vec<&str> = row
            .iter()
            .take(3)
            .enumerate()
            .filter(|(i, cell)| *i == 0 || figures(cell).is_empty() && !matches!(cell.as_str(), "…" | "–"))
            .map(|(_, cell)| cell.as_str())
            .collect();
        for (i, due) in row.iter().enumerate() {
            let got = found.get(i).map_or("", String::as_str);
            let words_only = figures(due).is_empty() && figures(got).is_empty();
            if got == due || typed.contains(due) {
                continue;
            }
            if words_only && !matches!(due.as_str(), "…" | "–") {
                verdict.notes.push(format!("sửa lời trong bảng “{caption}”: “{}”", shortened(got)));
                continue;
            }
            verdict.differences.push(format!(
                "Bảng “{caption}”, hàng “{}”, cột “{}”: tệp ghi “{got}”, tính lại “{due}”",
                shortened(&label.join(" – ")),
                heads.get(i).map_or("", String::as_str),
            ));
        }
    }
    for row in open.into_iter().flatten() {
        verdict.differences.push(format!(
            "Bảng “{caption}”: hàng “{}” không có trong kết quả tính lại",
            shortened(&row.join(" | "))
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cells: &[&[&str]]) -> PrintedTable {
        let rows = cells.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        PrintedTable { caption: "Chỉ tiêu".to_owned(), rows }
    }

    fn report(sentence: &str, share: &str) -> Printed {
        Printed {
            paragraphs: vec![sentence.to_owned(), "Mục đích: phục vụ 12 xã.".to_owned()],
            tables: vec![table(&[&["Chỉ tiêu", "Ước lượng"], &["Hài lòng", share], &["Tin", "51%"]])],
            drawings: Vec::new(),
        }
    }

    const SENTENCE: &str = "Tỷ lệ hài lòng: 62% (từ 60% đến 64%). So với năm 2025: tăng 5 điểm";

    fn against(file: &Printed) -> Verdict {
        compare(file, &report(SENTENCE, "62%"), &["Mục đích: phục vụ 12 xã.".to_owned()])
    }

    #[test]
    fn the_same_report_is_equal() {
        let verdict = against(&report(SENTENCE, "62%"));
        assert_eq!((verdict.differences.len(), verdict.notes.len(), verdict.typed), (0, 0, 0));
        // 62, 60, 64, 2025, "tăng", 5 and two shares.
        assert_eq!((verdict.numbers, verdict.sentences, verdict.tables), (8, 1, 1));
    }

    #[test]
    fn an_edited_number_in_a_table_is_named_with_its_place() {
        let verdict = against(&report(SENTENCE, "72%"));
        assert_eq!(
            verdict.differences,
            ["Bảng “Chỉ tiêu”, hàng “Hài lòng”, cột “Ước lượng”: tệp ghi “72%”, tính lại “62%”"]
        );
    }

    #[test]
    fn an_edited_number_or_direction_in_a_sentence_is_named() {
        let verdict = against(&report(&SENTENCE.replace("62%", "72%"), "62%"));
        assert!(verdict.differences[0].ends_with("tệp ghi 72%, tính lại 62%"), "{:?}", verdict.differences);
        let verdict = against(&report(&SENTENCE.replace("tăng", "giảm"), "62%"));
        assert!(verdict.differences[0].ends_with("tệp ghi giảm, tính lại tăng"), "{:?}", verdict.differences);
    }

    #[test]
    fn words_of_officials_are_no_error() {
        let mut file = report(SENTENCE, "62%");
        file.paragraphs[1] = "Mục đích: phục vụ 15 xã.".to_owned();
        file.paragraphs.push("Ban đề nghị hoàn thành 3 việc trong năm 2027.".to_owned());
        file.paragraphs[0] = SENTENCE.replace("Tỷ lệ hài lòng", "Tỷ lệ người dân hài lòng");
        let verdict = against(&file);
        assert!(verdict.differences.is_empty(), "{:?}", verdict.differences);
        assert_eq!(verdict.typed, 2);
    }

    #[test]
    fn a_row_that_was_added_to_a_table_is_named() {
        let mut file = report(SENTENCE, "62%");
        file.tables[0].rows.push(vec!["Khác".to_owned(), "99%".to_owned()]);
        assert!(against(&file).differences[0].contains("Khác | 99%"));
    }
}
