//! The task of the connection: connects and reconnects, decodes messages, and polls while sockets cannot be opened.

use futures_channel::mpsc::{self, UnboundedReceiver};
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    future::{AbortHandle, Either, LocalBoxFuture, abortable, select},
    pin_mut,
    stream::Fuse,
};
use gloo_net::websocket::{Message, WebSocketError};
use gloo_timers::future::TimeoutFuture;
use model::{
    backoff::Backoff,
    live::{CLOSE_SESSION_ENDED, ClientMessage, ServerMessage},
    tree::{read_cbor, read_json},
};

use super::{
    Connection,
    client::{Client, Wake},
    poll,
    transport::Transport,
};
use crate::platform;

/// Consecutive failures to connect before the page polls by HTTP.
const FAILURES_BEFORE_POLLING: u32 = 3;

/// How long a socket must last to count as a success, in milliseconds. A socket that is lost earlier counts as a failure.
const STEADY_MS: i64 = 2_000;

/// Interval at which a paused page checks whether the server responds, and timeout of the check, in milliseconds.
const ASK_MS: u32 = 10_000;

pub(crate) type Woken = Fuse<UnboundedReceiver<Wake>>;

/// Why a socket ended.
enum Ended {
    /// It never opened.
    Refused,
    /// It was open and was lost.
    Lost,
    /// The session has ended: a login is required.
    SessionOver,
    /// No connection is needed for now.
    Resting,
}

/// Keeps a client connected until the page is closed.
pub(crate) type Connect = fn(Client, Woken) -> LocalBoxFuture<'static, ()>;

/// A [`Connect`] over the transport `T`.
pub(crate) fn connect_by<T: Transport>(client: Client, woken: Woken) -> LocalBoxFuture<'static, ()> {
    Box::pin(stay_connected::<T>(client, woken))
}

async fn stay_connected<T: Transport>(client: Client, mut woken: Woken) {
    let mut backoff = Backoff::default();
    let mut polling: Option<AbortHandle> = None;
    loop {
        if client.rests() {
            stop(&mut polling);
            if !rest(&client, &mut woken).await {
                return;
            }
        }
        let began_ms = platform::now_ms();
        match run::<T>(&client, &mut woken, &mut polling).await {
            Ended::SessionOver => {
                platform::go_to_login();
                return;
            }
            Ended::Resting => continue,
            Ended::Lost if platform::now_ms().saturating_sub(began_ms) >= STEADY_MS => backoff.succeed(),
            Ended::Lost | Ended::Refused => {}
        }
        let wait_ms = backoff.fail(js_sys::Math::random());
        if backoff.failures() >= FAILURES_BEFORE_POLLING && polling.is_none() {
            let (task, handle) = abortable(poll::keep_asking(client.clone()));
            wasm_bindgen_futures::spawn_local(task.map(|_| ()));
            polling = Some(handle);
        }
        if polling.is_none() {
            let now_ms = platform::now_ms();
            let since_ms = client.lost_at_ms().unwrap_or(now_ms);
            client.show(if platform::is_online() {
                let retry_at_ms = Some(now_ms.saturating_add(i64::from(wait_ms)));
                Connection::Reconnecting { since_ms, retry_at_ms }
            } else {
                Connection::Offline { since_ms }
            });
        }
        // Every event leads to the next attempt.
        if !wait(&mut woken, wait_ms).await {
            return;
        }
    }
}

/// Waits while no connection is needed, and checks at intervals of [`ASK_MS`] whether the server responds. False once the page is closed.
async fn rest(client: &Client, woken: &mut Woken) -> bool {
    let since_ms = client.lost_at_ms().unwrap_or_else(|| {
        client.show(Connection::Paused);
        platform::now_ms()
    });
    loop {
        let is_there = poll::is_there(ASK_MS).await;
        if !client.rests() {
            return true;
        }
        client.show(if is_there { Connection::Paused } else { Connection::PausedOffline { since_ms } });
        if !wait(woken, ASK_MS).await {
            return false;
        }
        if !client.rests() {
            return true;
        }
    }
}

/// Waits `wait_ms` milliseconds, or until an event. False once the page is closed.
async fn wait(woken: &mut Woken, wait_ms: u32) -> bool {
    let timeout = TimeoutFuture::new(wait_ms);
    let wake = woken.next();
    pin_mut!(timeout, wake);
    !matches!(select(timeout, wake).await, Either::Right((None, _)))
}

fn stop(polling: &mut Option<AbortHandle>) {
    if let Some(handle) = polling.take() {
        handle.abort();
    }
}

/// Opens a socket and runs it to its end.
async fn run<T: Transport>(client: &Client, woken: &mut Woken, polling: &mut Option<AbortHandle>) -> Ended {
    if polling.is_none()
        && let Some(since_ms) = client.lost_at_ms()
    {
        client.show(Connection::Reconnecting { since_ms, retry_at_ms: None });
    }
    let Some((mut sink, stream)) = T::open() else { return Ended::Refused };
    let mut stream = stream.fuse();
    let (outgoing, mut to_send) = mpsc::unbounded::<ClientMessage>();
    let mut opened = false;
    loop {
        futures_util::select_biased! {
            wake = woken.next() => match wake {
                Some(Wake::Reconsider) => {
                    if client.rests() {
                        client.detach();
                        return Ended::Resting;
                    }
                    if opened {
                        client.show(shown(client));
                    }
                }
                Some(Wake::Offline) if opened => {
                    client.detach();
                    return lost(client);
                }
                _ => {}
            },
            arrived = stream.next() => match arrived {
                Some(Ok(message)) => {
                    if !opened {
                        // The first message is the server's `hello`: the connection works.
                        opened = true;
                        stop(polling);
                        client.attach(outgoing.clone());
                        client.show(shown(client));
                    }
                    receive(client, &message);
                    if client.rests() {
                        client.detach();
                        return Ended::Resting;
                    }
                }
                Some(Err(WebSocketError::ConnectionClose(close))) if close.code == CLOSE_SESSION_ENDED => {
                    client.detach();
                    return Ended::SessionOver;
                }
                Some(Err(_)) | None => {
                    client.detach();
                    return if opened { lost(client) } else { Ended::Refused };
                }
            },
            message = to_send.next() => if let Some(message) = message {
                let mut bytes = Vec::new();
                if ciborium::into_writer(&message, &mut bytes).is_ok() && sink.send(Message::Bytes(bytes)).await.is_err() {
                    client.detach();
                    return if opened { lost(client) } else { Ended::Refused };
                }
            },
        }
    }
}

/// The state while a socket is open. A paused page opens one only for feeds without data.
fn shown(client: &Client) -> Connection {
    if client.is_paused() { Connection::Paused } else { Connection::Live }
}

/// Shows that the connection was lost now.
fn lost(client: &Client) -> Ended {
    client.show(Connection::Reconnecting { since_ms: platform::now_ms(), retry_at_ms: None });
    Ended::Lost
}

fn receive(client: &Client, message: &Message) {
    let decoded = match message {
        Message::Bytes(bytes) => read_cbor::<ServerMessage>(bytes),
        Message::Text(text) => read_json(text),
    };
    match decoded {
        Ok(message) => client.receive(message),
        Err(error) => leptos::logging::warn!("a live message could not be read: {error}"),
    }
}
