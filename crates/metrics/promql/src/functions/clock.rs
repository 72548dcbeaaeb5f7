//! Parts of a date, in UTC.

/// A time split into days and the rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Days since the Unix epoch.
    days: i64,
    /// Seconds of the day.
    seconds: i64,
}

const DAY: i64 = 86_400;

impl Moment {
    /// The moment of a Unix time in seconds, truncated. As in Prometheus, NaN and times that do not fit into 64-bit
    /// seconds are 2^63 seconds after the epoch.
    #[allow(clippy::cast_possible_truncation, reason = "the range is checked before")]
    pub(crate) fn new(seconds: f64) -> Self {
        const END: f64 = 9.223_372_036_854_776e18;
        if seconds.is_nan() || seconds.abs() >= END {
            return Moment { days: 106_751_991_167_300, seconds: 55_808 };
        }
        Moment::of_seconds(seconds as i64)
    }

    /// The moment of a whole Unix time in seconds.
    pub(crate) fn of_seconds(seconds: i64) -> Self {
        Moment { days: seconds.div_euclid(DAY), seconds: seconds.rem_euclid(DAY) }
    }

    /// The moment in RFC 3339 format, in UTC.
    pub(crate) fn rfc3339(self) -> String {
        let (year, month, day) = self.date();
        let (hour, minute, second) = (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// Year, month and day: eras of four hundred years have 146,097 days, counted from 1 March.
    fn date(self) -> (i64, i64, i64) {
        let days = self.days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day)
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[allow(clippy::cast_precision_loss, reason = "parts of a date are small")]
fn number(part: i64) -> f64 {
    part as f64
}

/// The part of a date that a function returns.
pub(crate) fn find(name: &str) -> Option<fn(Moment) -> f64> {
    Some(match name {
        "year" => |moment| number(moment.date().0),
        "month" => |moment| number(moment.date().1),
        "day_of_month" => |moment| number(moment.date().2),
        "day_of_year" => |moment| {
            let (year, month, day) = moment.date();
            number((1..month).map(|month| days_in(year, month)).sum::<i64>() + day)
        },
        "day_of_week" => |moment| number((moment.days + 4).rem_euclid(7)),
        "days_in_month" => |moment| {
            let (year, month, _) = moment.date();
            number(days_in(year, month))
        },
        "hour" => |moment| number(moment.seconds / 3600),
        "minute" => |moment| number(moment.seconds / 60 % 60),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, seconds: f64) -> f64 {
        find(name).unwrap()(Moment::new(seconds))
    }

    #[test]
    fn a_known_day_has_its_parts() {
        // 2024-02-29 13:45:59 UTC, a Thursday.
        let time = 1_709_214_359.9;
        for (name, value) in [
            ("year", 2024.0),
            ("month", 2.0),
            ("day_of_month", 29.0),
            ("day_of_year", 60.0),
            ("day_of_week", 4.0),
            ("days_in_month", 29.0),
            ("hour", 13.0),
            ("minute", 45.0),
        ] {
            assert_eq!(part(name, time), value, "{name}");
        }
    }

    #[test]
    fn time_before_the_epoch_runs_the_same_way() {
        assert_eq!(part("year", -1.0), 1969.0);
        assert_eq!(part("hour", -1.0), 23.0);
        assert_eq!(part("day_of_year", -1.0), 365.0);
    }

    #[test]
    fn what_is_no_time_is_the_end_of_time() {
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
            assert_eq!(part("year", seconds), 292_277_026_596.0);
            assert_eq!(part("day_of_year", seconds), 339.0);
            assert_eq!((part("hour", seconds), part("minute", seconds)), (15.0, 30.0));
        }
        part("day_of_year", 9.2e18);
        part("day_of_year", -9.2e18);
    }
}
