//! Who a request is from, once that is known.

use std::sync::Arc;

use budget::Requester;
use model::{page::Session, role::Role};
use tokio_util::sync::CancellationToken;

use crate::{
    Actor, ClientAddress, Scope,
    cache::{LiveSession, LiveToken},
    session::{SessionUse, SocketUse},
};

/// How a request says who it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A header that only a program or our own script sets.
    Header,
    /// The session cookie, which a browser sends by itself.
    Cookie,
    /// Nothing at all, where nobody is asked.
    None,
}

/// The holder of a token that is valid now. Handlers behind a role take it as an argument.
#[derive(Debug, Clone)]
pub struct Principal {
    /// What the browser may know of it.
    pub session: Session,
    scope: Scope,
    token_id: Arc<str>,
    address: ClientAddress,
    carrier: Carrier,
    ended: CancellationToken,
    /// Id and use of the session, if it is one.
    browser_session: Option<(Arc<str>, Arc<SessionUse>)>,
}

impl Principal {
    /// The holder of a token that came with the request.
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

    /// The holder of the token that a session was begun with.
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

    /// Whoever it is, where nobody is asked.
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

    /// Names the token in audit lines and in `hyperscope token revoke`.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// Who it is in the audit log.
    pub fn actor(&self) -> Actor<'_> {
        Actor::holder(&self.token_id, &self.session.name, self.role(), self.address)
    }

    /// Names the session among those of its token, if it is one.
    pub fn session_id(&self) -> Option<&str> {
        self.browser_session.as_ref().map(|(id, _)| &**id)
    }

    /// Lets the session count as used, if it is one, for as long as what is returned lives.
    pub fn socket_use(&self) -> Option<SocketUse> {
        self.browser_session.as_ref().map(|(_, usage)| SocketUse::begin(Arc::clone(usage)))
    }

    /// For whom the server works when it answers.
    #[must_use]
    pub fn requester(&self) -> Requester {
        Requester::Token(Arc::clone(&self.token_id))
    }

    /// What it may do.
    #[must_use]
    pub fn role(&self) -> Role {
        self.session.role
    }

    /// How the request said who it is from.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Whether it may see the dashboard `uid`.
    #[must_use]
    pub fn may_see(&self, uid: &str) -> bool {
        self.role().reads()
            && (self.session.dashboards.is_empty() || self.session.dashboards.iter().any(|seen| seen == uid))
    }

    /// Whether it is limited to some dashboards, so that what is not part of one is not for it.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        !self.session.dashboards.is_empty()
    }

    /// The series that it sees. Everything it asks for goes through this.
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
