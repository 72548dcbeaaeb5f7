//! Ranges and ticks of the axes.

use model::{
    civil::Civil,
    range::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS},
    sort::sort_by,
    unit::Roundness,
    zone::Zone,
};

/// The y axis: a range whose ends are ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueScale {
    /// Value at the bottom.
    pub low: f64,
    /// Value at the top.
    pub high: f64,
    /// Distance between ticks.
    pub step: f64,
}

/// Requirements for a y axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueExtent {
    /// Minimum and maximum of the drawn values; `None` without values.
    pub values: Option<(f64, f64)>,
    /// Bounds fixed by the panel.
    pub fixed: (Option<f64>, Option<f64>),
    /// Which numbers are round.
    pub roundness: Roundness,
    /// Intended number of ticks.
    pub ticks: usize,
}

impl ValueScale {
    /// A scale that contains `extent`, with round ticks. Zero is included unless the values are far from it.
    #[must_use]
    pub fn fit(extent: &ValueExtent) -> Self {
        let (mut low, mut high) =
            extent.values.filter(|(low, high)| low.is_finite() && high.is_finite()).unwrap_or((0.0, 1.0));
        // Values with the same sign are shown relative to zero by default.
        if low > 0.0 {
            low = 0.0;
        }
        if high < 0.0 {
            high = 0.0;
        }
        low = extent.fixed.0.unwrap_or(low);
        high = extent.fixed.1.unwrap_or(high);
        if high - low <= f64::EPSILON * high.abs().max(1.0) {
            high = low + if low == 0.0 { 1.0 } else { low.abs() };
        }
        #[allow(clippy::cast_precision_loss)] // a handful of ticks
        let step = nice_step((high - low) / extent.ticks.max(1) as f64, extent.roundness);
        if extent.fixed.0.is_none() {
            low = (low / step + 1e-9).floor() * step;
        }
        if extent.fixed.1.is_none() {
            high = (high / step - 1e-9).ceil() * step;
        }
        ValueScale { low, high, step }
    }

    /// The scale for `extent` that follows `self`: unchanged while the values fit and fill more than a third of it, so
    /// that the axis does not jump with each point.
    #[must_use]
    pub fn follow(self, extent: &ValueExtent) -> Self {
        let fitted = ValueScale::fit(extent);
        let fits = fitted.low >= self.low && fitted.high <= self.high;
        let fills = (fitted.high - fitted.low) * 3.0 > self.high - self.low;
        let same_bounds =
            extent.fixed.0.is_none_or(|low| low == self.low) && extent.fixed.1.is_none_or(|high| high == self.high);
        if fits && fills && same_bounds { self } else { fitted }
    }

    /// Values of the ticks, from the bottom.
    #[must_use]
    pub fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        let first = (self.low / self.step - 1e-9).ceil();
        for index in 0..64_u32 {
            let tick = (first + f64::from(index)) * self.step;
            if tick > self.high + self.step * 1e-9 {
                break;
            }
            ticks.push(tick);
        }
        ticks
    }

    /// Position of a value: 0 at the bottom, 1 at the top; outside values are beyond.
    #[must_use]
    pub fn position(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The greatest absolute value of the axis.
    #[must_use]
    pub fn greatest(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }
}

/// The smallest round step of at least `least`.
fn nice_step(least: f64, roundness: Roundness) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    match roundness {
        Roundness::Binary if least > 1.0 => power_at_least(2.0, least),
        Roundness::Decimal | Roundness::Binary => nice_decimal(least),
        Roundness::Time(seconds) => {
            const ROUND_SECONDS: [f64; 15] = [
                30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0, 21_600.0, 43_200.0,
                86_400.0, 172_800.0, 604_800.0,
            ];
            let wanted = least * seconds;
            if wanted <= 20.0 {
                return nice_decimal(wanted) / seconds;
            }
            ROUND_SECONDS
                .into_iter()
                .find(|round| *round >= wanted)
                .unwrap_or_else(|| nice_decimal(wanted / 86_400.0) * 86_400.0)
                / seconds
        }
    }
}

fn nice_decimal(least: f64) -> f64 {
    let power = power_at_least(10.0, least);
    let share = least / power;
    let round = [0.1, 0.2, 0.5].into_iter().find(|round| *round >= share - 1e-10).unwrap_or(1.0);
    round * power
}

/// The smallest integer power of `base` that is at least `least`.
fn power_at_least(base: f64, least: f64) -> f64 {
    /// More than the exponents of finite numbers.
    const EXPONENTS: i32 = 1_100;
    let up = |exponent: &i32| base.powi(*exponent) >= least;
    let down = |exponent: &i32| base.powi(-*exponent - 1) < least;
    let exponent =
        if least > 1.0 { (0..EXPONENTS).find(up) } else { (0..EXPONENTS).find(down).map(std::ops::Neg::neg) };
    base.powi(exponent.unwrap_or(0))
}

/// One tick of the time axis.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeTick {
    /// Position: 0 at the start of the range, 1 at its end.
    pub position: f64,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// `10:15`, `10:15:30`, `Mar 7`.
    pub label: String,
}

/// Possible distances between ticks of a time axis, ascending.
const TIME_STEPS_MS: [i64; 25] = [
    SECOND_MS,
    2 * SECOND_MS,
    5 * SECOND_MS,
    10 * SECOND_MS,
    15 * SECOND_MS,
    30 * SECOND_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    3 * DAY_MS,
    7 * DAY_MS,
    14 * DAY_MS,
    30 * DAY_MS,
    90 * DAY_MS,
    365 * DAY_MS,
];

/// No zone's clock changes by more than this, so times that occur twice are at most this far apart.
const LARGEST_CHANGE_MS: i64 = 2 * HOUR_MS;

/// At most about `most` ticks at round local times. A time that occurs twice because clocks were set back has two
/// ticks; one that was skipped has none.
#[must_use]
pub fn time_ticks(start_ms: i64, end_ms: i64, zone: Zone, most: i64) -> Vec<TimeTick> {
    let length_ms = end_ms.saturating_sub(start_ms);
    if length_ms <= 0 || most <= 0 {
        return Vec::new();
    }
    let least_ms = length_ms / most;
    let step_ms = TIME_STEPS_MS.into_iter().find(|step_ms| *step_ms >= least_ms).unwrap_or(365 * DAY_MS);
    let local = |at_ms: i64| at_ms.saturating_add(i64::from(zone.offset_min(at_ms)) * MINUTE_MS);
    let last_ms = local(end_ms).saturating_add(LARGEST_CHANGE_MS);
    let first_ms = local(start_ms).saturating_sub(LARGEST_CHANGE_MS);
    let mut local_ms = first_ms.saturating_add((step_ms - first_ms.rem_euclid(step_ms)) % step_ms);
    let mut times = Vec::new();
    while local_ms <= last_ms {
        let (once, twice) = zone.instants(&Civil::utc(local_ms));
        times.extend(once.into_iter().chain(twice).filter(|at_ms| (start_ms..=end_ms).contains(at_ms)));
        local_ms = local_ms.saturating_add(step_ms);
    }
    sort_by(&mut times, Ord::cmp);
    let tick = |at_ms: i64| {
        let civil = zone.civil(at_ms);
        let midnight = civil.hour == 0 && civil.minute == 0 && civil.second == 0;
        let label = if step_ms >= DAY_MS || (midnight && length_ms > HOUR_MS) {
            civil.short_date()
        } else if step_ms < MINUTE_MS {
            civil.clock_seconds()
        } else {
            civil.clock()
        };
        TimeTick { position: fraction(at_ms - start_ms, length_ms), at_ms, label }
    };
    times.into_iter().map(tick).collect()
}

/// `part / whole` for durations.
#[allow(clippy::cast_precision_loss)] // milliseconds of a range are far below 2^53
#[must_use]
pub fn fraction(part_ms: i64, whole_ms: i64) -> f64 {
    if whole_ms == 0 { 0.0 } else { part_ms as f64 / whole_ms as f64 }
}

#[cfg(test)]
mod tests {
    use model::zone::Changes;

    use super::*;

    fn extent(low: f64, high: f64, roundness: Roundness) -> ValueExtent {
        ValueExtent { values: Some((low, high)), fixed: (None, None), roundness, ticks: 5 }
    }

    fn fit(low: f64, high: f64, roundness: Roundness) -> (f64, f64, f64) {
        let scale = ValueScale::fit(&extent(low, high, roundness));
        (scale.low, scale.high, scale.step)
    }

    #[test]
    fn ticks_are_round_in_the_unit() {
        assert_eq!(fit(0.0, 97.0, Roundness::Decimal), (0.0, 100.0, 20.0));
        assert_eq!(fit(3.0, 7.0, Roundness::Decimal), (0.0, 8.0, 2.0));
        assert_eq!(fit(-3.0, 7.0, Roundness::Decimal), (-4.0, 8.0, 2.0));
        assert_eq!(fit(0.0, 3.0e9, Roundness::Binary), (0.0, 3_221_225_472.0, 1_073_741_824.0));
        assert_eq!(fit(0.0, 1_700.0, Roundness::Time(1.0)), (0.0, 1_800.0, 600.0));
        assert_eq!(fit(0.0, 0.43, Roundness::Time(1.0)), (0.0, 0.5, 0.1));
    }

    #[test]
    fn nothing_and_one_value_have_a_scale() {
        let scale = ValueScale::fit(&ValueExtent {
            values: None,
            fixed: (None, None),
            roundness: Roundness::Decimal,
            ticks: 5,
        });
        assert_eq!(scale.ticks().len(), 6);
        assert_eq!(fit(0.0, 0.0, Roundness::Decimal), (0.0, 1.0, 0.2));
        assert_eq!(fit(5.0, 5.0, Roundness::Decimal), (0.0, 5.0, 1.0));
    }

    #[test]
    fn fixed_bounds_stay() {
        let scale = ValueScale::fit(&ValueExtent {
            values: Some((40.0, 60.0)),
            fixed: (Some(0.0), Some(100.0)),
            roundness: Roundness::Decimal,
            ticks: 4,
        });
        assert_eq!((scale.low, scale.high), (0.0, 100.0));
    }

    #[test]
    fn the_axis_does_not_jitter() {
        let first = ValueScale::fit(&extent(0.0, 97.0, Roundness::Decimal));
        assert_eq!(first.follow(&extent(0.0, 60.0, Roundness::Decimal)), first);
        assert_ne!(first.follow(&extent(0.0, 101.0, Roundness::Decimal)), first);
        assert_ne!(first.follow(&extent(0.0, 10.0, Roundness::Decimal)), first);
    }

    #[test]
    fn time_ticks_are_round_on_the_viewers_clock() {
        let start = 1_700_000_000_000; // 22:13:20 UTC
        let labels = |offset, length| {
            time_ticks(start, start + length, Zone::Fixed(offset), 5)
                .into_iter()
                .map(|tick| tick.label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(0, HOUR_MS), ["22:15", "22:30", "22:45", "23:00"]);
        assert_eq!(labels(30, HOUR_MS), ["22:45", "23:00", "23:15", "23:30"]);
        assert_eq!(labels(0, 3 * HOUR_MS), ["23:00", "Nov 15", "01:00"]);
        assert_eq!(labels(0, MINUTE_MS), ["22:13:30", "22:13:45", "22:14:00", "22:14:15"]);
        assert!(time_ticks(start, start, Zone::UTC, 6).is_empty());
        assert_eq!(labels(0, 15 * DAY_MS).len(), 5);
    }

    /// Europe/Berlin in 2026, and half an hour of summer time on Lord Howe Island.
    fn changing(name: &str, first_min: i32, changes: &[(i64, i32)]) -> Zone {
        Zone::Table(Box::leak(Box::new(Changes { name: name.to_owned(), first_min, changes: changes.to_vec() })))
    }

    #[test]
    fn ticks_stay_on_local_midnight_over_a_change_of_clocks() {
        let berlin = changing("Europe/Berlin", 60, &[(1_774_746_000_000, 120), (1_792_890_000_000, 60)]);
        let labels = |start: &str, hours: i64, most: i64| {
            let start_ms = Civil::parse(start).unwrap().as_utc_ms();
            let ticks = time_ticks(start_ms, start_ms + hours * HOUR_MS, berlin, most);
            ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>()
        };
        // Times in UTC. Clocks are set forward on 29 March at 01:00 UTC, and back on 25 October at 01:00 UTC.
        assert_eq!(labels("2026-03-27T12:00", 84, 4), ["Mar 28", "Mar 29", "Mar 30", "Mar 31"]);
        let march = time_ticks(1_774_652_400_000, 1_774_652_400_000 + 2 * DAY_MS, berlin, 4);
        let midnights: Vec<String> = march.iter().map(|tick| berlin.civil(tick.at_ms).clock()).collect();
        assert!(midnights.iter().all(|clock| clock == "00:00" || clock == "12:00"), "{midnights:?}");
        assert_eq!(labels("2026-03-28T23:30", 4, 6), ["01:00", "03:00", "04:00", "05:00"]);
        assert_eq!(labels("2026-10-24T23:30", 4, 6), ["02:00", "02:00", "03:00", "04:00"]);
        assert_eq!(labels("2026-10-25T00:05", 1, 5), ["02:15", "02:30", "02:45", "02:00"]);
        assert_eq!(labels("2026-10-25T01:05", 1, 5), ["02:15", "02:30", "02:45", "03:00"]);
    }

    #[test]
    fn half_hours_are_round_times_too() {
        let kolkata = time_ticks(1_700_000_000_000, 1_700_000_000_000 + 3 * HOUR_MS, Zone::Fixed(330), 4);
        assert_eq!(kolkata.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>(), ["04:00", "05:00", "06:00"]);
        // Clocks of Lord Howe Island are set back by half an hour on 5 April 2026 at 02:00 local time, 15:00 UTC the
        // day before.
        let howe = changing("Australia/Lord_Howe", 660, &[(1_775_314_800_000, 630)]);
        let start_ms = Civil::parse("2026-04-04T14:20").unwrap().as_utc_ms();
        let ticks = time_ticks(start_ms, start_ms + 2 * HOUR_MS, howe, 5);
        assert_eq!(
            ticks.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>(),
            ["01:30", "01:30", "02:00", "02:30"]
        );
    }
}
