//! Where a panel's data comes from: the server's evaluation at first, live subscriptions or one question in the browser.

use leptos::prelude::*;
use model::{
    dashboard::{Panel, PanelKind, Query},
    live::{LiveQuery, Topic},
    panel::{PanelData, QueryState, Staleness},
};

use crate::{
    live::{Feed, FeedData},
    payload::Evaluated,
    platform,
    shell::{Page, Refresh},
};

/// What a panel shows, as it changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// `None` until the first data arrives in the browser: the server's picture stays until then.
    pub(super) data: RwSignal<Option<PanelData>>,
    /// Set while the data is not current although it has no mark of its own.
    pub(super) stale: RwSignal<Option<Staleness>>,
}

impl Source {
    /// The source of `panel`, which follows the page's range and refresh.
    pub(super) fn of(panel: &Panel) -> Self {
        let page = Page::get();
        let evaluated = use_context::<Evaluated>();
        let first = evaluated.and_then(|evaluated| evaluated.0.get(&panel.id).cloned());
        let source = Source { data: RwSignal::new(first), stale: RwSignal::new(None) };
        let (kind, queries) = (panel.kind, StoredValue::new(panel.queries.clone()));
        // The effect that subscribes runs again when the range changes; its inner effects go with it.
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
            source.follow(page, feeds);
        });
        source
    }

    fn follow(self, page: Page, feeds: Vec<Feed>) {
        let marked: Vec<_> = feeds.iter().map(|feed| feed.stale.clone()).collect();
        Effect::new(move |_| {
            let first = marked.iter().find_map(Get::get);
            self.stale.set(page.live.lost.get().or(first));
        });

        let due = due(page);
        let arrived = StoredValue::new(false);
        Effect::new(move |_| {
            // A page with an interval shows the first data at once, and from then on looks without listening.
            let listens = match due {
                Some(due) => {
                    due.track();
                    !arrived.get_value()
                }
                None => true,
            };
            let data = if listens { gather(&feeds) } else { untrack(|| gather(&feeds)) };
            if data.is_some() {
                arrived.set_value(true);
                self.data.set(data);
            }
        });
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
        None => page.live.fetch(&query.expr, range, query.instant),
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
