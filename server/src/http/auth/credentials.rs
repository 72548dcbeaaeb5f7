//! Finds the secret of a request. Only headers, the subprotocols of the live socket and the cookie are searched.

use access::Principal;
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use cookie::Cookie;

use super::{Auth, client, origin, rejection::Denied};

/// Name of the session cookie.
pub(super) const COOKIE: &str = "hyperscope_session";
/// Its name over HTTPS if its path is the whole host. Browsers accept a cookie with this prefix only from the host itself (RFC 6265bis, section 4.1.3).
pub(super) const HOST_COOKIE: &str = "__Host-hyperscope_session";

const API_KEY: &str = "x-api-key";
/// Prefix of a subprotocol that holds a token.
const SUBPROTOCOL: &str = "bearer.";

/// Where secrets may be, besides headers and the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nowhere else.
    Request,
    /// In the subprotocols, because browsers cannot set headers on a socket.
    Upgrade,
}

impl Auth {
    /// The principal of a request, from its first valid secret: headers before the cookie. Secrets without our prefix that are invalid, such as the
    /// `Authorization` for a proxy's login, are ignored if the cookie is valid. An invalid token with our prefix is always refused.
    pub(super) async fn identify(&self, parts: &Parts, look: Look) -> Result<Principal, Denied> {
        let from = client::address_of(parts, &self.shared.options.trusted_proxies);
        if self.shared.options.no_auth {
            // Everyone has access, except pages of other sites whose DNS name points to this machine (DNS rebinding).
            return match origin::names_this_machine(parts, self.shared.options.public_url.as_ref()) {
                true => Ok(Principal::anyone(from)),
                false => Err(Denied::new(
                    StatusCode::FORBIDDEN,
                    "forbidden",
                    "without tokens, only this machine by its own name is served",
                )),
            };
        }
        let refused = |message: &str| Denied::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
        let protocols = match look {
            Look::Upgrade => by_subprotocol(&parts.headers),
            Look::Request => None,
        };
        let mut has_wrong = false;
        for secret in bearer_tokens(&parts.headers).chain(api_keys(&parts.headers)).chain(protocols) {
            if let Some(token) = self.shared.cache.token(secret).await {
                return Ok(Principal::by_token(&token, from));
            }
            has_wrong = true;
            if access::has_our_prefix(secret) {
                self.audit_refusal(parts, None, "wrong token");
                return Err(refused("the token is wrong, expired or revoked"));
            }
        }
        let mut has_cookie = false;
        for cookie in by_cookie(&parts.headers) {
            if let Some(session) = self.shared.cache.session(cookie) {
                return Ok(Principal::by_session(&session, from));
            }
            has_cookie = true;
        }
        if has_wrong {
            self.audit_refusal(parts, None, "wrong token");
            return Err(refused("the token is wrong, expired or revoked"));
        }
        Err(refused(if has_cookie { "the login has ended" } else { "a token is needed" }))
    }
}

/// The secrets in `Authorization: Bearer`. Other schemes are for a proxy in front of the server (RFC 9110, section 11.6.2).
fn bearer_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(|value| {
        let (scheme, secret) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
    })
}

fn api_keys(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(API_KEY).iter().filter_map(|value| value.to_str().ok()).map(str::trim)
}

fn by_subprotocol(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).find_map(|protocol| protocol.trim().strip_prefix(SUBPROTOCOL))
}

/// The secrets of the session cookies. There are several if servers share a host, or if the cookie had another path or name before.
pub(super) fn by_cookie(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    cookies(headers, HOST_COOKIE).chain(cookies(headers, COOKIE))
}

/// The values of all cookies with a name, in the order of the headers.
pub(crate) fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.filter(move |cookie| cookie.name() == name).filter_map(|cookie| cookie.value_raw())
}
