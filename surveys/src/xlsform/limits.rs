//! What a spreadsheet may cost: files that would fill the memory when opened are refused before.
//! The reader of workbooks believes the sizes that a file claims.

use std::io::{Cursor, Read};

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
/// Rows and columns of a sheet of an .xls.
const XLS_ROWS: u32 = 65_536;
const XLS_COLUMNS: u32 = 256;

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

/// Refuses an .xls that claims more rows and columns than the format has, or whose cells lie so far
/// apart that the rectangle around them would fill the memory.
///
/// Errors: why, in Vietnamese and English.
pub fn check_xls(bytes: &[u8]) -> Result<(), (String, String)> {
    let broken = || ("tệp .xls bị hỏng".to_owned(), "the .xls file is damaged".to_owned());
    let stream = Compound::of(bytes).and_then(|file| file.workbook()).ok_or_else(broken)?;
    let short = |at: usize| Some(u16::from_le_bytes(stream.get(at..at + 2)?.try_into().ok()?));
    let long = |at: usize| Some(u32::from_le_bytes(stream.get(at..at + 4)?.try_into().ok()?));
    let (mut at, mut sheets, mut largest) = (0, 0_u64, 0_u64);
    let (mut rows, mut columns) = (0_u64, 0_u64);
    while let (Some(kind), Some(length)) = (short(at), short(at + 2)) {
        let (data, length) = (at + 4, usize::from(length));
        match kind {
            // A sheet begins.
            0x0809 => (rows, columns) = (0, 0),
            0x0085 => sheets += 1,
            0x0200 => {
                let sides = match length {
                    10 => [data, data + 2, data + 4, data + 6].map(|at| short(at).map(u32::from)),
                    _ => [
                        long(data),
                        long(data + 4),
                        short(data + 8).map(u32::from),
                        short(data + 10).map(u32::from),
                    ],
                };
                let [Some(first_row), Some(end_row), Some(first_column), Some(end_column)] = sides else {
                    return Err(broken());
                };
                let first_column = if first_column > 0xff { 0 } else { first_column };
                if first_row > end_row
                    || first_column > end_column
                    || end_row > XLS_ROWS
                    || end_column > XLS_COLUMNS
                {
                    return Err(broken());
                }
            }
            0x0006 | 0x0203 | 0x0204 | 0x0205 | 0x027e | 0x00d6 | 0x00fd | 0x00bd => {
                let row = short(data).ok_or_else(broken)?;
                let column = if kind == 0x00bd { (data + length).saturating_sub(2) } else { data + 2 };
                let column = short(column).ok_or_else(broken)?;
                rows = rows.max(u64::from(row) + 1);
                columns = columns.max(u64::from(column) + 1);
                largest = largest.max(rows * columns);
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
    Ok(())
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

fn longs(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four))
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
            let more: Vec<u32> = longs(file.at(next)?).collect();
            let (last, more) = more.split_last()?;
            tables.extend(more);
            next = *last;
            left -= 1;
        }
        let most = bytes.len() / sector + 1;
        for table in tables.into_iter().filter(|table| *table < RESERVED).take(most) {
            let part: Vec<u32> = longs(file.at(table)?).collect();
            file.chains.extend(part);
        }
        file.directory = file.chain(long(48)?, &file.chains, sector, &|at| file.at(at));
        Some(file)
    }

    fn at(&self, sector: u32) -> Option<&'b [u8]> {
        let start = (sector as usize).checked_add(1)?.checked_mul(self.sector)?;
        let end = (start + self.sector).min(self.bytes.len());
        self.bytes.get(start..end)
    }

    /// The bytes of a chain, cut off where it goes in a circle or leaves the file.
    fn chain<'a>(
        &self,
        first: u32,
        chains: &[u32],
        sector: usize,
        at: &dyn Fn(u32) -> Option<&'a [u8]>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let mut next = first;
        while next < RESERVED && out.len() <= self.bytes.len() {
            let Some(part) = at(next).filter(|part| !part.is_empty()) else { break };
            out.extend_from_slice(&part[..part.len().min(sector)]);
            next = chains.get(next as usize).copied().unwrap_or(RESERVED);
        }
        out
    }

    /// The stream of the workbook.
    fn workbook(&self) -> Option<Vec<u8>> {
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
        let mut stream = if size < 4_096 {
            let root = entries.first()?;
            let small =
                self.chain(longs(&root[116..120]).next()?, &self.chains, self.sector, &|at| self.at(at));
            let first = longs(self.bytes.get(60..64)?).next()?;
            let table = self.chain(first, &self.chains, self.sector, &|at| self.at(at));
            let chains: Vec<u32> = longs(&table).collect();
            let at = |sector: u32| {
                let start = (sector as usize).checked_mul(64)?;
                small.get(start..(start + 64).min(small.len()))
            };
            self.chain(start, &chains, 64, &at)
        } else {
            self.chain(start, &self.chains, self.sector, &|at| self.at(at))
        };
        stream.truncate(size);
        Some(stream)
    }
}
