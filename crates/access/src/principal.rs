//! The authenticated sender of a request.

use std::sync::Arc;

use budget::Requester;
use model::{page::Session, role::Role};
use tokio_util::sync::CancellationToken;

use crate::{
    Actor, ClientAddress, Scope,
    cache::{LiveSession, LiveToken},
    session::{SessionUse, SocketUse},
};

/// How a request was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// By a header that only a program or our own script sets.
    Header,
    /// By the session cookie, which browsers send automatically.
    Cookie,
    /// Not at all, because authentication is off.
    None,
}

/// The holder of a valid token. Handlers that require a role extract it.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Session data that the browser may know.
    pub session: Session,
    scope: Scope,
    token_id: Arc<str>,
    address: ClientAddress,
    carrier: Carrier,
    ended: CancellationToken,
    /// ID and use of the session, if it is one.
    browser_session: Option<(Arc<str>, Arc<SessionUse>)>,
}

impl Principal {
    /// For a token sent with the request.
    pub fn by_token(token: &LiveToken, address: ClientAddress) -> Self {
        Principal {
            token_id: Arc::clone(&token.id),
            session: Session::clone(&token.session),
            scope: token.scope.clone(),
            address,
            carrier: Carrier::Header,
            ended: token.ended.clone(),
            browser_session: None,
        }
    }

    /// For a session.
    pub fn by_session(session: &LiveSession, address: ClientAddress) -> Self {
        Principal {
            token_id: Arc::clone(&session.token.id),
            session: Session::clone(&session.session),
            scope: session.token.scope.clone(),
            address,
            carrier: Carrier::Cookie,
            ended: session.ended.clone(),
            browser_session: Some((Arc::clone(&session.id), Arc::clone(&session.usage))),
        }
    }

    /// For requests while authentication is off.
    pub fn anyone(address: ClientAddress) -> Self {
        let session = Session {
            name: "anyone".into(),
            role: Role::Admin,
            expires_at: None,
            dashboards: Vec::new(),
            matchers: String::new(),
        };
        Principal {
            token_id: "none".into(),
            session,
            scope: Scope::all(),
            address,
            carrier: Carrier::None,
            ended: CancellationToken::new(),
            browser_session: None,
        }
    }

    /// ID of the token in the audit log and for `hyperscope token revoke`.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// The holder in the audit log.
    pub fn actor(&self) -> Actor<'_> {
        Actor::holder(&self.token_id, &self.session.name, self.role(), self.address)
    }

    /// ID of the session, if it is one.
    pub fn session_id(&self) -> Option<&str> {
        self.browser_session.as_ref().map(|(id, _)| &**id)
    }

    /// Counts the session, if it is one, as used while the returned guard lives.
    pub fn socket_use(&self) -> Option<SocketUse> {
        self.browser_session.as_ref().map(|(_, usage)| SocketUse::begin(Arc::clone(usage)))
    }

    /// To whom the work for the response is charged.
    #[must_use]
    pub fn requester(&self) -> Requester {
        Requester::Token(Arc::clone(&self.token_id))
    }

    /// Its role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.session.role
    }

    /// How the request was authenticated.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Whether it may see the dashboard `uid`.
    #[must_use]
    pub fn may_see(&self, uid: &str) -> bool {
        self.role().reads()
            && (self.session.dashboards.is_empty() || self.session.dashboards.iter().any(|seen| seen == uid))
    }

    /// Whether it is limited to some dashboards, and may only see what is on them.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.session.is_limited()
    }

    /// The series that it may see. All its requests are filtered by this.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Completes when it expires, is revoked or logs out, within half a second.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Whether it has expired, was revoked or has logged out.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }
}
