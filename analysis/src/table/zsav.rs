//! The blocks of a compressed SPSS file (`.zsav`): zlib streams behind each other, listed at the file's end.

use std::io::{Cursor, Read};

use zip::ZipArchive;

/// SPSS writes blocks of 4 MB; what is much larger is no block.
const LARGEST: usize = 64 << 20;

/// Where a block lies and how many bytes it gives.
pub(super) struct Block {
    start: usize,
    end: usize,
    size: usize,
}

/// The blocks by the file's own list. `header`: the 24 bytes where the cases begin. Err: the reason.
pub(super) fn blocks(file: &[u8], header: &[u8]) -> Result<Vec<Block>, String> {
    let wrong = || "the list of its compressed blocks is damaged; get the file again".to_owned();
    let long = |bytes: &[u8], at: usize| -> Option<usize> {
        usize::try_from(i64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?)).ok()
    };
    let int = |bytes: &[u8], at: usize| -> Option<usize> {
        usize::try_from(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
    };
    let (start, length) = (long(header, 8).ok_or_else(wrong)?, long(header, 16).ok_or_else(wrong)?);
    let trailer = start.checked_add(length).and_then(|end| file.get(start..end)).ok_or_else(wrong)?;
    let count = int(trailer, 20).ok_or_else(wrong)?;
    if count.checked_mul(24).and_then(|bytes| bytes.checked_add(24)) != Some(length) {
        return Err(wrong());
    }
    (0..count)
        .map(|i| {
            let at = 24 + 24 * i;
            let start = long(trailer, at + 8).ok_or_else(wrong)?;
            let size = int(trailer, at + 16).filter(|size| *size <= LARGEST).ok_or_else(wrong)?;
            let end = int(trailer, at + 20).and_then(|length| start.checked_add(length)).ok_or_else(wrong)?;
            file.get(start..end).ok_or_else(wrong)?;
            Ok(Block { start, end, size })
        })
        .collect()
}

/// The bytes of a block. Err: the reason.
pub(super) fn open(file: &[u8], block: &Block) -> Result<Vec<u8>, String> {
    let damaged = || "a compressed block is damaged; get the file again".to_owned();
    let stream = file.get(block.start..block.end).ok_or_else(damaged)?;
    // Two bytes of head (method 8, no dictionary), the compressed bytes, four bytes of checksum.
    let [0x78, flags, inside @ .., a, b, c, d] = stream else { return Err(damaged()) };
    if flags & 0x20 != 0 {
        return Err(damaged());
    }
    let bytes = inflate(inside, block.size).ok_or_else(damaged)?;
    if adler32(&bytes) != u32::from_be_bytes([*a, *b, *c, *d]) {
        return Err(damaged());
    }
    Ok(bytes)
}

/// Exactly `size` bytes. The compressed bytes are those of a ZIP archive too, so they are put into one; its own
/// checksum is never looked at, because that comes after the last byte.
fn inflate(compressed: &[u8], size: usize) -> Option<Vec<u8>> {
    let lengths = [u32::try_from(compressed.len()).ok()?, u32::try_from(size).ok()?];
    let mut about = Vec::new();
    // Version 2.0, no flags, deflated, no time, no checksum, both lengths, a name of one letter.
    [20_u16, 0, 8, 0, 0].into_iter().for_each(|n| about.extend(n.to_le_bytes()));
    [0, lengths[0], lengths[1]].into_iter().for_each(|n| about.extend(n.to_le_bytes()));
    about.extend(1_u16.to_le_bytes());
    about.extend(0_u16.to_le_bytes());
    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&about);
    archive.push(b'x');
    archive.extend(compressed);
    let list = u32::try_from(archive.len()).ok()?;
    archive.extend(b"PK\x01\x02\x14\x00");
    archive.extend(&about);
    archive.extend([0; 14]);
    archive.push(b'x');
    let listed = u32::try_from(archive.len()).ok()? - list;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend(listed.to_le_bytes());
    archive.extend(list.to_le_bytes());
    archive.extend([0, 0]);
    let mut bytes = vec![0; size];
    let mut zip = ZipArchive::new(Cursor::new(archive)).ok()?;
    zip.by_index(0).ok()?.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    // So many sums fit into 32 bits before they must be reduced.
    for part in bytes.chunks(5552) {
        for byte in part {
            low += u32::from(*byte);
            high += low;
        }
        low %= 65_521;
        high %= 65_521;
    }
    (high << 16) | low
}
