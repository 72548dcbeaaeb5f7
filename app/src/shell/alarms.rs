//! Alerts as every page shows them: how many fire, in the navigation and the title, and on a wall those that are critical.

use std::collections::BTreeSet;

use leptos::prelude::*;
use model::live::{Alert, AlertList, AlertState, Topic};

use super::{Page, bell};
use crate::{
    live::{FeedData, Live},
    view::view,
};

/// What is known of the alerts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alarms {
    /// All that are pending or fire; `None` until the first list has come.
    pub(crate) listed: RwSignal<Option<AlertList>>,
    /// How many fire.
    pub(crate) firing: Memo<usize>,
}

impl Alarms {
    /// Follows the alerts; at first `firing` fire.
    pub(super) fn follow(live: Live, firing: usize) -> Self {
        let listed = RwSignal::new(None::<AlertList>);
        Effect::new(move |_| {
            let feed = live.subscribe(Topic::Alerts);
            Effect::new(move |_| {
                if let FeedData::Alerts(alerts) = &feed.data {
                    listed.set(alerts.get());
                }
            });
        });
        Alarms {
            listed,
            firing: Memo::new(move |_| {
                listed.with(|list| {
                    list.as_ref().map_or(firing, |list| list.alerts.iter().filter(|alert| fires(alert)).count())
                })
            }),
        }
    }
}

impl Alarms {
    /// Tells of each alert that begins to fire while the page is there.
    pub(super) fn ring(self, kiosk: Signal<bool>) {
        let known = RwSignal::new(BTreeSet::new());
        let is_first = StoredValue::new(true);
        Effect::new(move |_| {
            self.listed.with(|list| {
                let Some(list) = list else { return };
                let mut firing = BTreeSet::new();
                let mut fresh = Vec::new();
                for alert in list.alerts.iter().filter(|alert| fires(alert)) {
                    if !known.with_untracked(|known| known.contains(&alert.fingerprint)) {
                        fresh.push(alert);
                    }
                    firing.insert(alert.fingerprint.clone());
                }
                if !is_first.get_value() {
                    bell::ring(&fresh, kiosk.get_untracked());
                }
                is_first.set_value(false);
                known.set(firing);
            });
        });
    }
}

fn fires(alert: &Alert) -> bool {
    alert.state == AlertState::Firing
}

/// Stands between an alert's name and its summary, in neither of which it occurs.
const BETWEEN: char = '\u{1f}';
/// Stands after an alert.
const END: char = '\u{1e}';

/// The critical alerts that fire, over the whole of a wall display, until somebody hides them. A new one shows them again.
#[component]
pub(super) fn CriticalBanner() -> impl IntoView {
    let page = Page::get();
    let critical = Memo::new(move |_| {
        let mut lines = String::new();
        page.alarms.listed.with(|list| {
            let alerts = list.iter().flat_map(|list| &list.alerts);
            for alert in alerts.filter(|alert| fires(alert) && alert.severity == "critical") {
                lines += &alert.name;
                lines.push(BETWEEN);
                lines += &alert.summary;
                lines.push(END);
            }
        });
        lines
    });
    let hidden = RwSignal::new(String::new());
    let kiosk = page.url.kiosk();
    let shown = Memo::new(move |_| {
        let hidden = hidden.get();
        kiosk.get()
            && critical.get().split_terminator(END).any(|one| hidden.split_terminator(END).all(|other| other != one))
    });
    view! {
        {move || shown.get().then(|| view! {
            <div class="wall-alarm" role="alertdialog" aria-label="Critical alerts">
                <ul>
                    {move || critical.get().split_terminator(END).map(|line| {
                        let (name, summary) = line.split_once(BETWEEN).unwrap_or((line, ""));
                        view! { <li><strong>{name.to_owned()}</strong> <span>{summary.to_owned()}</span></li> }
                    }).collect_view()}
                </ul>
                <button type="button" class="button" on:click=move |_| hidden.set(critical.get_untracked())>"Hide"</button>
            </div>
        })}
    }
}
