//! The pages that are there before one is logged in. They need neither script nor a file of the bundle.

/// Same names as the app's own style, so that the login looks like the rest.
const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f4f5f7;--surface:#fff;--line:#d5d9e0;--text:#1b2130;--muted:#5a6374;--accent:#1f5fbf;--on-accent:#fff;--bad:#b3261e}\
@media (prefers-color-scheme:dark){:root{--page:#0f131a;--surface:#171c26;--line:#2c3443;--text:#e6e9ef;--muted:#9aa4b5;--accent:#6ea8fe;--on-accent:#0b1220;--bad:#ff8a80}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif}\
main{width:100%;max-width:24rem;padding:2rem;background:var(--surface);border:1px solid var(--line);border-radius:.5rem}\
h1{margin:0 0 .25rem;font-size:1.5rem}p{margin:0 0 1.25rem;color:var(--muted)}\
label{display:block;margin-bottom:.375rem;font-weight:600}\
input{width:100%;padding:.625rem .75rem;font:inherit;color:inherit;background:var(--page);border:1px solid var(--muted);border-radius:.375rem}\
button{width:100%;margin-top:1.25rem;padding:.625rem;font:inherit;font-weight:600;color:var(--on-accent);background:var(--accent);border:0;border-radius:.375rem;cursor:pointer}\
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
[role=alert]{padding:.625rem .75rem;color:var(--bad);border:1px solid currentColor;border-radius:.375rem}\
a{color:var(--accent)}";

/// The login. `next` is the local path to go on to, `error` what went wrong the last time.
pub(super) fn login(next: &str, error: Option<&str>) -> String {
    let error = error.map(|error| format!("<p role=\"alert\" id=\"error\">{}</p>", escape(error))).unwrap_or_default();
    let described = if error.is_empty() { "" } else { " aria-invalid=\"true\" aria-describedby=\"error\"" };
    let form = format!(
        "<h1>hyperscope</h1><p>Log in with a token. An admin makes one in the settings or with <code>hyperscope token create</code>.</p>{error}\
         <form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"next\" value=\"{}\">\
         <label for=\"token\">Token</label>\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" spellcheck=\"false\" required autofocus{described}>\
         <button type=\"submit\">Log in</button></form>",
        escape(next),
    );
    document("Log in", "", &form)
}

/// Asks for `path` once more, from a page of ours: a browser that came from elsewhere did not send the cookie.
pub(super) fn come_again(path: &str) -> String {
    let path = escape(path);
    let refresh = format!("<meta http-equiv=\"refresh\" content=\"0;url={path}\">");
    document("hyperscope", &refresh, &format!("<h1>hyperscope</h1><p><a href=\"{path}\">Go on</a></p>"))
}

/// Says why a page is not shown.
pub(super) fn refusal(message: &str) -> String {
    let body = format!(
        "<h1>Not for this token</h1><p role=\"alert\">{}.</p><p><a href=\"/\">Overview</a> or <a href=\"/logout\">log in with another token</a></p>",
        escape(message),
    );
    document("Not for this token", "", &body)
}

fn document(title: &str, head: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title} · hyperscope</title>{head}<style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
}

/// Text as it stands in HTML, within an attribute in double quotes too.
fn escape(text: &str) -> String {
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
    fn nothing_given_becomes_markup() {
        let evil = "\"><script>alert('x')</script>&";
        for page in [login(evil, Some(evil)), refusal(evil), come_again(evil)] {
            assert!(!page.contains("<script") && page.contains("&quot;&gt;&lt;script"), "{page}");
        }
    }
}
