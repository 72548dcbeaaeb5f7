//! The band on a kiosk display while a critical alert is active. It is above the panels and does not cover them.

use std::cmp::Reverse;

use leptos::prelude::*;
use model::{
    live::{Alert, AlertState},
    sort::sort_by,
};

use super::Page;
use crate::{panels::identifying_labels, platform, view::view};

/// How long a new firing is shown in full, in milliseconds. After that the band shrinks to one line without user action.
const IN_FULL_MS: i64 = 60_000;
/// Most alerts that are named beside the first.
const NAMED: usize = 8;
/// Most hidden firings that are stored.
const REMEMBERED: usize = 500;

/// Shows the newest active critical alert that is not hidden, and the number of others. A key or a click hides them. A new firing, also of the same
/// alert, shows the band again.
#[component]
pub(crate) fn WallAlarm() -> impl IntoView {
    let page = Page::get();
    let hidden = page.alarms.hidden;
    let critical = Memo::new(move |_| {
        page.alarms.listed.with(|list| {
            let alerts = list.iter().flat_map(|list| &list.alerts);
            alerts.filter(|alert| alert.is_active() && alert.severity().covers_wall()).cloned().collect::<Vec<Alert>>()
        })
    });
    let shown = Memo::new(move |_| {
        critical.with(|alerts| hidden.with(|hidden| alerts.iter().any(|alert| !hidden.contains(&alert.firing_key()))))
    });
    // Alerts that are not hidden come first, the newest of them before the others.
    let headlined = Memo::new(move |_| {
        critical.with(|alerts| {
            hidden.with(|hidden| {
                let mut alerts = alerts.clone();
                let place = |alert: &Alert| (hidden.contains(&alert.firing_key()), Reverse(alert.began_at()));
                sort_by(&mut alerts, |one, other| place(one).cmp(&place(other)));
                alerts
            })
        })
    });
    let full_until_ms = RwSignal::new(0_i64);
    Effect::new(move |before: Option<Vec<String>>| {
        let firings = critical.with(|alerts| alerts.iter().map(Alert::firing_key).collect::<Vec<_>>());
        let before = before.unwrap_or_default();
        if firings.iter().any(|key| !before.contains(key)) {
            full_until_ms.set(page.clock.now_ms.get_untracked().saturating_add(IN_FULL_MS));
        }
        firings
    });
    let small = Memo::new(move |_| page.clock.now_ms.get() >= full_until_ms.get());
    Effect::new(move |_| {
        // A muted alert is no longer hidden, so that it is shown again when it is no longer muted.
        page.alarms.listed.with(|list| {
            let muted = list.iter().flat_map(|list| &list.alerts).filter(|alert| alert.muted().is_some());
            hidden.update(|hidden| {
                for alert in muted {
                    hidden.remove(&alert.firing_key());
                }
            });
        });
    });
    Effect::new(move |_| {
        platform::on_any_input(
            move || shown.get_untracked(),
            move || {
                hidden.update(|hidden| {
                    if hidden.len() > REMEMBERED {
                        hidden.clear();
                    }
                    critical.with_untracked(|alerts| hidden.extend(alerts.iter().map(Alert::firing_key)));
                });
            },
        );
    });
    // Since when the alerts are stale, and whether the server or the source is unreachable.
    let stale = Memo::new(move |_| match page.live.lost.get() {
        Some(lost) => Some((lost.since_ms, "server")),
        None => critical.with(|alerts| {
            let since_ms = alerts.iter().map(|alert| alert.stale_since).collect::<Option<Vec<_>>>()?;
            Some((since_ms.into_iter().min()?, "source"))
        }),
    });
    let announced = Memo::new(move |_| {
        if !shown.get() {
            return String::new();
        }
        format!("Critical: {}", critical.with(|alerts| names(alerts).join(", ")))
    });
    view! {
        {move || shown.get().then(|| view! {
            <section
                class="wall-alarm"
                aria-label="Critical alerts"
                data-small=move || small.get().then_some("")
                data-stale=move || stale.get().map(|_| "")
            >
                <p class="wall-known">
                    {move || stale.get().map(|(since_ms, who)| format!("last known {}, {who} unreachable", page.clock.time(since_ms)))}
                </p>
                {move || headlined.with(|alerts| alerts.first().map(|worst| item(page, worst, stale)))}
                <p class="wall-more">{move || headlined.with(|alerts| more(alerts))}</p>
                <button type="button" class="button">"Hide"</button>
            </section>
        })}
        <p class="sr-only" role="alert">{move || announced.get()}</p>
    }
}

fn item(page: Page, alert: &Alert, stale: Memo<Option<(i64, &'static str)>>) -> AnyView {
    let since_ms = alert.began_at();
    let since = move || {
        since_ms.map(|since_ms| match stale.get() {
            // The age of a stale alert does not grow, because its state is unknown.
            Some(_) => format!("fired {}", page.clock.time(since_ms)),
            None => AlertState::Firing.words(Some(page.clock.now_ms.get().saturating_sub(since_ms))),
        })
    };
    view! {
        <p class="wall-worst">
            <strong>
                <span class="wall-mark" aria-hidden="true">{alert.severity().shape()}</span>
                {alert.name.clone()}
            </strong>
            <span class="wall-severity">{alert.severity.clone()}</span>
            <span class="wall-since">{since}</span>
        </p>
        <p class="wall-summary">{alert.summary.clone()}</p>
        <p class="wall-labels">{identifying_labels(alert)}</p>
    }
}

/// The number of alerts beside the first, and their names.
fn more(alerts: &[Alert]) -> String {
    let others = names(alerts.get(1..).unwrap_or_default());
    if others.is_empty() {
        return String::new();
    }
    format!("and {} more: {}", alerts.len().saturating_sub(1), others.join(", "))
}

/// Distinct names of the alerts, at most [`NAMED`].
fn names(alerts: &[Alert]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for alert in alerts {
        if names.len() < NAMED && !names.contains(&alert.name.as_str()) {
            names.push(&alert.name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_alerts_are_counted_and_named_once() {
        let all: Vec<Alert> = ["A", "B", "B", "C"].map(|name| Alert { name: name.into(), ..Alert::default() }).into();
        assert_eq!(more(&all), "and 3 more: B, C");
        assert_eq!(more(&all[..1]), "");
        assert_eq!(more(&[]), "");
    }
}
