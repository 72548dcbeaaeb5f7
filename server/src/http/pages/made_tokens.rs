//! Secrets of tokens that were just made by a form: the settings page of the same session shows each for a moment.

use std::{collections::HashMap, sync::Arc};

use access::{Principal, TokenInfo};
use parking_lot::Mutex;
use redact::Secret;

/// How long a secret is shown, in milliseconds.
const SHOWN_MS: i64 = 120_000;
/// Most secrets at a time; one more takes the place of the oldest.
const MOST: usize = 64;

/// The newest secret of each session. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct MadeTokens(Arc<Mutex<HashMap<String, Made>>>);

#[derive(Debug)]
struct Made {
    token_id: String,
    secret: Secret,
    made_ms: i64,
}

impl MadeTokens {
    /// Remembers the secret of a token for the session that made it.
    pub(super) fn put(&self, principal: &Principal, token: TokenInfo, secret: Secret, now_ms: i64) {
        self.put_for(key(principal), Made { token_id: token.id, secret, made_ms: now_ms });
    }

    /// The id and the secret of the token that the session has just made.
    pub(super) fn shown_to(&self, principal: &Principal, now_ms: i64) -> Option<(String, Secret)> {
        self.shown_at(key(principal), now_ms)
    }

    fn put_for(&self, session: &str, made: Made) {
        let mut all = self.0.lock();
        all.retain(|_, other| made.made_ms.saturating_sub(other.made_ms) < SHOWN_MS);
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, other)| other.made_ms).map(|(session, _)| session.clone());
            oldest.and_then(|session| all.remove(&session));
        }
        all.insert(session.to_owned(), made);
    }

    fn shown_at(&self, session: &str, now_ms: i64) -> Option<(String, Secret)> {
        let mut all = self.0.lock();
        all.retain(|_, made| now_ms.saturating_sub(made.made_ms) < SHOWN_MS);
        all.get(session).map(|made| (made.token_id.clone(), made.secret.clone()))
    }
}

/// Sessions of one token do not see each other's secrets; where nobody logs in, there is one of all.
fn key(principal: &Principal) -> &str {
    principal.session_id().unwrap_or(principal.token_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(token_id: &str, made_ms: i64) -> Made {
        Made { token_id: token_id.to_owned(), secret: Secret::new("secret"), made_ms }
    }

    #[test]
    fn a_secret_is_shown_to_its_session_for_two_minutes() {
        let tokens = MadeTokens::default();
        tokens.put_for("one", made("wall", 0));
        assert_eq!(tokens.shown_at("one", 119_999).unwrap().1.expose(), "secret");
        assert!(tokens.shown_at("other", 0).is_none());
        assert!(tokens.shown_at("one", 120_000).is_none());
        assert!(tokens.0.lock().is_empty());
    }

    #[test]
    fn there_are_never_many() {
        let tokens = MadeTokens::default();
        for number in 0..100 {
            tokens.put_for(&number.to_string(), made("wall", number));
        }
        assert_eq!(tokens.0.lock().len(), MOST);
        assert!(tokens.shown_at("99", 100).is_some() && tokens.shown_at("0", 100).is_none());
    }
}
