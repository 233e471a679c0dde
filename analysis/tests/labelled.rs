//! Files of SPSS and Stata with their labels: what pyreadstat and pandas wrote (labelled_files/SOURCE.md), and files that
//! lie.

use std::path::{Path, PathBuf};

use analysis::table::{Column, Encoding, Labelled, LabelledKind, Table, Types};
use surveys::chance::Chance;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/labelled_files").join(name)
}

fn read(name: &str) -> Labelled {
    Labelled::read(&file(name), None).expect("the file is read")
}

fn texts(file: &Labelled, column: &str) -> Vec<String> {
    let column = file.column(column).expect("there is such a column");
    (0..file.height).map(|row| column.cells.text(row).unwrap_or_default().into_owned()).collect()
}

#[test]
fn an_spss_file_says_the_same_however_it_is_packed() {
    let plain = read("plain.sav");
    assert_eq!(plain.title, "Khảo sát 2024");
    assert_eq!(plain.height, 6);
    assert_eq!(texts(&plain, "q1"), ["1", "2", "5", "98", "", "99"]);
    assert_eq!(texts(&plain, "tuoi"), ["18", "35.5", "61", "44", "27", "80"]);
    assert_eq!(texts(&plain, "dan_toc"), ["08", "01", "", "09", "01", "07"]);
    assert_eq!(texts(&plain, "thon")[1], "Bản Phiêng");
    let long = texts(&plain, "y_kien_rat_dai_cua_nguoi_dan");
    assert_eq!(long[0], "Đường sá ".repeat(40).trim_end());
    assert_eq!(
        (long[1].as_str(), long[2].as_str(), long[4].as_str()),
        ("", "Nước sạch", "y".repeat(600).as_str())
    );
    let q1 = plain.column("q1").expect("q1");
    assert_eq!(q1.label, "Mức hài lòng chung");
    assert_eq!(q1.values[0], ("1".to_owned(), "Rất không hài lòng".to_owned()));
    assert!(q1.missing.holds("98") && q1.missing.holds("99") && !q1.missing.holds("5"));
    assert!(plain.column("tuoi").expect("tuoi").missing.holds("80"));
    let group = plain.column("dan_toc").expect("dan_toc");
    assert_eq!(group.values[2], ("08".to_owned(), "Mông".to_owned()));
    // As text: a missing number is not equal to itself.
    for packed in ["bytecode.sav", "zlib.zsav"] {
        assert_eq!(format!("{:?}", read(packed)), format!("{plain:?}"));
    }
}

#[test]
fn a_stata_file_keeps_what_is_no_answer_apart() {
    let modern = read("stata15.dta");
    assert_eq!(texts(&modern, "q1"), ["1", "2", "5", ".a", "", ".b"]);
    let q1 = modern.column("q1").expect("q1");
    assert!(q1.values.contains(&(".a".to_owned(), "Không biết".to_owned())), "{:?}", q1.values);
    assert!(q1.missing.holds(".b") && !q1.missing.holds("1"));
    assert_eq!(q1.label, "Mức hài lòng chung");
    assert_eq!(texts(&modern, "thon")[0], "Thôn Nà Bó");
    // pyreadstat writes UTF-8 into the old format, which does not say its encoding.
    let old = Labelled::read(&file("stata10.dta"), Some(Encoding::Utf8)).expect("the file is read");
    assert_eq!(texts(&old, "thon"), texts(&modern, "thon"));
    assert_eq!(texts(&old, "q1"), texts(&modern, "q1"));
    assert_eq!(old.column("q1").expect("q1").values, q1.values);
}

#[test]
fn texts_at_the_end_of_a_stata_file_stand_in_their_rows() {
    assert_eq!(
        texts(&read("long_texts.dta"), "y_kien"),
        ["Đường sá ".repeat(400).as_str(), "Nước sạch"].map(str::to_owned)
    );
}

#[test]
fn a_file_from_a_vietnamese_windows_is_read_in_composed_letters() {
    let old = read("old_vietnamese.sav");
    let sex = old.column("GIOI").expect("GIOI");
    assert_eq!(sex.label, "Người trả lời");
    assert_eq!(sex.values, [("1", "nam"), ("2", "nữ")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert_eq!(texts(&old, "XA"), ["Hà", "Mường"]);
    let wrong =
        Labelled::read(&file("old_vietnamese.sav"), Some(Encoding::Utf8)).expect_err("not UTF-8").to_string();
    assert!(wrong.contains("old_vietnamese.sav") && wrong.contains("\"encoding\""), "{wrong}");
}

#[test]
fn an_estimation_plan_reads_such_files_like_any_table() {
    let table = Table::read(&file("stata15.dta"), &Types::new()).expect("a table");
    let ages = table.numbers("tuoi").expect("numbers");
    assert_eq!(&*ages, [18.0, 35.5, 61.0, 44.0, 27.0, 80.0]);
    let q1 = table.numbers("q1").expect("numbers");
    assert_eq!(q1[..3], [1.0, 2.0, 5.0]);
    assert!(q1[3..].iter().all(|n| n.is_nan()));
    assert!(matches!(table.column("dan_toc"), Ok(Column::Category { .. })));
}

fn kinds() -> [(&'static str, LabelledKind); 6] {
    use LabelledKind::{Spss, Stata};
    [
        ("plain.sav", Spss),
        ("bytecode.sav", Spss),
        ("zlib.zsav", Spss),
        ("stata15.dta", Stata),
        ("stata10.dta", Stata),
        ("long_texts.dta", Stata),
    ]
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused_or_was_whole() {
    for (name, kind) in kinds() {
        let bytes = std::fs::read(file(name)).expect("the file");
        let whole = Labelled::from_bytes(&bytes, kind, None).ok();
        for length in (0..bytes.len()).step_by(7) {
            // The last closing mark of a Stata file may be missing.
            if let Ok(read) = Labelled::from_bytes(&bytes[..length], kind, None) {
                assert_eq!(
                    format!("{:?}", Some(read)),
                    format!("{whole:?}"),
                    "{name}: {length} of {} bytes",
                    bytes.len()
                );
            }
        }
    }
}

/// Random bytes in random places: an answer or an error, quickly and in little memory, never a crash.
#[test]
fn a_file_that_lies_never_crashes() {
    let mut chance = Chance::new(8, "lying files");
    for (name, kind) in kinds() {
        let bytes = std::fs::read(file(name)).expect("the file");
        for _ in 0..1500 {
            let mut wrong = bytes.clone();
            for _ in 0..1 + chance.below(4) {
                let at = chance.below(wrong.len());
                // Lengths and counts are what does harm: all bits, no bits, the sign.
                let byte = [0, 0xff, 0x7f, 0x80, chance.below(256) as u8][chance.below(5)];
                let end = (at + 1 + chance.below(4)).min(wrong.len());
                wrong[at..end].fill(byte);
            }
            if let Ok(read) = Labelled::from_bytes(&wrong, kind, None) {
                assert!(read.columns.iter().all(|column| column.cells.len() == read.height), "{name}");
            }
        }
    }
}

#[test]
fn another_kind_of_file_is_named() {
    for (kind, wanted) in [(LabelledKind::Spss, ".sav"), (LabelledKind::Stata, ".dta")] {
        let told = Labelled::from_bytes(b"a,b\n1,2\n", kind, None).expect_err("no such file");
        assert!(told.contains(wanted), "{told}");
    }
}
