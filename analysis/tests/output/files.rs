//! XLSX and CSV of safe tables.

use crate::figures::figure;
use analysis::disclosure::{Cell, SafeTable};
use analysis::export::{About, csv, xlsx};

fn table() -> SafeTable {
    let mut table = SafeTable::new("Bảng thử", ["Nhóm", "Tỷ lệ", "KTC 95%", "n"]).note("Nguồn: thử");
    for (label, figure) in [
        ("Nam, nữ", figure(0.61, 0.02, 900)),
        ("=HYPERLINK(\"x\")", figure(0.5, 0.1, 12)),
        ("-2", figure(0.4, 0.1, 60)),
    ] {
        table.push(vec![
            Cell::text(label),
            Cell::Share(figure.clone()),
            Cell::ShareInterval(figure.clone()),
            Cell::Base(figure),
        ]);
    }
    table
}

#[test]
fn csv_quotes_disarms_formulas_and_hides() {
    assert_eq!(
        csv(&table(), None),
        "Nhóm,Tỷ lệ,KTC 95% (từ),KTC 95% (đến),n\r\n\
         \"Nam, nữ\",0.61,0.59,0.63,900\r\n\
         \"'=HYPERLINK(\"\"x\"\")\",…,…,…,…\r\n\
         '-2,0.4,0.3,0.5,60\r\n"
    );
}

#[test]
fn every_row_of_a_synthetic_csv_says_so() {
    let text = csv(&table(), Some("DỮ LIỆU MÔ PHỎNG"));
    assert!(text.starts_with("Nhóm,Tỷ lệ,KTC 95% (từ),KTC 95% (đến),n,Ghi chú\r\n"));
    assert!(text.lines().skip(1).all(|line| line.ends_with(",DỮ LIỆU MÔ PHỎNG")));
}

#[test]
fn a_table_without_rows_is_its_head() {
    assert_eq!(csv(&SafeTable::new("", ["a", "b"]), None), "a,b\r\n");
}

#[test]
fn the_same_tables_give_the_same_workbook() {
    let about = About {
        title: "Bảng số liệu".into(),
        label: Some("DỮ LIỆU MÔ PHỎNG".into()),
        created: (2026, 11, 23),
        ..About::default()
    };
    let first = xlsx(&[table(), table()], &about).expect("a workbook");
    assert_eq!(first, xlsx(&[table(), table()], &about).expect("a workbook"));
    assert_eq!(&first[..2], b"PK");
}

#[test]
fn a_workbook_holds_hidden_marks_numbers_and_the_label() {
    let about =
        About { label: Some("DỮ LIỆU MÔ PHỎNG".into()), created: (2026, 1, 1), ..About::default() };
    let bytes = xlsx(&[table()], &about).expect("a workbook");
    let part = |name: &str| crate::report::part(&bytes, name);
    let texts = part("xl/sharedStrings.xml");
    assert!(texts.contains('…') && texts.contains("DỮ LIỆU MÔ PHỎNG") && texts.contains("Nguồn: thử"));
    let sheet = part("xl/worksheets/sheet2.xml");
    assert!(sheet.contains("<v>0.61</v>") && sheet.contains("<v>900</v>"));
    assert!(!sheet.contains("<f>"), "no text became a formula");
    assert!(sheet.contains("DỮ LIỆU MÔ PHỎNG"), "the label is in the page footer");
}

#[test]
fn a_date_that_does_not_exist_is_an_error() {
    assert!(xlsx(&[table()], &About { created: (2026, 13, 1), ..About::default() }).is_err());
}
