//! Authentication and authorization: tokens, sessions and roles.
//!
//! [`Auth`] is the handle for the rest of the server. [`require`] restricts routes to roles, and [`admit_sockets`] the live socket. [`routes`] has the
//! routes for logins, sessions and tokens. Handlers behind these guards can extract a [`Principal`].

use parking_lot::Mutex;

mod browser;
mod client;
mod credentials;
mod extract;
mod form_token;
mod forwarded;
mod guard;
mod html;
mod local_path;
mod login;
mod login_cookie;
mod origin;
mod rejection;
mod session_api;
mod sockets;
#[cfg(test)]
mod tests;
mod token_api;

use std::{sync::Arc, time::Duration};

use access::{Cache, LoginThrottle, PRINTED_ID, Principal, SessionInfo, StoreError, TokenStore};
use model::clock::now_ms;
use redact::Secret;
use reqwest::Url;
use sqlx::SqlitePool;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::sockets::SocketCounts;
use super::{Rights, Route, Who};
use crate::config::{Config, Network};

pub(crate) use self::{
    credentials::cookies,
    form_token::{FIELD as FORM_TOKEN_FIELD, FormToken},
    forwarded::proxy_says,
    html::escape,
    origin::host,
    token_api::end_of,
};
pub(crate) use self::{
    guard::{admit_sockets, require},
    rejection::Denied,
    sockets::{SocketAdmission, SocketLimits},
};

/// Longest body of a request about sessions and tokens, in bytes.
pub(crate) const BODY_BYTES: usize = 16 << 10;
/// Most refused requests of one address that are logged in a minute.
const REFUSALS_LOGGED: u32 = 10;

/// Lifetime of the first token of `serve`, in milliseconds, unless the operator makes it permanent. Later readers of the terminal or the log cannot use
/// the printed link.
const FIRST_TOKEN_MS: i64 = 86_400_000;
/// Id of that token, for the command that makes it permanent.
pub(crate) const FIRST_TOKEN_ID: &str = PRINTED_ID;

/// Settings of this module.
#[derive(Debug, Clone)]
pub struct AuthOptions {
    /// No token is required: everyone who reaches the server is an admin.
    pub no_auth: bool,
    /// Browsers reach the server by HTTPS, so the cookie is for HTTPS only.
    pub https: bool,
    /// Pages of other sites may show ours in a frame.
    pub has_foreign_frames: bool,
    /// The URL at which browsers reach the server, if it is not the host in their requests.
    pub public_url: Option<Url>,
    /// Lifetime of a login, except for kiosks.
    pub session_lifetime: Duration,
    /// How long a login may be idle, except for kiosks.
    pub session_idle: Duration,
    /// Proxies whose headers `X-Forwarded-*` and `Forwarded` are used.
    pub trusted_proxies: Vec<Network>,
    /// Most failed logins from one address in a minute.
    pub wrong_logins: u32,
    /// Limits on the number of live sockets.
    pub socket_limits: SocketLimits,
}

impl From<&Config> for AuthOptions {
    fn from(config: &Config) -> Self {
        AuthOptions {
            no_auth: config.insecure_no_auth,
            https: config.is_https(),
            has_foreign_frames: config
                .frame_ancestors
                .iter()
                .any(|source| !matches!(source.as_str(), "'self'" | "'none'")),
            public_url: config.public_url.clone(),
            session_lifetime: config.session_lifetime,
            session_idle: config.session_idle,
            trusted_proxies: config.trusted_proxies.clone(),
            wrong_logins: config.limits.wrong_logins,
            socket_limits: SocketLimits {
                all: config.limits.sockets,
                of_token: config.limits.token_sockets,
                of_kiosk: config.limits.kiosk_sockets,
            },
        }
    }
}

/// Whether a start prints a login link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginLink {
    /// Only the first start, which creates the first token.
    Once,
    /// Every start. The printed token gets a new secret; sessions that began with an older one stay valid.
    Always,
}

/// Identifies requests and their rights. Cheap to clone. When the last clone is dropped, the task that follows the database ends.
#[derive(Debug, Clone)]
pub struct Auth {
    shared: Arc<Shared>,
    _following: Arc<DropGuard>,
}

#[derive(Debug)]
struct Shared {
    store: TokenStore,
    cache: Arc<Cache>,
    options: AuthOptions,
    wrong_logins: Mutex<LoginThrottle>,
    /// Limits the number of refused requests that are logged.
    refusals: Mutex<LoginThrottle>,
    sockets: Arc<SocketCounts>,
}

impl Auth {
    /// Loads the tokens of `pool`, and starts a task that follows their changes.
    ///
    /// # Errors
    /// The database fails.
    pub async fn open(pool: SqlitePool, options: AuthOptions) -> Result<Self, StoreError> {
        let store = TokenStore::new(pool);
        let cache = Arc::new(Cache::load(store.clone(), options.session_idle).await?);
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&cache).follow(stop.clone()));
        let wrong_logins = Mutex::new(LoginThrottle::new(options.wrong_logins));
        let refusals = Mutex::new(LoginThrottle::new(REFUSALS_LOGGED));
        let sockets = Arc::new(SocketCounts::new(options.socket_limits));
        Ok(Auth {
            shared: Arc::new(Shared { store, cache, options, wrong_logins, refusals, sockets }),
            _following: Arc::new(stop.drop_guard()),
        })
    }

    /// The sessions of the caller's token: the caller's first, then by their last use.
    #[must_use]
    pub fn sessions(&self, principal: &Principal) -> Vec<SessionInfo> {
        self.shared.cache.sessions_of(principal.token_id(), principal.session_id())
    }

    /// Ends the sessions of the caller's token for whose ids `ends` is true. Returns their number.
    async fn end_sessions(&self, principal: &Principal, ends: impl Fn(&str) -> bool) -> Result<usize, StoreError> {
        let hashes = self.shared.cache.hashes_of(principal.token_id(), ends);
        for hash in &hashes {
            self.shared.store.end_session(hash).await?;
        }
        self.shared.cache.reload().await?;
        Ok(hashes.len())
    }

    /// Ensures that somebody can log in: stores the token that the operator chose, or creates the first one. The caller prints a returned secret once, as a
    /// login link.
    ///
    /// # Errors
    /// The database fails.
    pub async fn ensure_first_token(
        &self,
        chosen: Option<&Secret>,
        link: LoginLink,
    ) -> Result<Option<Secret>, StoreError> {
        let store = &self.shared.store;
        let made = match chosen {
            _ if self.shared.options.no_auth => return Ok(None),
            Some(chosen) => {
                store.set_chosen(chosen).await?;
                None
            }
            None if link == LoginLink::Always => Some(store.set_printed(None).await?),
            None if store.is_empty().await? => {
                Some(store.set_printed(Some(now_ms().saturating_add(FIRST_TOKEN_MS))).await?)
            }
            None => None,
        };
        self.shared.cache.reload().await?;
        Ok(made)
    }
}

/// Rights to read and change tokens.
pub(crate) const TOKENS: Rights = Rights::OF_ALL.of(Who::Admins);

/// The routes for logins, sessions and tokens.
#[must_use]
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(auth: &Auth) -> Vec<Route<S>> {
    let routes = [
        Route::get("/api/session", Rights::OWN, session_api::session),
        Route::get("/api/sessions", Rights::OWN, session_api::sessions),
        Route::delete("/api/sessions", Rights::OWN, session_api::end_other_sessions),
        Route::delete("/api/sessions/{id}", Rights::OWN, session_api::end_session),
        Route::get("/api/tokens", TOKENS, token_api::list),
        Route::post("/api/tokens", TOKENS, token_api::create).with_body_limit(BODY_BYTES),
        Route::delete("/api/tokens/{id}", TOKENS, token_api::revoke),
        Route::get("/login", Rights::OPEN, login::page_or_link),
        Route::post("/login", Rights::OPEN, login::form).with_body_limit(login::BODY_BYTES),
        Route::get_or_post("/logout", Rights::OPEN, login::logout).with_body_limit(login::BODY_BYTES),
    ];
    routes.into_iter().map(|route| route.with_state(auth.clone())).collect()
}
