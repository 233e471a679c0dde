//! A posted submission from its bytes on the wire: the parts taken apart, the XML read, judged and split.
//!
//! The first byte says how the network cuts the body, the second where it breaks off; behind them stands the body, with
//! the boundary `b`. What was read is put together again and read a second time: the same parts must come.
#![no_main]

use std::sync::LazyLock;

use actix_multipart::{Field, Multipart};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use libfuzzer_sys::fuzz_target;
use surveys::form::Compiled;
use surveys::{halves, submission, xlsform};

// The program's own reader, without the rest of the program.
#[path = "../../src/openrosa/parts.rs"]
mod parts;

use parts::{Keeper, Unreadable, read_small};

const LARGEST: usize = 60_000;

static EVERY_TYPE: LazyLock<Compiled> = LazyLock::new(|| {
    let read = xlsform::read("form.md", include_bytes!("../seeds/every-type.md")).expect("a form");
    Compiled::new(&read.questionnaire).expect("it runs")
});

/// Keeps files in memory, as the server does for a survey.
#[derive(Debug, Default, PartialEq)]
struct Held(Vec<(String, Vec<u8>)>);

impl Keeper for Held {
    type Error = Unreadable;

    async fn keep(&mut self, name: String, part: &mut Field) -> Result<(), Unreadable> {
        let bytes = read_small(part, LARGEST).await?;
        self.0.push((name, bytes));
        Ok(())
    }
}

fn read(body: &[u8], piece: usize, breaks_off: bool) -> Result<(Vec<u8>, Held), Unreadable> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=b"));
    let pieces = body.chunks(piece.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece)));
    let mut pieces: Vec<Result<Bytes, PayloadError>> = pieces.collect();
    if breaks_off {
        pieces.push(Err(PayloadError::Incomplete(None)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let mut held = Held::default();
        let parts = Multipart::new(&headers, futures_util::stream::iter(pieces));
        Ok((parts::read(parts, LARGEST, &mut held).await?, held))
    })
}

fuzz_target!(|data: &[u8]| {
    let [piece, breaks_off, body @ ..] = data else { return };
    let Ok((xml, held)) = read(body, usize::from(*piece), breaks_off % 8 == 7) else { return };
    let all = xml.len() + held.0.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    assert!(all <= body.len(), "more came out than went in");
    // However the network cuts it, the same is read.
    let whole = read(body, body.len(), false).expect("it was read in pieces");
    assert_eq!(whole, (xml.clone(), held));
    let (_, held) = whole;
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    let mut again = Vec::new();
    let named = held.0.iter().map(|(name, bytes)| (name.as_str(), bytes));
    for (name, bytes) in named.chain([("xml_submission_file", &xml)]) {
        if !plain(&name.replace('_', "")) || bytes.windows(3).any(|window| window == b"--b") {
            return;
        }
        again.extend_from_slice(
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n")
                .as_bytes(),
        );
        again.extend_from_slice(bytes);
        again.extend_from_slice(b"\r\n");
    }
    again.extend_from_slice(b"--b--\r\n");
    assert_eq!(read(&again, 7, false).expect("it is well-formed"), (xml.clone(), held));

    let named =
        [submission::audit_file(&xml), submission::encrypted_files(&xml).map(|files| files.join(" "))];
    let read = submission::read(&EVERY_TYPE, &xml);
    assert_eq!(submission::head(&xml).is_ok(), read.is_ok());
    if read.is_err() {
        assert_eq!(named, [None, None], "names of files come from XML that can be read");
        return;
    }
    let split = halves::split(&EVERY_TYPE, &xml).expect("what is read is split");
    assert_eq!(halves::join(&split.field, &split.answers).as_deref(), Ok(xml.as_slice()));
});
