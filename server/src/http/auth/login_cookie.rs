//! The cookie of a login, and the frames in which it is set.

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

/// The longest that browsers keep a cookie, 400 days, in seconds. A kiosk's is set again with every page.
const LONGEST_COOKIE_SECS: i64 = 400 * 86_400;

/// What the browser does with the answer: show it as a `document`, in an `iframe`, and so on.
pub(super) const FETCH_DEST: &str = "sec-fetch-dest";

/// Whether it is shown inside of another page.
pub(super) fn is_frame(what: &HeaderValue) -> bool {
    ["iframe", "frame", "embed", "object"].iter().any(|frame| what == frame)
}

impl Auth {
    /// The cookie of a kiosk once more, so that a screen that is visited stays logged in for as long as its token holds.
    pub(super) fn renewed_cookie(&self, parts: &Parts, principal: &Principal) -> Option<HeaderValue> {
        let is_due = principal.role() == Role::Kiosk
            && principal.carrier() == Carrier::Cookie
            && principal.session.expires_at.is_none()
            && is_kiosk(parts.uri.path());
        let secret = credentials::by_cookie(&parts.headers).find(|secret| self.shared.cache.session(secret).is_some());
        secret.filter(|_| is_due).map(|secret| self.cookie(parts, secret, None))
    }

    /// The session cookie, for so many seconds, or as long as browsers keep any.
    pub(super) fn cookie(&self, parts: &Parts, secret: &str, max_age_secs: Option<i64>) -> HeaderValue {
        let reached = Reached::of(parts, self.shared.options.https);
        let path = if reached.base().is_empty() { "/" } else { reached.base() };
        let (same_site, secure) = match (self.is_in_foreign_frame(parts), reached.is_https()) {
            // Within a page of another site no other cookie comes along. Partitioned: it is that site's frames' alone (CHIPS).
            (true, true) => ("None", "; Secure; Partitioned"),
            (false, true) => ("Strict", "; Secure"),
            (_, false) => ("Strict", ""),
        };
        let name = if reached.is_https() && path == "/" { HOST_COOKIE } else { COOKIE };
        let max_age = max_age_secs.unwrap_or(LONGEST_COOKIE_SECS).clamp(0, LONGEST_COOKIE_SECS);
        let cookie = format!("{name}={secret}; Path={path}; HttpOnly; SameSite={same_site}; Max-Age={max_age}{secure}");
        // Secrets that come from a request came in a header, and ours are base64url: this never fails.
        HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static("hyperscope_session=; Path=/; Max-Age=0"))
    }

    /// Whether it is asked for in a frame of another site that may show it: the cookies there are that site's frames' alone, so that no
    /// other login is touched, and there is nobody to ask.
    pub(super) fn is_in_frame_of_its_own(&self, parts: &Parts) -> bool {
        self.shared.options.has_foreign_frames
            && parts.headers.get(FETCH_DEST).is_some_and(is_frame)
            && parts.headers.get(origin::FETCH_SITE).is_some_and(|site| site == "cross-site")
    }

    /// Whether a page of another site may show what is asked for in a frame, and the browser does not say that it is no frame.
    pub(super) fn is_in_foreign_frame(&self, parts: &Parts) -> bool {
        self.shared.options.has_foreign_frames && parts.headers.get(FETCH_DEST).is_none_or(|what| what != "document")
    }
}
