//! In-memory cache of tokens and sessions, so that a request needs no query. It follows changes of the database.
//!
//! Each token and session has a [`CancellationToken`] that is cancelled when it expires or is revoked, by this or
//! another process: sockets only wait for that.

use std::{collections::HashMap, sync::Arc, time::Duration};

use model::{clock::now_ms, page::Session, role::Role};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use crate::{
    Actor, ClientAddress, Scope,
    secret::{self, Hash, HashKey},
    session::{self, SessionInfo, SessionOrigin, SessionUse},
    store::{ChangeWatch, StoreError, StoredSession, StoredToken, TokenStore},
};

/// Interval of checks for changes of the database and for expiry. Changes by other processes are noticed within this
/// time.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// Interval at which the last use of sessions is stored.
const STORE_USE_EVERY: Duration = Duration::from_secs(60);

/// A valid token.
#[derive(Debug)]
pub struct LiveToken {
    pub id: Arc<str>,
    pub session: Arc<Session>,
    /// The scope of its matchers.
    pub scope: Scope,
    pub ended: CancellationToken,
    hash: Hash,
}

impl LiveToken {
    /// Its holder in the audit log.
    pub fn actor(&self, from: ClientAddress) -> Actor<'_> {
        Actor::holder(&self.id, &self.session.name, self.session.role, from)
    }
}

/// A valid session.
#[derive(Debug)]
pub struct LiveSession {
    pub token: Arc<LiveToken>,
    /// The token's session data; expires at the earlier of both ends.
    pub session: Arc<Session>,
    pub ended: CancellationToken,
    /// Its last use.
    pub usage: Arc<SessionUse>,
    /// ID for its owner.
    pub id: Arc<str>,
    pub hash: Hash,
    begun_ms: i64,
    origin: SessionOrigin,
}

impl LiveSession {
    /// Whether it has been unused for `idle`; kiosk sessions never count as idle, because nobody interacts with a wall
    /// display.
    fn is_idle(&self, idle: Duration, now_ms: i64) -> bool {
        self.session.role != Role::Kiosk && self.usage.last_ms() <= before(now_ms, idle)
    }
}

/// `ago` before `now_ms`.
fn before(now_ms: i64, ago: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
}

/// All tokens and sessions that are valid at one time.
#[derive(Debug, Default)]
struct Usable {
    tokens: HashMap<HashKey, Arc<LiveToken>>,
    sessions: HashMap<HashKey, Arc<LiveSession>>,
    /// When the next of them expires, in milliseconds since the Unix epoch.
    next_expiry: Option<i64>,
}

/// The tokens and sessions that are valid now.
#[derive(Debug)]
pub struct Cache {
    store: TokenStore,
    /// Maximum idle time of a session.
    idle: Duration,
    usable: RwLock<Arc<Usable>>,
    /// Locked during a reload, so that older data never replaces newer data.
    reloading: tokio::sync::Mutex<()>,
    /// Detects changes by other processes. Locked until the changes are loaded, so that waiting callers see them.
    watch: tokio::sync::Mutex<Option<ChangeWatch>>,
}

impl Cache {
    /// Loads everything from `store`.
    pub async fn load(store: TokenStore, idle: Duration) -> Result<Self, StoreError> {
        let cache = Cache {
            store,
            idle,
            usable: RwLock::new(Arc::default()),
            reloading: tokio::sync::Mutex::new(()),
            watch: tokio::sync::Mutex::new(None),
        };
        cache.reload().await?;
        Ok(cache)
    }

    /// The token with this secret. If it is unknown but well-formed, the database is checked first, because the command
    /// line may just have created it. Guesses are not well-formed and need no query.
    pub async fn token(&self, secret: &str) -> Option<Arc<LiveToken>> {
        if let Some(token) = self.known_token(secret) {
            return Some(token);
        }
        if !secret::is_well_formed(secret) {
            return None;
        }
        // The task that follows the database reports its errors.
        self.poll().await.ok()?;
        self.known_token(secret)
    }

    fn known_token(&self, secret: &str) -> Option<Arc<LiveToken>> {
        let hash = Hash::of(secret);
        let usable = self.usable();
        let token = usable.tokens.get(&hash.key())?;
        (token.hash == hash && is_running(token.session.expires_at)).then(|| Arc::clone(token))
    }

    /// The session with this secret.
    pub fn session(&self, secret: &str) -> Option<Arc<LiveSession>> {
        let hash = Hash::of(secret);
        let usable = self.usable();
        let session = usable.sessions.get(&hash.key())?;
        let holds =
            session.hash == hash && is_running(session.session.expires_at) && !session.is_idle(self.idle, now_ms());
        if holds {
            session.usage.note();
        }
        holds.then(|| Arc::clone(session))
    }

    /// The sessions of a token, last used first. `current` is the ID of the requesting session.
    pub fn sessions_of(&self, token_id: &str, current: Option<&str>) -> Vec<SessionInfo> {
        let now_ms = now_ms();
        let usable = self.usable();
        let of_token = usable.sessions.values().filter(|session| {
            *session.token.id == *token_id
                && is_running(session.session.expires_at)
                && !session.is_idle(self.idle, now_ms)
        });
        let info = |session: &Arc<LiveSession>| SessionInfo {
            id: session.id.to_string(),
            begun_at: session.begun_ms,
            used_at: session.usage.last_ms(),
            expires_at: session.session.expires_at,
            address: session.origin.address.clone(),
            browser: session.origin.browser.clone(),
            current: current == Some(&*session.id),
        };
        let mut sessions: Vec<SessionInfo> = of_token.map(info).collect();
        sessions
            .sort_by(|one, other| (other.current, other.used_at, &one.id).cmp(&(one.current, one.used_at, &other.id)));
        sessions
    }

    /// Hashes of those sessions of a token for whose ID `ends` is true.
    pub fn hashes_of(&self, token_id: &str, ends: impl Fn(&str) -> bool) -> Vec<Hash> {
        let usable = self.usable();
        let sessions = usable.sessions.values();
        sessions.filter(|one| *one.token.id == *token_id && ends(&one.id)).map(|one| one.hash).collect()
    }

    /// Reloads from the database and ends what was removed. Call it after each change of ours.
    pub async fn reload(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.reloading.lock().await;
        let (tokens, sessions) = self.store.usable(now_ms()).await?;
        let before = self.usable();
        let after = Arc::new(Usable::next(&before, tokens, sessions));
        *self.usable.write() = Arc::clone(&after);
        after.end_what_is_missing(&before);
        Ok(())
    }

    /// Follows the database until `stop` is cancelled. Retries after errors; until then the last data is used.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut tick = tokio::time::interval(POLL_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        let mut use_stored = tokio::time::Instant::now();
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            self.expire().await;
            let polled = if use_stored.elapsed() < STORE_USE_EVERY {
                self.poll().await
            } else {
                use_stored = tokio::time::Instant::now();
                self.store_use().await
            };
            match polled {
                Ok(()) => failing = false,
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "cannot follow changes of tokens, will retry");
                    }
                    failing = true;
                }
            }
        }
    }

    /// Stores when sessions were last used, so that idle time survives a restart, and ends idle sessions.
    async fn store_use(&self) -> Result<(), StoreError> {
        let used: Vec<(Hash, i64)> = self
            .usable()
            .sessions
            .values()
            .filter_map(|session| Some((session.hash, session.usage.take_news()?)))
            .collect();
        self.store.note_use(&used, before(now_ms(), self.idle)).await?;
        self.reload().await
    }

    /// Reloads if the database was changed. After a failure the next call reloads in any case.
    async fn poll(&self) -> Result<(), StoreError> {
        let mut kept = self.watch.lock().await;
        let mut watch = match kept.take() {
            Some(watch) => watch,
            None => self.store.watch().await?,
        };
        if watch.has_changed().await? {
            self.reload().await?;
        }
        *kept = Some(watch);
        Ok(())
    }

    /// Ends expired tokens and sessions. Works without the database, so that its failure does not prolong a session.
    async fn expire(&self) {
        let now_ms = now_ms();
        if self.usable().next_expiry.is_none_or(|next| next > now_ms) {
            return;
        }
        let _one_at_a_time = self.reloading.lock().await;
        let before = self.usable();
        let after = Arc::new(before.at(now_ms));
        *self.usable.write() = Arc::clone(&after);
        after.end_what_is_missing(&before);
    }

    fn usable(&self) -> Arc<Usable> {
        Arc::clone(&self.usable.read())
    }
}

impl Usable {
    /// The new data; unchanged entries are reused from `before`, so that their sockets stay open.
    fn next(before: &Usable, tokens: Vec<StoredToken>, sessions: Vec<StoredSession>) -> Self {
        let mut next = Usable::default();
        let mut by_id = HashMap::with_capacity(tokens.len());
        for stored in tokens {
            let session = Session {
                name: stored.info.name,
                role: stored.info.role,
                expires_at: stored.info.expires_at,
                dashboards: stored.info.dashboards,
                matchers: stored.info.matchers,
            };
            let scope = match Scope::parse(&session.matchers) {
                Ok(scope) => scope,
                Err(error) => {
                    tracing::error!(
                        token = stored.info.id,
                        error,
                        "a token's matchers cannot be read: it is not accepted"
                    );
                    continue;
                }
            };
            let same = before
                .tokens
                .get(&stored.hash.key())
                .filter(|token| token.hash == stored.hash && *token.session == session && *token.id == *stored.info.id);
            let token = same.cloned().unwrap_or_else(|| {
                Arc::new(LiveToken {
                    id: stored.info.id.into(),
                    session: Arc::new(session),
                    scope,
                    ended: CancellationToken::new(),
                    hash: stored.hash,
                })
            });
            next.expires(token.session.expires_at);
            by_id.insert(Arc::clone(&token.id), Arc::clone(&token));
            next.tokens.insert(stored.hash.key(), token);
        }
        for stored in sessions {
            let Some(token) = by_id.get(stored.token_id.as_str()) else { continue };
            let expires_at = earlier(token.session.expires_at, stored.expires_at);
            let same = before.sessions.get(&stored.hash.key()).filter(|session| {
                session.hash == stored.hash
                    && Arc::ptr_eq(&session.token, token)
                    && session.session.expires_at == expires_at
            });
            let session = same.cloned().unwrap_or_else(|| {
                Arc::new(LiveSession {
                    token: Arc::clone(token),
                    session: Arc::new(Session { expires_at, ..Session::clone(&token.session) }),
                    ended: token.ended.child_token(),
                    // The last use is not part of the comparison.
                    usage: before
                        .sessions
                        .get(&stored.hash.key())
                        .filter(|session| session.hash == stored.hash)
                        .map_or_else(|| SessionUse::since(stored.used_at), |session| Arc::clone(&session.usage)),
                    id: session::id(&stored.hash).into(),
                    hash: stored.hash,
                    begun_ms: stored.created_at,
                    origin: stored.origin,
                })
            });
            next.expires(expires_at);
            next.sessions.insert(stored.hash.key(), session);
        }
        next
    }

    /// The part that is valid at `now_ms`.
    fn at(&self, now_ms: i64) -> Self {
        let holds = |session: &Session| session.expires_at.is_none_or(|expires_at| expires_at > now_ms);
        let mut at = Usable::default();
        for (key, token) in self.tokens.iter().filter(|(_, token)| holds(&token.session)) {
            at.expires(token.session.expires_at);
            at.tokens.insert(*key, Arc::clone(token));
        }
        for (key, session) in self.sessions.iter().filter(|(_, session)| holds(&session.session)) {
            at.expires(session.session.expires_at);
            at.sessions.insert(*key, Arc::clone(session));
        }
        at
    }

    fn expires(&mut self, at: Option<i64>) {
        self.next_expiry = earlier(self.next_expiry, at);
    }

    fn end_what_is_missing(&self, before: &Usable) {
        for (key, token) in &before.tokens {
            if !self.tokens.get(key).is_some_and(|now| Arc::ptr_eq(now, token)) {
                token.ended.cancel();
            }
        }
        for (key, session) in &before.sessions {
            if !self.sessions.get(key).is_some_and(|now| Arc::ptr_eq(now, session)) {
                session.ended.cancel();
            }
        }
    }
}

/// The earlier of two ends; `None` is never.
pub fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn is_running(expires_at: Option<i64>) -> bool {
    expires_at.is_none_or(|expires_at| expires_at > now_ms())
}
