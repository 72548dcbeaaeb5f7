//! What is wrong with the daemon, in sentences for the viewer.

use hypervisord::daemon::Daemon;
use model::upstream::UpstreamState;

/// The units of offsets of clocks, in seconds, the largest first.
const UNITS: [(i64, &str); 4] = [(86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds")];

/// What is wrong at present, one sentence each.
pub(crate) fn of(daemon: &Daemon) -> impl Iterator<Item = String> {
    let status = daemon.status();
    let what = match (status.state, status.last_data_ms) {
        (UpstreamState::Live | UpstreamState::Polling, _) => "The daemon is connected, but not all is well",
        (UpstreamState::Connecting, _) | (_, None) => "No data from the daemon",
        (UpstreamState::Stale | UpstreamState::Down, Some(_)) => "No new data from the daemon",
    };
    let trouble = status.error.as_ref().map(|error| format!("{what}: {error}."));
    trouble.into_iter().chain(clock(daemon.behind_ms()))
}

/// That the daemon's clock is wrong, or ours.
fn clock(behind_ms: i64) -> Option<String> {
    let seconds = behind_ms.saturating_abs() / 1_000;
    // Two of a unit at least: one would be too rough.
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| seconds >= 2 * unit)?;
    let direction = if behind_ms > 0 { "behind" } else { "ahead of" };
    let number = (seconds + unit / 2) / unit;
    Some(format!(
        "The daemon's clock is {number} {name} {direction} this computer's: its times are shown by this computer's clock."
    ))
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn an_offset_of_clocks_is_said_in_units_that_fit() {
        assert_eq!(clock(0), None);
        assert_eq!(clock(-900), None);
        let words = |behind_ms| clock(behind_ms).unwrap();
        assert!(words(86_400_000).starts_with("The daemon's clock is 24 hours behind this computer's"));
        assert!(words(-86_399_500).starts_with("The daemon's clock is 24 hours ahead of this computer's"));
        assert!(words(5 * 86_400_000).contains("5 days behind"));
        assert!(words(-90_000).contains("90 seconds ahead"));
    }
}
