//! Sound and notification for alerts that begin to fire. Both are off until the user turns them on in this browser.

use model::{Severity, live::Alert};

use crate::platform;

/// Key of the lowest severity with a sound, in the local storage.
pub(crate) const SOUND: &str = "hyperscope-sound";
/// Key of the lowest severity with a notification.
pub(crate) const NOTICE: &str = "hyperscope-notice";
/// Key of the choice whether kiosk displays have sound.
pub(crate) const WALLS: &str = "hyperscope-wall-sound";
/// Value of a choice that is on.
pub(crate) const ON: &str = "on";
/// Value of a choice that is off.
#[cfg_attr(not(any(feature = "ssr", feature = "browser")), allow(dead_code))] // neither renders nor stores it
pub(crate) const OFF: &str = "off";

/// The choices of a lowest severity: value and label.
#[cfg(feature = "ssr")]
pub(crate) const LEVELS: [(&str, &str); 4] =
    [(OFF, "Off"), ("critical", "Critical"), ("warning", "Warning and critical"), ("all", "All alerts")];

/// Plays the sound and shows the notification for alerts that began to fire.
pub(super) fn ring(fresh: &[&Alert], kiosk: bool) {
    let sound = platform::recall(SOUND);
    if fresh.iter().any(|alert| reaches(&sound, alert)) && (!kiosk || platform::recall(WALLS).as_deref() == Some(ON)) {
        platform::beep();
    }
    let notice = platform::recall(NOTICE);
    let mut loud = fresh.iter().filter(|alert| reaches(&notice, alert));
    if let Some(first) = loud.next() {
        let others = loud.count();
        let title = if others > 0 { format!("{} and {others} more", first.name) } else { first.name.clone() };
        platform::notify(&title, &first.summary, &first.firing_key());
    }
}

/// Whether the severity of an alert is at least `level`.
fn reaches(level: &Option<String>, alert: &Alert) -> bool {
    match level.as_deref() {
        None | Some(OFF) => false,
        Some("all") => true,
        Some(least) => alert.severity().reaches(Severity::of(least)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_includes_its_severity_and_worse_ones() {
        let of = |level: &str| {
            let level = Some(level.to_owned());
            ["critical", "page", "warning", "info", ""]
                .map(|severity| reaches(&level, &Alert { severity: severity.into(), ..Alert::default() }))
        };
        assert_eq!(of("off"), [false; 5]);
        assert_eq!(of("critical"), [true, true, false, false, false]);
        assert_eq!(of("warning"), [true, true, true, false, false]);
        assert_eq!(of("all"), [true; 5]);
        assert!(!reaches(&None, &Alert { severity: "critical".into(), ..Alert::default() }));
    }
}
