//! The data of panels. On the server it comes from the evaluation before rendering; in the browser from live subscriptions, or from one request for a
//! range in the past.

use leptos::prelude::*;
use model::{
    dashboard::{Panel, PanelKind, Query},
    live::{LiveQuery, Topic},
    panel::{PanelData, QueryState, Staleness},
    range::TimeRange,
};

use crate::{
    live::{Feed, FeedData},
    panels::{self, Viewport},
    platform,
    shell::{Page, Refresh},
};

/// The changing data of a panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Followed {
    /// The data. Each query has its own staleness.
    pub(super) data: Signal<PanelData>,
    /// Set while the feeds of the panel are stale.
    pub(super) stale: Signal<Option<Staleness>>,
    /// The time range of `data`. Both change together, so data of one range is never shown on the axes of another.
    pub(super) viewport: Signal<Viewport>,
    /// The time from which ages are counted, in milliseconds since the Unix epoch.
    pub(super) now_ms: Signal<i64>,
    /// Words for the pending request, while `data` is of the previous range or has not arrived.
    pub(super) waiting: Signal<Option<&'static str>>,
    /// True while the panel shows current data on a page whose range is in the past.
    pub(super) present: Signal<bool>,
}

/// A range of the page, and the time of the request, which is the `now` of a relative range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asked {
    range: TimeRange,
    now_ms: i64,
}

impl Asked {
    /// The page's range, requested now.
    pub(super) fn now(page: Page) -> Self {
        Asked { range: page.url.range.get(), now_ms: page.clock.now_ms.get_untracked() }
    }

    /// The time at which the alerts were firing that an alert list shows; `None` for the current alerts.
    fn alerts_of_ms(self) -> Option<i64> {
        panels::alerts_of_ms(self.range, self.now_ms)
    }

    /// The axes of charts. A range that ends now ends at the newest evaluation.
    pub(super) fn viewport(self, page: Page) -> Viewport {
        let Asked { range, now_ms } = self;
        let step_ms = range.step_ms(now_ms);
        let (start_ms, end_ms) = match range.live_window_ms() {
            Some(window_ms) => {
                let end_ms = page.evaluated_ms.get().div_euclid(step_ms).saturating_mul(step_ms);
                (end_ms.saturating_sub(window_ms), end_ms)
            }
            None => range.resolve(now_ms),
        };
        Viewport { start_ms, end_ms, step_ms, zone: page.clock.zone.get() }
    }
}

/// The data of `panel`, which follows the page's range and refresh interval.
///
/// In the browser it is [`panels::loading`] until the first data is complete. Until then the panel shows the server's HTML.
pub(super) fn follow(panel: &Panel) -> Followed {
    let page = Page::get();
    let data = RwSignal::new(first(panel).unwrap_or_else(|| panels::loading(panel)));
    let stale = RwSignal::new(None);
    let shown = RwSignal::new(untrack(|| Asked::now(page)));
    let (kind, queries) = (panel.kind, StoredValue::new(panel.asked()));
    // This effect subscribes, and runs again when the range changes. Its inner effects are disposed of with it.
    Effect::new(move |_| {
        let mut asked = None;
        let feeds = match kind {
            PanelKind::Jobs => vec![page.live.subscribe(Topic::Jobs)],
            PanelKind::Alerts => {
                let now = *asked.insert(Asked::now(page));
                vec![match now.alerts_of_ms() {
                    Some(at_ms) => page.live.past_alerts(at_ms),
                    None => page.live.subscribe(Topic::Alerts),
                }]
            }
            PanelKind::Sources => vec![page.live.subscribe(Topic::Upstreams), page.live.subscribe(Topic::System)],
            _ => {
                let now = *asked.insert(Asked::now(page));
                queries.with_value(|queries| queries.iter().map(|query| feed_of(page, now, query)).collect())
            }
        };
        let marks: Vec<_> = feeds.iter().map(|feed| feed.stale.clone()).collect();
        Effect::new(move |_| {
            let marked = marks.iter().find_map(Get::get);
            stale.set(page.live.lost.get().or(marked));
        });
        pass_on(page, feeds, move |gathered| {
            if let Some(asked) = asked {
                shown.set(asked);
                if asked.range.live_window_ms().is_some() {
                    page.note_evaluated(&gathered);
                }
            }
            data.set(gathered);
        });
    });
    let viewport = Memo::new(move |_| shown.get().viewport(page));
    let has_time = panels::has_time(kind);
    let is_drawn = page.is_first_view();
    let is_old = Memo::new(move |_| has_time && shown.get().range != page.url.range.get());
    let waiting = Memo::new(move |_| match page.live.lost.get() {
        // A panel that the server rendered is readable already.
        Some(_) if is_old.get() || !(is_drawn || data.with(panels::has_come)) => Some("Waiting for the server"),
        None if is_old.get() => Some("Loading"),
        _ => None,
    });
    let as_of_ms = Memo::new(move |_| shown.get().alerts_of_ms().filter(|_| kind == PanelKind::Alerts));
    let present = Memo::new(move |_| {
        let is_past = page.url.range.get().live_window_ms().is_none();
        is_past && !(has_time && (kind != PanelKind::Alerts || as_of_ms.get().is_some() || is_old.get()))
    });
    Followed {
        data: data.into(),
        stale: stale.into(),
        viewport: viewport.into(),
        now_ms: Signal::derive(move || as_of_ms.get().unwrap_or_else(|| page.known_until_ms())),
        waiting: waiting.into(),
        present: present.into(),
    }
}

/// The data that the server has evaluated.
#[cfg(feature = "ssr")]
fn first(panel: &Panel) -> Option<PanelData> {
    use_context::<crate::payload::Pictures>()?.take_data(&panel.id)
}

#[cfg(not(feature = "ssr"))]
fn first(_panel: &Panel) -> Option<PanelData> {
    None
}

/// Calls `show` with the data of `feeds`, at the page's refresh interval.
fn pass_on(page: Page, feeds: Vec<Feed>, show: impl Fn(PanelData) + 'static) {
    let due = due(page);
    let arrived = StoredValue::new(false);
    Effect::new(move |_| {
        let lost = page.live.lost.get();
        // With an interval, the first data is shown at once. After that, the feeds are read without tracking them.
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
        show(gathered);
    });
}

/// Marks data that was current when the connection was lost as stale since then.
fn mark_lost(state: &mut QueryState, lost: &Staleness) {
    if let QueryState::Ready { stale: stale @ None, .. } = state {
        *stale = Some(lost.clone());
    }
}

/// Notifies at each refresh interval of the page. `None` if the page shows data as it arrives.
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

fn feed_of(page: Page, Asked { range, now_ms }: Asked, query: &Query) -> Feed {
    match range.live_window_ms() {
        Some(window_ms) => {
            let query = LiveQuery::of_panel(query, window_ms, range.step_ms(now_ms));
            page.live.subscribe(Topic::Query(query))
        }
        None => page.live.fetch(query, range, now_ms),
    }
}

/// The panel's data, once each required feed has some.
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
