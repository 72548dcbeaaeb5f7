//! The alerts of every page: the list, and the number of firing alerts in the navigation, the title and on kiosk displays.

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

/// Most firings that a tab stores as announced. Above it, only those that still fire are retained.
const REMEMBERED: usize = 2_000;

/// The current alerts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alarms {
    /// All pending and firing alerts; `None` before the first list.
    pub(crate) listed: RwSignal<Option<AlertList>>,
    /// Number of firing alerts, and the worst severity.
    pub(crate) firing: Memo<FiringCount>,
    /// Firings that a viewer has hidden on this kiosk display.
    pub(super) hidden: RwSignal<Words>,
}

impl Alarms {
    /// Subscribes to the alerts. `first` is the count until the first list.
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

    /// Announces each active firing once: when it begins while the tab is open, and when it is no longer muted. The announced firings are in the
    /// session storage, which the documents of both programs share. So a firing that begins while a document is loaded is announced, and a list
    /// that arrives again announces nothing.
    pub(super) fn ring(self, kiosk: Signal<bool>) {
        Effect::new(move |_| {
            self.listed.with(|list| {
                let Some(list) = list else { return };
                let before = platform::rung();
                let (rung, fresh) = rung_for(before.as_deref(), &list.alerts);
                // Firings that cannot be stored would be announced with each list.
                if before.as_ref() != Some(&rung) && platform::remember_rung(&rung) {
                    bell::ring(&fresh, kiosk.get_untracked());
                }
            });
        });
    }
}

/// The announced firings after `alerts`, one for each line, and the alerts to announce now. `before` are those announced before; with `None`, the
/// first list of a tab, no alert is announced.
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

/// The numbers of active and of muted firing alerts, in the colour of the worst. On a page whose range is in the past, they are marked as current.
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
                // On a kiosk display, the word says that all muted alerts are silenced.
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
    fn each_firing_is_announced_once_in_all_documents_of_a_tab() {
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
    fn ended_firings_are_removed_above_the_limit() {
        let over: Vec<String> = (0..=REMEMBERED).map(|number| format!("{number:05}@1")).collect();
        let (rung, _) = rung_for(Some(&over.join("\n")), &[alert("a", 1)]);
        assert_eq!(rung, "a@1");
    }
}
