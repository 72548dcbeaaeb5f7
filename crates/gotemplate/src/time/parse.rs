//! Parses times with Go's layouts.

use jiff::{Timestamp, civil, tz::Offset, tz::TimeZone};

use super::layout::{DAYS, MONTHS};
use crate::value_error::ValueError;

/// The parsed parts of a time.
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    is_afternoon: Option<bool>,
    offset_secs: Option<i32>,
}

/// Elements of a layout, longer ones before their prefixes.
const ELEMENTS: [&str; 30] = [
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "-07:00:00",
    "-07:00",
    "-070000",
    "-0700",
    "-07",
    "Z07:00:00",
    "Z07:00",
    "Z070000",
    "Z0700",
    "Z07",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "15",
    "PM",
    "pm",
    "_2",
    "1",
    "2",
    "3",
    "4",
];

/// Parses a time; without an offset it is in UTC.
///
/// # Errors
///
/// The text does not match the layout; with Go's text.
pub(super) fn parse(layout: &str, text: &str) -> Result<Timestamp, ValueError> {
    let wrong = |reason: String| ValueError::Time { text: text.to_owned(), reason };
    let failed = |at: &str, element: &str| wrong(format!(" as {layout:?}: cannot parse {at:?} as {element:?}"));
    let mut parts = Parts {
        year: 0,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        is_afternoon: None,
        offset_secs: None,
    };
    let (mut pattern, mut rest) = (layout, text);
    while let Some(first) = pattern.chars().next() {
        let element = ELEMENTS.into_iter().find(|element| pattern.starts_with(element));
        let fraction = super::layout::fraction_length(pattern);
        if let Some(digits) = fraction {
            rest = parts.fraction(rest).ok_or_else(|| failed(rest, "fraction"))?;
            pattern = pattern.get(digits + 1..).unwrap_or_default();
        } else if let Some(element) = element.or_else(|| pattern.starts_with('5').then_some("5")) {
            rest = parts.element(element, rest).ok_or_else(|| failed(rest, element))?;
            pattern = pattern.get(element.len()..).unwrap_or_default();
            // Go accepts a fraction after the seconds even if the layout has none.
            if matches!(element, "05" | "5") && super::layout::fraction_length(pattern).is_none() {
                rest = parts.fraction(rest).unwrap_or(rest);
            }
        } else {
            rest = rest.strip_prefix(first).ok_or_else(|| failed(rest, &first.to_string()))?;
            pattern = pattern.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    if !rest.is_empty() {
        return Err(wrong(format!(": extra text: {rest:?}")));
    }
    parts.time().ok_or_else(|| wrong(": it is out of range".to_owned()))
}

/// At least `least` and at most `most` digits, and the remaining text.
fn number(text: &str, least: usize, most: usize) -> Option<(i32, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits).filter(|_| digits >= least)?;
    Some((number.parse().ok()?, rest))
}

/// One of these names, written with `length` characters.
fn name<'a>(names: &[&str], length: Option<usize>, text: &'a str) -> Option<(i8, &'a str)> {
    names.iter().zip(0_i8..).find_map(|(name, at)| {
        let name = name.get(..length.unwrap_or(name.len()))?;
        let (start, rest) = text.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some((at, rest))
    })
}

impl Parts {
    fn element<'a>(&mut self, element: &str, text: &'a str) -> Option<&'a str> {
        let small = |(number, rest): (i32, &'a str)| Some((i8::try_from(number).ok()?, rest));
        let two = |least: usize| number(text, least, 2).and_then(small);
        let rest;
        match element {
            "January" | "Jan" => {
                let (at, after) = name(&MONTHS, (element == "Jan").then_some(3), text)?;
                (self.month, rest) = (at + 1, after);
            }
            "Monday" | "Mon" => (_, rest) = name(&DAYS, (element == "Mon").then_some(3), text)?,
            "2006" => {
                let (year, after) = number(text, 4, 4)?;
                (self.year, rest) = (i16::try_from(year).ok()?, after);
            }
            "06" => {
                let (year, after) = number(text, 2, 2)?;
                (self.year, rest) = (i16::try_from(if year >= 69 { 1900 + year } else { 2000 + year }).ok()?, after);
            }
            "01" => (self.month, rest) = two(2)?,
            "1" => (self.month, rest) = two(1)?,
            "02" => (self.day, rest) = two(2)?,
            "_2" | "2" => (self.day, rest) = number(text.trim_start_matches(' '), 1, 2).and_then(small)?,
            "15" => (self.hour, rest) = two(2)?,
            "03" => (self.hour, rest) = two(2)?,
            "3" => (self.hour, rest) = two(1)?,
            "04" => (self.minute, rest) = two(2)?,
            "4" => (self.minute, rest) = two(1)?,
            "05" => (self.second, rest) = two(2)?,
            "5" => (self.second, rest) = two(1)?,
            "PM" | "pm" => {
                let (at, after) = name(&["AM", "PM"], None, text)?;
                (self.is_afternoon, rest) = (Some(at == 1), after);
            }
            "MST" => {
                // The name of a zone does not determine its offset, except for UTC.
                let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
                rest = text.get(letters..).filter(|_| (3..=5).contains(&letters))?;
                self.offset_secs = self.offset_secs.or(Some(0));
            }
            offset => rest = self.offset(offset, text)?,
        }
        Some(rest)
    }

    /// An offset such as `-07:00`.
    fn offset<'a>(&mut self, element: &str, text: &'a str) -> Option<&'a str> {
        if element.starts_with('Z')
            && let Some(rest) = text.strip_prefix('Z')
        {
            self.offset_secs = Some(0);
            return Some(rest);
        }
        let sign = if text.starts_with('-') { -1 } else { 1 };
        let mut rest = text.strip_prefix(['+', '-'])?;
        let colons = element.contains(':');
        let fields = if colons { element.matches(':').count() + 1 } else { (element.len() - 1) / 2 };
        let mut secs = 0;
        for (field, unit) in (0..fields).zip([3_600, 60, 1]) {
            if colons && field > 0 {
                rest = rest.strip_prefix(':')?;
            }
            let (value, after) = number(rest, 2, 2)?;
            secs += value * unit;
            rest = after;
        }
        self.offset_secs = Some(sign * secs);
        Some(rest)
    }

    fn fraction<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let digits = text.strip_prefix(['.', ','])?;
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        let (written, rest) = digits.split_at_checked(length).filter(|_| length > 0)?;
        self.nanos = format!("{:0<9}", written.get(..9).unwrap_or(written)).parse().ok()?;
        Some(rest)
    }

    fn time(&self) -> Option<Timestamp> {
        let hour = match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = civil::Date::new(self.year, self.month, self.day).ok()?;
        let time = civil::Time::new(hour, self.minute, self.second, self.nanos).ok()?;
        let zone = match self.offset_secs {
            Some(secs) => TimeZone::fixed(Offset::from_seconds(secs).ok()?),
            None => TimeZone::UTC,
        };
        Some(date.to_datetime(time).to_zoned(zone).ok()?.timestamp())
    }
}
