//! Secrets of tokens that a form has just created. The settings page of the same session shows each for two minutes.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use access::{Principal, TokenInfo};
use parking_lot::Mutex;
use redact::Secret;
use tokio_util::task::AbortOnDropHandle;

/// How long a secret stays in memory.
const SHOWN: Duration = Duration::from_secs(120);
/// Most secrets in memory. A further one replaces the oldest.
const MOST: usize = 64;

/// The newest secret of each session. A cheap handle.
#[derive(Debug, Clone)]
pub struct MadeTokens {
    by_session: Arc<Mutex<HashMap<String, Made>>>,
    shown: Duration,
}

#[derive(Debug)]
struct Made {
    token_id: String,
    secret: Secret,
    made_at: Instant,
    /// The task that removes the secret after [`SHOWN`]. It is aborted when this entry is dropped.
    _removal: AbortOnDropHandle<()>,
}

impl Default for MadeTokens {
    fn default() -> Self {
        MadeTokens { by_session: Arc::default(), shown: SHOWN }
    }
}

impl MadeTokens {
    /// Stores the secret of a token for the session that created it.
    pub(super) fn put(&self, principal: &Principal, token: TokenInfo, secret: Secret) {
        self.put_for(key(principal), token.id, secret);
    }

    /// The id and the secret of the token that the session has just created.
    pub(super) fn shown_to(&self, principal: &Principal) -> Option<(String, Secret)> {
        self.shown_for(key(principal))
    }

    fn put_for(&self, session: &str, token_id: String, secret: Secret) {
        let removal = AbortOnDropHandle::new(tokio::spawn(self.remove_in_time(session, &token_id)));
        let made = Made { token_id, secret, made_at: Instant::now(), _removal: removal };
        let mut all = self.by_session.lock();
        if all.len() >= MOST && !all.contains_key(session) {
            let oldest = all.iter().min_by_key(|(_, other)| other.made_at).map(|(session, _)| session.clone());
            oldest.and_then(|session| all.remove(&session));
        }
        all.insert(session.to_owned(), made);
    }

    /// Removes the secret of a token after [`SHOWN`], also if no page was requested.
    fn remove_in_time(&self, session: &str, token_id: &str) -> impl Future<Output = ()> + Send + use<> {
        let (all, shown) = (Arc::downgrade(&self.by_session), self.shown);
        let (session, token_id) = (session.to_owned(), token_id.to_owned());
        async move {
            tokio::time::sleep(shown).await;
            let Some(all) = all.upgrade() else { return };
            let mut all = all.lock();
            // The session may have created another token meanwhile.
            if all.get(&session).is_some_and(|made| made.token_id == token_id) {
                all.remove(&session);
            }
        }
    }

    fn shown_for(&self, session: &str) -> Option<(String, Secret)> {
        self.by_session.lock().get(session).map(|made| (made.token_id.clone(), made.secret.clone()))
    }
}

/// Key of a session, so that sessions of one token do not see each other's secrets. Without a login, it is the token's id.
fn key(principal: &Principal) -> &str {
    principal.session_id().unwrap_or(principal.token_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(tokens: &MadeTokens, session: &str, token_id: &str) {
        tokens.put_for(session, token_id.to_owned(), Secret::new(token_id));
    }

    fn shown(tokens: &MadeTokens, session: &str) -> Option<String> {
        tokens.shown_for(session).map(|(_, secret)| secret.expose().to_owned())
    }

    #[tokio::test]
    async fn a_secret_is_shown_only_to_its_session() {
        let tokens = MadeTokens::default();
        put(&tokens, "one", "first");
        put(&tokens, "one", "second");
        assert_eq!(shown(&tokens, "one").as_deref(), Some("second"));
        assert_eq!(shown(&tokens, "other"), None);
    }

    #[tokio::test]
    async fn a_secret_is_removed_without_a_request() {
        let tokens = MadeTokens { shown: Duration::from_millis(20), ..MadeTokens::default() };
        put(&tokens, "one", "wall");
        tokio::time::timeout(Duration::from_secs(10), async {
            while !tokens.by_session.lock().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn the_removal_of_a_secret_does_not_remove_the_next_one() {
        let tokens = MadeTokens { shown: Duration::ZERO, ..MadeTokens::default() };
        let removal = tokens.remove_in_time("one", "first");
        put(&MadeTokens { shown: SHOWN, ..tokens.clone() }, "one", "second");
        removal.await;
        assert_eq!(shown(&tokens, "one").as_deref(), Some("second"));
    }

    #[tokio::test]
    async fn the_number_of_secrets_is_limited() {
        let tokens = MadeTokens::default();
        for number in 0..100 {
            put(&tokens, &number.to_string(), "wall");
        }
        assert_eq!(tokens.by_session.lock().len(), MOST);
        assert!(shown(&tokens, "99").is_some() && shown(&tokens, "0").is_none());
    }
}
