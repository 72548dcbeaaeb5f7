//! Counts and limits live sockets, in total and for each token.

use std::{collections::HashMap, sync::Arc, time::Duration};

use access::{Principal, SocketUse};
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::Response,
};
use model::role::Role;
use parking_lot::Mutex;

use super::rejection::Denied;

/// `Retry-After` when there are too many sockets: about the time until a dead socket is noticed.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Permission for one live socket, released when the last clone is dropped. Handlers behind [`super::admit_sockets`] can extract it.
#[derive(Debug, Clone)]
pub(crate) struct SocketAdmission {
    principal: Principal,
    _permit: Arc<(Permit, Option<SocketUse>)>,
}

impl SocketAdmission {
    pub(super) fn new(principal: Principal, permit: Permit) -> Self {
        let in_use = principal.socket_use();
        SocketAdmission { principal, _permit: Arc::new((permit, in_use)) }
    }

    /// The principal of the socket. When it [ends](Principal::ended), the caller must close the socket with code 4401.
    #[must_use]
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SocketAdmission {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let missing =
            || Denied::new(StatusCode::UNAUTHORIZED, "unauthorized", "a token is needed").for_path(&parts.uri);
        parts.extensions.remove::<SocketAdmission>().ok_or_else(missing)
    }
}

/// Limits on the number of live sockets.
#[derive(Debug, Clone, Copy)]
pub struct SocketLimits {
    /// In total.
    pub all: usize,
    /// Of one token, except for the roles kiosk and admin. An admin is limited only by `all`.
    pub of_token: usize,
    /// Of one kiosk token, which many displays may share.
    pub of_kiosk: usize,
}

impl SocketLimits {
    fn of(self, role: Role) -> usize {
        match role {
            Role::Admin => self.all,
            Role::Kiosk => self.of_kiosk,
            _ => self.of_token,
        }
    }
}

/// Counts of open sockets.
#[derive(Debug)]
pub(super) struct SocketCounts {
    limits: SocketLimits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_token: HashMap<Arc<str>, usize>,
}

/// A counted socket. It is no longer counted when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    counts: Arc<SocketCounts>,
    token: Arc<str>,
}

impl SocketCounts {
    pub(super) fn new(limits: SocketLimits) -> Self {
        SocketCounts { limits, open: Mutex::default() }
    }

    /// Counts a further socket of `principal`, or refuses it if a limit is reached.
    pub(super) fn take(self: &Arc<Self>, principal: &Principal) -> Result<Permit, Denied> {
        let too_many = |message: String| {
            Denied::new(StatusCode::TOO_MANY_REQUESTS, "too_many_sockets", message).retry_after(RETRY_AFTER)
        };
        let mut open = self.open.lock();
        if open.total >= self.limits.all {
            return Err(too_many(format!("all {} live sockets of this server are taken", self.limits.all)));
        }
        let token: Arc<str> = principal.token_id().into();
        let limit = self.limits.of(principal.role());
        let of_token = open.by_token.entry(Arc::clone(&token)).or_default();
        if *of_token >= limit {
            return Err(too_many(format!("all {limit} live sockets of this token are taken")));
        }
        *of_token = of_token.saturating_add(1);
        open.total = open.total.saturating_add(1);
        Ok(Permit { counts: Arc::clone(self), token })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.counts.open.lock();
        open.total = open.total.saturating_sub(1);
        if let Some(of_token) = open.by_token.get_mut(&self.token) {
            *of_token = of_token.saturating_sub(1);
            if *of_token == 0 {
                open.by_token.remove(&self.token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use access::ClientAddress;

    use super::*;

    #[test]
    fn sockets_are_limited_and_released() {
        let counts = Arc::new(SocketCounts::new(SocketLimits { all: 2, of_token: 1, of_kiosk: 1 }));
        let anyone = Principal::anyone(ClientAddress(None));
        let one = counts.take(&anyone).unwrap();
        let other = counts.take(&anyone).unwrap();
        assert_eq!(counts.take(&anyone).unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        drop(one);
        let again = counts.take(&anyone).unwrap();
        drop((other, again));
        let open = counts.open.lock();
        assert_eq!((open.total, open.by_token.len()), (0, 0));
    }
}
