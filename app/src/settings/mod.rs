//! The settings, which only the server renders: the session, its token, the server, and the choices of this browser.

mod sessions;
mod tokens;

use leptos::prelude::*;
use model::{
    page::Session,
    route::{PageKind, PageRoute},
    zone::Zone,
};

pub use sessions::Login;
pub use tokens::{MadeToken, ShownToken, TokenList};

use crate::{
    functions::{ChooseTheme, path_of},
    shell::bell::{LEVELS, NOTICE, OFF, ON, SOUND, WALLS},
    view::view,
};

/// Everything that the page is rendered from.
#[derive(Debug, Clone)]
pub struct SettingsView {
    /// The viewer's session.
    pub session: Session,
    /// The sessions of the viewer's token, the viewer's first.
    pub logins: Vec<Login>,
    /// The tokens of this server; `None` if the viewer may not manage them.
    pub tokens: Option<TokenList>,
    /// The server's time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The chosen theme, `light` or `dark`; `None` follows the system.
    pub theme: Option<String>,
    /// The viewer's time zone.
    pub zone: Zone,
    /// Version of the server.
    pub version: &'static str,
    /// How many walls the server has.
    pub walls: usize,
}

/// The themes: the form's value, and the label.
const THEMES: [(&str, &str); 3] = [("", "As the system"), ("light", "Light"), ("dark", "Dark")];

/// Renders the page's content as HTML.
#[must_use]
pub fn draw(page: &SettingsView) -> String {
    let owner = Owner::new_root(None);
    let html = owner.with(|| content(page).to_html());
    owner.unset_with_forced_cleanup();
    html
}

fn content(page: &SettingsView) -> AnyView {
    let session = &page.session;
    let may = match () {
        () if session.role.administers() => {
            "read everything, cancel jobs, silence alerts, manage tokens and dashboards"
        }
        () if session.role.operates() => "read everything, cancel jobs, silence alerts",
        () if session.dashboards.is_empty() => "read everything",
        () => "read the dashboards named by its token",
    };
    let only = (!session.matchers.is_empty()).then(|| {
        view! { <dt>"Series"</dt> <dd><code>{session.matchers.clone()}</code></dd> }
    });
    let expires = session.expires_at.map(|at_ms| page.zone.civil(at_ms).to_string());
    let themes = THEMES.map(|(value, words)| {
        let is_chosen = page.theme.as_deref().unwrap_or_default() == value;
        view! { <option value=value selected=is_chosen>{words}</option> }
    });
    view! {
        <section class="card">
            <h2>"Session"</h2>
            <dl class="facts">
                <dt>"Token"</dt>
                <dd>{session.name.clone()}</dd>
                <dt>"Role"</dt>
                <dd>{session.role.name()}</dd>
                <dt>"It may"</dt>
                <dd>{may}</dd>
                {only}
                <dt>"Expires"</dt>
                <dd>{expires.unwrap_or_else(|| "never".to_owned())}</dd>
            </dl>
        </section>
        {sessions::draw(page)}
        {tokens::draw(page)}
        <section class="card">
            <h2>"This browser"</h2>
            <dl class="facts">
                <dt><label for="theme">"Theme"</label></dt>
                <dd>
                    <form method="post" action={path_of::<ChooseTheme>()} class="theme-form">
                        <select id="theme" class="field" name="theme">{themes.into_iter().collect_view()}</select>
                        <button class="button">"Use"</button>
                    </form>
                </dd>
                <dt>"Times"</dt>
                <dd>{page.zone.name()}</dd>
            </dl>
        </section>
        {bell()}
        <section class="card">
            <h2>"Server"</h2>
            <dl class="facts">
                <dt>"hyperscope"</dt>
                <dd>{page.version}</dd>
                {(page.walls > 0 && session.dashboards.is_empty()).then(|| view! {
                    <dt>"Walls"</dt>
                    <dd><a href=PageRoute::path_of(PageKind::Walls)>{page.walls}</a></dd>
                })}
            </dl>
        </section>
    }
}

/// A table of sessions or tokens. The last cell of a row has the button that ends or revokes the entry, and no heading.
fn table(label: &'static str, headings: &[&'static str], rows: AnyView) -> AnyView {
    let headings = headings.iter().map(|heading| view! { <th scope="col">{*heading}</th> }).collect_view();
    view! {
        <div class="list-scroll" tabindex="0" role="group" aria-label=label>
            <table>
                <thead>
                    <tr>
                        {headings}
                        <td></td>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// The first cell of a row, marked if the row is the viewer's own session or token.
fn named(name: String, is_this: bool) -> AnyView {
    let this = is_this.then(|| view! { <span class="chip ink-green">"this one"</span> });
    view! { <th scope="row">{name} {this}</th> }
}

/// Choices for sound and notification when an alert begins to fire. The browser stores them (`platform::bell`); they are not sent to the server.
fn bell() -> AnyView {
    let choice = |id: &'static str, choices: &[(&'static str, &'static str)]| {
        let options = choices.iter().map(|(value, words)| view! { <option value=*value>{*words}</option> });
        view! { <select id=id class="field" data-keep autocomplete="off">{options.collect_view()}</select> }
    };
    view! {
        <section class="card bell needs-script">
            <h2>"When an alert begins to fire"</h2>
            <dl class="facts">
                <dt><label for=SOUND>"Sound"</label></dt>
                <dd>{choice(SOUND, &LEVELS)}</dd>
                <dt><label for=WALLS>"Sound in kiosk form"</label></dt>
                <dd>{choice(WALLS, &[(OFF, "Off"), (ON, "The same")])}</dd>
                <dt><label for=NOTICE>"Notification"</label></dt>
                <dd>{choice(NOTICE, &LEVELS)}</dd>
            </dl>
            <p class="form-error" role="alert" hidden>
                "The browser does not let this page show notifications: its settings for this site can."
            </p>
            <p class="quiet-words">
                "For this browser alone, while a page is open. Browsers keep quiet until a page was clicked on once."
            </p>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use model::role::Role;

    use super::*;

    #[test]
    fn the_page_shows_the_session_and_its_limits() {
        let session = Session {
            name: "wall <1>".into(),
            role: Role::Viewer,
            expires_at: None,
            dashboards: Vec::new(),
            matchers: "provider=\"aws\"".into(),
        };
        let login = |id: &str, is_this| Login {
            id: id.into(),
            begun_at: 0,
            used_at: 60_000,
            address: "10.0.0.7".into(),
            browser: "Firefox <x> on Linux".into(),
            is_this,
        };
        let logins = vec![login("mine", true), login("other", false)];
        let html = draw(&SettingsView {
            session,
            logins,
            tokens: None,
            now_ms: 180_000,
            theme: None,
            zone: Zone::Fixed(60),
            version: "1.2.3",
            walls: 3,
        });
        for part in
            ["Firefox &lt;x&gt; on Linux", "this one", "10.0.0.7", "2 min", "value=\"other\"", "/do/end-other-sessions"]
        {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(!html.contains("value=\"mine\""), "one logs out of this one");
        for part in ["wall &lt;1&gt;", "never", "As the system", "provider=\"aws\"", "1.2.3", "data-keep", "UTC+1"] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }
}
