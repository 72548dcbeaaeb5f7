//! Tokens, sessions, roles: who may do what.
//!
//! [`Auth`] is the handle that the rest of the server holds. [`require`] puts routes behind a role, [`admit_sockets`] the
//! live socket, [`routes`] brings the login and the routes about tokens.
//! A handler behind them takes a [`Principal`] as an argument.

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

/// Longest body of a request about sessions and tokens.
pub(crate) const BODY_BYTES: usize = 16 << 10;
/// Refused requests of one address that are written to the log in a minute.
const REFUSALS_LOGGED: u32 = 10;

/// How long the first token of `serve` holds, in milliseconds, unless somebody keeps it: whoever reads the terminal or the log of the
/// start later finds no way in.
const FIRST_TOKEN_MS: i64 = 86_400_000;
/// Id of that token, for the command that keeps it.
pub(crate) const FIRST_TOKEN_ID: &str = PRINTED_ID;

/// Settings of this module.
#[derive(Debug, Clone)]
pub struct AuthOptions {
    /// Nobody is asked for a token: everyone who reaches the server is an admin.
    pub no_auth: bool,
    /// Browsers reach the server by HTTPS, so that the cookie is for HTTPS alone.
    pub https: bool,
    /// Pages of other sites may show ours in a frame.
    pub has_foreign_frames: bool,
    /// Where browsers reach the server, if not at the host they name.
    pub public_url: Option<Url>,
    /// How long a login lasts, except a kiosk's.
    pub session_lifetime: Duration,
    /// How long a login may go unused, except a kiosk's.
    pub session_idle: Duration,
    /// Proxies whose `X-Forwarded-*` and `Forwarded` are believed.
    pub trusted_proxies: Vec<Network>,
    /// Most wrong logins a minute from one address.
    pub wrong_logins: u32,
    /// How many live sockets there may be.
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
    /// Only the first start, which makes the first token.
    Once,
    /// Every start: the printed token gets a new secret, sessions begun with an older one stay.
    Always,
}

/// Knows who is asking and what they may do. Cheap to clone; the last clone to go ends the task that follows the database.
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
    /// Refused requests that were written to the log.
    refusals: Mutex<LoginThrottle>,
    sockets: Arc<SocketCounts>,
}

impl Auth {
    /// Reads the tokens of `pool` and follows their changes from now on.
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

    /// The sessions of the token that asks, its own first, then by their last use.
    #[must_use]
    pub fn sessions(&self, principal: &Principal) -> Vec<SessionInfo> {
        self.shared.cache.sessions_of(principal.token_id(), principal.session_id())
    }

    /// Ends those sessions of the token that asks that `ends` names by their ids; how many.
    async fn end_sessions(&self, principal: &Principal, ends: impl Fn(&str) -> bool) -> Result<usize, StoreError> {
        let hashes = self.shared.cache.hashes_of(principal.token_id(), ends);
        for hash in &hashes {
            self.shared.store.end_session(hash).await?;
        }
        self.shared.cache.reload().await?;
        Ok(hashes.len())
    }

    /// Sees to it that somebody can log in: takes over the token that the operator chose, or makes the first one.
    /// A secret that is returned is to be printed, once, as a login link.
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

/// Tokens are for those who manage them.
pub(crate) const TOKENS: Rights = Rights::OF_ALL.of(Who::Admins);

/// The login, and the routes about sessions and tokens.
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
