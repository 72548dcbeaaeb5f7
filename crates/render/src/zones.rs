//! Time zones by name, from an embedded database, so that the result does not depend on the machine.

use std::{collections::HashMap, sync::OnceLock};

use jiff::{Timestamp, tz::TimeZone};
use model::zone::{Changes, Zone};
use parking_lot::Mutex;

/// Before this time (1980), a zone's offset at this time is used; in milliseconds since the Unix epoch.
const FIRST_MS: i64 = 315_532_800_000;
/// After this time (2100), a zone's offset at this time is used.
const LAST_MS: i64 = 4_102_444_800_000;
/// Maximum offset of any zone from UTC, in minutes.
const FURTHEST_MIN: i32 = 1_440;

/// The zone with this name: an IANA name, or minutes east of UTC. `None` if there is none.
///
/// The data of a zone is leaked: there are some hundred zones of a few kilobytes each.
#[must_use]
pub fn named(name: &str) -> Option<Zone> {
    static ZONES: OnceLock<Mutex<HashMap<String, &'static Changes>>> = OnceLock::new();
    if let Ok(offset_min) = name.parse::<i32>() {
        return (-FURTHEST_MIN..=FURTHEST_MIN).contains(&offset_min).then_some(Zone::Fixed(offset_min));
    }
    if name.eq_ignore_ascii_case("UTC") {
        return Some(Zone::UTC);
    }
    let zone = TimeZone::get(name).ok()?;
    // With the spelling of the database: names are accepted in any case, and each zone is only created once.
    let name = zone.iana_name()?;
    let mut zones = ZONES.get_or_init(Mutex::default).lock();
    let changes = match zones.get(name) {
        Some(changes) => changes,
        None => {
            let changes: &'static Changes = Box::leak(Box::new(changes(&zone, name)?));
            zones.insert(name.to_owned(), changes);
            changes
        }
    };
    Some(Zone::Table(changes))
}

fn changes(zone: &TimeZone, name: &str) -> Option<Changes> {
    let first = Timestamp::from_millisecond(FIRST_MS).ok()?;
    let following = zone.following(first).take_while(|change| change.timestamp().as_millisecond() < LAST_MS);
    let changes = following.map(|change| (change.timestamp().as_millisecond(), change.offset().seconds() / 60));
    Some(Changes { name: name.to_owned(), first_min: zone.to_offset(first).seconds() / 60, changes: changes.collect() })
}

#[cfg(test)]
mod tests {
    use model::{civil::Civil, zone::Twice};

    use super::*;

    fn clock(zone: &str, utc: &str) -> String {
        named(zone).unwrap().civil(Civil::parse(utc).unwrap().as_utc_ms()).to_string()
    }

    #[test]
    fn clocks_of_zones_that_change_and_of_half_hours() {
        for (zone, utc, shown) in [
            ("Europe/Berlin", "2026-07-03T06:00", "2026-07-03 08:00:00"),
            ("Europe/Berlin", "2026-11-28T07:00", "2026-11-28 08:00:00"),
            ("europe/berlin", "2090-07-03T06:00", "2090-07-03 08:00:00"),
            ("Asia/Kolkata", "2026-11-28T18:45", "2026-11-29 00:15:00"),
            ("America/New_York", "2026-11-01T05:30", "2026-11-01 01:30:00"),
            ("America/New_York", "2026-11-01T06:30", "2026-11-01 01:30:00"),
            ("Australia/Lord_Howe", "2026-04-04T14:59", "2026-04-05 01:59:00"),
            ("Australia/Lord_Howe", "2026-04-04T15:00", "2026-04-05 01:30:00"),
            ("UTC", "2026-04-04T15:00", "2026-04-04 15:00:00"),
            ("-210", "2026-04-04T15:00", "2026-04-04 11:30:00"),
        ] {
            assert_eq!(clock(zone, utc), shown, "{zone} {utc}");
        }
        for wrong in ["", "Mars/Olympus", "../etc/passwd", "99999", "Europe"] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_zone_is_made_once_however_it_is_spelled() {
        let tables = ["Asia/Kolkata", "asia/kolkata", "ASIA/KOLKATA"].map(|name| match named(name) {
            Some(Zone::Table(changes)) => std::ptr::from_ref(changes),
            other => panic!("{other:?}"),
        });
        assert!(tables.iter().all(|table| *table == tables[0]));
    }

    #[test]
    fn july_picked_in_november_is_july() {
        let zone = named("Europe/Berlin").unwrap();
        let at_ms = zone.instant(&Civil::parse("2026-07-03T08:00").unwrap(), Twice::Earlier);
        assert_eq!(zone.civil(at_ms).input_value(), "2026-07-03T08:00");
        assert_eq!(Civil::utc(at_ms).input_value(), "2026-07-03T06:00");
    }
}
