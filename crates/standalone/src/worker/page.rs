//! The page on the other side: its messages, and those to it.

use std::{cell::RefCell, rc::Rc};

use hypervisord::{CancelAnswer, JobLog};
use js_sys::Uint8Array;
use model::{
    live::{ClientMessage, ServerMessage},
    worker::{Asked, Credentials, FromPage, Login, Start, ToPage},
};
use redact::Redactor;
use scrape::{Endpoint, Request};
use serde::Serialize;
use standalone::{Answered, PageRequest, Reply, Site, Standalone};
use url::Url;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};
use web_time::Instant;

use crate::{
    client::Client,
    daemon_socket,
    engine::{Engine, now_ms},
    kept_history::{self, KeptHistory},
    tasks,
};

thread_local! {
    static ENGINE: RefCell<Option<Rc<Engine>>> = const { RefCell::new(None) };
    /// Messages that came before the engine was there.
    static EARLY: RefCell<Vec<Early>> = const { RefCell::new(Vec::new()) };
}

/// Largest number of messages that wait for the engine.
const MOST_EARLY: usize = 1_000;

/// A message that came before the engine was there.
enum Early {
    Live(Vec<u8>),
    Other(FromPage),
}

/// Reads the page's messages for as long as it lives.
pub(crate) fn listen() {
    let listener = Closure::<dyn Fn(MessageEvent)>::new(|event: MessageEvent| {
        let data = event.data();
        if let Some(text) = data.as_string() {
            match serde_json::from_str(&text) {
                Ok(FromPage::Start(start)) => spawn_local(begin(start)),
                Ok(message) => take(Early::Other(message)),
                Err(error) => warn(&format!("a message of the page cannot be read: {error}")),
            }
        } else if let Ok(bytes) = data.dyn_into::<Uint8Array>() {
            take(Early::Live(bytes.to_vec()));
        }
    });
    scope().set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // As long as the worker.
    listener.forget();
}

/// Posts a message of the live protocol.
pub(crate) fn post_live(message: &ServerMessage) {
    let mut bytes = Vec::new();
    if ciborium::into_writer(message, &mut bytes).is_ok() {
        send(&Uint8Array::from(bytes.as_slice()).into());
    }
}

/// Posts another message.
pub(crate) fn post(message: &ToPage) {
    send(&JsValue::from_str(&to_json(message)));
}

fn send(message: &JsValue) {
    // Only what cannot be cloned is refused: neither text nor bytes.
    let _ = scope().post_message(message);
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

fn warn(text: &str) {
    web_sys::console::warn_1(&JsValue::from_str(text));
}

/// Says something in the browser's console that is no problem.
pub(crate) fn inform(text: &str) {
    web_sys::console::info_1(&JsValue::from_str(text));
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Starts the engine, and its tasks.
async fn begin(start: Start) {
    let Start { daemons, site, credentials, keeps_history } = start;
    let broken = |reason: String| post(&ToPage::Broken { reason });
    let site: Site = match fetch_site(&site).await {
        Ok(site) => site,
        Err(reason) => return broken(reason),
    };
    let Some(base) = find_daemon(&daemons, credentials.clone()).await else {
        return broken("this page is not at an address of HTTP, so that no daemon can be beside it".to_owned());
    };
    let kept = if keeps_history { KeptHistory::open(base.as_str()).await } else { None };
    let history = match &kept {
        Some(kept) => kept.blocks().await,
        None => Vec::new(),
    };
    let begun = Instant::now();
    let now = hypervisord::Now { ms: now_ms(), at: begun.elapsed() };
    let standalone = Standalone::new(site, base, now.ms.to_string(), &history, now);
    standalone.problems().iter().for_each(|problem| warn(problem));
    let client = Client::new(standalone.endpoint().clone(), credentials);
    let engine = Rc::new(Engine::new(standalone, client, begun));
    spawn_local(daemon_socket::run(Rc::clone(&engine)));
    spawn_local(tasks::poll(Rc::clone(&engine)));
    spawn_local(tasks::collect(Rc::clone(&engine)));
    spawn_local(tasks::advance(Rc::clone(&engine)));
    if let Some(kept) = kept {
        spawn_local(kept_history::keep(Rc::clone(&engine), kept));
    }
    ENGINE.with_borrow_mut(|place| *place = Some(engine));
    EARLY.take().into_iter().for_each(take);
}

async fn fetch_site(url: &str) -> Result<Site, String> {
    let failed = |error: String| format!("the bundle is incomplete: {url} cannot be read: {error}");
    let response = gloo_net::http::Request::get(url).send().await.map_err(|error| failed(error.to_string()))?;
    if !response.ok() {
        return Err(failed(format!("HTTP {}", response.status())));
    }
    let text = response.text().await.map_err(|error| failed(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}

/// The first of the URLs at which something answers like a daemon, or asks for a key; else the first one.
async fn find_daemon(daemons: &[String], credentials: Option<Credentials>) -> Option<Url> {
    let urls: Vec<Url> = daemons.iter().filter_map(|daemon| Url::parse(daemon).ok()).collect();
    for url in &urls {
        let endpoint = Endpoint::new(url.clone(), "a hypervisord", std::sync::Arc::new(Redactor::default()));
        let client = Client::new(endpoint, credentials.clone());
        let answer = client.send(&Request::get("/status".to_owned(), 1 << 20)).await;
        if answer.is_ok() || matches!(answer, Err(scrape::CallError::Status { status: 401 | 403, .. })) {
            return Some(url.clone());
        }
    }
    urls.into_iter().next()
}

fn take(message: Early) {
    let Some(engine) = ENGINE.with_borrow(Clone::clone) else {
        EARLY.with_borrow_mut(|early| {
            if early.len() < MOST_EARLY {
                early.push(message);
            }
        });
        return;
    };
    match message {
        Early::Live(bytes) => match ciborium::from_reader::<ClientMessage, _>(bytes.as_slice()) {
            Ok(message) => engine.with(|standalone| standalone.receive(message, now_ms())),
            Err(error) => warn(&format!("a live message of the page cannot be read: {error}")),
        },
        Early::Other(FromPage::Connect) => engine.with(|standalone| standalone.connect(now_ms())),
        Early::Other(FromPage::Request(asked)) => spawn_local(answer(engine, asked)),
        Early::Other(FromPage::Use(credentials)) => {
            engine.client().use_credentials(Some(credentials));
            engine.retry();
        }
        Early::Other(FromPage::Login(login)) => spawn_local(log_in(engine, login)),
        Early::Other(FromPage::Start(_)) => {}
    }
}

async fn log_in(engine: Rc<Engine>, login: Login) {
    match engine.client().log_in(&login).await {
        Ok(()) => engine.retry(),
        Err(reason) => post(&ToPage::Locked { reason }),
    }
}

async fn answer(engine: Rc<Engine>, Asked { id, is_post, path }: Asked) {
    let now = engine.now();
    let answered = engine.with(|standalone| standalone.answer(&PageRequest { is_post, path }, now));
    let Reply { status, body } = match answered {
        Answered::Reply(reply) => reply,
        Answered::Log { job, request } => {
            let log = match request {
                Some(request) => {
                    let answer = engine.client().send(&request).await;
                    Some(answer.and_then(|answer| JobLog::read(&request, engine.client().endpoint(), &answer)))
                }
                None => None,
            };
            engine.with(|standalone| standalone.job_reply(*job, log))
        }
        Answered::Cancel { id, request } => {
            let answer = engine.client().send(&request).await;
            let answer =
                answer.and_then(|answer| CancelAnswer::read(&id, &request, engine.client().endpoint(), &answer));
            let now = engine.now();
            engine.with(|standalone| standalone.cancel_reply(&id, answer, now))
        }
    };
    post(&ToPage::Reply { id, status, body });
}
