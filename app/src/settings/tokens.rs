//! The tokens of the server: the list, the form for a new token, and the secret of the one just created.

use leptos::prelude::*;
use model::{page::DashboardLink, role::Role};

use super::{SettingsView, named, table};
use crate::{
    functions::{CreateToken, RevokeToken, TokenRequest, path_of},
    view::view,
};

/// Lifetimes of a token: the form's value, and the label.
const PERIODS: [(&str, &str); 6] =
    [("1d", "1 day"), ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("365d", "1 year"), ("", "For ever")];
/// The default of [`PERIODS`].
const USUAL_PERIOD: &str = "90d";

/// The tokens as an admin sees them.
#[derive(Debug, Clone)]
pub struct TokenList {
    /// The newest valid tokens, the newest first, or why they cannot be read.
    pub tokens: Result<Vec<ShownToken>, String>,
    /// Number of valid tokens that are not in `tokens`.
    pub more: u64,
    /// The token that this session has just created.
    pub made: Option<MadeToken>,
    /// Dashboards that a token may be limited to.
    pub dashboards: Vec<DashboardLink>,
    /// The request that was refused, to fill the form with.
    pub draft: Option<TokenRequest>,
}

/// A token, without its secret.
#[derive(Debug, Clone)]
pub struct ShownToken {
    /// Id of the token, to revoke it.
    pub id: String,
    /// Who or what uses it.
    pub name: String,
    /// The role, which decides its rights.
    pub role: Role,
    /// The dashboards and matchers that limit it; empty if it sees everything.
    pub limits: String,
    /// When it expires, in milliseconds since the Unix epoch; `None` if never.
    pub expires_at: Option<i64>,
    /// Whether it is the viewer's token.
    pub is_this: bool,
}

/// A new token with its secret, which `Debug` does not print.
#[derive(Clone)]
pub struct MadeToken {
    /// Who or what uses it.
    pub name: String,
    /// The secret. No other page shows it.
    pub secret: String,
}

impl std::fmt::Debug for MadeToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MadeToken").field("name", &self.name).finish_non_exhaustive()
    }
}

pub(super) fn draw(page: &SettingsView) -> Option<AnyView> {
    let list = page.tokens.as_ref()?;
    let more = (list.more > 0).then(|| {
        view! { <p class="quiet-words">{format!("and {} more, which are older", list.more)}</p> }
    });
    let tokens = match &list.tokens {
        Ok(tokens) => {
            let rows = tokens.iter().map(|token| row(page, token)).collect_view().into_any();
            table("Tokens", &["Name", "Role", "Sees", "Expires"], rows)
        }
        Err(reason) => view! { <p class="form-error" role="alert">{reason.clone()}</p> },
    };
    Some(view! {
        <section class="card list-card tokens" id="tokens">
            <h2>"Tokens"</h2>
            {list.made.as_ref().map(made)}
            {tokens}
            {more}
            {new(&list.dashboards, list.draft.as_ref())}
        </section>
    })
}

fn row(page: &SettingsView, token: &ShownToken) -> AnyView {
    let revoke = (!token.is_this).then(|| {
        let label = format!("Revoke {}", token.name);
        view! {
            <form method="post" action={path_of::<RevokeToken>()}>
                <input type="hidden" name="id" value=token.id.clone() />
                <button class="button" aria-label=label>"Revoke"</button>
            </form>
        }
    });
    let limits = if token.limits.is_empty() { "everything" } else { &token.limits }.to_owned();
    let expires = token.expires_at.map_or_else(|| "never".to_owned(), |at_ms| page.zone.civil(at_ms).to_string());
    view! {
        <tr>
            {named(token.name.clone(), token.is_this)}
            <td>{token.role.name()}</td>
            <td>{limits}</td>
            <td>{expires}</td>
            <td class="list-end">{revoke}</td>
        </tr>
    }
}

fn made(made: &MadeToken) -> AnyView {
    view! {
        <div class="token-made" role="status">
            <p>{format!("The secret of {}. It is shown for two minutes, and never again: copy it now.", made.name)}</p>
            <input
                id="token-secret"
                class="field"
                readonly
                autocomplete="off"
                value=made.secret.clone()
                aria-label="Secret of the new token"
            />
        </div>
    }
}

/// The form for a new token.
fn new(dashboards: &[DashboardLink], draft: Option<&TokenRequest>) -> AnyView {
    let is_open = draft.is_some();
    let draft =
        draft.cloned().unwrap_or_else(|| TokenRequest { lasts: USUAL_PERIOD.to_owned(), ..TokenRequest::default() });
    let roles = [Role::Viewer, Role::Operator, Role::Admin, Role::Kiosk, Role::Ingest, Role::Scrape];
    let roles =
        roles.map(|role| view! { <option value=role.name() selected=role.name() == draft.role>{role.name()}</option> });
    let periods = PERIODS.map(|(value, words)| {
        view! { <option value=value selected=value == draft.lasts>{words}</option> }
    });
    let dashboards = dashboards.iter().map(|link| {
        view! { <option value=link.uid.clone() selected=link.uid == draft.dashboard>{link.title.clone()}</option> }
    });
    view! {
        <details class="token-new" id="token-new" open=is_open>
            <summary class="button">"New token"</summary>
            <form method="post" action={path_of::<CreateToken>()} data-typed=is_open.then_some("")>
                <label for="token-name">"Name"</label>
                <input id="token-name" class="field" name="name" value=draft.name.clone() required maxlength="100" autocomplete="off" placeholder="hall display" />
                <label for="token-role">"Role"</label>
                <select id="token-role" class="field" name="role">{roles.into_iter().collect_view()}</select>
                <label for="token-lasts">"Holds for"</label>
                <select id="token-lasts" class="field" name="lasts">{periods.into_iter().collect_view()}</select>
                <label for="token-dashboard">"Dashboard of a kiosk"</label>
                <select id="token-dashboard" class="field" name="dashboard">
                    <option value="">"All"</option>
                    {dashboards.collect_view()}
                </select>
                <label for="token-matchers">"Only series with"</label>
                <input
                    id="token-matchers"
                    class="field"
                    name="matchers"
                    value=draft.matchers.clone()
                    spellcheck="false"
                    autocomplete="off"
                    placeholder="provider=\"aws\""
                />
                <button type="submit" class="button primary">"Create"</button>
            </form>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use model::{page::Session, zone::Zone};

    use super::*;

    #[test]
    fn an_admin_sees_tokens_and_the_secret_of_the_new_one() {
        let token = |name: &str, is_this| ShownToken {
            id: format!("id-{name}"),
            name: name.to_owned(),
            role: Role::Kiosk,
            limits: "hypersdk-jobs".to_owned(),
            expires_at: None,
            is_this,
        };
        let session = Session {
            name: "me".into(),
            role: Role::Admin,
            expires_at: None,
            dashboards: Vec::new(),
            matchers: String::new(),
        };
        let page = SettingsView {
            session,
            logins: Vec::new(),
            tokens: Some(TokenList {
                tokens: Ok(vec![token("wall <1>", false), token("me", true)]),
                more: 3,
                made: Some(MadeToken { name: "wall".into(), secret: "hsk_secret".into() }),
                draft: TokenRequest::read(|name| (name == "typed-name").then(|| "typed <2>".to_owned())),
                dashboards: vec![DashboardLink { uid: "d".into(), title: "One & only".into(), path: "/d/d".into() }],
            }),
            now_ms: 0,
            theme: None,
            zone: Zone::UTC,
            version: "1",
            walls: 0,
        };
        let html = super::super::draw(&page);
        for part in [
            "typed &lt;2&gt;",
            "wall &lt;1&gt;",
            "hypersdk-jobs",
            "value=\"id-wall &lt;1&gt;\"",
            "value=\"hsk_secret\"",
            "One &amp; only",
            "id=\"token-secret\"",
            "and 3 more",
            "data-typed",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(!html.contains("value=\"id-me\""), "nobody revokes the token that they use");
        let tokens =
            page.tokens.clone().map(|list| TokenList { tokens: Err("Not <now>.".into()), draft: None, ..list });
        let html = super::super::draw(&SettingsView { tokens, ..page.clone() });
        assert!(
            html.contains("Not &lt;now&gt;.") && html.contains("New token") && !html.contains("data-typed"),
            "{html}"
        );
        assert!(!super::super::draw(&SettingsView { tokens: None, ..page }).contains("New token"));
    }
}
