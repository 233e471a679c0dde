//! Whether a Stata dataset is as long as it says, in every part whose length it states.

/// The places of the sections in the map of a dataset of Stata 13 and later.
const CHARACTERISTICS: usize = 8;
const DATA: usize = 9;
const LONG_TEXTS: usize = 10;
const VALUE_LABELS: usize = 11;

fn damaged() -> String {
    "it is shorter than it says; the file is damaged or cut off, get it again".into()
}

/// Whether the letters are UTF-8 (Stata 14 and later). Err: another kind of file, or one too old.
pub(super) fn check_head(bytes: &[u8]) -> Result<bool, String> {
    if let Some(rest) = bytes.strip_prefix(b"<stata_dta><header><release>") {
        return Ok(!rest.starts_with(b"117"));
    }
    match bytes.first() {
        Some(113..=115) => Ok(false),
        Some(102..=112) => Err("is of a Stata before 8; save it again in a newer one".into()),
        _ => Err("is no Stata dataset; save it in Stata as .dta".into()),
    }
}

/// Holds the stated lengths against the file. `row`: bytes of a row. Err: one is longer than what is there.
pub(super) fn check(bytes: &[u8], row: u64, rows: u64) -> Result<(), String> {
    let data = row.checked_mul(rows).and_then(|all| usize::try_from(all).ok()).ok_or_else(damaged)?;
    match bytes.first() {
        Some(b'<') => modern(bytes, data),
        _ => old(bytes, data),
    }
}

/// Numbers of a file in its byte order.
struct Numbers<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Numbers<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Result<[u8; N], String> {
        let found = at.checked_add(N).and_then(|end| self.bytes.get(at..end)).ok_or_else(damaged)?;
        let mut own: [u8; N] = std::array::from_fn(|i| found[i]);
        if self.big_endian {
            own.reverse();
        }
        Ok(own)
    }

    fn four(&self, at: usize) -> Result<usize, String> {
        Ok(u32::from_le_bytes(self.bytes(at)?) as usize)
    }

    fn eight(&self, at: usize) -> Result<usize, String> {
        usize::try_from(u64::from_le_bytes(self.bytes(at)?)).map_err(|_| damaged())
    }

    /// The place behind `length` bytes. Err: the file ends before.
    fn behind(&self, at: usize, length: usize) -> Result<usize, String> {
        at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or_else(damaged)
    }

    /// Whether the file has these letters here.
    fn has(&self, at: usize, letters: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(letters))
    }
}

fn modern(bytes: &[u8], data: usize) -> Result<(), String> {
    let find = |letters: &[u8]| bytes.windows(letters.len()).position(|w| w == letters).ok_or_else(damaged);
    let order = find(b"<byteorder>")? + b"<byteorder>".len();
    let numbers =
        Numbers { bytes, big_endian: bytes.get(order..).is_some_and(|rest| rest.starts_with(b"MSF")) };
    let old = numbers.has(0, b"<stata_dta><header><release>117");
    let map = find(b"<map>")? + b"<map>".len();
    let place = |section: usize| numbers.eight(map + 8 * section);
    let mut at = numbers.behind(place(CHARACTERISTICS)?, b"<characteristics>".len())?;
    while numbers.has(at, b"<ch>") {
        at = numbers.behind(at + 8, numbers.four(at + 4)?)?;
        at = numbers.behind(at, b"</ch>".len())?;
    }
    numbers.behind(numbers.behind(place(DATA)?, b"<data>".len())?, data)?;
    let mut at = numbers.behind(place(LONG_TEXTS)?, b"<strls>".len())?;
    while numbers.has(at, b"GSO") {
        let length = at + if old { 12 } else { 16 };
        at = numbers.behind(length + 4, numbers.four(length)?)?;
    }
    let name = if old { 33 } else { 129 };
    let mut at = numbers.behind(place(VALUE_LABELS)?, b"<value_labels>".len())?;
    while numbers.has(at, b"<lbl>") {
        let length = numbers.four(at + 5)?;
        at = numbers.behind(at + 9 + name + 3, length)?;
        at = numbers.behind(at, b"</lbl>".len())?;
    }
    Ok(())
}

/// Stata 8 to 12: sections without names, one behind the other.
fn old(bytes: &[u8], data: usize) -> Result<(), String> {
    let numbers = Numbers { bytes, big_endian: bytes.get(1) == Some(&1) };
    let variables = usize::from(u16::from_le_bytes(numbers.bytes(4)?));
    let format = if bytes.first() == Some(&113) { 12 } else { 49 };
    let mut at = numbers.behind(109, variables * (1 + 33 + 2 + format + 33 + 81) + 2)?;
    loop {
        let kind: [u8; 1] = numbers.bytes(at)?;
        let length = numbers.four(at + 1)?;
        at = numbers.behind(at + 5, length)?;
        if kind == [0] {
            break;
        }
    }
    at = numbers.behind(at, data)?;
    while at < bytes.len() {
        let length = numbers.four(at)?;
        at = numbers.behind(at + 4 + 33 + 3, length)?;
    }
    Ok(())
}
