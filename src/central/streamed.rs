//! Answers that are written while they go out, so that their size does not matter.

use std::io::{self, Write};

use actix_web::web::{self, Bytes};
use futures_util::Stream;
use tokio::sync::{mpsc, oneshot};

use super::Problem;

/// Bytes gathered before they are handed on.
const PIECE: usize = 64 * 1024;

/// Where a writer puts its bytes.
pub struct Out {
    pending: Vec<u8>,
    sender: mpsc::Sender<Result<Bytes, Broken>>,
    /// Told once the first bytes are ready: until then a problem is a proper answer.
    begun: Option<oneshot::Sender<Result<(), Problem>>>,
}

/// The writer failed or the client left; the connection is cut, so that half an answer does not look whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer could not be written to its end")]
pub struct Broken;

impl Out {
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < PIECE { Ok(()) } else { self.send() }
    }

    fn send(&mut self) -> Result<(), Problem> {
        if let Some(begun) = self.begun.take() {
            let _ = begun.send(Ok(()));
        }
        let piece = Bytes::from(std::mem::take(&mut self.pending));
        self.sender.blocking_send(Ok(piece)).map_err(|_| Problem::new(499.0, Broken.to_string()))
    }
}

/// For writers that know nothing of answers, as that of archives.
impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map_err(|_| io::Error::other(Broken))?;
        Ok(bytes.len())
    }

    /// Pieces go out when they are full, and the rest at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a writer on a thread made for waiting. A problem before the first bytes are ready is the answer.
pub async fn streamed(
    work: impl FnOnce(&mut Out) -> Result<(), Problem> + Send + 'static,
) -> Result<impl Stream<Item = Result<Bytes, Broken>> + 'static, Problem> {
    let (sender, receiver) = mpsc::channel(4);
    let (tell, told) = oneshot::channel();
    actix_web::rt::spawn(web::block(move || {
        let mut out = Out { pending: Vec::new(), sender, begun: Some(tell) };
        let done = work(&mut out).and_then(|()| out.send());
        if let Err(problem) = done {
            match out.begun.take() {
                Some(begun) => drop(begun.send(Err(problem))),
                None => drop(out.sender.blocking_send(Err(Broken))),
            }
        }
    }));
    match told.await {
        Ok(begun) => begun?,
        Err(_) => return Err(Problem::unavailable(&"the server is stopping")),
    }
    Ok(futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    }))
}

/// The header that names a download, with every letter that names have.
pub fn attachment_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}
