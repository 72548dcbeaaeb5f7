//! A CSRF token in our forms, for browsers that do not say which page sent a form: with no `Origin` or `Origin: null`, and neither Fetch Metadata nor
//! `Referer`.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, header},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Name of the form field.
pub(crate) const FIELD: &str = "form_token";
/// Longest form that is searched, in bytes.
const FORM_BYTES: usize = 64 << 10;

/// The token for the forms of one session. It is a hash of the session's secret, so it can neither be guessed nor reveal the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormToken(String);

impl FormToken {
    /// The token of the session with this secret.
    pub(super) fn of(session: &str) -> Self {
        let digest = Sha256::new().chain_update(b"hyperscope form\0").chain_update(session.as_bytes()).finalize();
        FormToken(URL_SAFE_NO_PAD.encode(digest))
    }

    /// The value of the field.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a submitted value is this token.
    pub(super) fn is(&self, given: &str) -> bool {
        given.as_bytes().ct_eq(self.0.as_bytes()).into()
    }

    /// Whether a submitted form has this token.
    pub(super) fn is_in(&self, headers: &HeaderMap, form: &[u8]) -> bool {
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
        kind.starts_with(b"application/x-www-form-urlencoded")
            && form_urlencoded::parse(form).any(|(name, value)| name == FIELD && self.is(&value))
    }

    /// Whether a request is a form with this token. Returns the request with its body again; a body that is too long or incomplete becomes empty.
    pub(super) async fn is_carried_by(&self, request: Request) -> (bool, Request) {
        let (parts, body) = request.into_parts();
        let form = to_bytes(body, FORM_BYTES).await.unwrap_or_default();
        let is_carried = self.is_in(&parts.headers, &form);
        (is_carried, Request::from_parts(parts, Body::from(form)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_token_of_another_session_is_refused() {
        let (ours, theirs) = (FormToken::of("one"), FormToken::of("other"));
        let form = HeaderMap::from_iter([(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap())]);
        let sent = |token: &FormToken| format!("action=ack&form_token={}", token.as_str());
        assert!(ours.is_in(&form, sent(&ours).as_bytes()));
        assert!(!ours.is_in(&form, sent(&theirs).as_bytes()));
        assert!(!ours.is_in(&form, b"form_token="));
        assert!(!ours.is_in(&HeaderMap::new(), sent(&ours).as_bytes()), "what a page of elsewhere sends as text/plain");
    }
}
