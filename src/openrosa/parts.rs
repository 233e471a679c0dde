//! The parts of a posted submission: one of XML, the others files, each named by its file name. Apart from everything
//! that stores, so that `fuzz/targets/request.rs` reads with it too.

use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use futures_util::{Stream, TryStreamExt};

/// The next of a slow sender: no limit on the whole, but a silence this long ends the request.
const SILENCE: Duration = Duration::from_secs(120);

/// Why a body is no submission.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("{0}")]
    Broken(String),
    #[error("120 giây không có dữ liệu (no data for 120 seconds)")]
    Silence,
    #[error("lớn hơn {largest} byte (too large)")]
    TooLarge { largest: usize },
    #[error("có hai phần xml_submission_file (two XML parts)")]
    TwoXml,
    #[error("một tệp không có tên (a file without a name)")]
    Nameless,
    #[error("không có phần xml_submission_file (no XML part)")]
    NoXml,
}

/// Where files go while they come.
pub trait Keeper {
    type Error: From<Unreadable>;

    async fn keep(&mut self, name: String, part: &mut Field) -> Result<(), Self::Error>;
}

/// Reads to the end; answers the XML, which has at most `largest` bytes. `*isIncomplete*` is a plain field that some
/// clients add.
pub async fn read<K: Keeper>(
    mut parts: Multipart,
    largest: usize,
    keeper: &mut K,
) -> Result<Vec<u8>, K::Error> {
    let mut xml: Option<Vec<u8>> = None;
    while let Some(mut part) = next(&mut parts).await? {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "xml_submission_file" if xml.is_some() => return Err(Unreadable::TwoXml.into()),
            "xml_submission_file" => xml = Some(read_small(&mut part, largest).await?),
            "*isIncomplete*" => drop(read_small(&mut part, largest).await?),
            "" => return Err(Unreadable::Nameless.into()),
            _ => keeper.keep(name, &mut part).await?,
        }
    }
    Ok(xml.ok_or(Unreadable::NoXml)?)
}

pub async fn next<T>(
    stream: &mut (impl Stream<Item = Result<T, MultipartError>> + Unpin),
) -> Result<Option<T>, Unreadable> {
    match tokio::time::timeout(SILENCE, stream.try_next()).await {
        Ok(next) => next.map_err(|e| Unreadable::Broken(e.to_string())),
        Err(_) => Err(Unreadable::Silence),
    }
}

/// A part that is held in memory.
pub async fn read_small(part: &mut Field, largest: usize) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next(part).await? {
        if bytes.len() + chunk.len() > largest {
            return Err(Unreadable::TooLarge { largest });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
