//! CSV, workbook, Parquet.

use analysis::export::records::{csv, parquet, xlsx};
use analysis::table::Table;

use super::{NAMES, as_text, long_answer, records};
use crate::report::part;

#[test]
fn csv_keeps_codes_and_numbers_and_disarms_what_a_spreadsheet_would_run() {
    let text = String::from_utf8(csv(&records(), false)).expect("UTF-8");
    let mut lines = text.split("\r\n");
    assert_eq!(lines.next(), Some(NAMES.join(",").as_str()));
    let first = lines.next().expect("a row");
    assert!(
        first.starts_with(
            "2,08,18,tv loa,1,1,\"'=HYPERLINK(\"\"http://x\"\")\",truyen_hinh_tinh,núi,001,10.5,"
        ),
        "{first}"
    );
    let second = lines.next().expect("a row");
    assert!(second.starts_with("98,01,19,loa,0,1,-5,khong_ro,núi,001,11.5,"), "{second}");
    let sixth = lines.nth(3).expect("a row");
    assert!(sixth.contains(",\"'+1 người, \"\"hai\"\" ý\nxuống dòng\","), "{sixth}");
    assert!(csv(&records(), true).starts_with("\u{feff}c1,".as_bytes()));
}

#[test]
fn csv_reads_back_to_the_same_numbers_and_codes() {
    let types = as_text(&["c1", "b3", "psu"]);
    let text = String::from_utf8(csv(&records(), true)).expect("UTF-8");
    let table = Table::parse_csv(&text, "records.csv", &types).expect("a table");
    assert_eq!(table.names().collect::<Vec<_>>(), NAMES);
    let source = super::table();
    for name in ["c1", "b3", "tuoi", "person_weight", "stratum", "psu", "nguon"] {
        for row in 0..40 {
            let (read, was) =
                (table.column(name).expect("it is there"), source.column(name).expect("it is there"));
            assert_eq!(read.text(row), was.text(row), "{name}, row {row}");
        }
    }
}

#[test]
fn a_workbook_has_codes_labels_codebook_and_notes_and_no_formula() {
    let bytes = xlsx(&records()).expect("a workbook");
    assert_eq!(bytes, xlsx(&records()).expect("a workbook"), "the same records give the same bytes");
    let texts = part(&bytes, "xl/sharedStrings.xml");
    for text in [
        "=HYPERLINK",
        "Rất không hài lòng",
        "Very dissatisfied",
        "Không muốn trả lời",
        "thứ bậc",
        "PHÒNG PHÂN TÍCH",
    ] {
        assert!(texts.contains(text), "{text}");
    }
    let book = part(&bytes, "xl/workbook.xml");
    for sheet in ["Mã", "Nhãn", "Biến", "Ghi chú"] {
        assert!(book.contains(&format!("name=\"{sheet}\"")), "{sheet}");
    }
    let codes = part(&bytes, "xl/worksheets/sheet1.xml");
    assert!(codes.contains("<c r=\"A2\"><v>2</v></c>"), "a whole code is a number");
    assert!(codes.contains("<c r=\"B2\" t=\"s\">"), "`08` stays text");
    assert!(codes.contains("<c r=\"C2\"><v>18</v></c>"));
    assert!(!codes.contains("<f>") && !part(&bytes, "xl/worksheets/sheet2.xml").contains("<f>"));
    assert!(codes.contains("MÔ PHỎNG"), "the label is in the footer");
}

#[test]
fn parquet_reads_back_and_carries_the_codebook() {
    let bytes = parquet(&records()).expect("a file");
    assert_eq!(bytes, parquet(&records()).expect("a file"), "the same records give the same bytes");
    let path = std::env::temp_dir().join(format!("langnghe-records-{}.parquet", std::process::id()));
    std::fs::write(&path, &bytes).expect("it is written");
    let table = Table::read(&path, &as_text(&[])).expect("it is read");
    std::fs::remove_file(&path).expect("it goes");
    assert_eq!(table.names().collect::<Vec<_>>(), NAMES);
    assert_eq!(table.column("y_kien").expect("it is there").text(2).as_deref(), Some(long_answer().as_str()));
    assert_eq!(table.column("b3").expect("it is there").text(0).as_deref(), Some("08"));
    assert_eq!(table.column("c1").expect("it is there").text(1).as_deref(), Some("98"));
    assert_eq!(table.numbers("tuoi").expect("numbers")[1], 19.0);
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("\"missing\":\"dont_know\"") && holds("Rất không hài lòng") && holds("PHÒNG PHÂN TÍCH"));
}
