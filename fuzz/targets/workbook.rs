//! Workbooks: bytes of a file, or the texts inside a workbook, to the questionnaire, its XForm, its
//! workbook, and random interviews with it.
//!
//! The first byte tells the kind: `x` .xlsx, `l` .xls, `c` .csv, `m` .md, and `z` the parts of an
//! .xlsx, each after a line `=== PATH`, which are zipped here, because random bytes seldom make a zip.
#![no_main]

use std::io::{Cursor, Write as _};

use libfuzzer_sys::{Corpus, fuzz_target};
use surveys::answer::{Options, answer};
use surveys::codebook::Codebook;
use surveys::expression::{Dialect, Moment};
use surveys::form::Compiled;
use surveys::questionnaire::{design, publishing};
use surveys::{halves, submission, xform, xlsform};
use zip::write::SimpleFileOptions;

/// Longer interviews say nothing new.
const MOST_QUESTIONS: usize = 60;

fuzz_target!(init: langnghe_fuzz::tolerate_panics_of_calamine(), |data: &[u8]| -> Corpus {
    let Some((kind, bytes)) = data.split_first() else { return Corpus::Reject };
    let read = match kind {
        b'x' => xlsform::read("form.xlsx", bytes),
        b'l' => xlsform::read("form.xls", bytes),
        b'c' => xlsform::read("form.csv", bytes),
        b'm' => xlsform::read("form.md", bytes),
        b'z' => xlsform::read("form.xlsx", &zipped(bytes)),
        _ => return Corpus::Reject,
    };
    if let Ok(read) = read {
        through(&read.questionnaire);
    }
    Corpus::Keep
});

fn zipped(text: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let text = String::from_utf8_lossy(text);
    for part in text.split("=== ").skip(1) {
        let (path, content) = part.split_once('\n').unwrap_or((part, ""));
        if writer.start_file(path.trim(), SimpleFileOptions::default()).is_ok() {
            let _ = writer.write_all(content.as_bytes());
        }
    }
    writer.finish().map(Cursor::into_inner).unwrap_or_default()
}

fn through(form: &surveys::questionnaire::Questionnaire) {
    let written = xform::write(form);
    let _ = xform::itemsets(form);
    let _ = (publishing::refusals(form), publishing::confirmations(form));
    let _ = (design::hints(form), design::missing_translations(form), design::length(form));
    let _ = Codebook::of(form);
    if let Ok(workbook) = xlsform::write(form) {
        let again = xlsform::read("form.xlsx", &workbook);
        assert!(again.is_ok(), "what we wrote is not read: {again:?}");
    }
    if let Ok(written) = &written {
        // Not every form can be told from its XForm; it may be refused, and must not crash.
        let _ = xform::read(written.as_bytes());
    }
    let Ok(compiled) = Compiled::new(form) else { return };
    if compiled.items.len() > MOST_QUESTIONS {
        return;
    }
    let Some(start) = Moment::parse("2026-08-03T08:00:00+07:00", 420) else { return };
    for dialect in [Dialect::JavaRosa, Dialect::WebForms] {
        let answered = answer(&compiled, 1, &Options { dialect, ..Options::at(start) });
        let xml = answered.xml.as_bytes();
        let read = submission::read(&compiled, xml).expect("our own instance is read");
        let _ = submission::check(&compiled, &read, dialect);
        let split = halves::split(&compiled, xml).expect("our own instance is split");
        assert_eq!(halves::join(&split.field, &split.answers).as_deref(), Ok(xml));
    }
}
