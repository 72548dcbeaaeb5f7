//! Server functions of the forms on the settings page.

#![allow(missing_docs)] // the macro generates a struct of the arguments of each function

use axum::http::{HeaderValue, header::SET_COOKIE};
use leptos::{prelude::*, server_fn::error::ServerFnError};
use leptos_axum::ResponseOptions;
use model::route::{PageKind, PageRoute};

use super::{Change, TokenRequest, carry_out, carry_out_from, lead_to, provided};
use crate::payload::THEME_COOKIE;

/// Lifetime of the theme cookie: a year, in seconds.
const THEME_SECONDS: u32 = 31_536_000;

/// The path below which browsers reach the server, without a trailing slash; empty at the root of a host. Cookies are limited to it.
#[derive(Debug, Clone)]
pub struct BasePath(pub String);

async fn from_settings(change: Change) -> Result<(), ServerFnError> {
    let page = PageRoute::path_of(PageKind::Settings);
    carry_out(change, page, page).await
}

/// Ends one session of the sender's token.
///
/// # Errors
/// The session cannot be ended.
#[server(name = EndSession, prefix = "/do", endpoint = "end-session")]
pub async fn end_session(id: String) -> Result<(), ServerFnError> {
    from_settings(Change::EndSession(id)).await
}

/// Ends all other sessions of the sender's token.
///
/// # Errors
/// The sessions cannot be ended.
#[server(name = EndOtherSessions, prefix = "/do", endpoint = "end-other-sessions")]
pub async fn end_other_sessions() -> Result<(), ServerFnError> {
    from_settings(Change::EndOtherSessions).await
}

/// Creates a token. The settings page shows its secret for two minutes.
///
/// # Errors
/// The request is invalid, or the sender lacks the right.
#[server(name = CreateToken, prefix = "/do", endpoint = "create-token")]
pub async fn create_token(
    name: String,
    role: String,
    #[server(default)] lasts: String,
    #[server(default)] dashboard: String,
    #[server(default)] matchers: String,
) -> Result<(), ServerFnError> {
    let request = TokenRequest { name, role, lasts, dashboard, matchers };
    let page = PageRoute::path_of(PageKind::Settings);
    // A refusal leads back to the form with the typed values.
    let again = format!("{page}?{}", request.query());
    carry_out_from(Change::CreateToken(request), page, &again).await
}

/// Revokes a token and ends its sessions.
///
/// # Errors
/// There is no such token, or the sender lacks the right.
#[server(name = RevokeToken, prefix = "/do", endpoint = "revoke-token")]
pub async fn revoke_token(id: String) -> Result<(), ServerFnError> {
    from_settings(Change::RevokeToken(id)).await
}

/// Sets the theme of this browser: `light` or `dark`. Any other value removes the choice, and the page follows the system.
///
/// # Errors
/// The server does not provide the context of server functions.
#[server(name = ChooseTheme, prefix = "/do", endpoint = "theme")]
pub async fn choose_theme(#[server(default)] theme: String) -> Result<(), ServerFnError> {
    let (value, seconds) = match theme.as_str() {
        "light" | "dark" => (theme.as_str(), THEME_SECONDS),
        _ => ("", 0),
    };
    let base = use_context::<BasePath>().map(|BasePath(base)| base).unwrap_or_default();
    let cookie = format!("{THEME_COOKIE}={value}; Path={base}/; Max-Age={seconds}; SameSite=Strict");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        provided::<ResponseOptions>()?.append_header(SET_COOKIE, cookie);
    }
    lead_to(PageRoute::path_of(PageKind::Settings))
}
