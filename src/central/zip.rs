//! A zip archive written straight into an answer: files follow one another uncompressed, their sizes and checksums
//! behind them, so that nothing has to be known before it is written (APPNOTE 4.3.9, 4.4.4 bit 3).

use super::Problem;
use super::streamed::Out;

struct Entry {
    name: String,
    begins: u64,
    size: u64,
    checksum: u32,
}

pub struct ZipWriter {
    entries: Vec<Entry>,
}

/// Bit 3: sizes follow; bit 11: names are UTF-8.
const FLAGS: u16 = 0x0808;
/// 1980-01-01, the first day that the format knows: an export has the same bytes each time.
const DAY: u16 = 0x0021;

impl ZipWriter {
    pub fn new() -> Self {
        Self { entries: Vec::new() }
    }

    pub fn begin(&mut self, name: &str, out: &mut Out) -> Result<(), Problem> {
        self.entries.push(Entry { name: name.to_owned(), begins: out.written, size: 0, checksum: !0 });
        let mut head = b"PK\x03\x04".to_vec();
        for word in [45, FLAGS, 0, 0, DAY] {
            head.extend_from_slice(&word.to_le_bytes());
        }
        head.extend_from_slice(&[0; 12]);
        head.extend_from_slice(&length(name).to_le_bytes());
        head.extend_from_slice(&[0; 2]);
        out.put(&head)?;
        out.put(name.as_bytes())
    }

    pub fn put(&mut self, bytes: &[u8], out: &mut Out) -> Result<(), Problem> {
        if let Some(entry) = self.entries.last_mut() {
            entry.size += bytes.len() as u64;
            entry.checksum = bytes
                .iter()
                .fold(entry.checksum, |sum, byte| TABLE[usize::from((sum as u8) ^ byte)] ^ (sum >> 8));
        }
        out.put(bytes)
    }

    pub fn end_file(&mut self, out: &mut Out) -> Result<(), Problem> {
        let Some(entry) = self.entries.last_mut() else { return Ok(()) };
        entry.checksum = !entry.checksum;
        let mut behind = b"PK\x07\x08".to_vec();
        behind.extend_from_slice(&entry.checksum.to_le_bytes());
        behind.extend_from_slice(&small(entry.size)?);
        behind.extend_from_slice(&small(entry.size)?);
        out.put(&behind)
    }

    pub fn end(self, out: &mut Out) -> Result<(), Problem> {
        let begins = out.written;
        for entry in &self.entries {
            let mut line = b"PK\x01\x02".to_vec();
            for word in [45, 45, FLAGS, 0, 0, DAY] {
                line.extend_from_slice(&word.to_le_bytes());
            }
            line.extend_from_slice(&entry.checksum.to_le_bytes());
            line.extend_from_slice(&small(entry.size)?);
            line.extend_from_slice(&small(entry.size)?);
            line.extend_from_slice(&length(&entry.name).to_le_bytes());
            line.extend_from_slice(&[0; 12]);
            line.extend_from_slice(&small(entry.begins)?);
            line.extend_from_slice(entry.name.as_bytes());
            out.put(&line)?;
        }
        let mut tail = b"PK\x05\x06\0\0\0\0".to_vec();
        let many = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        tail.extend_from_slice(&many.to_le_bytes());
        tail.extend_from_slice(&many.to_le_bytes());
        tail.extend_from_slice(&small(out.written - begins)?);
        tail.extend_from_slice(&small(begins)?);
        tail.extend_from_slice(&[0; 2]);
        out.put(&tail)
    }
}

fn length(name: &str) -> u16 {
    u16::try_from(name.len()).unwrap_or(u16::MAX)
}

/// The plain format ends at 4 GiB; the answer is cut there, never silently wrong.
fn small(number: u64) -> Result<[u8; 4], Problem> {
    let small = u32::try_from(number).map_err(|_| {
        Problem::new(
            413.1,
            "Bản xuất lớn hơn 4 GiB; hãy tải từng bảng. (The export is larger than 4 GiB; take single tables.)",
        )
    })?;
    Ok(small.to_le_bytes())
}

/// CRC-32 of each byte (ISO 3309).
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut sum = i as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
            bit += 1;
        }
        table[i] = sum;
        i += 1;
    }
    table
};
