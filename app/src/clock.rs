//! The time of day as the pages write it: no time-zone database, one offset for the whole page.

use leptos::prelude::*;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// The page's clock: ticks each second in the browser, stands still on the server.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Milliseconds since the Unix epoch.
    pub now_ms: RwSignal<i64>,
    /// Minutes east of UTC.
    pub offset_min: RwSignal<i32>,
}

impl Clock {
    /// A clock that shows `now_ms` until somebody moves it.
    #[must_use]
    pub fn new(now_ms: i64, offset_min: i32) -> Self {
        Clock { now_ms: RwSignal::new(now_ms), offset_min: RwSignal::new(offset_min) }
    }

    /// `12:03`, or with the day when it is not today's.
    #[must_use]
    pub fn time(self, at_ms: i64) -> String {
        let offset_min = self.offset_min.get();
        let (at, now) = (Civil::at(at_ms, offset_min), Civil::at(self.now_ms.get(), offset_min));
        if (at.year, at.month, at.day) == (now.year, now.month, now.day) {
            format!("{:02}:{:02}", at.hour, at.minute)
        } else {
            format!("{} {:02}:{:02}", at.date(), at.hour, at.minute)
        }
    }

    /// `2026-11-20 12:03:59`.
    #[must_use]
    pub fn date_time(self, at_ms: i64) -> String {
        let at = Civil::at(at_ms, self.offset_min.get());
        format!("{} {:02}:{:02}:{:02}", at.date(), at.hour, at.minute, at.second)
    }

    /// How long ago `at_ms` was: `4 s ago`.
    #[must_use]
    pub fn age(self, at_ms: i64) -> String {
        model::unit::age(self.now_ms.get().saturating_sub(at_ms))
    }
}

/// A point in time as a calendar and a wall clock show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Of the Gregorian calendar.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
}

impl Civil {
    /// The wall clock at `at_ms` (milliseconds since the Unix epoch), `offset_min` minutes east of UTC.
    ///
    /// The date follows from the day number by the shape of the Gregorian calendar: eras of 400 years have 146,097 days each, and
    /// in a year that starts in March the leap day is the last one.
    #[must_use]
    pub fn at(at_ms: i64, offset_min: i32) -> Self {
        let local_ms = at_ms.saturating_add(i64::from(offset_min) * MINUTE_MS);
        let (days, ms_of_day) = (local_ms.div_euclid(DAY_MS), local_ms.rem_euclid(DAY_MS));
        // Days since 0000-03-01.
        let shifted = days.saturating_add(719_468);
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: ms_of_day / (60 * MINUTE_MS),
            minute: ms_of_day / MINUTE_MS % 60,
            second: ms_of_day / SECOND_MS % 60,
        }
    }

    /// `2026-11-20`.
    #[must_use]
    pub fn date(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// What an input of type `datetime-local` holds: `2026-11-20T12:03`.
    #[must_use]
    pub fn input_value(self) -> String {
        format!("{}T{:02}:{:02}", self.date(), self.hour, self.minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_found_across_leap_years() {
        for (at_ms, offset_min, expected) in [
            (0, 0, "1970-01-01T00:00"),
            (0, -90, "1969-12-31T22:30"),
            (951_782_400_000, 0, "2000-02-29T00:00"),
            (1_709_251_199_000, 0, "2024-02-29T23:59"),
            (1_709_251_199_000, 60, "2024-03-01T00:59"),
            (1_795_165_200_000, 0, "2026-11-20T09:00"),
        ] {
            assert_eq!(Civil::at(at_ms, offset_min).input_value(), expected);
        }
    }
}
