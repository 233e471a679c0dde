//! The dated administrative units of Viet Nam, what became of them, and the ethnic groups.
//!
//! A unit is its level, its code and its dates: the statistics office reuses codes. Nothing here
//! assumes how many levels there are. Sources: `areas/SOURCE.md`.

use std::collections::HashMap;
use std::sync::OnceLock;

pub use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::csv;

/// One unit in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// `province`, `district`, `commune`.
    pub level: String,
    /// With leading zeros.
    pub code: String,
    /// `Hà Giang 2`
    pub name: String,
    /// `Phường Hà Giang 2`
    pub full_name: String,
    /// Code of the unit above; `None` at the top.
    pub parent_code: Option<String>,
    /// First day; `None` = older than the first list used.
    pub valid_from: Option<NaiveDate>,
    /// Last day; `None` = still valid.
    pub valid_to: Option<NaiveDate>,
    /// `tinh`, `huyen`, `xa`, `phuong` …
    pub unit_type: String,
    /// The name without diacritics, `ha-giang-2`; see [`search_key`].
    pub search_key: String,
}

impl Area {
    pub fn is_valid(&self, on: NaiveDate) -> bool {
        self.valid_from.is_none_or(|from| from <= on) && self.valid_to.is_none_or(|to| on <= to)
    }
}

/// One line of what became what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub level: String,
    pub old_code: String,
    /// `None` where a unit was abolished without successor.
    pub new_code: Option<String>,
    /// First day of the new state.
    pub date: NaiveDate,
    pub kind: ChangeKind,
    pub old_name: String,
    pub new_name: String,
    pub official_note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    MergedWhole,
    /// A part went over; the share of people is unknown.
    MergedPart,
    MergedPartPeople,
    MergedPartAreaOnly,
    MergedPartAreaAllPeople,
    Unchanged,
    Renamed,
    Retyped,
    Enlarged,
    Abolished,
}

impl ChangeKind {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "merged_whole" => Self::MergedWhole,
            "merged_part" => Self::MergedPart,
            "merged_part_people" => Self::MergedPartPeople,
            "merged_part_area_only" => Self::MergedPartAreaOnly,
            "merged_part_area_all_people" => Self::MergedPartAreaAllPeople,
            "unchanged" => Self::Unchanged,
            "renamed" => Self::Renamed,
            "retyped" => Self::Retyped,
            "enlarged" => Self::Enlarged,
            "abolished" => Self::Abolished,
            _ => return None,
        })
    }

    /// Whether all people of the old unit live in the new one.
    pub fn takes_all_people(self) -> bool {
        matches!(
            self,
            Self::MergedWhole
                | Self::MergedPartAreaAllPeople
                | Self::Unchanged
                | Self::Renamed
                | Self::Retyped
                | Self::Enlarged
        )
    }
}

/// Where the people of a unit live on a later day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried<'t> {
    /// There was no unit of this level and code on the first day.
    Unknown,
    /// All of them in this unit.
    Whole(&'t Area),
    /// In several units, by code: which part went where is not in the list, somebody has to decide.
    Divided(Vec<&'t Area>),
    /// The unit was abolished and nothing took its place.
    Gone,
}

/// One ethnic group, code of the list of 1979 (Quyết định 121-TCTK/PPCĐ).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EthnicGroup {
    pub code: String,
    pub name: String,
    pub name_1979: String,
    pub name_census_2019: String,
    pub name_en: String,
    pub search_key: String,
    pub language_branch: String,
    pub other_names: Vec<String>,
    /// Old or offensive names, only to match old data and never for a screen. Some fit several groups.
    pub names_to_avoid: Vec<String>,
    /// Code of the list of 2008, which is ordered differently.
    pub code_2008: String,
    pub population_vn_2019: Option<u64>,
    pub population_ha_giang_2019: Option<u64>,
    pub population_tuyen_quang_new_2019: Option<u64>,
}

/// Persons of one group in one area in the census of 2019.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EthnicPopulation {
    pub area_code: String,
    /// The period of the area that is meant, in words: `to 2025-06-30`.
    pub area_valid: String,
    pub area_name: String,
    /// Code of 1979; `98` = foreigners and unstated together.
    pub ethnic_code: String,
    pub persons: u64,
}

/// Persons of one former district in the census of 2019.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistrictPopulation {
    pub code: String,
    pub name: String,
    pub persons: u64,
}

/// What is wrong with a file of areas.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AreaError {
    #[error("{file}: the column `{column}` is missing; the header must name it")]
    MissingColumn { file: String, column: String },
    #[error("{file}, row {row}, {column}: `{value}` is not a date of the form 2025-07-01 nor empty")]
    Date { file: String, row: usize, column: String, value: String },
    #[error("{file}, row {row}, kind: `{value}` is not a known kind of change")]
    Kind { file: String, row: usize, value: String },
    #[error(
        "{file}, row {row}: {level} {code} is already valid in a part of these dates; end its earlier period first"
    )]
    Overlap { file: String, row: usize, level: String, code: String },
}

/// All units and changes, to be asked by code and date.
#[derive(Clone, Debug, Default)]
pub struct AreaTree {
    areas: Vec<Area>,
    changes: Vec<Change>,
    by_code: HashMap<String, Vec<usize>>,
    by_parent: HashMap<String, Vec<usize>>,
    by_search_key: HashMap<String, Vec<usize>>,
    changes_by_old_code: HashMap<String, Vec<usize>>,
    changes_by_new_code: HashMap<String, Vec<usize>>,
}

impl AreaTree {
    /// The units of all Viet Nam that come with the program; read once, at the first call.
    pub fn bundled() -> &'static Self {
        static TREE: OnceLock<AreaTree> = OnceLock::new();
        TREE.get_or_init(|| {
            // The files are part of the program, and a test reads them.
            Self::read(
                include_str!("../areas/admin_units.csv"),
                include_str!("../areas/admin_unit_changes.csv"),
            )
            .unwrap_or_default()
        })
    }

    /// Reads units and changes from CSV with the columns of the bundled files.
    ///
    /// Errors: the first row that cannot be understood.
    pub fn read(units: &str, changes: &str) -> Result<Self, AreaError> {
        let mut tree = Self::default();
        let file = Table::read(
            "units",
            units,
            &[
                "code",
                "name",
                "full_name",
                "level",
                "parent_code",
                "valid_from",
                "valid_to",
                "unit_type",
                "search_key",
            ],
        )?;
        for (row, cells) in file.rows() {
            let [code, name, full_name, level, parent_code, from, to, unit_type, search_key] = cells;
            let area = Area {
                level: level.to_owned(),
                code: code.to_owned(),
                name: name.nfc().collect(),
                full_name: full_name.nfc().collect(),
                parent_code: Some(parent_code.to_owned()).filter(|code| !code.is_empty()),
                valid_from: date("units", row, "valid_from", from)?,
                valid_to: date("units", row, "valid_to", to)?,
                unit_type: unit_type.to_owned(),
                search_key: if search_key.is_empty() {
                    self::search_key(name)
                } else {
                    search_key.to_owned()
                },
            };
            let same_code = tree.by_code.entry(area.code.clone()).or_default();
            if same_code.iter().any(|&earlier| overlap(&tree.areas[earlier], &area)) {
                let Area { level, code, .. } = area;
                return Err(AreaError::Overlap { file: "units".to_owned(), row, level, code });
            }
            let index = tree.areas.len();
            same_code.push(index);
            if let Some(parent) = &area.parent_code {
                tree.by_parent.entry(parent.clone()).or_default().push(index);
            }
            tree.by_search_key.entry(area.search_key.clone()).or_default().push(index);
            tree.areas.push(area);
        }
        let columns =
            ["old_code", "new_code", "date", "kind", "level", "old_name", "new_name", "official_note"];
        let file = Table::read("changes", changes, &columns)?;
        for (row, [old_code, new_code, on, kind, level, old_name, new_name, official_note]) in file.rows() {
            let wrong_date = || AreaError::Date {
                file: "changes".to_owned(),
                row,
                column: "date".to_owned(),
                value: on.to_owned(),
            };
            let wrong_kind = || AreaError::Kind { file: "changes".to_owned(), row, value: kind.to_owned() };
            let index = tree.changes.len();
            tree.changes_by_old_code.entry(old_code.to_owned()).or_default().push(index);
            tree.changes_by_new_code.entry(new_code.to_owned()).or_default().push(index);
            tree.changes.push(Change {
                level: level.to_owned(),
                old_code: old_code.to_owned(),
                new_code: Some(new_code.to_owned()).filter(|code| !code.is_empty()),
                date: date("changes", row, "date", on)?.ok_or_else(wrong_date)?,
                kind: ChangeKind::of(kind).ok_or_else(wrong_kind)?,
                old_name: old_name.to_owned(),
                new_name: new_name.to_owned(),
                official_note: official_note.to_owned(),
            });
        }
        Ok(tree)
    }

    pub fn areas(&self) -> &[Area] {
        &self.areas
    }

    fn with_code<'a>(&'a self, code: &str) -> impl Iterator<Item = &'a Area> {
        self.by_code.get(code).into_iter().flatten().map(|&index| &self.areas[index])
    }

    /// The unit of this level and code on a day.
    pub fn find(&self, level: &str, code: &str, on: NaiveDate) -> Option<&Area> {
        self.with_code(code).find(|area| area.level == level && area.is_valid(on))
    }

    /// The unit above on a day; `None` at the top, or when it was not valid that day.
    pub fn parent(&self, area: &Area, on: NaiveDate) -> Option<&Area> {
        let code = area.parent_code.as_deref()?;
        self.with_code(code).find(|parent| parent.level != area.level && parent.is_valid(on))
    }

    /// The units directly below on a day, in the order of the list.
    pub fn children(&self, area: &Area, on: NaiveDate) -> Vec<&Area> {
        let below = self.by_parent.get(&area.code).into_iter().flatten().map(|&index| &self.areas[index]);
        below.filter(|child| child.level != area.level && child.is_valid(on)).collect()
    }

    /// The units above on a day, nearest first.
    pub fn ancestors(&self, area: &Area, on: NaiveDate) -> Vec<&Area> {
        let mut above: Vec<&Area> = Vec::new();
        let mut next = self.parent(area, on);
        while let Some(area) = next {
            // A list whose units contain each other would never end.
            if above.contains(&area) {
                break;
            }
            above.push(area);
            next = self.parent(area, on);
        }
        above
    }

    /// What a unit with this code became on the first day of change after `date`. Several lines
    /// where it was divided; none where it did not change.
    pub fn successors(&self, level: &str, code: &str, date: NaiveDate) -> Vec<&Change> {
        let lines =
            self.changes_by_old_code.get(code).into_iter().flatten().map(|&index| &self.changes[index]);
        let later: Vec<&Change> =
            lines.filter(|change| change.level == level && change.date > date).collect();
        let first = later.iter().map(|change| change.date).min();
        later.into_iter().filter(|change| Some(change.date) == first).collect()
    }

    /// What became the unit with this code on the last day of change up to `date`; none where it is as old as the list.
    pub fn predecessors(&self, level: &str, code: &str, date: NaiveDate) -> Vec<&Change> {
        let lines =
            self.changes_by_new_code.get(code).into_iter().flatten().map(|&index| &self.changes[index]);
        let earlier: Vec<&Change> =
            lines.filter(|change| change.level == level && change.date <= date).collect();
        let last = earlier.iter().map(|change| change.date).max();
        earlier.into_iter().filter(|change| Some(change.date) == last).collect()
    }

    /// Where the people of the unit with this code on the day `from` live on the day `to`, change after change.
    /// Neighbours that took only land are left out.
    pub fn carry(&self, level: &str, code: &str, from: NaiveDate, to: NaiveDate) -> Carried<'_> {
        let Some(first) = self.find(level, code, from) else { return Carried::Unknown };
        let mut reached: Vec<&Area> = Vec::new();
        let mut open = vec![(first.code.as_str(), from)];
        // Every step goes forward in time, so this ends.
        while let Some((code, day)) = open.pop() {
            let lines = self.successors(level, code, day);
            let Some(change) = lines.first().filter(|change| change.date <= to) else {
                reached.extend(self.find(level, code, to));
                continue;
            };
            let peopled = |line: &&&Change| line.kind != ChangeKind::MergedPartAreaOnly;
            let some = lines.iter().any(|line| peopled(&line));
            let next = lines.iter().filter(|line| !some || peopled(line));
            open.extend(next.filter_map(|line| Some((line.new_code.as_deref()?, change.date))));
        }
        reached.sort_by(|a, b| a.code.cmp(&b.code));
        reached.dedup_by(|a, b| a.code == b.code);
        match reached.as_slice() {
            [] => Carried::Gone,
            [one] => Carried::Whole(one),
            _ => Carried::Divided(reached),
        }
    }

    /// Units valid on a day whose name is `text`, whatever its diacritics, case and Unicode form
    /// (`Hoà Bình`, `Hòa Bình`, `hoa binh`); then those whose name begins so. Names written with the
    /// right diacritics come first.
    pub fn search(&self, text: &str, on: NaiveDate) -> Vec<&Area> {
        let key = search_key(text);
        if key.is_empty() {
            return Vec::new();
        }
        let exact = self.by_search_key.get(&key).into_iter().flatten().map(|&index| &self.areas[index]);
        let mut found: Vec<&Area> = exact.collect();
        let begins = |area: &&Area| area.search_key != key && area.search_key.starts_with(&key);
        found.extend(self.areas.iter().filter(begins));
        found.retain(|area| area.is_valid(on));
        let wanted = tone_free_form(text);
        // The sort is stable: exact names stay before longer ones.
        found.sort_by_key(|area| (area.search_key != key, tone_free_form(&area.name) != wanted));
        found
    }
}

fn overlap(a: &Area, b: &Area) -> bool {
    let begins_in_time = |from: Option<NaiveDate>, to: Option<NaiveDate>| match (from, to) {
        (Some(from), Some(to)) => from <= to,
        _ => true,
    };
    a.level == b.level && begins_in_time(a.valid_from, b.valid_to) && begins_in_time(b.valid_from, a.valid_to)
}

/// A name as one looks it up: lower case, without diacritics, `đ` as `d`, words joined by hyphens.
pub fn search_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for c in text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        let c = if c == 'đ' { 'd' } else { c };
        if c.is_alphanumeric() {
            key.push(c);
        } else if !key.is_empty() && !key.ends_with('-') {
            key.push('-');
        }
    }
    key.truncate(key.trim_end_matches('-').len());
    key
}

/// Whether two spellings are the same name: case, Unicode form and the place of a tone mark apart
/// (`Hòa` and `Hoà`, but not `Hoa`).
pub fn same_name(a: &str, b: &str) -> bool {
    tone_free_form(a) == tone_free_form(b)
}

/// Letters with their marks, but a tone mark at the end of its word: `Hòa` and `Hoà` are equal,
/// `Hoa` is another name.
fn tone_free_form(text: &str) -> String {
    const TONES: [char; 5] = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];
    let mut out = String::new();
    for word in text.to_lowercase().split_whitespace() {
        let (tones, letters): (Vec<char>, Vec<char>) = word.nfd().partition(|c| TONES.contains(c));
        out.extend(letters);
        out.extend(tones);
        out.push(' ');
    }
    out
}

/// The 54 ethnic groups in the order of their codes of 1979.
pub fn ethnic_groups() -> &'static [EthnicGroup] {
    static GROUPS: OnceLock<Vec<EthnicGroup>> = OnceLock::new();
    GROUPS.get_or_init(|| {
        let columns = [
            "code",
            "name",
            "name_1979",
            "name_census_2019",
            "name_en",
            "search_key",
            "language_branch",
            "other_names",
            "names_to_avoid",
            "code_2008",
            "population_vn_2019",
            "population_ha_giang_2019",
            "population_tuyen_quang_new_2019",
        ];
        let list = |text: &str| -> Vec<String> {
            text.split(';').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        bundled_table(include_str!("../areas/ethnic_groups.csv"), &columns)
            .into_iter()
            // The file also has a line for foreigners and one for the unstated, which the list of
            // 1979 does not have.
            .filter(|[_, _, name_1979, ..]| !name_1979.is_empty())
            .map(|cells| {
                let [
                    code,
                    name,
                    name_1979,
                    census,
                    english,
                    key,
                    branch,
                    others,
                    avoid,
                    code_2008,
                    vn,
                    hg,
                    tq,
                ] = cells;
                EthnicGroup {
                    other_names: list(&others),
                    names_to_avoid: list(&avoid),
                    population_vn_2019: vn.parse().ok(),
                    population_ha_giang_2019: hg.parse().ok(),
                    population_tuyen_quang_new_2019: tq.parse().ok(),
                    code,
                    name,
                    name_1979,
                    name_census_2019: census,
                    name_en: english,
                    search_key: key,
                    language_branch: branch,
                    code_2008,
                }
            })
            .collect()
    })
}

/// The ethnic group with this code of 1979.
pub fn ethnic_group(code: &str) -> Option<&'static EthnicGroup> {
    ethnic_groups().iter().find(|group| group.code == code)
}

/// Persons by area and ethnic group in the census of 2019, without the lines of totals.
pub fn ethnic_population_2019() -> &'static [EthnicPopulation] {
    static ROWS: OnceLock<Vec<EthnicPopulation>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let columns = ["area_code", "area_valid", "area_name", "ethnic_code", "persons"];
        bundled_table(include_str!("../areas/ethnic_population_2019.csv"), &columns)
            .into_iter()
            .filter(|[_, _, _, ethnic_code, _]| ethnic_code != "00")
            .filter_map(|[area_code, area_valid, area_name, ethnic_code, persons]| {
                let persons = persons.parse().ok()?;
                Some(EthnicPopulation { area_code, area_valid, area_name, ethnic_code, persons })
            })
            .collect()
    })
}

/// Persons by former district of Hà Giang in the census of 2019.
pub fn district_population_2019() -> &'static [DistrictPopulation] {
    static ROWS: OnceLock<Vec<DistrictPopulation>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let columns = ["district_code", "district_name", "persons_2019"];
        bundled_table(include_str!("../areas/district_population_2019.csv"), &columns)
            .into_iter()
            // The last line is the province.
            .filter(|[code, _, _]| code.len() == 3)
            .filter_map(|[code, name, persons]| {
                Some(DistrictPopulation { code, name, persons: persons.parse().ok()? })
            })
            .collect()
    })
}

/// Rows of a bundled file with the named columns; a test reads every bundled file.
fn bundled_table<const N: usize>(text: &str, columns: &[&str; N]) -> Vec<[String; N]> {
    let table = Table::read("bundled", text, columns);
    table.map(|table| table.rows().map(|(_, cells)| cells.map(str::to_owned)).collect()).unwrap_or_default()
}

/// A CSV file with the places of the wanted columns.
struct Table<'t, const N: usize> {
    rows: Vec<Vec<std::borrow::Cow<'t, str>>>,
    columns: [usize; N],
}

impl<'t, const N: usize> Table<'t, N> {
    fn read(file: &str, text: &'t str, columns: &[&str; N]) -> Result<Self, AreaError> {
        let rows = csv::rows(text.trim_start_matches('\u{feff}'));
        let header = rows.first();
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            let found = header.and_then(|header| header.iter().position(|name| name.trim() == *column));
            *place = found.ok_or_else(|| AreaError::MissingColumn {
                file: file.to_owned(),
                column: (*column).to_owned(),
            })?;
        }
        Ok(Self { rows, columns: places })
    }

    /// Row number (the header is row 1) and the wanted cells; a missing cell is empty.
    fn rows(&self) -> impl Iterator<Item = (usize, [&str; N])> {
        let filled =
            self.rows.iter().enumerate().skip(1).filter(|(_, row)| row.iter().any(|cell| !cell.is_empty()));
        filled.map(|(index, row)| {
            (index + 1, self.columns.map(|column| row.get(column).map_or("", |cell| cell.trim())))
        })
    }
}

fn date(file: &str, row: usize, column: &str, value: &str) -> Result<Option<NaiveDate>, AreaError> {
    if value.is_empty() {
        return Ok(None);
    }
    let wrong = |_| AreaError::Date {
        file: file.to_owned(),
        row,
        column: column.to_owned(),
        value: value.to_owned(),
    };
    value.parse().map(Some).map_err(wrong)
}
