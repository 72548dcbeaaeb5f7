//! Alerts as every page follows them: the list, and how many fire, in the navigation, the title and on a wall.

use chart::palette::Ink;
use leptos::prelude::*;
use model::{
    live::{AlertList, AlertState, FiringCount, Topic},
    words::Words,
};

use super::{Page, bell};
use crate::{
    live::{FeedData, Live},
    view::view,
};

/// Firings that a page remembers to have rung for, beyond those that go on.
const REMEMBERED: usize = 2_000;

/// What is known of the alerts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alarms {
    /// All that are pending or fire; `None` until the first list has come.
    pub(crate) listed: RwSignal<Option<AlertList>>,
    /// How many fire, and how bad it is.
    pub(crate) firing: Memo<FiringCount>,
    /// The firings that somebody hid on this wall.
    pub(super) hidden: RwSignal<Words>,
}

impl Alarms {
    /// Follows the alerts; at first so many fire.
    pub(super) fn follow(live: Live, first: FiringCount) -> Self {
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
                listed.with(|list| list.as_ref().map_or(first, |list| FiringCount::of(list.alerts.iter())))
            }),
            hidden: RwSignal::default(),
        }
    }

    /// Rings once for each firing that is active: for one that begins while the page is there, and for one that is no longer
    /// muted. A list that comes again after a reconnect rings for nothing that it rang for before.
    pub(super) fn ring(self, kiosk: Signal<bool>) {
        let rung = StoredValue::new(None::<Words>);
        Effect::new(move |_| {
            self.listed.with(|list| {
                let Some(list) = list else { return };
                let mut fresh = Vec::new();
                rung.update_value(|rung| {
                    let is_first = rung.is_none();
                    let rung = rung.get_or_insert_default();
                    let firing = || list.alerts.iter().filter(|alert| alert.state == AlertState::Firing);
                    for alert in firing() {
                        if !alert.is_active() {
                            rung.remove(&alert.firing_key());
                        } else if rung.insert(alert.firing_key()) && !is_first {
                            fresh.push(alert);
                        }
                    }
                    if rung.len() > REMEMBERED {
                        rung.retain(|key| firing().any(|alert| alert.firing_key() == key));
                    }
                });
                bell::ring(&fresh, kiosk.get_untracked());
            });
        });
    }
}

/// How many alerts fire now, in the colour of the worst, and how many of them are muted. A page on the past says that it is of now.
#[component]
pub(crate) fn FiringBadge() -> impl IntoView {
    let page = Page::get();
    let kiosk = page.url.kiosk();
    let is_past = Memo::new(move |_| page.url.range.get().as_of_ms(page.clock.now_ms.get_untracked()).is_some());
    view! {
        <span class="counts" data-stale=move || page.live.lost.get().map(|_| "")>
            {move || {
                let count = page.alarms.firing.get();
                let ink = Ink::Meaning(count.worst.color()).class();
                // The silences of a wall's alerts are what its viewers ask for.
                let word = if kiosk.get() && count.silenced == count.muted { " silenced" } else { " muted" };
                view! {
                    {(count.active > 0).then(|| view! {
                        <span class=format!("count {ink}")>{count.active}<span class="count-word sr-only">" firing"</span></span>
                    })}
                    " "
                    {(count.muted > 0).then(|| view! {
                        <span class="count count-muted">{count.muted}<span class="count-word sr-only">{word}</span></span>
                    })}
                    {(is_past.get() && count.active + count.muted > 0).then(|| view! {
                        <span class="panel-present" title="As it is now, not at the time of the page">"now"</span>
                    })}
                }
            }}
        </span>
    }
}
