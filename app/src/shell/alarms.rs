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
    pub(crate) listed: Memo<Option<AlertList>>,
    /// How many fire.
    pub(crate) firing: Memo<usize>,
}

impl Alarms {
    /// Follows the alerts; at first `firing` fire.
    pub(super) fn follow(live: Live, firing: usize) -> Self {
        let list = RwSignal::new(None);
        Effect::new(move |_| {
            let feed = live.subscribe(Topic::Alerts);
            Effect::new(move |_| {
                if let FeedData::Alerts(alerts) = &feed.data {
                    list.set(alerts.get());
                }
            });
        });
        let listed = Memo::new(move |_| list.get());
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

/// The critical alerts that fire, over the whole of a wall display, until somebody hides them. A new one shows them again.
#[component]
pub(super) fn CriticalBanner() -> impl IntoView {
    let page = Page::get();
    let critical = Memo::new(move |_| {
        let names = |list: &AlertList| {
            let critical = list.alerts.iter().filter(|alert| fires(alert) && alert.severity == "critical");
            critical.map(|alert| (alert.name.clone(), alert.summary.clone())).collect::<Vec<_>>()
        };
        page.alarms.listed.with(|list| list.as_ref().map(names).unwrap_or_default())
    });
    let hidden = RwSignal::new(Vec::new());
    let kiosk = page.url.kiosk();
    let shown = Memo::new(move |_| {
        kiosk.get()
            && critical.with(|critical| hidden.with(|hidden| critical.iter().any(|alert| !hidden.contains(alert))))
    });
    view! {
        {move || shown.get().then(|| view! {
            <div class="wall-alarm" role="alertdialog" aria-label="Critical alerts">
                <ul>
                    {move || critical.get().into_iter().map(|(name, summary)| view! {
                        <li><strong>{name}</strong> <span>{summary}</span></li>
                    }).collect_view()}
                </ul>
                <button type="button" class="button" on:click=move |_| hidden.set(critical.get_untracked())>"Hide"</button>
            </div>
        })}
    }
}
