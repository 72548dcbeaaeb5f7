//! The live connection of a page: one socket, and one subscription for each distinct topic, shared by all panels that show it.
//!
//! Components use [`Live`], [`Feed`] and [`Connection`] only. The server has the same types, but never connects, and its feeds never change.

#[cfg(feature = "browser")]
mod client;
mod connection;
mod feed;
#[cfg(feature = "browser")]
mod poll;
#[cfg(feature = "browser")]
mod socket;
#[cfg(feature = "browser")]
mod transport;

use leptos::prelude::*;
use model::{live::Topic, page::Boot, panel::Staleness, range::TimeRange};

pub use connection::Connection;
pub use feed::{Feed, FeedData};
#[cfg(feature = "browser")]
pub(crate) use socket::{Connect, connect_by};
#[cfg(feature = "browser")]
pub(crate) use transport::{ServerSocket, Transport};

use crate::clock::Clock;

/// How long a lost connection is not shown, in milliseconds, so that the page does not flicker if it reconnects at once.
const GRACE_MS: i64 = 5_000;

/// Handle to the page's connection.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// The state of the connection.
    pub connection: RwSignal<Connection>,
    /// Why and since when the whole page is stale. `None` while updates arrive, and for five seconds after they stop.
    pub lost: Signal<Option<Staleness>>,
    #[cfg(feature = "browser")]
    client: StoredValue<client::Client, LocalStorage>,
}

impl Live {
    /// Starts to connect unless `paused`. Only the browser connects. `boot` has the versions of the server that rendered the page and of its
    /// dashboards: if another version answers later, the page is reloaded.
    #[must_use]
    pub(crate) fn open(clock: Clock, boot: &Boot, paused: bool, #[cfg(feature = "browser")] connect: Connect) -> Self {
        #[cfg(not(feature = "browser"))]
        let _ = boot;
        #[cfg(feature = "browser")]
        Effect::new(|_| crate::platform::every_second(|| crate::platform::spawn(poll::ask_for_time())));
        let connection = RwSignal::new(if paused { Connection::Paused } else { Connection::default() });
        Live {
            connection,
            lost: lost(connection, clock),
            #[cfg(feature = "browser")]
            client: StoredValue::new_local(client::Client::open(connection, boot, paused, connect)),
        }
    }

    /// The feed of `topic`, subscribed until the calling component or effect is disposed of.
    #[must_use]
    pub fn subscribe(&self, topic: Topic) -> Feed {
        #[cfg(feature = "browser")]
        {
            let client = self.client.get_value();
            let feed = client.acquire(&topic);
            let lease = StoredValue::new_local(client);
            on_cleanup(move || lease.with_value(|client| client.release(&topic)));
            feed
        }
        #[cfg(not(feature = "browser"))]
        Feed::waiting(&topic)
    }

    /// The result of a query over a fixed range, fetched once. `now_ms` is the time from which relative times are counted. An instant query is
    /// evaluated at the end of the range.
    #[must_use]
    pub fn fetch(&self, query: &model::dashboard::Query, range: TimeRange, now_ms: i64) -> Feed {
        let query = model::live::LiveQuery {
            expr: query.expr.clone(),
            window_ms: 0,
            step_ms: range.step_ms(now_ms),
            instant: query.instant,
            engine: query.engine.clone(),
        };
        let feed = Feed::waiting(&Topic::Query(query.clone()));
        #[cfg(feature = "browser")]
        poll::fetch_once(query, range.resolve(now_ms), feed.clone());
        #[cfg(not(feature = "browser"))]
        let _ = query;
        feed
    }

    /// The alerts at a time in the past, in milliseconds since the Unix epoch, fetched once.
    #[must_use]
    pub fn past_alerts(&self, at_ms: i64) -> Feed {
        let feed = Feed::waiting(&Topic::Alerts);
        #[cfg(feature = "browser")]
        poll::fetch_alerts(at_ms, feed.clone());
        #[cfg(not(feature = "browser"))]
        let _ = at_ms;
        feed
    }

    /// Closes the connection without a change of the shown data, or connects again and updates the data.
    pub fn pause(&self, paused: bool) {
        #[cfg(feature = "browser")]
        self.client.with_value(|client| client.pause(paused));
        #[cfg(not(feature = "browser"))]
        let _ = paused;
    }
}

fn lost(connection: RwSignal<Connection>, clock: Clock) -> Signal<Option<Staleness>> {
    let since_ms = Memo::new(move |_| {
        let since_ms = connection.get().lost_at_ms()?;
        (clock.now_ms.get().saturating_sub(since_ms) > GRACE_MS).then_some(since_ms)
    });
    Signal::derive(move || {
        let reason = "the connection to hyperscope was lost".to_owned();
        since_ms.get().map(|since_ms| Staleness { since_ms, reason })
    })
}
