//! `langnghe report`: reports of simulated waves, what they say, and whether an altered one is found.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use langnghe::demo::simulation::{self, Truth};
use langnghe::demo::{instrument, outputs};
use langnghe::jobs::analysis_file::{AnalysisFile, CaseRecord, questions};
use langnghe::jobs::analysis_files::AnalysisFiles;
use langnghe::jobs::assessment::reading;
use langnghe::keys::KeyFolder;
use serde_json::json;
use surveys::chance::Chance;

use crate::databases::TemporaryFolder;

/// Waves of the data folder: the year before, the year, a quota sample.
const BEFORE: i64 = 1;
const NOW: i64 = 2;
const QUOTA: i64 = 3;

/// A data folder with the analysis files of three simulated waves, made once.
fn data() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
        let _ = fs::remove_dir_all(&folder);
        let keys = KeyFolder::open(folder.join("keys")).expect("a key folder");
        let files = AnalysisFiles::open(folder.join("analysis")).expect("a folder");
        let truth = Truth::new(&instrument::read().expect("the instrument")).expect("a population");
        let mut before = wave(&truth, BEFORE, 5);
        before.template.year = 2025;
        let mut now = wave(&truth, NOW, 6);
        // Satisfaction with life falls for everybody in the second year; nothing else is touched.
        let mut chance = Chance::new(1, "fall");
        for answers in now.records.iter_mut().filter_map(|record| record.answers.as_mut()) {
            if let Some(answer) = answers.get_mut("c1")
                && matches!(answer.as_str(), "4" | "5")
                && chance.happens(0.3)
            {
                *answer = "2".to_owned();
            }
        }
        let mut quota = wave(&truth, QUOTA, 7);
        quota.plan["probability_sample"] = json!(false);
        for file in [before, now, quota] {
            let key = keys.analysts(file.about.project).expect("a key");
            files.keep(&file, &key.to_public()).expect("it is kept");
        }
        folder
    })
}

/// A simulated wave; questions that the population has no opinion on are answered by chance.
pub fn wave(truth: &Truth, project: i64, seed: u64) -> AnalysisFile {
    let instrument = instrument::read().expect("the instrument");
    let sample = simulation::draw(&instrument, truth, seed).expect("a sample");
    let fieldwork = simulation::work(&instrument, truth, &sample, seed).expect("fieldwork");
    let mut records = simulation::records(truth, &fieldwork).expect("records");
    let known: Vec<String> = records
        .iter()
        .filter_map(|record| record.answers.as_ref())
        .flat_map(|answers| answers.keys().cloned())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut chance = Chance::new(seed, "other questions");
    let asked: Vec<_> = questions(&instrument.codebook)
        .into_iter()
        .filter(|name| !known.iter().any(|known| known == name))
        .filter_map(|name| instrument.codebook.variables.get(name))
        .filter(|variable| !variable.values.is_empty())
        .collect();
    for answers in records.iter_mut().filter_map(|record: &mut CaseRecord| record.answers.as_mut()) {
        for variable in &asked {
            let code = &variable.values[chance.below(variable.values.len())].code;
            answers.insert(variable.name.clone(), code.clone());
        }
    }
    outputs::analysis_file(&instrument, truth, &fieldwork, project, "Đợt thử", records, seed)
        .expect("an analysis file")
}

fn langnghe(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_langnghe"));
    for setting in ["DATA", "FIELD", "ANSWERS", "FILES", "KEYS", "KEY_PASSPHRASE"] {
        command.env_remove(format!("LANGNGHE_{setting}"));
    }
    command.arg("report").args(words).arg("--data").arg(data()).output().expect("the program runs")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn well(words: &[&str]) -> String {
    let output = langnghe(words);
    assert!(output.status.success(), "{words:?}: {}", told(&output));
    told(&output)
}

/// Writes a report into the folder and answers its path.
fn report(folder: &TemporaryFolder, name: &str, words: &[&str]) -> String {
    let path = folder.path().join(name).display().to_string();
    well(&[words, &["--output", &path]].concat());
    path
}

/// All paragraphs and cells of a report.
fn seen(path: &str) -> String {
    let printed = reading::read(&fs::read(path).expect("the report")).expect("it is read");
    let cells = printed.tables.iter().flat_map(|table| {
        std::iter::once(table.caption.clone()).chain(table.rows.iter().map(|row| row.join(" | ")))
    });
    printed.paragraphs.iter().cloned().chain(cells).collect::<Vec<_>>().join("\n")
}

/// Replaces `old` by `new` once in the text of a DOCX or an HTML file, after the place where `from` first stands.
fn edit(path: &str, from: &str, old: &str, new: &str) {
    let change = |text: String| {
        let start = text.find(from).unwrap_or_else(|| panic!("`{from}` is not in {path}"));
        let (head, tail) = text.split_at(start + from.len());
        assert!(tail.contains(old), "`{old}` does not follow `{from}`");
        format!("{head}{}", tail.replacen(old, new, 1))
    };
    let bytes = fs::read(path).expect("the report");
    if !bytes.starts_with(b"PK") {
        fs::write(path, change(String::from_utf8(bytes).expect("text"))).expect("written");
        return;
    }
    let mut read = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let mut written = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..read.len() {
        let mut file = read.by_index(i).expect("a part");
        let name = file.name().expect("a name").into_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content).expect("read");
        if name == "word/document.xml" {
            content = change(String::from_utf8(content).expect("text")).into_bytes();
        }
        written.start_file(name, zip::write::SimpleFileOptions::default()).expect("a part");
        written.write_all(&content).expect("written");
    }
    fs::write(path, written.finish().expect("a zip").into_inner()).expect("written");
}

#[test]
fn a_report_is_equal_to_what_its_inputs_give_and_an_edited_number_is_found() {
    let folder = TemporaryFolder::new();
    let wave = NOW.to_string();
    for name in ["report.docx", "report.html"] {
        let path = report(&folder, name, &[&wave]);
        let equal = well(&["verify", &path]);
        assert!(equal.contains("equal"), "{name}: {equal}");
        // Officials write their judgement and a letter number; neither is a figure of the survey.
        edit(&path, "ĐÁNH GIÁ, DỰ BÁO", "Phần này do cơ quan chủ trì viết", "Đề nghị xong 3 việc trước 30/6");
        edit(&path, "Số ", "…-BC", "12-BC");
        assert!(well(&["verify", &path]).contains("equal"));

        // The second row of the table of headlines: the share before its per cent sign.
        let printed = reading::read(&fs::read(&path).expect("the report")).expect("it is read");
        let table =
            printed.tables.iter().find(|t| t.caption.starts_with("Các chỉ tiêu chính năm")).expect("it");
        let (subject, share) = (&table.rows[2][0], &table.rows[2][1]);
        edit(&path, &format!("{subject}<"), share, "99%");
        let output = langnghe(&["verify", &path]);
        let said = told(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("99%") && said.contains(share.as_str()) && said.contains("Ước lượng"),
            "{said}"
        );
        assert!(said.contains(&subject.chars().take(30).collect::<String>()), "{said}");
    }
}

#[test]
fn a_report_whose_inputs_are_gone_or_changed_says_which() {
    let folder = TemporaryFolder::new();
    let path = report(&folder, "report.html", &[&NOW.to_string(), "--kind", "quick"]);
    edit(&path, "Tệp phân tích: đợt 2, bản chụp ", "1", "7");
    let output = langnghe(&["verify", &path]);
    assert!(!output.status.success());
    assert!(told(&output).contains("đợt 2, bản chụp 7"), "{}", told(&output));

    let template = folder.path().join("report.json").display().to_string();
    well(&["template", &NOW.to_string(), "--output", &template]);
    let text = fs::read_to_string(&template).expect("the template");
    let decision = r#""decisions": [{"what": "Sửa đường liên xã", "owner": "UBND tỉnh", "by": "30/6/2027"}]"#;
    fs::write(&template, text.replace(r#""decisions": []"#, decision)).expect("written");
    let path = report(&folder, "own.html", &[&NOW.to_string(), "--template", &template]);
    assert!(seen(&path).contains("Sửa đường liên xã – UBND tỉnh, trước 30/6/2027"));
    let output = langnghe(&["verify", &path]);
    assert!(!output.status.success() && told(&output).contains("--template"), "{}", told(&output));
    assert!(well(&["verify", &path, "--template", &template]).contains("equal"));
}

#[test]
fn a_change_is_told_with_its_error_and_what_is_within_it_is_never_called_unchanged() {
    let folder = TemporaryFolder::new();
    let (now, before) = (NOW.to_string(), BEFORE.to_string());
    for kind in ["annual", "quick", "pulse"] {
        let path = report(&folder, &format!("{kind}.html"), &[&now, "--previous", &before, "--kind", kind]);
        let text = seen(&path);
        let life = "So với năm 2025: giảm ";
        assert!(text.contains(life), "{kind}: {text}");
        assert!(text.contains("chưa đủ căn cứ kết luận có thay đổi"), "{kind}");
        // An answer on the questionnaire may say so; a sentence never does.
        let printed = reading::read(&fs::read(&path).expect("the report")).expect("it is read");
        let said = printed.paragraphs.iter().find(|paragraph| paragraph.contains("không đổi"));
        assert_eq!(said, None, "{kind}");
        assert!(text.contains("không dùng để xếp hạng xã, cán bộ"), "{kind}");
        if kind != "annual" {
            assert!(text.contains("Hài lòng với cuộc sống gia đình – toàn bộ địa bàn"), "{kind}: {text}");
            assert!(!text.contains("Đã dự họp thôn, tổ – toàn bộ địa bàn"), "nothing moved there: {text}");
        }
        assert!(well(&["verify", &path]).contains("equal"), "{kind}");
    }
}

#[test]
fn a_quota_sample_is_said_to_be_none_and_has_no_margin_of_error() {
    let folder = TemporaryFolder::new();
    for kind in ["annual", "quick"] {
        let path = report(&folder, &format!("{kind}.html"), &[&QUOTA.to_string(), "--kind", kind]);
        let text = seen(&path);
        assert!(text.contains("không phải mẫu xác suất"), "{kind}");
        for word in ["khoảng tin cậy 95%: từ", "KTC 95%", "| Khoảng tin cậy 95%", "RR3", "ngoài sai số)"]
        {
            assert!(!text.contains(word), "{kind}: `{word}` in {text}");
        }
    }
}

/// A table of 2023, two waves with answers, and a quota sample that no change is measured from.
#[test]
fn a_review_of_several_years_shows_trends_changes_and_what_cannot_be_compared() {
    let folder = TemporaryFolder::new();
    let published = "id,variable,common_area,estimate,se,n\nc1_satisfied,c1_satisfied,,0.30,0.012,1800\n";
    fs::write(folder.path().join("2023.csv"), published).expect("written");
    let plan = json!({
        "front": {
            "layout": "party", "parent_body": "TỈNH ỦY TUYÊN QUANG", "issuing_body": "BAN TUYÊN GIÁO VÀ DÂN VẬN",
            "number": "Số …-BC/BTGDVTU", "place_and_date": "Tuyên Quang, ngày … tháng … năm 2026", "kind": "BÁO CÁO",
            "about": "sơ kết ba năm nắm tình hình Nhân dân", "recipients": []
        },
        "waves": [
            { "name": "năm 2023", "published": "2023.csv" },
            { "name": "năm 2024", "project": QUOTA },
            { "name": "năm 2025", "project": BEFORE },
            { "name": "năm 2026", "project": NOW }
        ],
        "headlines": ["c1_satisfied", "l1_better"],
        "indicators": { "Cấp ủy có kế hoạch năm": { "2025": "98%", "2026": "100%" } },
        "parts": { "Hạn chế, nguyên nhân": ["Một số thôn xa chưa khảo sát được trong 12 ngày."] }
    });
    let file = folder.path().join("review.json").display().to_string();
    fs::write(&file, plan.to_string()).expect("written");
    let path = folder.path().join("review.html").display().to_string();
    well(&["years", &file, "--output", &path]);
    let text = seen(&path);
    assert!(
        text.contains("Năm 2025: so với năm 2023: tăng") || text.contains("năm 2025: so với năm 2023: tăng"),
        "{text}"
    );
    assert!(text.contains("năm 2026: so với năm 2025: giảm"), "{text}");
    assert!(text.contains("không phải mẫu xác suất: không so sánh"), "{text}");
    assert!(text.contains("100%") && text.contains("HẠN CHẾ, NGUYÊN NHÂN"), "{text}");
    let output = langnghe(&["verify", &path]);
    assert!(!output.status.success() && told(&output).contains("--plan"), "{}", told(&output));
    assert!(well(&["verify", &path, "--plan", &file]).contains("equal"));
    edit(&path, "năm 2026: so với năm 2025: giảm ", "điểm", "5 điểm");
    let output = langnghe(&["verify", &path, "--plan", &file]);
    assert!(!output.status.success(), "{}", told(&output));
}

#[test]
fn what_cannot_be_reported_is_refused_with_what_to_do() {
    let folder = TemporaryFolder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (words, wanted) in [
        (vec!["9", "--output", &path("x.docx")], "wave freeze 9"),
        (vec!["2", "--output", &path("x.txt")], ".docx, .html or .pdf"),
        (vec!["2", "--snapshot", "4", "--output", &path("x.html")], "no snapshot 4"),
        (vec!["2", "--previous", "eins", "--output", &path("x.html")], "--previous eins"),
        (vec!["verify", &path("none.docx")], "cannot be read"),
    ] {
        let output = langnghe(&words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(told(&output).contains(wanted), "{words:?}: {}", told(&output));
    }
}

/// An official opens the report in an office program, saves it, and sends it on; the numbers are still found in it.
#[test]
#[ignore = "starts LibreOffice"]
fn a_report_that_went_through_an_office_program_is_still_equal_and_a_pdf_has_its_pages() {
    let folder = TemporaryFolder::new();
    let path = report(&folder, "report.docx", &[&NOW.to_string(), "--previous", &BEFORE.to_string()]);
    let saved = folder.path().join("saved");
    let ended = Command::new("soffice")
        .arg(format!("-env:UserInstallation=file://{}", folder.path().join("profile").display()))
        .args(["--headless", "--convert-to", "docx", "--outdir"])
        .args([&saved, Path::new(&path)])
        .output()
        .expect("LibreOffice runs");
    let saved = saved.join("report.docx").display().to_string();
    assert!(Path::new(&saved).exists(), "{}", String::from_utf8_lossy(&ended.stderr));
    let equal = well(&["verify", &saved]);
    assert!(equal.contains("equal"), "{equal}");
    let pdf = report(&folder, "report.pdf", &[&NOW.to_string()]);
    assert!(fs::read(&pdf).expect("the PDF").starts_with(b"%PDF"));
    let output = langnghe(&["verify", &pdf]);
    assert!(!output.status.success() && told(&output).contains("verify the DOCX"), "{}", told(&output));
}
