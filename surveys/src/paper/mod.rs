//! The questionnaire on paper: pages to print, and what was written on them keyed back into instances.
//!
//! A sheet is one interview. What the tablet would draw (the direction of scales, the item that a list begins with) is
//! drawn for the sheet before it is printed, from the sheet's own number of chance, and is the same when it is keyed.

mod condition;
mod keyed;
mod page;

use crate::chance::Chance;
use crate::csv;
use crate::expression::uuid;

pub use keyed::{Differences, Entries, EntryError, Keyed, ResolveError, differences, fill, template};
pub use page::{Options, page};

/// One sheet; it names nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Running number with its check digit, `000123-4`.
    pub number: String,
    /// What everything that is drawn for the sheet comes from.
    pub chance: u64,
    /// Of the interview that will stand on it.
    pub instance_id: String,
}

impl Sheet {
    /// Sheets with running numbers from `first`. The same label of chance gives the same sheets.
    pub fn many(first: u32, count: usize, chance: &mut Chance) -> Vec<Self> {
        (first..)
            .take(count)
            .map(|serial| Self {
                number: numbered(serial),
                chance: chance.bits(),
                instance_id: format!("uuid:{}", uuid(chance)),
            })
            .collect()
    }

    /// The list of sheets that a print run leaves behind; without it the sheets cannot be keyed.
    pub fn list(sheets: &[Self]) -> String {
        let rows = sheets.iter().map(|s| format!("{},{},{}\n", s.number, s.chance, s.instance_id));
        std::iter::once("sheet,chance,instance_id\n".to_owned()).chain(rows).collect()
    }

    /// Reads such a list. Err: the line that is none.
    pub fn read_list(text: &str) -> Result<Vec<Self>, String> {
        let rows = csv::rows(text.trim_start_matches('\u{feff}'));
        rows.into_iter()
            .enumerate()
            .skip(1)
            .map(|(line, row)| match row.as_slice() {
                [number, chance, id] if is_number(number) => Ok(Self {
                    number: number.to_string(),
                    chance: chance
                        .parse()
                        .map_err(|_| format!("line {}: `{chance}` is no number", line + 1))?,
                    instance_id: id.to_string(),
                }),
                _ => Err(format!("line {}: is no sheet of the list that `form paper` wrote", line + 1)),
            })
            .collect()
    }
}

/// A running number with its check digit.
pub fn numbered(serial: u32) -> String {
    let digits = format!("{serial:06}");
    format!("{digits}-{}", check_digit(&digits))
}

/// Whether the check digit is that of the number: one wrong digit and two that changed places are always seen.
pub fn is_number(text: &str) -> bool {
    let Some((digits, check)) = text.rsplit_once('-') else { return false };
    digits.len() >= 6
        && digits.bytes().all(|b| b.is_ascii_digit())
        && check == check_digit(digits).to_string()
}

/// Damm's digit (H. M. Damm, Total anti-symmetrische Quasigruppen, 2004).
fn check_digit(digits: &str) -> u8 {
    const TABLE: [[u8; 10]; 10] = [
        [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
        [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
        [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
        [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
        [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
        [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
        [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
        [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
        [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
        [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
    ];
    digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0, |row, digit| TABLE[usize::from(row)][usize::from(digit - b'0')])
}
