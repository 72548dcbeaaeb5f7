//! The dashboards that a wall shows in turn, as its address names them: `/kiosk/a,b,c?interval=30s&distance=10m&hours=07:00-19:00`.

use crate::range::DurationMs;

/// How long each dashboard is shown where the address does not say, in seconds.
const DEFAULT_SECS: i64 = 30;
/// The shortest and the longest time that the address may ask for, in seconds.
const LIMITS_SECS: (i64, i64) = (5, 24 * 3_600);
/// The longest distance that the type can be made for, in metres.
const FARTHEST_M: u32 = 20;

/// Dashboards by uid, and for how long each is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Playlist {
    /// UIDs in their order.
    pub uids: Vec<String>,
    /// For how long each is shown, in seconds.
    pub interval_secs: i64,
    /// From and to which minute of the day it is bright, where it is not always.
    pub hours: Option<(i64, i64)>,
}

impl Playlist {
    /// Reads the dashboards that are named in a kiosk's path, separated by commas, and the parameters of its query. What cannot be followed is left
    /// out: see [`Playlist::faults`].
    pub fn read(names: &str, parameter: impl Fn(&str) -> Option<String>, is_known: impl Fn(&str) -> bool) -> Self {
        Playlist {
            uids: names.split(',').filter(|uid| is_known(uid)).map(str::to_owned).collect(),
            interval_secs: parameter("interval").and_then(|text| interval_secs(&text)).unwrap_or(DEFAULT_SECS),
            hours: parameter("hours").and_then(|text| hours(&text)),
        }
    }

    /// What of a kiosk's address cannot be followed, in sentences.
    pub fn faults(
        names: &str,
        parameter: impl Fn(&str) -> Option<String>,
        is_known: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let unknown = names.split(',').filter(|uid| !is_known(uid));
        let mut faults: Vec<String> = unknown.map(|uid| format!("There is no dashboard {uid:?}.")).collect();
        if let Some(text) = parameter("interval").filter(|text| interval_secs(text).is_none()) {
            let (least, _) = LIMITS_SECS;
            faults.push(format!(
                "The interval {text:?} is not one from {least}s to 1d: each dashboard is shown for {DEFAULT_SECS} s."
            ));
        }
        if let Some(text) = parameter("distance").filter(|text| distance_m(text).is_none()) {
            faults.push(format!("The distance {text:?} is not one from 1m to {FARTHEST_M}m."));
        }
        if let Some(text) = parameter("hours").filter(|text| hours(text).is_none()) {
            faults.push(format!("The hours {text:?} are not like 07:00-19:00."));
        }
        faults
    }

    /// Whether it is dimmed at a minute of the day.
    #[must_use]
    pub fn is_dimmed(&self, minute: i64) -> bool {
        self.hours.is_some_and(
            |(from, to)| {
                if from <= to { !(from..to).contains(&minute) } else { (to..from).contains(&minute) }
            },
        )
    }

    /// The place in the list that the parameter `at` names; counting goes on from the first one after the last.
    #[must_use]
    pub fn place(&self, at: Option<&str>) -> usize {
        let at = at.and_then(|at| at.parse::<usize>().ok()).unwrap_or_default();
        at.checked_rem(self.uids.len()).unwrap_or_default()
    }
}

fn interval_secs(text: &str) -> Option<i64> {
    let (least, most) = LIMITS_SECS;
    let secs = text.parse::<DurationMs>().ok()?.0 / 1_000;
    (least..=most).contains(&secs).then_some(secs)
}

/// From how many metres a wall is read, as the parameter `distance` says: `10m`.
#[must_use]
pub fn distance_m(text: &str) -> Option<u32> {
    let metres = text.strip_suffix('m')?.parse().ok();
    metres.filter(|metres| (1..=FARTHEST_M).contains(metres))
}

/// `07:00-19:00` in minutes of the day.
fn hours(text: &str) -> Option<(i64, i64)> {
    let (from, to) = text.split_once('-')?;
    Some((minute_of_day(from)?, minute_of_day(to)?))
}

/// `07:30` in minutes.
fn minute_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, most: i64| digits.parse().ok().filter(|number| (0..=most).contains(number));
    Some(number(hour, 24)? * 60 + number(minute, 59)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["a", "b", "c"];

    fn parameter<'a>(name: &'a str, value: Option<&'a str>) -> impl Fn(&str) -> Option<String> + 'a {
        move |asked| value.filter(|_| asked == name).map(str::to_owned)
    }

    fn read(names: &str, interval: Option<&str>) -> Playlist {
        Playlist::read(names, parameter("interval", interval), |uid| KNOWN.contains(&uid))
    }

    fn faults(names: &str, name: &str, value: Option<&str>) -> String {
        Playlist::faults(names, parameter(name, value), |uid| KNOWN.contains(&uid)).join(" ")
    }

    #[test]
    fn dashboards_are_shown_in_their_order_and_as_often_as_they_are_named() {
        let list = read("b,a,b", Some("1m"));
        assert_eq!((list.uids.join(" ").as_str(), list.interval_secs), ("b a b", 60));
        assert_eq!(faults("b,a,b", "interval", Some("1m")), "");
        assert_eq!(["0", "2", "3", "7", "x"].map(|at| list.place(Some(at))), [0, 2, 0, 1, 0]);
        assert_eq!(read("a", None).interval_secs, 30);
        assert_eq!(read("x", None).place(Some("4")), 0);
    }

    #[test]
    fn what_cannot_be_followed_is_said_and_the_rest_goes_on() {
        let list = read("a,nope,c", Some("1s"));
        assert_eq!((list.uids.join(" ").as_str(), list.interval_secs), ("a c", 30));
        assert_eq!(
            faults("a,nope,c", "interval", Some("1s")),
            "There is no dashboard \"nope\". The interval \"1s\" is not one from 5s to 1d: each dashboard is shown for 30 s."
        );
        for wrong in ["0s", "2d", "soon", ""] {
            assert!(faults("a", "interval", Some(wrong)).contains("each dashboard is shown for 30 s"), "{wrong}");
        }
    }

    #[test]
    fn a_distance_is_in_whole_metres() {
        assert_eq!((distance_m("10m"), faults("a", "distance", Some("10m")).as_str()), (Some(10), ""));
        for wrong in ["10", "0m", "21m", "4.5m", "-1m", "m", ""] {
            assert_eq!(distance_m(wrong), None, "{wrong}");
            let said = format!("The distance {wrong:?} is not one from 1m to 20m.");
            assert_eq!(faults("a", "distance", Some(wrong)), said);
        }
    }

    #[test]
    fn outside_of_its_hours_a_wall_is_dimmed() {
        let list = |hours: &str| Playlist::read("a", parameter("hours", Some(hours)), |_| true);
        let dimmed = |hours: &str| [0, 419, 420, 1_139, 1_140, 1_439].map(|minute| list(hours).is_dimmed(minute));
        assert_eq!(dimmed("07:00-19:00"), [true, true, false, false, true, true]);
        assert_eq!(dimmed("19:00-07:00"), [false, false, true, true, false, false], "over midnight");
        assert_eq!(dimmed("00:00-24:00"), [false; 6]);
        for wrong in ["7-19", "07:00", "07:00-19:60", "25:00-26:00", "-1:00-2:00", ""] {
            assert_eq!(list(wrong).hours, None, "{wrong}");
            assert!(faults("a", "hours", Some(wrong)).contains("are not like 07:00-19:00"), "{wrong}");
        }
    }
}
