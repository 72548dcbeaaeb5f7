//! Finds secrets by their format.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex};

use crate::MASK;

// White space is listed as Unicode has it (property White_Space), and words end where ASCII's do: a browser has no tables of classes.

/// Formats that are replaced completely.
const WHOLE: &[&str] = &[
    // PEM private keys (RFC 7468), up to their end or the end of the text.
    r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    // AWS access keys.
    r"(?-u:\b)(?:AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)",
    // Signed and encrypted tokens: JWT (RFC 7519), JWE (RFC 7516).
    r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,3}",
    // Tokens of Stripe, Vault, SendGrid, npm, Telegram.
    r"(?-u:\b)(?:[sr]k_live_[A-Za-z0-9]{16,}|hv[sbr]\.[A-Za-z0-9_-]{20,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{30,}|bot[0-9]{6,}:[A-Za-z0-9_-]{30,})",
    // URLs that allow anyone to post: webhooks of Slack, Discord, Teams.
    r#"(?-u:\b)(?:hooks\.slack(?:-gov)?\.com/[a-z]+|discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks|[a-z0-9-]+\.webhook\.office\.com/webhookb2)/[^\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"'<>]+"#,
    // Tokens of GitHub, GitLab, Slack, Google, and ours.
    r"(?-u:\b)(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}|xox[abposr]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}|hs_[A-Za-z0-9_-]{40,})",
];

/// Credentials in a URL. They may contain characters that end a host in other URLs, so the last `@` of the word counts.
const URL_CREDENTIALS: &str = r#"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://)(?P<after>[^\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"'<>]*)"#;
/// `user:password@host` without a scheme, if the host is recognisable.
const BARE_CREDENTIALS: &str = r#"(?m)(?P<before>^|[\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"'=(,;])[A-Za-z0-9._+-]+:[^\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}:@/"']+@(?P<host>$|[\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"']|localhost(?-u:\b)|\[|[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?-u:\b)|(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?-u:\b)|[A-Za-z0-9-]+:[0-9]{2,5}(?:$|[\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}/"']))"#;

struct Shapes {
    whole: Regex,
    url: Regex,
    bare: Regex,
}

static SHAPES: LazyLock<Option<Shapes>> = LazyLock::new(|| {
    let [whole, url, bare] =
        [&WHOLE.join("|"), URL_CREDENTIALS, BARE_CREDENTIALS].map(|pattern| Regex::new(pattern).ok());
    Some(Shapes { whole: whole?, url: url?, bare: bare? })
});

/// The text with each secret replaced; `None` if there is none.
pub(crate) fn replace(text: &str) -> Option<String> {
    let shapes = SHAPES.as_ref()?;
    let mut clean = Cow::Borrowed(text);
    let mut apply = |regex: &Regex, replaced: &dyn Fn(&Captures) -> String| {
        if let Cow::Owned(replaced) = regex.replace_all(&clean, replaced) {
            clean = Cow::Owned(replaced);
        }
    };
    apply(&shapes.whole, &|_| MASK.to_owned());
    if text.contains('@') {
        apply(&shapes.url, &|url| {
            let [before, after] = ["before", "after"].map(|part| url.name(part).map_or("", |part| part.as_str()));
            format!("{before}{}", without_credentials(after).map_or(after.to_owned(), |host| format!("{MASK}@{host}")))
        });
        apply(&shapes.bare, &|pair| {
            let [before, host] = ["before", "host"].map(|part| pair.name(part).map_or("", |part| part.as_str()));
            format!("{before}{MASK}@{host}")
        });
    }
    match clean {
        Cow::Owned(clean) if clean != text => Some(clean),
        _ => None,
    }
}

/// The part of a URL after its credentials, from the host on; `None` if it has none.
fn without_credentials(after_scheme: &str) -> Option<&str> {
    let (authority, path) = after_scheme.split_at(after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len()));
    if let Some(at) = authority.rfind('@') {
        return after_scheme.get(at + 1..);
    }
    // A password may contain characters that end an authority. A port cannot.
    let (_, password) = authority.split_once(':')?;
    if path.is_empty() || password.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    after_scheme.rsplit_once('@').map(|(_, host)| host)
}
