//! A test server with routes behind each kind of guard, and with its own data directory.

use std::net::SocketAddr;

use crate::{
    config::{Config, Options},
    http::{
        auth::{self, Auth, AuthOptions, SocketAdmission},
        csp::{self, Nonce},
    },
};
use access::{NewToken, Principal, TokenInfo, TokenStore};
use axum::{
    Extension, Router,
    extract::{
        Path, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use model::role::Role;
use reqwest::{Client, redirect::Policy};
use tempfile::TempDir;

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) auth: Auth,
    /// Another handle to the same database, as the command line opens one.
    pub(crate) tokens: TokenStore,
    pub(crate) data_dir: TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        Self::start_in(TempDir::new().unwrap(), options).await
    }

    pub(crate) async fn start_in(data_dir: TempDir, options: Options) -> Self {
        let config = Config::resolve(options, data_dir.path().to_owned()).unwrap();
        let pool = database::open(data_dir.path()).await.unwrap();
        let auth = Auth::open(pool, AuthOptions::from(&config)).await.unwrap();
        let router = csp::secure_headers(routes(&auth), &config);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        let tokens = TokenStore::open(data_dir.path()).await.unwrap();
        Server { address, auth, tokens, data_dir, task }
    }

    /// Stops the server, and returns the data directory.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.task.abort();
        std::mem::replace(&mut self.data_dir, TempDir::new().unwrap())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Creates a token as the command line does.
    pub(crate) async fn token(&self, role: Role) -> (TokenInfo, String) {
        self.token_with(NewToken {
            name: "test".into(),
            role,
            expires_at: None,
            dashboards: Vec::new(),
            matchers: String::new(),
        })
        .await
    }

    pub(crate) async fn token_with(&self, new: NewToken) -> (TokenInfo, String) {
        let (info, secret) = self.tokens.create(new).await.unwrap();
        (info, secret.expose().to_owned())
    }

    /// The cookie of a new session, as `name=value`.
    pub(crate) async fn log_in(&self, secret: &str) -> String {
        let response = client().get(self.url(&format!("/login?token={secret}"))).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        cookie(&response).unwrap()
    }
}

/// A client without redirects and without a cookie store.
pub(crate) fn client() -> Client {
    // Only the first call has an effect.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

/// The cookie that a response sets, as `name=value`.
pub(crate) fn cookie(response: &reqwest::Response) -> Option<String> {
    let cookie = response.headers().get("set-cookie")?.to_str().unwrap();
    cookie.split(';').next().map(str::to_owned)
}

pub(crate) fn location(response: &reqwest::Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}

fn routes(auth: &Auth) -> Router {
    let reader = |handler: MethodRouter| auth::require(handler, auth, Role::reads, true);
    let page = get(async |nonce: Nonce| Html(format!("<p>overview {}</p>", nonce.as_str())));
    let cancel = axum::routing::delete(async || "cancelled");
    let own = auth::routes(auth).into_iter().fold(Router::new(), |router, route| {
        let path = route.path;
        router.route(path, route.for_roles(auth))
    });
    own.route("/", reader(page))
        .route("/d/{uid}", reader(get(dashboard)))
        .route("/kiosk/{uid}", reader(get(dashboard)))
        .route("/api/thing", reader(get(async || "thing")))
        .route("/api/endless", reader(get(async || std::future::pending::<&str>().await)))
        .route("/api/v1/query", reader(get(async || "value").post(async || "value")))
        .route("/api/jobs/{id}", auth::require(cancel, auth, Role::operates, false))
        .route("/api/v1/write", auth::require(post(async || "written"), auth, Role::ingests, false))
        .route("/ws", auth::admit_sockets(get(open_socket), auth))
        .route("/health", get(async || "ok"))
}

async fn dashboard(Extension(principal): Extension<Principal>, Path(uid): Path<String>) -> Response {
    if principal.may_see(&uid) { "seen".into_response() } else { StatusCode::FORBIDDEN.into_response() }
}

async fn open_socket(admission: SocketAdmission, upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["hyperscope.v1.json"]).on_upgrade(async move |socket| serve_socket(admission, socket).await)
}

/// Echoes until the principal ends.
async fn serve_socket(admission: SocketAdmission, mut socket: WebSocket) {
    loop {
        tokio::select! {
            () = admission.principal().ended() => {
                let frame = CloseFrame { code: 4401, reason: "ended".into() };
                let _ = socket.send(Message::Close(Some(frame))).await;
                return;
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => { let _ = socket.send(Message::Text(text)).await; }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
