//! Submissions: read, judged in both dialects, answers taken out, split into halves and joined again.
//!
//! Up to the first zero byte stands a form in Markdown; where it is blank a form of every type is
//! taken. Behind it stands the submission.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use surveys::expression::Dialect;
use surveys::form::Compiled;
use surveys::{halves, submission, xlsform};

static EVERY_TYPE: LazyLock<Compiled> =
    LazyLock::new(|| compiled(include_str!("../seeds/every-type.md")).expect("a form"));

fn compiled(form: &str) -> Option<Compiled> {
    let read = xlsform::read("form.md", form.as_bytes()).ok()?;
    Compiled::new(&read.questionnaire).ok()
}

fuzz_target!(init: langnghe_fuzz::tolerate_panics_of_calamine(), |data: &[u8]| {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (form, rest) = data.split_at(end);
    let xml = rest.strip_prefix(&[0]).unwrap_or(rest);
    let own;
    let form = if form.is_empty() {
        &*EVERY_TYPE
    } else {
        let Some(compiled) = std::str::from_utf8(form).ok().and_then(compiled) else { return };
        own = compiled;
        &own
    };
    let head = submission::head(xml);
    let read = submission::read(form, xml);
    assert_eq!(head.is_ok(), read.is_ok());
    let split = halves::split(form, xml);
    assert_eq!(split.is_ok(), read.is_ok());
    let (Ok(read), Ok(split)) = (read, split) else { return };
    assert_eq!(halves::join(&split.field, &split.answers).as_deref(), Ok(xml));
    let _ = submission::read(form, &split.answers).expect("the answer half is XML");
    let _ = submission::answers(form, &read);
    for path in form.sealed_groups() {
        let _ = submission::content_range(xml, path);
    }
    for dialect in [Dialect::JavaRosa, Dialect::WebForms] {
        let _ = submission::check(form, &read, dialect);
    }
});
