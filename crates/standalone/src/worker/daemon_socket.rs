//! The WebSocket of the daemon: reads until it ends, then reconnects, for as long as the page lives.

use std::{rc::Rc, sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{Either, select},
    pin_mut,
};
use gloo_net::websocket::{Message, futures::WebSocket};
use gloo_timers::future::TimeoutFuture;
use hypervisord::{daemon::GOOD_SESSION, feed::FeedReader};
use model::backoff::Backoff;

use crate::engine::Engine;

/// How often a wait looks for a reason to end it, in milliseconds.
const LOOK_MS: u32 = 250;
/// How long a daemon that is only asked stays unasked what it is, in milliseconds.
const POLLED_MS: u32 = 5_000;

/// Why there is no socket, or why it ended.
struct Failure {
    reason: String,
    is_reached: bool,
}

/// Keeps a socket open.
pub(crate) async fn run(engine: Rc<Engine>) {
    let mut backoff = Backoff::default();
    loop {
        let begun = engine.at();
        let failure = session(&engine).await;
        if engine.at().saturating_sub(begun) >= GOOD_SESSION {
            backoff.succeed();
        }
        let wait_ms = match failure {
            Some(failure) => {
                engine.change(|daemon, now| daemon.socket_failed(&failure.reason, failure.is_reached, now));
                backoff.fail(js_sys::Math::random())
            }
            None => POLLED_MS,
        };
        wait(&engine, wait_ms).await;
    }
}

/// Waits so long, or until the socket is to be tried at once.
async fn wait(engine: &Engine, wait_ms: u32) {
    let mut left_ms = wait_ms;
    while left_ms > 0 && !engine.take_retry() {
        let part_ms = left_ms.min(LOOK_MS);
        TimeoutFuture::new(part_ms).await;
        left_ms -= part_ms;
    }
}

/// One session. `None` if requests need credentials: then the daemon is polled instead.
async fn session(engine: &Engine) -> Option<Failure> {
    let detection = engine.read(|daemon| daemon.detection(engine.now()));
    if let Some(detection) = detection {
        match engine.client().detect(detection).await {
            Ok(profile) => engine.change(|daemon, now| daemon.recognised(profile, now)),
            Err(error) => return Some(Failure { reason: error.to_string(), is_reached: error.is_reached() }),
        }
    }
    if engine.client().has_credentials() {
        return None;
    }
    let path = engine.read(hypervisord::daemon::Daemon::socket_path);
    let url = engine.client().endpoint().url(&path).to_string().replacen("http", "ws", 1);
    let refused = |reason: &str| Failure { reason: format!("the live socket at {url} {reason}"), is_reached: false };
    let Ok(socket) = WebSocket::open(&url) else { return Some(refused("cannot be opened")) };
    Some(read(engine, socket, refused).await)
}

/// Reads messages until the socket ends or is silent for too long.
async fn read(engine: &Engine, socket: WebSocket, refused: impl Fn(&str) -> Failure) -> Failure {
    let ended = |reason: String| Failure { reason: format!("the live socket {reason}"), is_reached: true };
    let mut reader = FeedReader::new(Arc::clone(&engine.with(|standalone| Arc::clone(standalone.redactor()))));
    let mut socket = socket.fuse();
    let mut opened = None;
    let connecting = engine.at();
    loop {
        let since = opened.unwrap_or(connecting);
        let (silence, silent_at) = engine.read(|daemon| (daemon.longest_silence(), daemon.silent_at(since)));
        let timeout = TimeoutFuture::new(whole_ms(silent_at.saturating_sub(engine.at())));
        let next = socket.next();
        pin_mut!(timeout, next);
        let message = match select(next.fuse(), timeout.fuse()).await {
            Either::Left((message, _)) => message,
            Either::Right(_) => return ended(format!("was silent for {} s", silence.as_secs())),
        };
        match message {
            Some(Ok(message)) => {
                if opened.is_none() {
                    opened = Some(engine.at());
                    engine.change(|daemon, now| daemon.socket_opened(now));
                }
                let Message::Text(text) = message else { continue };
                let parsed = reader.read(&text);
                engine.change(|daemon, now| match parsed {
                    Ok(incoming) => daemon.receive(incoming, now),
                    Err(error) => daemon.feed_failed(&format!("the live socket: {error}"), now),
                });
            }
            Some(Err(_)) | None if opened.is_none() => return refused("cannot be opened"),
            Some(Err(error)) => return ended(format!("broke: {error}")),
            None => return ended("was closed by the daemon".to_owned()),
        }
    }
}

/// A duration in milliseconds, at least one and at most a minute.
fn whole_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).clamp(1, 60_000)
}
