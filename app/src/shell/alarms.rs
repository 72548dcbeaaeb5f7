//! Alerts as every page follows them: the list, and how many fire, in the navigation, the title and on a wall.

use chart::palette::Ink;
use leptos::prelude::*;
use model::{
    live::{Alert, AlertList, AlertState, FiringCount, Topic},
    words::Words,
};

use super::{Page, bell};
use crate::{
    live::{FeedData, Live},
    platform,
    view::view,
};

/// Firings that a tab remembers to have rung for, beyond those that go on.
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

    /// Rings once for each firing that is active: for one that begins while the tab is open, and for one that is no longer
    /// muted. What it rang for is remembered with the tab, so that it counts for the documents of both programs: the list of the next
    /// one rings for what began while it was loaded, and a list that comes again rings for nothing.
    pub(super) fn ring(self, kiosk: Signal<bool>) {
        Effect::new(move |_| {
            self.listed.with(|list| {
                let Some(list) = list else { return };
                let before = platform::rung();
                let (rung, fresh) = rung_for(before.as_deref(), &list.alerts);
                // What cannot be remembered would ring with each list.
                if before.as_ref() != Some(&rung) && platform::remember_rung(&rung) {
                    bell::ring(&fresh, kiosk.get_untracked());
                }
            });
        });
    }
}

/// The firings for which a tab has rung once it knows `alerts`, a line for each, and those of them that are new. `before` is what it
/// remembers; nothing is new on its first list.
fn rung_for<'a>(before: Option<&str>, alerts: &'a [Alert]) -> (String, Vec<&'a Alert>) {
    let mut rung: Words = before.unwrap_or_default().lines().map(str::to_owned).collect();
    let firing = || alerts.iter().filter(|alert| alert.state == AlertState::Firing);
    let mut fresh = Vec::new();
    for alert in firing() {
        let key = alert.firing_key();
        if !alert.is_active() {
            rung.remove(&key);
        } else if rung.insert(key) && before.is_some() {
            fresh.push(alert);
        }
    }
    if rung.len() > REMEMBERED {
        rung.retain(|key| firing().any(|alert| alert.firing_key() == key));
    }
    (rung.to_lines(), fresh)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, began_ms: i64) -> Alert {
        Alert {
            fingerprint: name.into(),
            state: AlertState::Firing,
            fired_at: Some(began_ms),
            severity: "critical".into(),
            ..Alert::default()
        }
    }

    #[test]
    fn each_firing_rings_once_whichever_document_it_began_in() {
        let mut remembered = None;
        let mut ring = |alerts: &[Alert]| {
            let (rung, fresh) = rung_for(remembered.as_deref(), alerts);
            let fresh = fresh.into_iter().map(|alert| alert.fingerprint.clone()).collect::<String>();
            remembered = Some(rung);
            fresh
        };
        let muted = || Alert { acknowledged_by: Some("somebody".into()), ..alert("b", 2) };
        assert_eq!(ring(&[alert("a", 1)]), "", "what fired before the tab was there");
        assert_eq!(ring(&[alert("a", 1), alert("b", 2)]), "b");
        assert_eq!(ring(&[alert("a", 1), alert("b", 2)]), "", "the next document has the same list");
        assert_eq!(ring(&[alert("a", 1), muted(), alert("c", 3)]), "c");
        assert_eq!(ring(&[alert("a", 4), alert("b", 2)]), "ab", "another firing, and one that is no longer muted");
        let (first, fresh) = rung_for(None, &[]);
        assert!(fresh.is_empty());
        assert_eq!(rung_for(Some(&first), &[alert("a", 1)]).1.len(), 1, "a tab that began without alerts");
    }

    #[test]
    fn what_is_over_is_forgotten_when_it_is_too_much() {
        let over: Vec<String> = (0..=REMEMBERED).map(|number| format!("{number:05}@1")).collect();
        let (rung, _) = rung_for(Some(&over.join("\n")), &[alert("a", 1)]);
        assert_eq!(rung, "a@1");
    }
}
