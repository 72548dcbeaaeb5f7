//! The page's side of the worker that does a server's work: a transport of the live protocol, and responses to requests.

use std::{cell::RefCell, collections::HashMap};

use futures_channel::{mpsc, oneshot};
use futures_util::{Sink, future::LocalBoxFuture, sink};
use gloo_net::websocket::{Message, WebSocketError};
use js_sys::Uint8Array;
use leptos::prelude::{RwSignal, Set, window};
use model::worker::{Asked, Credentials, FromPage, Login, Start, ToPage};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{MessageEvent, WorkerOptions, WorkerType};

use super::places;
use crate::{live::Transport, platform::FetchError};

/// Maximum number of live messages that the page has not read yet. A page that reads more slowly connects again.
const MAX_UNREAD: usize = 1024;
/// Key of the credentials in the session storage, which lasts until the tab is closed.
const CREDENTIALS: &str = "hyperscope-daemon";

thread_local! {
    static PAGE: RefCell<Option<Page>> = const { RefCell::new(None) };
}

/// The page's side of the worker.
struct Page {
    worker: web_sys::Worker,
    /// Pending requests, by ID.
    waiting: HashMap<u32, oneshot::Sender<(u16, String)>>,
    next_id: u32,
    /// Receives live messages while the page is connected.
    live: Option<mpsc::Sender<Result<Message, WebSocketError>>>,
    /// What the worker says beside data.
    told: Told,
}

/// What the worker says beside data.
#[derive(Clone, Copy)]
pub(super) struct Told {
    /// Why the daemon requires credentials; `None` if it does not.
    pub(super) locked: RwSignal<Option<String>>,
    /// What is wrong with the daemon, in sentences.
    pub(super) notices: RwSignal<Vec<String>>,
    /// Why the worker ended; `None` while it runs.
    pub(super) failure: RwSignal<Option<String>>,
}

/// The live protocol over the worker.
pub(super) struct Worker;

impl Transport for Worker {
    type Outgoing = std::pin::Pin<Box<dyn Sink<Message, Error = WebSocketError>>>;
    type Incoming = mpsc::Receiver<Result<Message, WebSocketError>>;

    fn open() -> Option<(Self::Outgoing, Self::Incoming)> {
        let (sender, receiver) = mpsc::channel(MAX_UNREAD);
        PAGE.with_borrow_mut(|page| {
            page.as_mut()?.live = Some(sender);
            Some(())
        })?;
        post(&FromPage::Connect);
        let outgoing = sink::unfold((), |(), message: Message| async move {
            if let Message::Bytes(bytes) = message {
                send(&Uint8Array::from(bytes.as_slice()));
            }
            Ok(())
        });
        Some((Box::pin(outgoing), receiver))
    }
}

/// Starts the worker, which sets `told`.
///
/// # Errors
///
/// The reason, for a person.
pub(super) fn start(told: Told) -> Result<(), String> {
    let missing = || "This page is not one that 'hyperscope bundle' wrote: its worker is missing.".to_owned();
    let (script, site) = (places::worker_script().ok_or_else(missing)?, places::site().ok_or_else(missing)?);
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = web_sys::Worker::new_with_options(&script, &options)
        .map_err(|_| "This browser does not run the page's worker.".to_owned())?;
    let taken = Closure::<dyn Fn(MessageEvent)>::new(|event: MessageEvent| take(&event.data()));
    worker.set_onmessage(Some(taken.as_ref().unchecked_ref()));
    let failed = Closure::<dyn Fn()>::new(|| end("The page's worker failed.".to_owned()));
    worker.set_onerror(Some(failed.as_ref().unchecked_ref()));
    // The closures live as long as the page.
    taken.forget();
    failed.forget();
    PAGE.set(Some(Page { worker, waiting: HashMap::new(), next_id: 0, live: None, told }));
    let (daemons, keeps_history) = (places::daemons(), places::keeps_history());
    post(&FromPage::Start(Start { daemons, site, credentials: kept(), keeps_history }));
    Ok(())
}

/// Sends a request to the worker, which responds as a server would.
pub(super) fn ask(is_post: bool, path: String) -> LocalBoxFuture<'static, Result<(u16, String), FetchError>> {
    let asked = PAGE.with_borrow_mut(|page| {
        let page = page.as_mut()?;
        page.next_id = page.next_id.wrapping_add(1);
        let (sender, receiver) = oneshot::channel();
        page.waiting.insert(page.next_id, sender);
        Some((page.next_id, receiver))
    });
    Box::pin(async move {
        let (id, answer) = asked.ok_or(FetchError::Unreachable)?;
        post(&FromPage::Request(Asked { id, is_post, path }));
        answer.await.map_err(|_| FetchError::Unreachable)
    })
}

/// Uses an API key of the daemon.
pub(super) fn use_key(key: String) {
    post(&FromPage::Use(Credentials::Key(key)));
}

/// Logs in to the daemon with a user and a password.
pub(super) fn log_in(username: String, password: String) {
    post(&FromPage::Login(Login { username, password }));
}

fn take(data: &JsValue) {
    if let Some(bytes) = data.dyn_ref::<Uint8Array>() {
        let message = Ok(Message::Bytes(bytes.to_vec()));
        PAGE.with_borrow_mut(|page| {
            let live = &mut page.as_mut()?.live;
            if live.as_mut()?.try_send(message).is_err() {
                *live = None;
            }
            Some(())
        });
        return;
    }
    let Some(message) = data.as_string().and_then(|text| serde_json::from_str::<ToPage>(&text).ok()) else { return };
    let Some(Told { locked, notices, .. }) = PAGE.with_borrow(|page| page.as_ref().map(|page| page.told)) else {
        return;
    };
    match message {
        ToPage::Reply { id, status, body } => {
            let waiting = PAGE.with_borrow_mut(|page| page.as_mut()?.waiting.remove(&id));
            if let Some(waiting) = waiting {
                // The caller may be gone.
                let _ = waiting.send((status, body));
            }
        }
        ToPage::Locked { reason } => locked.set(Some(reason)),
        ToPage::Unlocked { credentials } => {
            keep(credentials.as_ref());
            locked.set(None);
        }
        ToPage::Notices { sentences } => notices.set(sentences),
        ToPage::Broken { reason } => end(reason),
    }
}

/// Ends the connection to a worker that does no more work: pending requests and the live connection fail.
fn end(reason: String) {
    if let Some(page) = PAGE.take() {
        page.worker.terminate();
        page.told.failure.set(Some(reason));
    }
}

fn post(message: &FromPage) {
    if let Ok(text) = serde_json::to_string(message) {
        send(&JsValue::from_str(&text));
    }
}

fn send(message: &JsValue) {
    PAGE.with_borrow(|page| page.as_ref()?.worker.post_message(message).ok());
}

/// Credentials that the viewer entered in this tab.
fn kept() -> Option<Credentials> {
    let text = window().session_storage().ok()??.get_item(CREDENTIALS).ok()??;
    serde_json::from_str(&text).ok()
}

/// Stores credentials until the tab is closed; `None` removes them. Without effect if the browser has no session storage.
fn keep(credentials: Option<&Credentials>) {
    let Ok(Some(storage)) = window().session_storage() else { return };
    let _ = match credentials.and_then(|credentials| serde_json::to_string(credentials).ok()) {
        Some(text) => storage.set_item(CREDENTIALS, &text),
        None => storage.remove_item(CREDENTIALS),
    };
}
