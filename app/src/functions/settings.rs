//! What the settings page asks for.

#![allow(missing_docs)] // the macro makes a struct of each function's arguments, whose fields have the names of those

use axum::http::{HeaderValue, header::SET_COOKIE};
use leptos::{prelude::*, server_fn::error::ServerFnError};
use leptos_axum::ResponseOptions;
use model::route::{PageKind, PageRoute};

use super::{Change, TokenRequest, carry_out, carry_out_from, lead_to, provided};
use crate::payload::THEME_COOKIE;

/// How long a browser remembers the theme: a year, in seconds.
const THEME_SECONDS: u32 = 31_536_000;

/// The path below which browsers see the server, for cookies; empty at the root of a host.
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

/// Ends the sessions of the sender's token but for this one.
///
/// # Errors
/// They cannot be ended.
#[server(name = EndOtherSessions, prefix = "/do", endpoint = "end-other-sessions")]
pub async fn end_other_sessions() -> Result<(), ServerFnError> {
    from_settings(Change::EndOtherSessions).await
}

/// Makes a token; the settings page shows its secret for a moment.
///
/// # Errors
/// What is asked for makes no sense, or the sender may not.
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
    // What was typed comes back with what was wrong.
    let again = format!("{page}?{}", request.query());
    carry_out_from(Change::CreateToken(request), page, &again).await
}

/// Revokes a token and ends its sessions.
///
/// # Errors
/// There is no such token, or the sender may not.
#[server(name = RevokeToken, prefix = "/do", endpoint = "revoke-token")]
pub async fn revoke_token(id: String) -> Result<(), ServerFnError> {
    from_settings(Change::RevokeToken(id)).await
}

/// Has this browser use the theme `light` or `dark`; any other follows the system.
///
/// # Errors
/// None.
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
