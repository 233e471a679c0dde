//! The analysis file of a wave: what goes in comes out, the same bytes each time, and only for the analysts' key.

use langnghe::demo::{outputs, simulation};
use langnghe::jobs::analysis_file::AnalysisFile;
use langnghe::jobs::analysis_files::AnalysisFiles;
use langnghe::keys::KeyFolder;

fn small_wave() -> AnalysisFile {
    let instrument = langnghe::demo::instrument::read().expect("the bundled instrument is sound");
    let truth = simulation::Truth::new(&instrument).expect("a population");
    let sample = simulation::draw(&instrument, &truth, 7).expect("a sample");
    let fieldwork = simulation::work(&instrument, &truth, &sample, 7).expect("fieldwork");
    let records = simulation::records(&truth, &fieldwork).expect("records");
    outputs::analysis_file(&instrument, &truth, &fieldwork, 3, "Đợt thử", records, 7)
        .expect("an analysis file")
}

#[test]
fn what_is_written_to_an_analysis_file_is_read_back_from_it() {
    let file = small_wave();
    let bytes = file.to_zip().expect("it is written");
    assert_eq!(bytes, file.to_zip().expect("it is written again"), "the same wave gives the same bytes");
    let read = AnalysisFile::from_zip(&bytes).expect("it is read");
    assert_eq!(read.about, file.about);
    assert_eq!(read.weighting, file.weighting);
    assert_eq!(read.plan, file.plan);
    assert_eq!(read.questionnaire, file.questionnaire);
    assert_eq!(read.records.len(), file.records.len());
    for (read, written) in read.records.iter().zip(&file.records) {
        assert_eq!(read, written);
    }
    assert_eq!(read.to_zip().expect("it is written"), bytes);
}

#[test]
fn an_analysis_file_opens_with_the_key_of_its_wave_only() {
    let folder = tempfile();
    let keys = KeyFolder::open(folder.join("keys")).expect("a key folder");
    let files = AnalysisFiles::open(folder.join("analysis")).expect("a folder");
    let missing = files.read(3, None, &keys.analysts(3).expect("a key")).expect_err("there is none yet");
    assert!(missing.to_string().contains("wave freeze 3"), "{missing}");
    let mut file = small_wave();
    for snapshot in [1, 2] {
        file.about.snapshot = snapshot;
        files.keep(&file, &keys.analysts(3).expect("a key").to_public()).expect("it is kept");
    }
    assert_eq!(files.snapshots(3).expect("they are listed"), [1, 2]);
    assert_eq!(files.read(3, None, &keys.analysts(3).expect("a key")).expect("it opens").about.snapshot, 2);
    assert_eq!(
        files.read(3, Some(1), &keys.analysts(3).expect("a key")).expect("it opens").about.snapshot,
        1
    );
    let wrong = files.read(3, None, &keys.analysts(4).expect("a key")).expect_err("another wave's key");
    assert!(wrong.to_string().contains("does not open"), "{wrong}");
    let at_rest = std::fs::read(folder.join("analysis/wave-3-snapshot-1.age")).expect("it is there");
    for word in ["records.csv", "person", "Đợt thử"] {
        let found = at_rest.windows(word.len()).any(|bytes| bytes == word.as_bytes());
        assert!(!found, "`{word}` can be read at rest");
    }
    std::fs::remove_dir_all(folder).expect("it goes");
}

fn tempfile() -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("langnghe-analysis-file-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}
