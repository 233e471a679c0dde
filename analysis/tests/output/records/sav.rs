//! The system file of SPSS, read byte by byte.

use std::collections::BTreeMap;

use analysis::export::records::sav;

use super::{Bytes, LONG, NAMES, Read, long_answer, records};

/// A variable record.
struct Record {
    width: i32,
    short: String,
    label: String,
    missing: Vec<[u8; 8]>,
}

/// Reads what this program writes: no ranges of missing values, no older encodings.
fn read(bytes: &[u8]) -> (BTreeMap<String, Read>, Vec<String>, i32) {
    let mut from = Bytes { bytes, at: 0 };
    assert_eq!(from.text(4), "$FL2");
    assert!(from.text(60).starts_with("@(#) SPSS DATA FILE"));
    assert_eq!(from.i32(), 2, "layout");
    let units = from.i32();
    assert_eq!(from.i32(), 1, "compression");
    let weight = from.i32();
    let height = from.i32() as usize;
    assert_eq!(from.f64(), 100.0, "bias");
    assert_eq!(from.text(9), "01 Nov 26");
    from.at += 8;
    let title = from.take(64);
    assert!(String::from_utf8_lossy(title).starts_with("CHỈ DÙNG TRONG PHÒNG PHÂN TÍCH"));
    from.at += 3;
    let mut records: Vec<Record> = Vec::new();
    let mut labels: BTreeMap<i32, Vec<([u8; 8], String)>> = BTreeMap::new();
    let mut place_of: Vec<i32> = Vec::new();
    let mut place = 0;
    let (mut long, mut very_long, mut display) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut long_labels: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut documents = Vec::new();
    loop {
        match from.i32() {
            2 => {
                place += 1;
                let width = from.i32();
                let labelled = from.i32();
                let missing = from.i32();
                from.at += 8;
                let short = from.text(8).trim_end().to_owned();
                let label = if labelled == 1 {
                    let length = from.i32() as usize;
                    let label = from.text(length);
                    from.at += length.next_multiple_of(4) - length;
                    label
                } else {
                    String::new()
                };
                let missing = (0..missing).map(|_| from.take(8).try_into().expect("eight")).collect();
                if width >= 0 {
                    records.push(Record { width, short, label, missing });
                    place_of.push(place);
                }
            }
            3 => {
                let count = from.i32();
                let mut set = Vec::new();
                for _ in 0..count {
                    let value: [u8; 8] = from.take(8).try_into().expect("eight");
                    let length = from.take(1)[0] as usize;
                    set.push((value, from.text(length)));
                    from.at += (length + 1).next_multiple_of(8) - length - 1;
                }
                assert_eq!((from.i32(), from.i32()), (4, 1), "one variable a set");
                labels.insert(from.i32(), set);
            }
            6 => {
                let lines = from.i32();
                documents = (0..lines).map(|_| from.text(80).trim_end().to_owned()).collect();
            }
            7 => {
                let (kind, size, count) = (from.i32(), from.i32(), from.i32());
                let mut data = Bytes { bytes: from.take((size * count) as usize), at: 0 };
                match kind {
                    3 => assert_eq!((0..8).map(|_| data.i32()).collect::<Vec<_>>()[6..], [2, 65_001]),
                    4 => assert_eq!(data.f64(), -f64::MAX, "system-missing"),
                    11 => display = (0..count / 3).map(|_| [data.i32(), data.i32(), data.i32()]).collect(),
                    13 => {
                        let text = data.text(count as usize);
                        for pair in text.split('\t') {
                            let (short, name) = pair.split_once('=').expect("a pair");
                            long.insert(short.to_owned(), name.to_owned());
                        }
                    }
                    14 => {
                        let text = data.text(count as usize);
                        for pair in text.split_terminator("\0\t") {
                            let (short, width) = pair.split_once('=').expect("a pair");
                            very_long.insert(short.to_owned(), width.parse::<usize>().expect("a width"));
                        }
                    }
                    16 => assert_eq!((data.take(8)[0], data.take(8)[0] as usize), (1, height)),
                    20 => assert_eq!(data.text(5), "UTF-8"),
                    21 => {
                        while data.at < data.bytes.len() {
                            let length = data.i32() as usize;
                            let name = data.text(length);
                            let width = data.i32();
                            for _ in 0..data.i32() {
                                assert_eq!(data.i32(), width);
                                let value = data.text(width as usize).trim_end().to_owned();
                                let length = data.i32() as usize;
                                let label = data.text(length);
                                long_labels.entry(name.clone()).or_default().insert(value, label);
                            }
                        }
                    }
                    other => panic!("a record 7 of kind {other}"),
                }
            }
            999 => {
                assert_eq!(from.i32(), 0);
                break;
            }
            other => panic!("a record of kind {other}"),
        }
    }
    assert_eq!(place, units, "the header counts the units of a case");
    assert_eq!(display.len(), records.len(), "one measure a variable and segment");
    let units = unpacked(&mut from, height * units as usize);
    let mut variables = BTreeMap::new();
    let mut at = 0;
    while at < records.len() {
        let record = &records[at];
        let name = long[&record.short].clone();
        let whole = very_long.get(&record.short).copied();
        let segments = whole.map_or(1, |width| width.div_ceil(252));
        let shown = |value: &[u8; 8]| match record.width {
            0 => f64::from_le_bytes(*value).to_string(),
            _ => String::from_utf8_lossy(value).trim_end().to_owned(),
        };
        let mut labels: BTreeMap<String, String> = labels
            .get(&place_of[at])
            .map(|set| set.iter().map(|(value, label)| (shown(value), label.clone())).collect())
            .unwrap_or_default();
        labels.extend(long_labels.get(&name).cloned().unwrap_or_default());
        let cells = (0..height)
            .map(|row| {
                let first = row * place as usize + place_of[at] as usize - 1;
                if record.width == 0 {
                    let value = f64::from_le_bytes(units[first]);
                    return if value == -f64::MAX { ".".to_owned() } else { value.to_string() };
                }
                let mut text = Vec::new();
                let mut unit = first;
                for segment in &records[at..at + segments] {
                    let taken: Vec<u8> = units[unit..unit + (segment.width as usize).div_ceil(8)].concat()
                        [..segment.width as usize]
                        .to_vec();
                    text.extend(taken);
                    unit += (segment.width as usize).div_ceil(8);
                }
                String::from_utf8(text).expect("UTF-8").trim_end().to_owned()
            })
            .collect();
        variables.insert(
            name,
            Read {
                label: record.label.clone(),
                labels,
                missing: record.missing.iter().map(shown).collect(),
                measure: display[at][0],
                cells,
            },
        );
        at += segments;
    }
    (variables, documents, weight)
}

/// The units of all cases, taken out of the bytecode.
fn unpacked(from: &mut Bytes<'_>, count: usize) -> Vec<[u8; 8]> {
    let mut units = Vec::new();
    while from.at < from.bytes.len() {
        for code in from.take(8).to_vec() {
            match code {
                0 => {}
                253 => units.push(from.take(8).try_into().expect("eight")),
                254 => units.push(*b"        "),
                255 => units.push((-f64::MAX).to_le_bytes()),
                number => units.push((f64::from(number) - 100.0).to_le_bytes()),
            }
        }
    }
    assert_eq!(units.len(), count, "no unit is left over and none is missing");
    units
}

#[test]
fn spss_gets_labels_missing_codes_and_measures_of_every_variable() {
    let (variables, documents, weight) = read(&sav(&records()).expect("a file"));
    assert_eq!(variables.len(), 15);
    let c1 = &variables["c1"];
    assert!(
        c1.label.len() <= 255 && c1.label.ends_with('…') && LONG.starts_with(c1.label.trim_end_matches('…'))
    );
    assert_eq!(c1.labels["98"], "Không biết");
    assert_eq!(c1.labels["1"], "Rất không hài lòng");
    assert_eq!(c1.missing, ["98", "99"]);
    assert_eq!(c1.cells[..5], ["2", "98", "99", ".", "1"]);
    assert_eq!(c1.measure, 2, "ordinal");
    let b3 = &variables["b3"];
    assert_eq!(b3.labels["08"], "Mông");
    assert_eq!((b3.missing.as_slice(), &b3.cells[0]), (["98".to_owned()].as_slice(), &"08".to_owned()));
    assert_eq!(variables["tuoi"].cells[2..5], ["20", ".", "22"]);
    assert_eq!(variables["tuoi"].measure, 3, "scale");
    assert_eq!(variables["nguon_tv"].labels["1"], "Có");
    assert_eq!(variables["nguon_tv"].cells[..4], ["1", "0", ".", "1"]);
    assert_eq!(variables["person_weight"].cells[1], "11.5");
    assert_eq!(variables["weight"].label, "Quyền số cuối");
    assert_eq!(variables["kenh"].labels["truyen_hinh_tinh"], "Truyền hình tỉnh", "codes over eight bytes");
    assert_eq!(variables["kenh"].cells[..3], ["truyen_hinh_tinh", "khong_ro", ""]);
    assert_eq!(variables["stratum"].cells[0], "núi");
    assert!(weight > 0, "the weight is switched on");
    let documents = documents.join(" ");
    assert!(documents.contains(LONG), "what was cut stands in the documents: {documents}");
    assert!(
        documents.contains("DỮ LIỆU MÔ PHỎNG") && documents.contains("phòng phân tích")
            || documents.contains("PHÒNG")
    );
}

#[test]
fn a_text_over_255_bytes_comes_back_whole_from_its_segments() {
    let answer = long_answer();
    assert!(answer.len() > 2 * 255, "{} bytes", answer.len());
    let (variables, ..) = read(&sav(&records()).expect("a file"));
    let cells = &variables["y_kien"].cells;
    assert_eq!(cells[2], answer);
    assert_eq!(cells[0], "=HYPERLINK(\"http://x\")");
    assert_eq!(cells[3], "");
    assert_eq!(cells[5], "+1 người, \"hai\" ý\nxuống dòng");
}

#[test]
fn names_of_eight_letters_are_kept_and_longer_ones_are_told() {
    let (variables, ..) = read(&sav(&records()).expect("a file"));
    let names: Vec<&str> = variables.keys().map(String::as_str).collect();
    let mut expected = NAMES.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(
        sav(&records()).expect("a file"),
        sav(&records()).expect("a file"),
        "the same bytes each time"
    );
}
