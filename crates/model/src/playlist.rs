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
    /// From how many metres it is read, where the address says so.
    pub distance_m: Option<u32>,
    /// From and to which minute of the day it is bright, where it is not always.
    pub hours: Option<(i64, i64)>,
    /// What of the address cannot be followed, in sentences; empty where all can.
    pub faults: String,
}

impl Playlist {
    /// Reads the dashboards that are named in a kiosk's path, separated by commas, and the parameters of its query. What is not known is left out.
    pub fn read(names: &str, parameter: impl Fn(&str) -> Option<String>, is_known: impl Fn(&str) -> bool) -> Self {
        let mut faults = String::new();
        let mut uids = Vec::new();
        for uid in names.split(',') {
            if is_known(uid) {
                uids.push(uid.to_owned());
            } else {
                faults += &format!("There is no dashboard {uid:?}. ");
            }
        }
        let mut interval_secs = DEFAULT_SECS;
        if let Some(text) = parameter("interval") {
            let (least, most) = LIMITS_SECS;
            match text.parse::<DurationMs>().map(|interval| interval.0 / 1_000) {
                Ok(secs) if (least..=most).contains(&secs) => interval_secs = secs,
                _ => {
                    faults += &format!(
                        "The interval {text:?} is not one from {least}s to 1d: each dashboard is shown for {interval_secs} s. "
                    );
                }
            }
        }
        let mut distance_m = None;
        if let Some(text) = parameter("distance") {
            let metres = text.strip_suffix('m').and_then(|metres| metres.parse().ok());
            distance_m = metres.filter(|metres| (1..=FARTHEST_M).contains(metres));
            if distance_m.is_none() {
                faults += &format!("The distance {text:?} is not one from 1m to {FARTHEST_M}m. ");
            }
        }
        let mut hours = None;
        if let Some(text) = parameter("hours") {
            hours = text.split_once('-').and_then(|(from, to)| Some((minute_of_day(from)?, minute_of_day(to)?)));
            if hours.is_none() {
                faults += &format!("The hours {text:?} are not like 07:00-19:00. ");
            }
        }
        Playlist { uids, interval_secs, distance_m, hours, faults }
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

/// `07:30` in minutes.
fn minute_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, most: i64| digits.parse().ok().filter(|number| (0..=most).contains(number));
    Some(number(hour, 24)? * 60 + number(minute, 59)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &str, interval: Option<&str>) -> Playlist {
        let parameter = |name: &str| interval.filter(|_| name == "interval").map(str::to_owned);
        Playlist::read(names, parameter, |uid| ["a", "b", "c"].contains(&uid))
    }

    #[test]
    fn dashboards_are_shown_in_their_order_and_as_often_as_they_are_named() {
        let list = read("b,a,b", Some("1m"));
        assert_eq!((list.uids.join(" "), list.interval_secs, list.faults.as_str()), ("b a b".into(), 60, ""));
        assert_eq!(["0", "2", "3", "7", "x"].map(|at| list.place(Some(at))), [0, 2, 0, 1, 0]);
        assert_eq!(read("a", None).interval_secs, 30);
        assert_eq!(read("x", None).place(Some("4")), 0);
    }

    #[test]
    fn what_cannot_be_followed_is_said_and_the_rest_goes_on() {
        let list = read("a,nope,c", Some("1s"));
        assert_eq!((list.uids.join(" "), list.interval_secs), ("a c".into(), 30));
        assert_eq!(
            list.faults,
            "There is no dashboard \"nope\". The interval \"1s\" is not one from 5s to 1d: each dashboard is shown for 30 s. "
        );
        for wrong in ["0s", "2d", "soon", ""] {
            assert!(read("a", Some(wrong)).faults.contains("each dashboard is shown for 30 s"), "{wrong}");
        }
    }

    #[test]
    fn a_distance_is_in_whole_metres() {
        let read =
            |distance: &str| Playlist::read("a", |name| (name == "distance").then(|| distance.to_owned()), |_| true);
        assert_eq!((read("10m").distance_m, read("10m").faults.as_str()), (Some(10), ""));
        for wrong in ["10", "0m", "21m", "4.5m", "-1m", "m", ""] {
            assert_eq!(read(wrong).distance_m, None, "{wrong}");
            assert_eq!(read(wrong).faults, format!("The distance {wrong:?} is not one from 1m to 20m. "));
        }
    }

    #[test]
    fn outside_of_its_hours_a_wall_is_dimmed() {
        let list = |hours: &str| Playlist::read("a", |name| (name == "hours").then(|| hours.to_owned()), |_| true);
        let dimmed = |hours: &str| [0, 419, 420, 1_139, 1_140, 1_439].map(|minute| list(hours).is_dimmed(minute));
        assert_eq!(dimmed("07:00-19:00"), [true, true, false, false, true, true]);
        assert_eq!(dimmed("19:00-07:00"), [false, false, true, true, false, false], "over midnight");
        assert_eq!(dimmed("00:00-24:00"), [false; 6]);
        for wrong in ["7-19", "07:00", "07:00-19:60", "25:00-26:00", "-1:00-2:00", ""] {
            assert_eq!(list(wrong).hours, None, "{wrong}");
            assert!(list(wrong).faults.contains("are not like 07:00-19:00"), "{wrong}");
        }
    }
}
