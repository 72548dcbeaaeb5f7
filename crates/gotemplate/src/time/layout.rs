//! Go's layouts: the reference time `Mon Jan 2 15:04:05 MST 2006` in the required format.

use std::fmt::Write;

use jiff::Zoned;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Writes the layout's first element; returns its length, or 0 if the layout does not start with one.
pub(super) fn element(output: &mut String, layout: &str, time: &Zoned) -> usize {
    let hour12 = if time.hour() % 12 == 0 { 12 } else { time.hour() % 12 };
    let name = |names: &[&'static str], number: i8| {
        usize::try_from(number - 1).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    let month = name(&MONTHS, time.month());
    let day = name(&DAYS, time.weekday().to_monday_one_offset());
    let short = |name: &'static str| name.get(..3).unwrap_or(name).to_owned();
    let nanos = time.subsec_nanosecond();
    let zone = time.time_zone().to_offset_info(time.timestamp()).abbreviation().to_owned();
    let offset_secs = time.offset().seconds();
    let offset = |separator: &str, parts: usize| {
        let (sign, secs) = (if offset_secs < 0 { '-' } else { '+' }, offset_secs.abs());
        let fields = [secs / 3600, secs / 60 % 60, secs % 60].map(|part| format!("{part:02}"));
        format!("{sign}{}", fields.get(..parts).unwrap_or(&fields).join(separator))
    };
    let or_zulu = |separator: &str, parts| if offset_secs == 0 { "Z".to_owned() } else { offset(separator, parts) };
    // Longer elements before their prefixes.
    let elements: [(&str, String); 32] = [
        ("January", month.to_owned()),
        ("Jan", short(month)),
        ("Monday", day.to_owned()),
        ("Mon", short(day)),
        ("MST", zone),
        ("2006", format!("{:04}", time.year())),
        ("-07:00:00", offset(":", 3)),
        ("-070000", offset("", 3)),
        ("-07:00", offset(":", 2)),
        ("-0700", offset("", 2)),
        ("-07", offset("", 1)),
        ("Z07:00:00", or_zulu(":", 3)),
        ("Z070000", or_zulu("", 3)),
        ("Z07:00", or_zulu(":", 2)),
        ("Z0700", or_zulu("", 2)),
        ("Z07", or_zulu("", 1)),
        ("002", format!("{:03}", time.day_of_year())),
        ("__2", format!("{:>3}", time.day_of_year())),
        ("01", format!("{:02}", time.month())),
        ("02", format!("{:02}", time.day())),
        ("03", format!("{hour12:02}")),
        ("04", format!("{:02}", time.minute())),
        ("05", format!("{:02}", time.second())),
        ("06", format!("{:02}", time.year().rem_euclid(100))),
        ("15", format!("{:02}", time.hour())),
        ("PM", if time.hour() < 12 { "AM" } else { "PM" }.to_owned()),
        ("pm", if time.hour() < 12 { "am" } else { "pm" }.to_owned()),
        ("_2", format!("{:>2}", time.day())),
        ("1", time.month().to_string()),
        ("2", time.day().to_string()),
        ("3", hour12.to_string()),
        ("4", time.minute().to_string()),
    ];
    if let Some(digits) = fraction_length(layout) {
        let all = format!("{nanos:09}");
        let digits_text = all.get(..digits.min(9)).unwrap_or(&all);
        let is_trimmed = layout.get(1..2) == Some("9");
        let shown = if is_trimmed { digits_text.trim_end_matches('0') } else { digits_text };
        if !shown.is_empty() {
            let _ = write!(output, "{}{shown}", layout.get(..1).unwrap_or("."));
        }
        return digits + 1;
    }
    if layout.starts_with("_2006") {
        // An underscore followed by a year.
        output.push('_');
        return 1;
    }
    for (element, text) in elements {
        let begins_word = matches!(element, "Jan" | "Mon")
            && layout.get(3..).is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_lowercase()));
        if layout.starts_with(element) && !begins_word {
            output.push_str(&text);
            return element.len();
        }
    }
    if layout.starts_with('5') {
        output.push_str(&time.second().to_string());
        return 1;
    }
    0
}

/// Length of a fraction of a second, `.000` or `.999`, at the start of the layout.
pub(super) fn fraction_length(layout: &str) -> Option<usize> {
    let rest = layout.strip_prefix(['.', ','])?;
    let first = rest.chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let digits = rest.len() - rest.trim_start_matches(first).len();
    let after = rest.get(digits..).unwrap_or_default();
    (!after.starts_with(|next: char| next.is_ascii_digit())).then_some(digits)
}
