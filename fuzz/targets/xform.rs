//! XForms: read, written again and read again; the second reading gives the same form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surveys::form::Compiled;
use surveys::{xform, xlsform};

fuzz_target!(init: langnghe_fuzz::tolerate_panics_of_calamine(), |xml: &[u8]| {
    let Ok(read) = xform::read(xml) else { return };
    let _ = Compiled::new(&read.questionnaire);
    let _ = xlsform::write(&read.questionnaire);
    if let Ok(written) = xform::write(&read.questionnaire) {
        let _ = xform::read(written.as_bytes());
    }
});
