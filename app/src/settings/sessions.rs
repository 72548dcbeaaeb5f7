//! The list of sessions of the viewer's token.

use leptos::prelude::*;
use model::unit::age;

use super::{SettingsView, named, table};
use crate::{
    functions::{EndOtherSessions, EndSession, path_of},
    view::view,
};

/// Most sessions that the page lists. The API lists all.
const MOST_LOGINS: usize = 20;

/// A session of the viewer's token.
#[derive(Debug, Clone)]
pub struct Login {
    /// Id of the session, to end it.
    pub id: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub begun_at: i64,
    /// When it was last used, in milliseconds since the Unix epoch.
    pub used_at: i64,
    /// Client address of the login.
    pub address: String,
    /// Name of the browser; empty if unknown.
    pub browser: String,
    /// Whether it is the viewer's session.
    pub is_this: bool,
}

/// The sessions of the token, with buttons that end them.
pub(super) fn draw(page: &SettingsView) -> Option<AnyView> {
    let row = |login: &Login| {
        let name = if login.browser.is_empty() { "unknown browser" } else { &login.browser }.to_owned();
        let label = format!("End the session of {name} from {}", login.address);
        let end = (!login.is_this).then(|| {
            view! {
                <form method="post" action={path_of::<EndSession>()}>
                    <input type="hidden" name="id" value=login.id.clone() />
                    <button class="button" aria-label=label>"End"</button>
                </form>
            }
        });
        view! {
            <tr>
                {named(name, login.is_this)}
                <td>{login.address.clone()}</td>
                <td>{page.zone.civil(login.begun_at).to_string()}</td>
                <td>{age(page.now_ms.saturating_sub(login.used_at))}</td>
                <td class="list-end">{end}</td>
            </tr>
        }
    };
    let count = page.logins.len();
    let more = (count > MOST_LOGINS).then(|| {
        view! { <p class="quiet-words">{format!("and {} more, which were used before these", count - MOST_LOGINS)}</p> }
    });
    let others = page.logins.iter().any(|login| !login.is_this).then(|| {
        view! {
            <form method="post" action={path_of::<EndOtherSessions>()}>
                <button class="button danger">"End all others"</button>
            </form>
        }
    });
    (count > 0).then(|| {
        let rows = page.logins.iter().take(MOST_LOGINS).map(row).collect_view().into_any();
        view! {
            <section class="card list-card sessions">
                <h2>"Sessions of this token"</h2>
                {table("Sessions of this token", &["Browser", "Address", "Begun", "Last used"], rows)}
                {more}
                {others}
            </section>
        }
    })
}
