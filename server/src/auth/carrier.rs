//! Finds the secret in a request: in a header, in a subprotocol of the live socket, or in the cookie. Nowhere else.

use axum::http::{HeaderMap, StatusCode, header, request::Parts};

use super::{Auth, denied::Denied, origin, principal::Principal};

/// Name of the session cookie.
pub(super) const COOKIE: &str = "hyperscope_session";

const API_KEY: &str = "x-api-key";
/// Before a token among the subprotocols.
const SUBPROTOCOL: &str = "bearer.";

/// Where secrets are looked for, beside headers and the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nowhere else.
    Request,
    /// Among the subprotocols: browsers cannot set headers on a socket.
    Upgrade,
}

impl Auth {
    /// Who a request is from. A secret in a header counts alone: if it is wrong, the cookie does not help.
    pub(super) async fn identify(&self, parts: &Parts, look: Look) -> Result<Principal, Denied> {
        if self.shared.options.no_auth {
            // Anyone may be anyone, but not a page of elsewhere whose name was pointed at this machine.
            return match origin::names_this_machine(parts, self.shared.options.public_url.as_ref()) {
                true => Ok(Principal::anyone()),
                false => Err(Denied::new(
                    StatusCode::FORBIDDEN,
                    "forbidden",
                    "without tokens, only this machine by its own name is served",
                )),
            };
        }
        let refused = |message: &str| Denied::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
        let given =
            by_header(&parts.headers).or_else(|| (look == Look::Upgrade).then(|| by_subprotocol(&parts.headers))?);
        if let Some(secret) = given {
            let token = self.shared.cache.token(secret).await;
            return token.map(|token| Principal::by_token(&token)).ok_or_else(|| {
                self.audit_refusal(parts, None, "wrong token");
                refused("the token is wrong, expired or revoked")
            });
        }
        let Some(cookie) = by_cookie(&parts.headers) else { return Err(refused("a token is needed")) };
        let session = self.shared.cache.session(cookie);
        session.map(|session| Principal::by_session(&session)).ok_or_else(|| refused("the login has ended"))
    }
}

/// The secret in `Authorization: Bearer` or `X-API-Key`. A header that is there and unreadable is a wrong one.
fn by_header(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = value.to_str().unwrap_or_default();
        let bearer = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        return Some(bearer.map_or("", |(_, secret)| secret.trim()));
    }
    headers.get(API_KEY).map(|value| value.to_str().unwrap_or_default().trim())
}

fn by_subprotocol(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).find_map(|protocol| protocol.trim().strip_prefix(SUBPROTOCOL))
}

/// The secret of the session cookie.
pub(super) fn by_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
}
