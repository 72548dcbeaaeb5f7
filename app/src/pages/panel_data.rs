//! Where a panel's data comes from: the server's evaluation at first, live subscriptions or one question in the browser.

use leptos::prelude::*;
use model::{
    dashboard::{Panel, PanelKind, Query},
    live::{LiveQuery, Topic},
    panel::{PanelData, QueryState, Staleness},
};

use crate::{
    live::{Feed, FeedData},
    panels, platform,
    shell::{Page, Refresh},
};

/// What a panel shows, as it changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Followed {
    /// Its data. Queries carry marks of their own when they are no longer current.
    pub(super) data: Signal<PanelData>,
    /// Set while the feeds of a panel without queries are not current.
    pub(super) stale: Signal<Option<Staleness>>,
}

/// The data of `panel` as it changes, following the page's range and refresh.
///
/// In the browser it is [`panels::loading`] until the first data is complete: the server's picture stays until then.
pub(super) fn follow(panel: &Panel) -> Followed {
    let page = Page::get();
    let data = RwSignal::new(first(panel).unwrap_or_else(|| panels::loading(panel)));
    let stale = RwSignal::new(None);
    let (kind, queries) = (panel.kind, StoredValue::new(panel.queries.clone()));
    // The effect that subscribes runs again when the range changes; its inner effect goes with it.
    Effect::new(move |_| {
        let feeds = match kind {
            PanelKind::Jobs => vec![page.live.subscribe(Topic::Jobs)],
            PanelKind::Alerts => vec![page.live.subscribe(Topic::Alerts)],
            PanelKind::Sources => vec![page.live.subscribe(Topic::Upstreams), page.live.subscribe(Topic::System)],
            _ => {
                page.url.range.track();
                queries.with_value(|queries| queries.iter().map(|query| feed_of(page, query)).collect())
            }
        };
        let marks: Vec<_> = feeds.iter().map(|feed| feed.stale.clone()).collect();
        Effect::new(move |_| {
            let marked = marks.iter().find_map(Get::get);
            stale.set(page.live.lost.get().or(marked));
        });
        pass_on(page, feeds, data);
    });
    Followed { data: data.into(), stale: stale.into() }
}

/// What the server has evaluated.
#[cfg(feature = "ssr")]
fn first(panel: &Panel) -> Option<PanelData> {
    use_context::<crate::payload::Pictures>()?.take_data(&panel.id)
}

#[cfg(not(feature = "ssr"))]
fn first(_panel: &Panel) -> Option<PanelData> {
    None
}

/// Passes what comes from `feeds` on to `data`, as often as the page's refresh asks.
fn pass_on(page: Page, feeds: Vec<Feed>, data: RwSignal<PanelData>) {
    let due = due(page);
    let arrived = StoredValue::new(false);
    Effect::new(move |_| {
        let lost = page.live.lost.get();
        // A page with an interval shows the first data at once, and from then on looks without listening.
        let listens = match due {
            Some(due) => {
                due.track();
                !arrived.get_value()
            }
            None => true,
        };
        let gathered = if listens { gather(&feeds) } else { untrack(|| gather(&feeds)) };
        let Some(mut gathered) = gathered else { return };
        arrived.set_value(true);
        if let (PanelData::Queries(states), Some(lost)) = (&mut gathered, lost) {
            states.iter_mut().for_each(|state| mark_lost(state, &lost));
        }
        page.note_evaluated(&gathered);
        data.set(gathered);
    });
}

/// Data of a source that was current when the connection was lost is as old as that.
fn mark_lost(state: &mut QueryState, lost: &Staleness) {
    if let QueryState::Ready { stale: stale @ None, .. } = state {
        *stale = Some(lost.clone());
    }
}

/// For a refresh with an interval: notifies each time the page is to be renewed. `None` follows the data.
fn due(page: Page) -> Option<Trigger> {
    let Refresh::Every(seconds) = page.url.refresh.get() else { return None };
    let due = Trigger::new();
    let elapsed = StoredValue::new(0_u32);
    platform::every_second(move || {
        elapsed.update_value(|elapsed| *elapsed += 1);
        if elapsed.get_value() >= seconds {
            elapsed.set_value(0);
            due.notify();
        }
    });
    Some(due)
}

fn feed_of(page: Page, query: &Query) -> Feed {
    let range = page.url.range.get_untracked();
    match range.live_window_ms() {
        Some(window_ms) => {
            let step_ms = range.step_ms(platform::now_ms());
            page.live.subscribe(Topic::Query(LiveQuery::of_panel(query, window_ms, step_ms)))
        }
        None => page.live.fetch(query, range),
    }
}

/// The panel's data, once there is some from each feed that it cannot do without.
fn gather(feeds: &[Feed]) -> Option<PanelData> {
    match feeds.first().map(|feed| &feed.data) {
        Some(FeedData::Jobs(jobs)) => jobs.get().map(PanelData::Jobs),
        Some(FeedData::Alerts(alerts)) => alerts.get().map(PanelData::Alerts),
        Some(FeedData::Upstreams(upstreams)) => {
            let system = feeds.iter().find_map(|feed| match &feed.data {
                FeedData::System(system) => system.get(),
                _ => None,
            });
            upstreams.get().map(|upstreams| PanelData::Sources(upstreams, system.unwrap_or_default()))
        }
        _ => {
            let states: Vec<QueryState> = feeds
                .iter()
                .filter_map(|feed| match &feed.data {
                    FeedData::Query(state) => Some(state.get()),
                    _ => None,
                })
                .collect();
            let waiting = states.iter().any(|state| matches!(state, QueryState::Loading));
            (!waiting).then_some(PanelData::Queries(states))
        }
    }
}
