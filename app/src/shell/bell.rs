//! Sound and notification for alerts that begin to fire, as this browser was told: nothing unless somebody switched it on.

use model::{Severity, live::Alert};

use crate::platform;

/// Where the browser keeps from which severity on there is a sound.
pub(crate) const SOUND: &str = "hyperscope-sound";
/// Where it keeps from which severity on there is a notification.
pub(crate) const NOTICE: &str = "hyperscope-notice";
/// Where it keeps whether there is sound without chrome as well.
pub(crate) const WALLS: &str = "hyperscope-wall-sound";
/// What is kept of what is switched on.
pub(crate) const ON: &str = "on";
/// What is kept of what is switched off.
#[cfg_attr(not(any(feature = "ssr", feature = "browser")), allow(dead_code))] // neither draws nor remembers
pub(crate) const OFF: &str = "off";

/// From which severity on: what is kept, and words for it.
#[cfg(feature = "ssr")]
pub(crate) const LEVELS: [(&str, &str); 4] =
    [(OFF, "Off"), ("critical", "Critical"), ("warning", "Warning and critical"), ("all", "All alerts")];

/// Tells of alerts that began to fire.
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

/// Whether an alert is one of those that a level is about.
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
    fn a_level_reaches_what_is_as_bad_or_worse() {
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
