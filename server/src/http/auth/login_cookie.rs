//! The session cookie, and its attributes in frames.

use access::{Carrier, Principal};
use axum::http::{HeaderValue, request::Parts};
use model::role::Role;

use super::{
    Auth,
    credentials::{self, COOKIE, HOST_COOKIE},
    local_path::is_kiosk,
    origin,
};
use crate::http::reached::Reached;

/// Longest lifetime of a cookie in browsers: 400 days, in seconds. The cookie of a kiosk display is set again with each page.
const LONGEST_COOKIE_SECS: i64 = 400 * 86_400;

/// Header with the use of the response in the browser: as a `document`, in an `iframe`, and so on.
pub(super) const FETCH_DEST: &str = "sec-fetch-dest";

/// Whether the response is shown inside another page.
pub(super) fn is_frame(what: &HeaderValue) -> bool {
    ["iframe", "frame", "embed", "object"].iter().any(|frame| what == frame)
}

impl Auth {
    /// The cookie of a kiosk display again, so that a display in use stays logged in while its token is valid.
    pub(super) fn renewed_cookie(&self, parts: &Parts, principal: &Principal) -> Option<HeaderValue> {
        let is_due = principal.role() == Role::Kiosk
            && principal.carrier() == Carrier::Cookie
            && principal.session.expires_at.is_none()
            && is_kiosk(parts.uri.path());
        let secret = credentials::by_cookie(&parts.headers).find(|secret| self.shared.cache.session(secret).is_some());
        secret.filter(|_| is_due).map(|secret| self.cookie(parts, secret, None))
    }

    /// The session cookie with a lifetime in seconds, or with the longest lifetime of browsers.
    pub(super) fn cookie(&self, parts: &Parts, secret: &str, max_age_secs: Option<i64>) -> HeaderValue {
        let reached = Reached::of(parts, self.shared.options.https);
        let path = if reached.base().is_empty() { "/" } else { reached.base() };
        let (same_site, secure) = match (self.is_in_foreign_frame(parts), reached.is_https()) {
            // Inside a page of another site, browsers send only such cookies. Partitioned: only frames in that site get it (CHIPS).
            (true, true) => ("None", "; Secure; Partitioned"),
            (false, true) => ("Strict", "; Secure"),
            (_, false) => ("Strict", ""),
        };
        let name = if reached.is_https() && path == "/" { HOST_COOKIE } else { COOKIE };
        let max_age = max_age_secs.unwrap_or(LONGEST_COOKIE_SECS).clamp(0, LONGEST_COOKIE_SECS);
        let cookie = format!("{name}={secret}; Path={path}; HttpOnly; SameSite={same_site}; Max-Age={max_age}{secure}");
        // This never fails: secrets are base64url, or were in a header of the request.
        HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static("hyperscope_session=; Path=/; Max-Age=0"))
    }

    /// Whether the request is for a frame that another site may show. The cookies there are partitioned, so the login cannot replace another one, and no
    /// question is needed.
    pub(super) fn is_in_frame_of_its_own(&self, parts: &Parts) -> bool {
        self.shared.options.has_foreign_frames
            && parts.headers.get(FETCH_DEST).is_some_and(is_frame)
            && parts.headers.get(origin::FETCH_SITE).is_some_and(|site| site == "cross-site")
    }

    /// Whether other sites may show our pages in frames, and the request may be for a frame.
    pub(super) fn is_in_foreign_frame(&self, parts: &Parts) -> bool {
        self.shared.options.has_foreign_frames && parts.headers.get(FETCH_DEST).is_none_or(|what| what != "document")
    }
}
