//! Sessions: their origin for the owner, and their last use.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use model::clock::now_ms;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::secret::Hash;

/// Bytes of a session's ID.
const ID_BYTES: usize = 12;

/// The origin of a session, by which its owner recognises it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionOrigin {
    /// Address of the login.
    pub address: String,
    /// Description of the browser.
    pub browser: String,
}

/// A session as shown to its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    /// ID, to end it. It reveals nothing about its secret.
    pub id: String,
    /// When the login was, in milliseconds since the Unix epoch.
    pub begun_at: i64,
    /// When it was last used, in milliseconds since the Unix epoch.
    pub used_at: i64,
    /// When it ends at the latest, in milliseconds since the Unix epoch; `None` for never.
    pub expires_at: Option<i64>,
    /// Address of the login.
    pub address: String,
    /// Description of the browser.
    pub browser: String,
    /// Whether it is the requesting session.
    pub current: bool,
}

/// The ID of the session with this hash.
pub(crate) fn id(hash: &Hash) -> String {
    let digest = Sha256::new().chain_update(b"hyperscope session id\0").chain_update(hash.as_bytes()).finalize();
    URL_SAFE_NO_PAD.encode(digest.get(..ID_BYTES).unwrap_or_default())
}

/// When a session was last used, by requests and by open sockets.
#[derive(Debug)]
pub struct SessionUse {
    last_ms: AtomicI64,
    stored_ms: AtomicI64,
    sockets: AtomicUsize,
}

impl SessionUse {
    /// Last used at this time, which is already stored.
    pub fn since(used_ms: i64) -> Arc<Self> {
        Arc::new(SessionUse { last_ms: used_ms.into(), stored_ms: used_ms.into(), sockets: 0.into() })
    }

    /// Records a use now.
    pub fn note(&self) {
        self.last_ms.fetch_max(now_ms(), Ordering::Relaxed);
    }

    /// When it was last used: now, while a socket is open.
    pub fn last_ms(&self) -> i64 {
        if self.sockets.load(Ordering::Relaxed) > 0 {
            self.note();
        }
        self.last_ms.load(Ordering::Relaxed)
    }

    /// The time of the last use if it is not stored yet; the caller stores it.
    pub fn take_news(&self) -> Option<i64> {
        let last_ms = self.last_ms();
        (self.stored_ms.swap(last_ms, Ordering::Relaxed) < last_ms).then_some(last_ms)
    }
}

/// A socket of a session, while it is open.
#[derive(Debug)]
pub struct SocketUse(Arc<SessionUse>);

impl SocketUse {
    /// Counts an open socket of a session.
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
