//! The Stata dataset, read byte by byte.

use std::collections::BTreeMap;

use analysis::export::records::dta;
use analysis::table::{Column, Table};

use super::{Bytes, LONG, Read, long_answer, records};

struct Dataset {
    label: String,
    variables: BTreeMap<String, Read>,
    /// By variable (or `_dta`) and name.
    characteristics: BTreeMap<(String, String), String>,
    /// All sets of value labels by name.
    sets: BTreeMap<String, BTreeMap<String, String>>,
}

fn word(from: &mut Bytes<'_>, text: &str) {
    assert_eq!(from.text(text.len()), text);
}

fn ended(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8(bytes[..end].to_vec()).expect("UTF-8")
}

fn long(value: i32) -> String {
    match value {
        2_147_483_621 => ".".into(),
        2_147_483_622 => ".a".into(),
        2_147_483_623 => ".b".into(),
        value => value.to_string(),
    }
}

fn read(bytes: &[u8]) -> Dataset {
    let mut from = Bytes { bytes, at: 0 };
    word(&mut from, "<stata_dta><header><release>118</release><byteorder>LSF</byteorder><K>");
    let count = u16::from_le_bytes(from.take(2).try_into().expect("two")) as usize;
    word(&mut from, "</K><N>");
    let height = u64::from_le_bytes(from.take(8).try_into().expect("eight")) as usize;
    word(&mut from, "</N><label>");
    let length = u16::from_le_bytes(from.take(2).try_into().expect("two")) as usize;
    let label = from.text(length);
    word(&mut from, "</label><timestamp>");
    assert_eq!(from.take(1), [17]);
    word(&mut from, "01 Nov 2026 00:00</timestamp></header>");
    let map_at = from.at;
    word(&mut from, "<map>");
    let map: Vec<usize> =
        (0..14).map(|_| u64::from_le_bytes(from.take(8).try_into().expect("eight")) as usize).collect();
    assert_eq!((map[0], map[1], map[13]), (0, map_at, bytes.len()));
    word(&mut from, "</map>");
    let starts = |from: &mut Bytes<'_>, place: usize, name: &str| {
        assert_eq!(map[place], from.at, "<{name}> is where the map says");
        word(from, &format!("<{name}>"));
    };
    starts(&mut from, 2, "variable_types");
    let types: Vec<u16> =
        (0..count).map(|_| u16::from_le_bytes(from.take(2).try_into().expect("two"))).collect();
    word(&mut from, "</variable_types>");
    let table = |from: &mut Bytes<'_>, place: usize, name: &str, width: usize| -> Vec<String> {
        starts(from, place, name);
        let texts = (0..count).map(|_| ended(from.take(width))).collect();
        word(from, &format!("</{name}>"));
        texts
    };
    let names = table(&mut from, 3, "varnames", 129);
    starts(&mut from, 4, "sortlist");
    from.at += 2 * (count + 1);
    word(&mut from, "</sortlist>");
    let formats = table(&mut from, 5, "formats", 57);
    assert!(formats.iter().all(|format| format.starts_with('%')));
    let label_names = table(&mut from, 6, "value_label_names", 129);
    let labels = table(&mut from, 7, "variable_labels", 321);
    assert_eq!(map[8], from.at);
    word(&mut from, "<characteristics>");
    let mut characteristics = BTreeMap::new();
    while bytes[from.at..].starts_with(b"<ch>") {
        word(&mut from, "<ch>");
        let length = from.i32() as usize;
        let (variable, name) = (ended(from.take(129)), ended(from.take(129)));
        characteristics.insert((variable, name), ended(from.take(length - 258)));
        word(&mut from, "</ch>");
    }
    word(&mut from, "</characteristics>");
    assert_eq!(map[9], from.at);
    word(&mut from, "<data>");
    let mut cells = vec![Vec::new(); count];
    let mut later: Vec<(usize, usize, (u16, u64))> = Vec::new();
    for row in 0..height {
        for (place, kind) in types.iter().enumerate() {
            let cell = match kind {
                65_530 => match from.take(1)[0] as i8 {
                    value @ -127..=100 => value.to_string(),
                    missing => [".", ".a", ".b"][missing as usize - 101].into(),
                },
                65_529 => match i16::from_le_bytes(from.take(2).try_into().expect("two")) {
                    value @ ..=32_740 => value.to_string(),
                    missing => [".", ".a", ".b"][missing as usize - 32_741].into(),
                },
                65_528 => long(from.i32()),
                65_526 => match from.f64() {
                    value if value < 8.988e307 => value.to_string(),
                    value => [".", ".a", ".b"][((value.to_bits() >> 40) & 0xff) as usize].into(),
                },
                32_768 => {
                    let mut o = [0; 8];
                    let v = u16::from_le_bytes(from.take(2).try_into().expect("two"));
                    o[..6].copy_from_slice(from.take(6));
                    if v > 0 {
                        later.push((place, row, (v, u64::from_le_bytes(o))));
                    }
                    String::new()
                }
                width @ 1..=2045 => ended(from.take(*width as usize)),
                other => panic!("a type {other}"),
            };
            cells[place].push(cell);
        }
    }
    word(&mut from, "</data>");
    assert_eq!(map[10], from.at);
    word(&mut from, "<strls>");
    let mut texts = BTreeMap::new();
    while bytes[from.at..].starts_with(b"GSO") {
        word(&mut from, "GSO");
        let v = from.i32() as u16;
        let o = u64::from_le_bytes(from.take(8).try_into().expect("eight"));
        assert_eq!(from.take(1), [130]);
        let length = from.i32() as usize;
        texts.insert((v, o), ended(from.take(length)));
    }
    word(&mut from, "</strls>");
    for (place, row, key) in later {
        cells[place][row].clone_from(&texts[&key]);
    }
    assert_eq!(map[11], from.at);
    word(&mut from, "<value_labels>");
    let mut sets: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    while bytes[from.at..].starts_with(b"<lbl>") {
        word(&mut from, "<lbl>");
        let length = from.i32() as usize;
        let name = ended(from.take(129));
        from.at += 3;
        let mut set = Bytes { bytes: from.take(length), at: 0 };
        let (entries, text_length) = (set.i32(), set.i32() as usize);
        let offsets: Vec<usize> = (0..entries).map(|_| set.i32() as usize).collect();
        let values: Vec<i32> = (0..entries).map(|_| set.i32()).collect();
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "values stand in order");
        let text = set.take(text_length);
        sets.insert(
            name,
            values.iter().zip(&offsets).map(|(v, at)| (long(*v), ended(&text[*at..]))).collect(),
        );
        word(&mut from, "</lbl>");
    }
    word(&mut from, "</value_labels>");
    assert_eq!(map[12], from.at);
    word(&mut from, "</stata_dta>");
    assert_eq!(from.at, bytes.len());
    let variables = names
        .into_iter()
        .zip(cells)
        .zip(labels.into_iter().zip(label_names))
        .map(|((name, cells), (label, set))| {
            let labels = sets.get(&set).cloned().unwrap_or_default();
            (name, Read { label, labels, cells, ..Read::default() })
        })
        .collect();
    Dataset { label, variables, characteristics, sets }
}

#[test]
fn stata_gets_labels_and_keeps_dont_know_refused_and_not_asked_apart() {
    let dataset = read(&dta(&records()).expect("a file"));
    assert_eq!(dataset.label.chars().count(), 80);
    assert!(dataset.label.starts_with("CHỈ DÙNG TRONG PHÒNG PHÂN TÍCH"));
    let c1 = &dataset.variables["c1"];
    assert_eq!(c1.cells[..5], ["2", ".a", ".b", ".", "1"]);
    assert_eq!(c1.labels["1"], "Rất không hài lòng");
    assert_eq!((c1.labels[".a"].as_str(), c1.labels[".b"].as_str()), ("Không biết", "Không muốn trả lời"));
    assert!(!c1.labels.contains_key("98"));
    assert_eq!(dataset.sets["c1_en"][".b"], "Refused");
    let b3 = &dataset.variables["b3"];
    assert_eq!((b3.cells[0].as_str(), b3.labels["8"].as_str()), ("8", "Mông"));
    assert_eq!(b3.cells[2], ".a");
    let note = |variable: &str, name: &str| &dataset.characteristics[&(variable.to_owned(), name.to_owned())];
    assert_eq!(note("b3", "note1"), "Mã trong phiếu hỏi: 1 = 01, 8 = 08");
    let kenh = &dataset.variables["kenh"];
    assert_eq!((kenh.cells[..3].join(" "), kenh.labels["1"].as_str()), ("1 2 .".into(), "Truyền hình tỉnh"));
    assert_eq!(dataset.variables["tuoi"].cells[2..5], ["20", ".", "22"]);
    assert_eq!(dataset.variables["person_weight"].cells[1], "11.5");
    assert_eq!(dataset.variables["c1_satisfied"].cells[..5], ["1", ".", ".", ".", "0"]);
}

#[test]
fn a_label_over_80_letters_is_cut_and_whole_in_the_notes() {
    let dataset = read(&dta(&records()).expect("a file"));
    let label = &dataset.variables["c1"].label;
    assert_eq!(label.chars().count(), 80);
    assert!(label.ends_with('…'));
    let of =
        |variable: &str, name: &str| dataset.characteristics[&(variable.to_owned(), name.to_owned())].clone();
    assert_eq!(of("c1", "note1"), LONG.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!(of("c1", "note0"), "1");
    assert_eq!(of("nguon", "note1"), "Hỏi khi: ${c1} != ''");
    assert_eq!(of("c1_satisfied", "note1"), "Cách tính: CASE WHEN c1 = '2' THEN 1 WHEN c1 = '1' THEN 0 END");
    assert_eq!(of("_dta", "note2"), "DỮ LIỆU MÔ PHỎNG");
    assert_eq!((of("_dta", "_lang_c").as_str(), of("_dta", "_lang_list").as_str()), ("vi", "vi en"));
    assert_eq!(of("c1", "_lang_v_en"), "How satisfied?");
    assert_eq!(of("c1", "_lang_l_en"), "c1_en");
}

#[test]
fn texts_too_long_for_a_column_stand_at_the_end_of_the_file() {
    let answer = format!("{} ", long_answer()).repeat(4);
    let texts = [Some("ngắn"), None, Some(answer.as_str())];
    let mut table = Table::from_columns([("y_kien", Column::from_texts(texts))]).expect("a table");
    let numbers = [100_000.0, 1.0, f64::NAN];
    table.push("person_weight", Column::Number(numbers.to_vec())).expect("a column");
    let design = analysis::export::records::Design {
        plan: analysis::estimation::Plan::default(),
        weight: "person_weight".into(),
        answers: Vec::new(),
    };
    let records = analysis::export::records::Records::new(&table, &super::codebook(), super::notes(), design);
    let dataset = read(&dta(&records.expect("records")).expect("a file"));
    assert_eq!(dataset.variables["y_kien"].cells, ["ngắn", "", answer.as_str()]);
    assert_eq!(dataset.variables["person_weight"].cells, ["100000", "1", "."]);
}
