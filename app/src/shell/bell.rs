//! Sound and notification for alerts that begin to fire, as this browser was told: nothing unless somebody switched it on.

use leptos::prelude::*;
use model::{dashboard::Color, live::Alert};

use crate::{panels::severity_look, platform, view::view};

/// Where the browser keeps from which severity on there is a sound, a notification, and whether walls sound.
const SOUND: &str = "hyperscope-sound";
const NOTICE: &str = "hyperscope-notice";
const WALLS: &str = "hyperscope-wall-sound";
/// Of a switch.
const ON: &str = "on";

/// From which severity on.
const LEVELS: [(&str, &str); 4] =
    [("off", "Off"), ("critical", "Critical"), ("warning", "Warning and critical"), ("all", "All alerts")];

/// Tells of alerts that began to fire.
pub(super) fn ring(fresh: &[&Alert], kiosk: bool) {
    let loud = |key: &str| -> Vec<&Alert> {
        let level = platform::recall(key).unwrap_or_default();
        fresh.iter().filter(|alert| reaches(&level, &alert.severity)).copied().collect()
    };
    if !loud(SOUND).is_empty() && (!kiosk || platform::recall(WALLS).as_deref() == Some(ON)) {
        platform::beep();
    }
    match loud(NOTICE)[..] {
        [] => {}
        [alert] => platform::notify(&alert.name, &alert.summary, &alert.fingerprint),
        [first, .., last] => {
            let title = format!("{} alerts fire", fresh.len());
            platform::notify(&title, &format!("{} to {}", first.name, last.name), &first.fingerprint);
        }
    }
}

/// Whether a severity is one of those that a level is about.
fn reaches(level: &str, severity: &str) -> bool {
    match (level, severity_look(severity).0) {
        ("all", _) | ("critical" | "warning", Color::Red) | ("warning", Color::Yellow) => true,
        _ => false,
    }
}

/// The switches.
#[component]
pub(crate) fn BellSettings() -> impl IntoView {
    let refused = RwSignal::new(false);
    let walls = RwSignal::new(false);
    Effect::new(move |_| walls.set(platform::recall(WALLS).as_deref() == Some(ON)));
    let sound = level(SOUND, "bell-sound", |_| platform::beep());
    let notice = level(NOTICE, "bell-notice", move |chosen| {
        platform::spawn(async move {
            if !platform::may_notify().await {
                platform::remember(NOTICE, "off");
                chosen.set("off".to_owned());
                refused.set(true);
            }
        });
    });
    view! {
        <section class="card needs-script">
            <h2>"When an alert begins to fire"</h2>
            <dl class="facts">
                <dt><label for="bell-sound">"Sound"</label></dt>
                <dd>{sound}</dd>
                <dt><label for="bell-walls">"Sound in kiosk form too"</label></dt>
                <dd>
                    <input
                        id="bell-walls"
                        type="checkbox"
                        prop:checked=move || walls.get()
                        on:change=move |_| {
                            walls.update(|walls| *walls = !*walls);
                            platform::remember(WALLS, if walls.get_untracked() { ON } else { "off" });
                        }
                    />
                </dd>
                <dt><label for="bell-notice">"Notification"</label></dt>
                <dd>{notice}</dd>
            </dl>
            <p class="quiet-words">
                "For this browser alone, while a page is open. Browsers keep quiet until the page was clicked on once."
            </p>
            <p class="form-error" role="alert">
                {move || refused.get().then_some("The browser does not let this page show notifications: its settings for this site can.")}
            </p>
        </section>
    }
}

/// The choice of a level, which `chosen` is told of when it is not `off`.
fn level(key: &'static str, id: &'static str, chosen: impl Fn(RwSignal<String>) + 'static) -> AnyView {
    let now = RwSignal::new(String::new());
    Effect::new(move |_| now.set(platform::recall(key).unwrap_or_default()));
    let options = LEVELS.map(|(level, words)| {
        view! { <option value=level prop:selected=move || now.get() == level>{words}</option> }
    });
    view! {
        <select
            id=id
            class="field"
            on:change=move |event| {
                let level = event_target_value(&event);
                platform::remember(key, &level);
                let is_on = level != "off";
                now.set(level);
                if is_on {
                    chosen(now);
                }
            }
        >
            {options.into_iter().collect_view()}
        </select>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_reaches_what_is_as_bad_or_worse() {
        let of = |level: &str| ["critical", "page", "warning", "info", ""].map(|severity| reaches(level, severity));
        assert_eq!(of("off"), [false; 5]);
        assert_eq!(of(""), [false; 5]);
        assert_eq!(of("critical"), [true, true, false, false, false]);
        assert_eq!(of("warning"), [true, true, true, false, false]);
        assert_eq!(of("all"), [true; 5]);
    }
}
