//! Requests to the daemon by the browser's `fetch`.

use std::{cell::RefCell, rc::Rc};

use futures_util::future::{Either, select};
use gloo_net::http::{Request as Fetch, RequestBuilder};
use gloo_timers::future::TimeoutFuture;
use hypervisord::detect::{Detection, Next, Profile};
use model::worker::{Credentials, Login, ToPage};
use scrape::{Answer, CallError, Endpoint, Request, Response};

use crate::page;

/// How long the daemon may take to answer, in seconds.
const PATIENCE_SECS: u32 = 10;

/// Requests to one daemon. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    endpoint: Endpoint,
    credentials: Rc<RefCell<Option<Credentials>>>,
}

impl Client {
    pub(crate) fn new(endpoint: Endpoint, credentials: Option<Credentials>) -> Self {
        let client = Client { endpoint, credentials: Rc::default() };
        client.use_credentials(credentials);
        client
    }

    /// The place of the daemon, by which its answers are read.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends these with all following requests. They appear in no text.
    pub(crate) fn use_credentials(&self, credentials: Option<Credentials>) {
        if let Some(Credentials::Key(secret) | Credentials::Session(secret)) = &credentials {
            self.endpoint.redactor().learn_configured(secret);
        }
        *self.credentials.borrow_mut() = credentials;
    }

    /// Whether requests carry credentials. A browser's socket cannot, except in its URL, where a secret does not belong.
    pub(crate) fn has_credentials(&self) -> bool {
        self.credentials.borrow().is_some()
    }

    /// Asks the daemon for a session.
    ///
    /// # Errors
    ///
    /// In words.
    pub(crate) async fn log_in(&self, login: &Login) -> Result<(), String> {
        #[derive(serde::Deserialize)]
        struct Session {
            token: String,
        }
        self.endpoint.redactor().learn_configured(&login.password);
        let path = "/api/login";
        let body = serde_json::to_string(login).unwrap_or_default();
        let answer = self.ask(&Request::post(path.to_owned(), body, 1 << 16)).await;
        let session: Session = answer.and_then(|answer| self.endpoint.json(path, &answer)).map_err(|error| {
            if matches!(error, CallError::Refused { .. }) {
                "the daemon does not accept this user and password".to_owned()
            } else {
                error.to_string()
            }
        })?;
        self.use_credentials(Some(Credentials::Session(session.token)));
        Ok(())
    }

    /// Sends a request. A refusal asks the viewer for credentials.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, CallError> {
        self.ask(request).await.map_err(|error| match error {
            CallError::Refused { url, status } => {
                page::post(&ToPage::Locked { reason: self.refusal().to_owned() });
                // How a server is given a key is of no use here.
                CallError::Status { url, status, message: self.refusal().trim_end_matches('.').to_owned() }
            }
            error => error,
        })
    }

    async fn ask(&self, request: &Request) -> Result<Answer, CallError> {
        self.respond(request).await.and_then(|response| self.endpoint.read(&request.path, response))
    }

    /// Why the daemon does not answer what it is asked.
    fn refusal(&self) -> &'static str {
        match &*self.credentials.borrow() {
            None => "The daemon asks for its API key, or for a user.",
            Some(Credentials::Key(_)) => "The daemon does not accept this API key.",
            Some(Credentials::Session(_)) => "The session at the daemon has ended.",
        }
    }

    /// Sends the requests of a detection.
    pub(crate) async fn detect(&self, mut detection: Detection) -> Result<Profile, CallError> {
        loop {
            match detection.next() {
                Next::Request(request) => detection.answered(&self.endpoint, self.send(&request).await)?,
                Next::Done(profile) => {
                    page::post(&ToPage::Unlocked { credentials: self.credentials.borrow().clone() });
                    return Ok(profile);
                }
            }
        }
    }

    async fn respond(&self, request: &Request) -> Result<Response, CallError> {
        let Request { path, body, accept, limit_bytes } = request;
        let url = self.endpoint.shown(path);
        let builder = if body.is_some() { Fetch::post(&url) } else { Fetch::get(&url) };
        let builder = self.authorized(builder.header("Accept", accept).cache(web_sys::RequestCache::NoStore));
        // A browser does not say more than that.
        let unreachable = |reason: &str| CallError::Unreachable { url: url.clone(), reason: reason.to_owned() };
        let fetch = match body {
            Some(body) => builder.header("Content-Type", "application/json").body(body.clone()),
            None => builder.build(),
        }
        .map_err(|_| unreachable("the browser does not send this request"))?;
        let answering = async {
            let response = fetch.send().await.map_err(|_| unreachable("nothing answers"))?;
            let (status, content_type) = (response.status(), response.headers().get("Content-Type"));
            let body = response.binary().await.map_err(|_| unreachable("the answer broke off"))?;
            if body.len() > *limit_bytes {
                return Err(CallError::TooLarge { url: url.clone(), limit_bytes: *limit_bytes });
            }
            Ok(Response { status, content_type, body })
        };
        let patience = TimeoutFuture::new(PATIENCE_SECS * 1_000);
        futures_util::pin_mut!(answering, patience);
        match select(answering, patience).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(CallError::TimedOut { url: url.clone(), seconds: u64::from(PATIENCE_SECS) }),
        }
    }

    fn authorized(&self, builder: RequestBuilder) -> RequestBuilder {
        match &*self.credentials.borrow() {
            Some(Credentials::Key(key)) => builder.header("X-API-Key", key),
            Some(Credentials::Session(token)) => builder.header("Authorization", &format!("Bearer {token}")),
            None => builder,
        }
    }
}
