//! The pages before a login. They need neither scripts nor files of the bundle.

use super::form_token;

/// Style with the variables and colours of the app's style sheet, so that the login looks like the app.
const STYLE: &str = "\
:root{color-scheme:light;--bg:#f3f5f8;--panel-bg:#fff;--line:#d9dfe7;--text:#18212d;--muted:#54606e;--focus:#1f6fc4;--blue:#1b68bb;--on-blue:#fff;--red:#c3261f}\
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;--bg:#0d1117;--panel-bg:#151b23;--line:#28313c;--text:#e4eaf1;--muted:#9aa7b5;--focus:#6cb2f7;--blue:#62aef5;--on-blue:#0d1117;--red:#ff7069}}\
:root[data-theme=dark]{color-scheme:dark;--bg:#0d1117;--panel-bg:#151b23;--line:#28313c;--text:#e4eaf1;--muted:#9aa7b5;--focus:#6cb2f7;--blue:#62aef5;--on-blue:#0d1117;--red:#ff7069}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:12px;background:var(--bg);color:var(--text);\
font:14px/1.45 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"Liberation Sans\",sans-serif}\
main{width:100%;max-width:380px;padding:28px;background:var(--panel-bg);border:1px solid var(--line);border-radius:8px}\
h1{margin:0 0 4px;font-size:20px}p{margin:0 0 20px;color:var(--muted)}\
label{display:block;margin-bottom:6px;font-weight:600}\
input{width:100%;padding:9px 11px;font:inherit;font-size:16px;color:inherit;background:var(--bg);border:1px solid var(--muted);border-radius:6px}\
button{width:100%;margin-top:20px;padding:10px;font:inherit;font-weight:600;color:var(--on-blue);background:var(--blue);border:0;border-radius:6px;cursor:pointer}\
:focus-visible{outline:2px solid var(--focus);outline-offset:2px}\
[role=alert]{padding:9px 11px;color:var(--red);border:1px solid currentColor;border-radius:6px}\
.stay{margin:16px 0 0;text-align:center}code{font-family:ui-monospace,Menlo,Consolas,\"DejaVu Sans Mono\",monospace}a{color:var(--blue)}";

/// The theme that the viewer chose in the app. Without a choice, a page follows the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// Reads the choice from the value of its cookie.
    pub(super) fn chosen(cookie: Option<&str>) -> Self {
        match cookie {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::System,
        }
    }

    fn attribute(self) -> &'static str {
        match self {
            Theme::System => "",
            Theme::Light => " data-theme=\"light\"",
            Theme::Dark => " data-theme=\"dark\"",
        }
    }
}

/// The login page. `next` is the local path to redirect to after the login, `error` the error of the last attempt, and `note` a further remark.
pub(super) fn login(next: &str, error: Option<&str>, note: Option<&str>, theme: Theme) -> String {
    let error = error.map(|error| format!("<p role=\"alert\" id=\"error\">{}</p>", escape(error))).unwrap_or_default();
    let note = note.map(|note| format!("<p role=\"note\">{}</p>", escape(note))).unwrap_or_default();
    let described = if error.is_empty() { "" } else { " aria-invalid=\"true\" aria-describedby=\"error\"" };
    let form = format!(
        "<h1>hyperscope</h1><p>Log in with a token. Whoever runs the server makes one with <code>hyperscope token create</code>.</p>{error}\
         {note}<form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"next\" value=\"{}\">\
         <label for=\"token\">Token</label>\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" spellcheck=\"false\" required autofocus{described}>\
         <button type=\"submit\">Log in</button></form>",
        escape(next),
    );
    document("Log in", "", &form, theme)
}

/// A page that requests `path` again. A browser that came from another site did not send the strict cookie; from this page it does.
pub(super) fn come_again(path: &str) -> String {
    let path = escape(path);
    let refresh = format!("<meta http-equiv=\"refresh\" content=\"0;url={path}\">");
    document("hyperscope", &refresh, &format!("<h1>hyperscope</h1><p><a href=\"{path}\">Go on</a></p>"), Theme::System)
}

/// The question before a login link from another site replaces a valid login.
pub(super) struct Question<'a> {
    /// Name and role of the link's token.
    pub(super) name: &'a str,
    pub(super) role: &'a str,
    /// Name of the current login's token.
    pub(super) now: &'a str,
    /// Values of the form's hidden fields.
    pub(super) token: &'a str,
    pub(super) next: &'a str,
    pub(super) form_token: &'a str,
}

/// The page that asks whether a link may log in. Only its form logs in.
pub(super) fn log_in_as(question: &Question<'_>, theme: Theme) -> String {
    let [name, role, now, token, next, form_token] =
        [question.name, question.role, question.now, question.token, question.next, question.form_token].map(escape);
    let body = format!(
        "<h1>Log in as {name}?</h1><p>A link from another site asks for it. {name} is a token of role {role}. You are logged in as {now}, \
         which would end in this browser.</p><form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"token\" value=\"{token}\">\
         <input type=\"hidden\" name=\"next\" value=\"{next}\"><input type=\"hidden\" name=\"{}\" value=\"{form_token}\">\
         <button type=\"submit\">Log in as {name}</button></form><p class=\"stay\"><a href=\"/\">Stay logged in as {now}</a></p>",
        form_token::FIELD,
    );
    document("Log in", "", &body, theme)
}

/// The page after a refused logout, with a form to log out. `form_token` is that of the current session, if there is one.
pub(super) fn still_logged_in(form_token: Option<&str>, theme: Theme) -> String {
    let field = form_token
        .map(|token| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", form_token::FIELD, escape(token)));
    let body = format!(
        "<h1>Not logged out</h1><p role=\"alert\">The request came from a page of another site, so nothing was done: a login that you have \
         goes on.</p><form method=\"post\" action=\"/logout\">{}<button type=\"submit\">Log out now</button></form>",
        field.unwrap_or_default(),
    );
    document("Not logged out", "", &body, theme)
}

/// The page of a refusal.
pub(super) fn refusal(title: &str, message: &str) -> String {
    let body = format!(
        "<h1>{title}</h1><p role=\"alert\">{}.</p><p><a href=\"/\">Overview</a> or <a href=\"/logout\">log in with another token</a></p>",
        escape(message.trim_end_matches('.')),
    );
    document(title, "", &body, Theme::System)
}

fn document(title: &str, head: &str, body: &str, theme: Theme) -> String {
    format!(
        "<!doctype html><html lang=\"en\"{}><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title} · hyperscope</title>{head}<link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\"><style>{STYLE}</style></head><body><main>{body}</main></body></html>",
        theme.attribute(),
    )
}

/// Escapes text for HTML, also for attributes in quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let evil = "\"><script>alert('x')</script>&";
        for page in [
            login(evil, Some(evil), Some(evil), Theme::Dark),
            refusal("Title", evil),
            still_logged_in(Some(evil), Theme::System),
            come_again(evil),
            log_in_as(
                &Question { name: evil, role: evil, now: evil, token: evil, next: evil, form_token: evil },
                Theme::System,
            ),
        ] {
            assert!(!page.contains("<script") && page.contains("&quot;&gt;&lt;script"), "{page}");
        }
    }
}
