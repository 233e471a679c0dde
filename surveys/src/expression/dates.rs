//! Dates and times: reading ISO 8601, days since 1970, and the tokens of `format-date`.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike};

const DAY: f64 = 86_400_000.0;

/// A point in time, with the zone in which it is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment(DateTime<FixedOffset>);

impl Moment {
    /// `2026-11-23T08:30:00.000+07:00`, or a date alone (midnight in `zone`, minutes east of UTC).
    pub fn parse(text: &str, zone: i32) -> Option<Self> {
        let offset = offset(zone)?;
        let text = text.trim();
        if !text.is_ascii() {
            return None;
        }
        let (date, time) = match text.split_once(['T', ' ']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let date = parse_date(date)?;
        let Some(time) = time else { return Self::local(date.and_time(NaiveTime::MIN), offset) };
        let (time, given) = parse_time(time)?;
        match given {
            // Read in its own zone, then seen from ours.
            Some(given) => {
                let moment = self::offset(given)?.from_local_datetime(&date.and_time(time)).single()?;
                Some(Self(moment.with_timezone(&offset)))
            }
            None => Self::local(date.and_time(time), offset),
        }
    }

    fn local(at: NaiveDateTime, offset: FixedOffset) -> Option<Self> {
        Some(Self(offset.from_local_datetime(&at).single()?))
    }

    /// Milliseconds since 1970-01-01T00:00Z, read in `zone` (minutes east of UTC).
    pub fn from_milliseconds(milliseconds: f64, zone: i32) -> Option<Self> {
        if !milliseconds.is_finite() || milliseconds.abs() > 8.0e15 {
            return None;
        }
        let utc = DateTime::from_timestamp_millis(milliseconds.floor() as i64)?;
        Some(Self(utc.with_timezone(&offset(zone)?)))
    }

    /// Days since 1970-01-01T00:00Z, with the part of the day.
    pub fn decimal_days(self) -> f64 {
        self.0.timestamp_millis() as f64 / DAY
    }

    /// Calendar days since 1970-01-01 in its zone.
    pub fn whole_days(self) -> f64 {
        let epoch = NaiveDate::default();
        self.0.date_naive().signed_duration_since(epoch).num_days() as f64
    }

    /// The day as a fraction, in its zone: noon is 0.5.
    pub fn time_of_day(self) -> f64 {
        let time = self.0.time();
        let milliseconds =
            f64::from(time.num_seconds_from_midnight()) * 1000.0 + f64::from(time.nanosecond() / 1_000_000);
        milliseconds / DAY
    }

    /// Like [`Moment::time_of_day`], as JavaRosa takes it from the days since 1970, with their rounding.
    pub(super) fn late_time_of_day(self) -> f64 {
        let shift = f64::from(self.0.offset().local_minus_utc()) * 1000.0;
        let days = (self.0.timestamp_millis() as f64 + shift) / DAY;
        days - days.floor()
    }

    /// Midnight of its day.
    pub fn start_of_day(self) -> Self {
        let midnight = self.0.date_naive().and_time(NaiveTime::MIN);
        Self::local(midnight, *self.0.offset()).unwrap_or(self)
    }

    pub fn is_midnight(self) -> bool {
        self.time_of_day() == 0.0
    }

    /// `2026-11-23`
    pub fn date_text(self) -> String {
        self.0.format("%Y-%m-%d").to_string()
    }

    /// `08:30:00.000+07:00`
    pub fn time_text(self) -> String {
        self.0.format("%H:%M:%S%.3f%:z").to_string()
    }

    /// `2026-11-23T08:30:00.000+07:00`
    pub fn date_time_text(self) -> String {
        self.0.format("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
    }

    /// Milliseconds since 1970-01-01T00:00Z.
    pub fn milliseconds(self) -> i64 {
        self.0.timestamp_millis()
    }
}

fn offset(minutes: i32) -> Option<FixedOffset> {
    FixedOffset::east_opt(minutes.checked_mul(60)?)
}

/// Years of four digits; months and days of one or two, as both engines accept.
fn parse_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let short = |part: &str| (1..=2).contains(&part.len());
    if parts.next().is_some() || year.len() != 4 || !short(month) || !short(day) {
        return None;
    }
    NaiveDate::from_ymd_opt(digits(year)? as i32, digits(month)?, digits(day)?)
}

fn digits(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `08:30`, `08:30:00`, `08:30:00.000`, each with `Z`, `+07`, `+07:00` or nothing after it.
pub(super) fn parse_time(text: &str) -> Option<(NaiveTime, Option<i32>)> {
    if !text.is_ascii() {
        return None;
    }
    let (clock, zone) = match text.find(['Z', '+', '-']) {
        Some(at) => {
            let (clock, zone) = text.split_at(at);
            (clock, Some(parse_zone(zone)?))
        }
        None => (text, None),
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next().unwrap_or("0");
    if parts.next().is_some() || hour.len() > 2 || minute.len() > 2 {
        return None;
    }
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    let mut milliseconds = 0;
    if !fraction.is_empty() {
        digits(&fraction[..fraction.len().min(9)])?;
        let three: String = fraction.chars().chain("000".chars()).take(3).collect();
        milliseconds = digits(&three)?;
    }
    let time = NaiveTime::from_hms_milli_opt(digits(hour)?, digits(minute)?, digits(second)?, milliseconds)?;
    Some((time, zone))
}

fn parse_zone(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (rest, "00"),
        4 => rest.split_at(2),
        5 => rest.split_once(':')?,
        _ => return None,
    };
    let (hours, minutes) = (digits(hours)? as i32, digits(minutes)? as i32);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Writes a moment by the tokens `%Y %y %m %n %b %d %e %a %H %h %M %S %3`; other text stays.
pub fn format_moment(moment: Moment, format: &str) -> String {
    let at = moment.0;
    let mut text = String::new();
    let mut characters = format.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let Some(token) = characters.next() else {
            text.push('%');
            break;
        };
        let written = match token {
            'Y' => format!("{:04}", at.year()),
            'y' => format!("{:02}", at.year().rem_euclid(100)),
            'm' => format!("{:02}", at.month()),
            'n' => format!("{}", at.month()),
            'b' => MONTHS[at.month0() as usize].to_owned(),
            'd' => format!("{:02}", at.day()),
            'e' => format!("{}", at.day()),
            'a' => DAYS[at.weekday().num_days_from_monday() as usize].to_owned(),
            'H' => format!("{:02}", at.hour()),
            'h' => format!("{}", at.hour()),
            'M' => format!("{:02}", at.minute()),
            'S' => format!("{:02}", at.second()),
            '3' => format!("{:03}", at.nanosecond() / 1_000_000),
            '%' => "%".to_owned(),
            other => format!("%{other}"),
        };
        text.push_str(&written);
    }
    text
}

/// The first token of a format that none of the engines writes: `%Z`, or a `%` at the end.
pub(super) fn unknown_token(format: &str) -> Option<String> {
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            continue;
        }
        match characters.next() {
            Some(token) if "YymnbdeaHhMS3%".contains(token) => {}
            token => return Some(format!("%{}", token.map(String::from).unwrap_or_default())),
        }
    }
    None
}
