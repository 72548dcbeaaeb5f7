//! Tokens and sessions in memory, so that a request costs no query, kept in step with the database.
//!
//! Every token and session has a [`CancellationToken`] that is cancelled when it expires or is revoked, by whichever
//! process: a socket waits for that alone, however many there are.

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

/// How often the database is asked whether it changed, and expiry is looked at. What other processes do is seen within this.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// How often it is stored when sessions were used last.
const STORE_USE_EVERY: Duration = Duration::from_secs(60);

/// A token that may be used.
#[derive(Debug)]
pub struct LiveToken {
    pub id: Arc<str>,
    pub session: Arc<Session>,
    /// The series that it sees: the session's matchers, read.
    pub scope: Scope,
    pub ended: CancellationToken,
    hash: Hash,
}

impl LiveToken {
    /// Who its holder is in the audit log.
    pub fn actor(&self, from: ClientAddress) -> Actor<'_> {
        Actor::holder(&self.id, &self.session.name, self.session.role, from)
    }
}

/// A session that may be used.
#[derive(Debug)]
pub struct LiveSession {
    pub token: Arc<LiveToken>,
    /// The token's, with the earlier end of the two.
    pub session: Arc<Session>,
    pub ended: CancellationToken,
    /// When it was used last.
    pub usage: Arc<SessionUse>,
    /// Names it to its owner.
    pub id: Arc<str>,
    pub hash: Hash,
    begun_ms: i64,
    origin: SessionOrigin,
}

impl LiveSession {
    /// Whether nobody has used it for so long; a wall is looked at without a hand on it.
    fn is_idle(&self, idle: Duration, now_ms: i64) -> bool {
        self.session.role != Role::Kiosk && self.usage.last_ms() <= before(now_ms, idle)
    }
}

/// The time that was so long ago.
fn before(now_ms: i64, ago: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
}

/// All that may be used at one time.
#[derive(Debug, Default)]
struct Usable {
    tokens: HashMap<HashKey, Arc<LiveToken>>,
    sessions: HashMap<HashKey, Arc<LiveSession>>,
    /// When the next of them expires, in milliseconds since the Unix epoch.
    next_expiry: Option<i64>,
}

/// The tokens and sessions that may be used now.
#[derive(Debug)]
pub struct Cache {
    store: TokenStore,
    /// How long a session may go unused.
    idle: Duration,
    usable: RwLock<Arc<Usable>>,
    /// Held while the database is read again, so that an older reading never replaces a newer one.
    reloading: tokio::sync::Mutex<()>,
    /// Tells of changes by other processes. Held until what changed has been read, so that whoever waits for it finds that too.
    watch: tokio::sync::Mutex<Option<ChangeWatch>>,
}

impl Cache {
    /// Reads everything from `store`.
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

    /// The token of this secret. Where it has the form of ours and is not known, the database is looked at first: the command
    /// line may have made it just now. What was merely guessed has no such form, and costs no query.
    pub async fn token(&self, secret: &str) -> Option<Arc<LiveToken>> {
        if let Some(token) = self.known_token(secret) {
            return Some(token);
        }
        if !secret::is_well_formed(secret) {
            return None;
        }
        // That the database fails is said by whoever follows it.
        self.poll().await.ok()?;
        self.known_token(secret)
    }

    fn known_token(&self, secret: &str) -> Option<Arc<LiveToken>> {
        let hash = Hash::of(secret);
        let usable = self.usable();
        let token = usable.tokens.get(&hash.key())?;
        (token.hash == hash && is_running(token.session.expires_at)).then(|| Arc::clone(token))
    }

    /// The session of this secret.
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

    /// The sessions of a token, those first that were used last. `current` is the id of the one that asks.
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

    /// The hashes of those sessions of a token that `ends` names by their ids.
    pub fn hashes_of(&self, token_id: &str, ends: impl Fn(&str) -> bool) -> Vec<Hash> {
        let usable = self.usable();
        let sessions = usable.sessions.values();
        sessions.filter(|one| *one.token.id == *token_id && ends(&one.id)).map(|one| one.hash).collect()
    }

    /// Reads the database again and ends what it no longer holds. To be called after every change of ours.
    pub async fn reload(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.reloading.lock().await;
        let (tokens, sessions) = self.store.usable(now_ms()).await?;
        let before = self.usable();
        let after = Arc::new(Usable::next(&before, tokens, sessions));
        *self.usable.write() = Arc::clone(&after);
        after.end_what_is_missing(&before);
        Ok(())
    }

    /// Follows the database until `stop`. A database that fails is asked again; what was read last holds meanwhile.
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
                        tracing::error!(%error, "tokens cannot be followed; trying again");
                    }
                    failing = true;
                }
            }
        }
    }

    /// Writes down when sessions were used last, so that they go unused for so long over a restart too, and ends those that did.
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

    /// Reads the database again if it was changed. After a failure the next call reads it in any case.
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

    /// Ends what has expired. This asks no database, so that one that fails keeps nobody logged in.
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
    /// What was read, with what has not changed taken over from `before`, so that its sockets stay.
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
                    // What changed of the session is not when it was used.
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

    /// What of this holds at `now_ms`.
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

/// The earlier of two ends, where `None` is never.
pub fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn is_running(expires_at: Option<i64>) -> bool {
    expires_at.is_none_or(|expires_at| expires_at > now_ms())
}
