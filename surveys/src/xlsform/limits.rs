//! What a spreadsheet may cost: files that would fill the memory when opened are refused before.
//! The reader of workbooks believes the sizes that a file claims.

use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;
use zip::ZipArchive;

/// Bytes of all parts of an .xlsx together, unpacked; a form of 5,000 questions and 11,000 communes
/// has 5 million.
const MOST_UNPACKED: u64 = 64 * 1024 * 1024;
/// Deflate shrinks nothing by more than this.
const STRONGEST: u64 = 1_032;
/// Cells of all sheets of an .xls, as rectangles from the first cell to the last.
const MOST_CELLS: u64 = 10_000_000;

/// Refuses an .xlsx that unpacks to too much, or whose table of texts claims more than it holds.
///
/// Errors: why, in Vietnamese and English.
pub fn check_xlsx(bytes: &[u8]) -> Result<(), (String, String)> {
    let Ok(mut parts) = ZipArchive::new(Cursor::new(bytes)) else { return Ok(()) };
    let small = bytes.len() as u64 * STRONGEST <= MOST_UNPACKED && parts.len() < 1_000;
    let mut total = 0;
    for index in 0..parts.len() {
        let Ok(part) = parts.by_index(index) else { continue };
        let name = String::from_utf8_lossy(part.name_raw()).to_lowercase();
        let texts = name.ends_with("sharedstrings.xml");
        if small && !texts {
            continue;
        }
        let mut counted = Counted { inner: part.take(MOST_UNPACKED - total + 1), bytes: 0 };
        let claimed = if texts { claimed_texts(&mut counted) } else { 0 };
        // What cannot be unpacked is told by the reader itself.
        let _ = std::io::copy(&mut counted, &mut std::io::sink());
        total += counted.bytes;
        if total > MOST_UNPACKED {
            return Err((
                format!("tệp bung ra lớn hơn {MOST_UNPACKED} byte"),
                format!("the file unpacks to more than {MOST_UNPACKED} bytes"),
            ));
        }
        if claimed > counted.bytes {
            return Err((
                "tệp ghi sai số văn bản của nó".to_owned(),
                "the file claims more texts than it holds".to_owned(),
            ));
        }
    }
    Ok(())
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(into)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// `uniqueCount` of the table of texts, 0 where it has none.
fn claimed_texts(part: &mut impl Read) -> u64 {
    let mut reader = Reader::from_reader(std::io::BufReader::new(part));
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) if tag.local_name().as_ref() == "sst" => {
                let mut attributes = tag.attributes();
                let counts = attributes.with_checks(false).flatten();
                let counts = counts.filter(|attribute| attribute.key.local_name().as_ref() == "uniqueCount");
                return counts.filter_map(|count| count.value.trim().parse().ok()).max().unwrap_or(0);
            }
            Ok(Event::Eof) | Err(_) => return 0,
            Ok(_) => buffer.clear(),
        }
    }
}

/// An .xls as its reader may have it. The reader reserves what each sheet claims as its size, and Excel and LibreOffice
/// claim a million rows for a column that was once coloured: such a claim is replaced by the cells that are there.
///
/// Errors, in Vietnamese and English: the file is damaged, or its cells lie so far apart that the rectangle around them
/// would fill the memory.
pub fn bounded_xls(bytes: &[u8]) -> Result<Cow<'_, [u8]>, (String, String)> {
    let broken = || ("tệp .xls bị hỏng".to_owned(), "the .xls file is damaged".to_owned());
    let file = Compound::of(bytes).ok_or_else(broken)?;
    let parts = file.workbook().ok_or_else(broken)?;
    let stream = file.bytes_of(&parts);
    let short = |at: usize| Some(u16::from_le_bytes(stream.get(at..at + 2)?.try_into().ok()?));
    let (mut at, mut sheets, mut largest) = (0, 0_u64, 0_u64);
    let mut claims: Vec<Claim> = Vec::new();
    while let (Some(kind), Some(length)) = (short(at), short(at + 2)) {
        let (data, length) = (at + 4, usize::from(length));
        match kind {
            0x0085 => sheets += 1,
            0x0200 => claims.push(Claim { place: data, length, rows: 0, columns: 0 }),
            0x0006 | 0x0203 | 0x0204 | 0x0205 | 0x027e | 0x00d6 | 0x00fd | 0x00bd => {
                let row = short(data).ok_or_else(broken)?;
                let column = if kind == 0x00bd { (data + length).saturating_sub(2) } else { data + 2 };
                let column = short(column).ok_or_else(broken)?;
                if let Some(claim) = claims.last_mut() {
                    claim.rows = claim.rows.max(u32::from(row) + 1);
                    claim.columns = claim.columns.max(u32::from(column) + 1);
                    largest = largest.max(u64::from(claim.rows) * u64::from(claim.columns));
                }
            }
            _ => {}
        }
        at = data + length;
    }
    if largest * sheets.max(1) > MOST_CELLS {
        return Err((
            format!("các ô nằm quá xa nhau (hơn {MOST_CELLS} ô)"),
            format!("the cells lie too far apart (more than {MOST_CELLS} cells)"),
        ));
    }
    let mut own = Cow::Borrowed(bytes);
    for claim in claims {
        let record = stream.get(claim.place..claim.place + claim.length).ok_or_else(broken)?;
        if !claim.is_bounded(record) {
            let written = claim.record().ok_or_else(broken)?;
            for (offset, byte) in written.iter().enumerate() {
                let place = place_of(&parts, claim.place + offset).ok_or_else(broken)?;
                own.to_mut()[place] = *byte;
            }
        }
    }
    Ok(own)
}

/// Where a sheet's size is claimed in the stream, and the rows and columns that its cells really take.
struct Claim {
    place: usize,
    length: usize,
    rows: u32,
    columns: u32,
}

impl Claim {
    fn is_bounded(&self, record: &[u8]) -> bool {
        let shorts =
            |at: usize| record.get(at..at + 2).map(|two| u64::from(u16::from_le_bytes([two[0], two[1]])));
        let long = |at: usize| record.get(at..at + 4).and_then(|four| longs(four).next()).map(u64::from);
        let sides = match self.length {
            10 => [shorts(0), shorts(2), shorts(4), shorts(6)],
            _ => [long(0), long(4), shorts(8), shorts(10)],
        };
        let [Some(first_row), Some(end_row), Some(first_column), Some(end_column)] = sides else {
            return false;
        };
        let first_column = if first_column > 0xff { 0 } else { first_column };
        first_row <= end_row
            && first_column <= end_column
            && (end_row - first_row) * (end_column - first_column) <= MOST_CELLS
    }

    /// The record that claims what is there; `None` for one of no length that the format knows.
    fn record(&self) -> Option<Vec<u8>> {
        let columns = u16::try_from(self.columns).ok()?.to_le_bytes();
        Some(match self.length {
            10 => {
                let rows = u16::try_from(self.rows).unwrap_or(u16::MAX).to_le_bytes();
                [[0, 0], rows, [0, 0], columns].concat()
            }
            12.. => [[0; 4].as_slice(), &self.rows.to_le_bytes(), &[0, 0], &columns].concat(),
            _ => return None,
        })
    }
}

/// The container of an .xls: sectors, chained by a table.
struct Compound<'b> {
    bytes: &'b [u8],
    sector: usize,
    chains: Vec<u32>,
    directory: Vec<u8>,
}

/// First of the sector numbers that mean something else.
const RESERVED: u32 = 0xffff_fffa;
/// Bytes of a sector inside the stream of small streams.
const SMALL: usize = 64;

fn longs(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four))
}

/// Where byte `offset` of a stream lies in the file.
fn place_of(parts: &[Range<usize>], offset: usize) -> Option<usize> {
    // All parts but the last are equally long.
    let length = parts.first()?.len();
    let part = parts.get(offset / length)?;
    Some(part.start + offset % length).filter(|place| part.contains(place))
}

impl<'b> Compound<'b> {
    fn of(bytes: &'b [u8]) -> Option<Self> {
        let long = |at: usize| longs(bytes.get(at..at + 4)?).next();
        let sector = match bytes.get(30)? {
            9 => 512,
            12 => 4_096,
            _ => return None,
        };
        let mut file = Self { bytes, sector, chains: Vec::new(), directory: Vec::new() };
        let mut tables: Vec<u32> = longs(bytes.get(76..512)?).collect();
        let mut next = long(68)?;
        let mut left = bytes.len() / sector + 1;
        while next < RESERVED && left > 0 {
            let more: Vec<u32> = longs(&bytes[file.at(next)?]).collect();
            let (last, more) = more.split_last()?;
            tables.extend(more);
            next = *last;
            left -= 1;
        }
        let most = bytes.len() / sector + 1;
        for table in tables.into_iter().filter(|table| *table < RESERVED).take(most) {
            let part: Vec<u32> = longs(&bytes[file.at(table)?]).collect();
            file.chains.extend(part);
        }
        file.directory = file.bytes_of(&file.chain(long(48)?, &file.chains, &|at| file.at(at)));
        Some(file)
    }

    /// Where a sector lies; the last one of a file may be short, none is empty.
    fn at(&self, sector: u32) -> Option<Range<usize>> {
        let start = (sector as usize).checked_add(1)?.checked_mul(self.sector)?;
        let end = (start + self.sector).min(self.bytes.len());
        (start < end).then_some(start..end)
    }

    /// The parts of a chain in the file, cut off where it goes in a circle or leaves the file.
    fn chain(
        &self,
        first: u32,
        chains: &[u32],
        at: &dyn Fn(u32) -> Option<Range<usize>>,
    ) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let mut length = 0;
        let mut next = first;
        while next < RESERVED && length <= self.bytes.len() {
            let Some(part) = at(next) else { break };
            length += part.len();
            parts.push(part);
            next = chains.get(next as usize).copied().unwrap_or(RESERVED);
        }
        parts
    }

    fn bytes_of(&self, parts: &[Range<usize>]) -> Vec<u8> {
        parts.iter().flat_map(|part| &self.bytes[part.clone()]).copied().collect()
    }

    /// The parts of the workbook's stream.
    fn workbook(&self) -> Option<Vec<Range<usize>>> {
        let (entries, _) = self.directory.as_chunks::<128>();
        let named = |wanted: &str| {
            let name = |entry: &[u8; 128]| -> String {
                let units = entry[..64].as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two));
                char::decode_utf16(units.take_while(|unit| *unit != 0)).flatten().collect()
            };
            entries.iter().find(|entry| name(entry) == wanted)
        };
        let entry = named("Workbook").or_else(|| named("Book"))?;
        let (start, size) = (longs(&entry[116..120]).next()?, longs(&entry[120..124]).next()? as usize);
        let mut parts = if size < 4_096 {
            let root = longs(&entries.first()?[116..120]).next()?;
            let small = self.chain(root, &self.chains, &|at| self.at(at));
            let first = longs(self.bytes.get(60..64)?).next()?;
            let table = self.bytes_of(&self.chain(first, &self.chains, &|at| self.at(at)));
            let chains: Vec<u32> = longs(&table).collect();
            let at = |sector: u32| {
                let offset = (sector as usize).checked_mul(SMALL)?;
                let part = small.get(offset / self.sector)?;
                let start = part.start + offset % self.sector;
                let end = (start + SMALL).min(part.end);
                (start < end).then_some(start..end)
            };
            self.chain(start, &chains, &at)
        } else {
            self.chain(start, &self.chains, &|at| self.at(at))
        };
        let mut left = size;
        for part in &mut parts {
            part.end = part.end.min(part.start + left);
            left -= part.len();
        }
        parts.retain(|part| !part.is_empty());
        Some(parts)
    }
}
