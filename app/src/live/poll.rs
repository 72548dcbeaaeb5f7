//! Live data by HTTP: for fixed ranges, and while sockets cannot be opened.

use futures_util::{
    future::{Either, abortable, join_all, select},
    pin_mut,
};
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::{Set, WithUntracked, on_cleanup};
use model::{
    live::{AlertList, LiveQuery, ServerMessage, SnapshotData, Topic},
    panel::QueryState,
};

use super::{Connection, Feed, FeedData, client::Client};
use crate::platform::{self, FetchError, RETRY_MS};

/// Timeout of a long poll, in seconds.
const HOLD_SECONDS: u32 = 5;

/// The response of `/api/live`.
struct News {
    /// Cursor for the next request.
    since: String,
    /// The server's time, in milliseconds since the Unix epoch; 0 from a server of an earlier version.
    now_ms: i64,
    /// The subscription ids in them count from 1, in the order of the topics in the request.
    messages: Vec<ServerMessage>,
}

model::from_members!(News { since, messages } or_default { now_ms });

/// Polls for all subscriptions of `client`, until it is aborted because a socket opened.
pub(super) async fn keep_asking(client: Client) {
    let mut next_queries_ms = 0;
    // Without a cursor, the first response has snapshots.
    let mut since = String::new();
    let mut asked: Option<Vec<u64>> = None;
    loop {
        let held = client.held();
        let lists: Vec<&(u64, Topic, Feed)> = held.iter().filter(|(_, topic, _)| topic_name(topic).is_some()).collect();
        let ids: Vec<u64> = lists.iter().map(|(id, _, _)| *id).collect();
        // A new subscription needs a snapshot.
        if asked.as_ref().is_some_and(|asked| *asked != ids) {
            since.clear();
        }
        asked = Some(ids.clone());
        let names: Vec<&str> = lists.iter().filter_map(|(_, topic, _)| topic_name(topic)).collect();
        let answer = ask(&names, &since).await;
        match answer {
            Ok(news) => {
                platform::set_now_ms(news.now_ms);
                client.show(Connection::Polling);
                since = news.since;
                for message in news.messages {
                    if let Some(message) = renumbered(message, &ids) {
                        client.receive(message);
                    }
                }
                if platform::now_ms() >= next_queries_ms {
                    let queries = held.iter().filter_map(|(_, topic, feed)| match topic {
                        Topic::Query(query) => Some((query, feed)),
                        _ => None,
                    });
                    let step_ms = queries.clone().map(|(query, _)| query.step_ms).min().unwrap_or(15_000).max(5_000);
                    join_all(queries.map(|(query, feed)| refresh(query, feed))).await;
                    next_queries_ms = platform::now_ms().saturating_add(step_ms);
                }
                if names.is_empty() {
                    TimeoutFuture::new(RETRY_MS).await;
                }
            }
            Err(FetchError::LoggedOut) => {
                platform::go_to_login();
                return;
            }
            Err(_) => {
                let since_ms = client.lost_at_ms().unwrap_or_else(platform::now_ms);
                client.show(Connection::Offline { since_ms });
                TimeoutFuture::new(RETRY_MS).await;
            }
        }
    }
}

async fn ask(names: &[&str], since: &str) -> Result<News, FetchError> {
    let (names, since) = (names.join(","), platform::encoded(since));
    platform::get_json(&format!("/api/live?topics={names}&since={since}&timeout={HOLD_SECONDS}")).await
}

/// Name of a topic in `/api/live`; `None` for queries, which use `/api/frame`.
fn topic_name(topic: &Topic) -> Option<&'static str> {
    match topic {
        Topic::Jobs => Some("jobs"),
        Topic::System => Some("system"),
        Topic::Alerts => Some("alerts"),
        Topic::Upstreams => Some("upstreams"),
        Topic::Query(_) => None,
    }
}

/// The message with the client's id of its subscription; `None` if it is not about one.
fn renumbered(message: ServerMessage, ids: &[u64]) -> Option<ServerMessage> {
    let ours = |number: u64| ids.get(usize::try_from(number.checked_sub(1)?).ok()?).copied();
    Some(match message {
        ServerMessage::Snapshot { id, seq, data } => ServerMessage::Snapshot { id: ours(id)?, seq, data },
        ServerMessage::Event { id, seq, ts, event } => ServerMessage::Event { id: ours(id)?, seq, ts, event },
        ServerMessage::Status { id, fresh, since, reason } => {
            ServerMessage::Status { id: ours(id)?, fresh, since, reason }
        }
        ServerMessage::Error { id, code, message } => ServerMessage::Error { id: Some(ours(id?)?), code, message },
        ServerMessage::Hello { .. } | ServerMessage::Delta { .. } => return None,
    })
}

/// Fetches the server's time if that is due.
pub(super) async fn ask_for_time() {
    if platform::time_is_due()
        // If the server cannot be reached, the next connection brings the time.
        && let Ok(news) = platform::get_json::<News>("/api/live?topics=&timeout=0").await
    {
        platform::set_now_ms(news.now_ms);
    }
}

/// Evaluates `query` once up to now, outside the rounds of [`keep_asking`]. Writes nothing if data came meanwhile, from a socket that opened or from a round.
pub(super) fn fetch_newest(query: LiveQuery, feed: Feed) {
    wasm_bindgen_futures::spawn_local(async move {
        if let Some(state) = ask_for_frame(&query, newest_range_ms(&query), false).await
            && let FeedData::Query(shown) = &feed.data
            && shown.with_untracked(|shown| matches!(shown, QueryState::Loading))
        {
            shown.set(state);
        }
    });
}

/// Evaluates `query` once up to now.
async fn refresh(query: &LiveQuery, feed: &Feed) {
    evaluate(query, newest_range_ms(query), feed, false).await;
}

/// The window of `query` up to now. It is aligned to the step as on the server, so that the timestamps of points do not change.
fn newest_range_ms(query: &LiveQuery) -> (i64, i64) {
    let end_ms = platform::now_ms().div_euclid(query.step_ms.max(1)).saturating_mul(query.step_ms);
    (end_ms.saturating_sub(query.window_ms), end_ms)
}

/// Evaluates `query` over `range_ms` once and writes the result to `feed`. Retries while the server cannot be reached.
pub(super) fn fetch_once(query: LiveQuery, range_ms: (i64, i64), feed: Feed) {
    until_left(async move { evaluate(&query, range_ms, &feed, true).await });
}

/// Runs `task` until the calling component or effect is disposed of.
fn until_left(task: impl Future<Output = ()> + 'static) {
    let (task, handle) = abortable(task);
    on_cleanup(move || handle.abort());
    wasm_bindgen_futures::spawn_local(async move {
        let _ = task.await;
    });
}

/// Whether the server responds within `patience_ms` milliseconds.
pub(super) async fn is_there(patience_ms: u32) -> bool {
    let news = platform::get_json::<News>("/api/live?topics=&timeout=0");
    let patience = TimeoutFuture::new(patience_ms);
    pin_mut!(news, patience);
    matches!(select(news, patience).await, Either::Left((Ok(_) | Err(FetchError::LoggedOut), _)))
}

/// Fetches the alerts at a time in the past once and writes them to `feed`. Retries while the server cannot be reached.
pub(super) fn fetch_alerts(at_ms: i64, feed: Feed) {
    until_left(async move {
        let list = match platform::get_json_once_there::<AlertList>(&format!("/api/alerts/past?at={at_ms}")).await {
            Ok(list) => list,
            Err(FetchError::LoggedOut) => return platform::go_to_login(),
            Err(error) => AlertList { unavailable: Some(error.words()), ..AlertList::default() },
        };
        feed.replace(SnapshotData::Alerts(list));
    });
}

/// Evaluates `query` and writes the result to `feed`. If the server cannot be reached, retries if `waits`, else leaves `feed` as it is.
async fn evaluate(query: &LiveQuery, range_ms: (i64, i64), feed: &Feed, waits: bool) {
    let Some(state) = ask_for_frame(query, range_ms, waits).await else { return };
    let FeedData::Query(signal) = &feed.data else { return };
    let is_newer = |shown: &QueryState| matches!((shown, &state), (QueryState::Ready { frame: shown, .. }, QueryState::Ready { frame, .. }) if shown.end_ms > frame.end_ms);
    // A socket may have opened meanwhile and brought newer data.
    if !signal.with_untracked(is_newer) {
        signal.set(state);
    }
}

/// The result of `query`; `None` if the server cannot be reached.
async fn ask_for_frame(query: &LiveQuery, (start_ms, end_ms): (i64, i64), waits: bool) -> Option<QueryState> {
    let (expr, step_ms, instant) = (platform::encoded(&query.expr), query.step_ms, query.instant);
    let mut url =
        format!("/api/frame?query={expr}&start_ms={start_ms}&end_ms={end_ms}&step_ms={step_ms}&instant={instant}");
    if let Some(engine) = &query.engine {
        url.push_str(&format!("&engine={}", platform::encoded(engine)));
    }
    let answer = if waits { platform::get_json_once_there(&url).await } else { platform::get_json(&url).await };
    match answer {
        Ok(frame) => Some(QueryState::Ready { frame, stale: None }),
        Err(FetchError::LoggedOut) => {
            platform::go_to_login();
            None
        }
        Err(FetchError::Unreachable) => None,
        Err(error) => Some(QueryState::Failed { message: error.words() }),
    }
}
