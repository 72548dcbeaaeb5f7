//! A session: by what its owner recognises it, and when it was used last.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use model::clock::now_ms;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::secret::Hash;

/// Bytes of a session's id.
const ID_BYTES: usize = 12;

/// By what the owner of a session recognises it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionOrigin {
    /// Where the login came from.
    pub address: String,
    /// The browser in words.
    pub browser: String,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    /// Names it when it is to be ended. It gives no way to its secret.
    pub id: String,
    /// When the login was, in milliseconds since the Unix epoch.
    pub begun_at: i64,
    /// When it was used last, in milliseconds since the Unix epoch.
    pub used_at: i64,
    /// When it ends at the latest, in milliseconds since the Unix epoch; `None` for never.
    pub expires_at: Option<i64>,
    /// Where the login came from.
    pub address: String,
    /// The browser in words.
    pub browser: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// The id of the session whose secret has this hash.
pub(crate) fn id(hash: &Hash) -> String {
    let digest = Sha256::new().chain_update(b"hyperscope session id\0").chain_update(hash.as_bytes()).finalize();
    URL_SAFE_NO_PAD.encode(digest.get(..ID_BYTES).unwrap_or_default())
}

/// When a session was used last, by requests and by sockets that are open.
#[derive(Debug)]
pub struct SessionUse {
    last_ms: AtomicI64,
    stored_ms: AtomicI64,
    sockets: AtomicUsize,
}

impl SessionUse {
    /// Used last at this time, as the database knows.
    pub fn since(used_ms: i64) -> Arc<Self> {
        Arc::new(SessionUse { last_ms: used_ms.into(), stored_ms: used_ms.into(), sockets: 0.into() })
    }

    /// It is used now.
    pub fn note(&self) {
        self.last_ms.fetch_max(now_ms(), Ordering::Relaxed);
    }

    /// When it was used last: now, while a socket is open.
    pub fn last_ms(&self) -> i64 {
        if self.sockets.load(Ordering::Relaxed) > 0 {
            self.note();
        }
        self.last_ms.load(Ordering::Relaxed)
    }

    /// When it was used last, if the database has an older time; the caller stores it.
    pub fn take_news(&self) -> Option<i64> {
        let last_ms = self.last_ms();
        (self.stored_ms.swap(last_ms, Ordering::Relaxed) < last_ms).then_some(last_ms)
    }
}

/// A socket of a session, as long as it is open.
#[derive(Debug)]
pub struct SocketUse(Arc<SessionUse>);

impl SocketUse {
    /// Counts one more socket of a session.
    pub fn begin(session: Arc<SessionUse>) -> Self {
        session.sockets.fetch_add(1, Ordering::Relaxed);
        SocketUse(session)
    }
}

impl Drop for SocketUse {
    fn drop(&mut self) {
        self.0.note();
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_socket_keeps_its_session_in_use() {
        let session = SessionUse::since(1);
        assert_eq!((session.last_ms(), session.take_news()), (1, None));
        let socket = SocketUse::begin(Arc::clone(&session));
        assert!(session.last_ms() > 1);
        drop(socket);
        assert!(session.take_news().is_some());
        assert_eq!(session.take_news(), None, "it is stored already");
    }
}
