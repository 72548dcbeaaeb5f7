//! Takes secrets out of text that came from a source, before it is stored, logged or sent.
//!
//! Three nets, because a daemon's error text can hold anything: the credentials of URLs, values whose key says that they are secret
//! (`password=...`, `"api_key": "..."`, `Authorization: Bearer ...`), and the very secrets that are known, wherever they occur: the
//! configured keys, and the passwords that a daemon's feed shows.

use std::{
    borrow::Cow,
    sync::{PoisonError, RwLock},
};

/// What stands in a text in place of a secret.
pub const MASK: &str = "***";

/// Shorter texts are not searched for: they would turn up in ordinary words.
const SHORTEST_SECRET: usize = 4;

/// Most secrets remembered; a daemon has a handful of vCenters.
const MOST_SECRETS: usize = 256;

/// Characters that end a value without quotes.
const VALUE_END: &[char] = &[',', ';', '&', '"', '\'', ')', ']', '}', '<', '>'];

/// Words before a credential in an `Authorization` header.
const SCHEMES: [&str; 4] = ["bearer", "basic", "token", "digest"];

/// Replaces secrets. Shared by all that one server reads.
#[derive(Default)]
pub struct Redactor {
    hides_user_names: bool,
    /// Longest first, so that a secret inside another leaves nothing of it.
    secrets: RwLock<Vec<Box<str>>>,
}

impl Redactor {
    /// A redactor that knows no secrets yet. User names count as secrets if `hides_user_names`.
    #[must_use]
    pub fn new(hides_user_names: bool) -> Self {
        Redactor { hides_user_names, secrets: RwLock::default() }
    }

    /// Remembers a secret, to be replaced wherever it occurs from now on.
    pub fn learn(&self, secret: &str) {
        if secret.len() < SHORTEST_SECRET {
            return;
        }
        let known = |secrets: &[Box<str>]| secrets.iter().any(|known| **known == *secret);
        if known(&self.secrets.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        if secrets.len() < MOST_SECRETS && !known(&secrets) {
            secrets.push(secret.into());
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// Remembers a user name, if those are to be hidden.
    pub fn learn_user_name(&self, name: &str) {
        if self.hides_user_names {
            self.learn(name);
        }
    }

    /// Remembers the credentials that an address holds.
    pub fn learn_url(&self, url: &url::Url) {
        let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        if let Some(password) = url.password() {
            self.learn(password);
            self.learn(&plain(password));
        }
        self.learn_user_name(url.username());
        self.learn_user_name(&plain(url.username()));
    }

    /// The text without secrets. Borrows it if there are none.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = self.known(text);
        if clean.contains("://")
            && let Some(replaced) = without_url_credentials(&clean)
        {
            clean = Cow::Owned(replaced);
        }
        if clean.contains(['=', ':'])
            && let Some(replaced) = self.without_named_values(&clean)
        {
            clean = Cow::Owned(replaced);
        }
        clean
    }

    /// The text without the known secrets: enough for a name or path, which has no keys and values in it.
    #[must_use]
    pub fn known<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let mut clean = Cow::Borrowed(text);
        for secret in secrets.iter() {
            if clean.contains(&**secret) {
                clean = Cow::Owned(clean.replace(&**secret, MASK));
            }
        }
        clean
    }

    /// Whether a key or label of this name holds a secret.
    #[must_use]
    pub fn is_secret_key(&self, key: &str) -> bool {
        let key = key.to_ascii_lowercase().replace('-', "_");
        let ends_in =
            |word: &str| key == word || key.strip_suffix(word).is_some_and(|before| before.ends_with(['_', '.']));
        ["password", "passwd", "passphrase", "secret", "authorization", "cookie", "credential", "credentials"]
            .iter()
            .any(|word| key.ends_with(word))
            || ["apikey", "api_key", "key", "token", "pwd"].iter().any(|word| ends_in(word)) && key != "key"
            || self.hides_user_names && ["username", "user_name", "user", "login"].iter().any(|word| ends_in(word))
    }

    /// The text with the value replaced after each `key=` or `key:` that names a secret; `None` if there is none.
    fn without_named_values(&self, text: &str) -> Option<String> {
        let mut clean = String::new();
        let mut copied = 0;
        let mut from = 0;
        while let Some(found) = text.get(from..).and_then(|rest| rest.find(['=', ':'])) {
            let separator = from + found;
            from = separator + 1;
            let (Some(before), Some(after)) = (text.get(copied..separator), text.get(from..)) else { break };
            let key = before.trim_end_matches(['"', '\'', '\\', ' ']);
            let start = key.rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')));
            let key = start.map_or(key, |start| {
                key.get(start..).unwrap_or_default().trim_start_matches(|c: char| !c.is_ascii_alphanumeric())
            });
            if !self.is_secret_key(key) {
                continue;
            }
            let (value_start, value_end) = value_span(after);
            if value_start == value_end {
                continue;
            }
            clean.push_str(text.get(copied..from + value_start)?);
            clean.push_str(MASK);
            copied = from + value_end;
            from = copied;
        }
        if copied == 0 {
            return None;
        }
        clean.push_str(text.get(copied..)?);
        Some(clean)
    }
}

/// Where the value starts and ends that follows a separator.
fn value_span(after: &str) -> (usize, usize) {
    let blanks = after.len() - after.trim_start_matches([' ', '\\']).len();
    let rest = after.get(blanks..).unwrap_or_default();
    if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
        let inside = rest.get(1..).unwrap_or_default();
        let mut escaped = false;
        let end = inside.find(|c: char| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        return (blanks + 1, blanks + 1 + end.unwrap_or(inside.len()));
    }
    let word_end = |text: &str| text.find(|c: char| c.is_whitespace() || VALUE_END.contains(&c)).unwrap_or(text.len());
    let mut end = word_end(rest);
    let is_scheme = rest.get(..end).is_some_and(|word| SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)));
    if is_scheme {
        let credential = rest.get(end..).unwrap_or_default();
        let gap = credential.len() - credential.trim_start().len();
        end += gap + word_end(credential.trim_start());
    }
    (blanks, blanks + end)
}

/// The text with `user:password@` replaced in each URL; `None` if no URL has one.
fn without_url_credentials(text: &str) -> Option<String> {
    let mut clean = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(found) = rest.find("://") {
        let (before, after) = rest.split_at(found + "://".len());
        clean.push_str(before);
        let authority =
            after.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>'));
        let (authority, after) = after.split_at(authority.unwrap_or(after.len()));
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                changed = true;
                clean.push_str(MASK);
                clean.push('@');
                clean.push_str(host);
            }
            None => clean.push_str(authority),
        }
        rest = after;
    }
    clean.push_str(rest);
    changed.then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_keys_are_replaced() {
        let redactor = Redactor::new(false);
        for (text, clean) in [
            ("login failed: password=hunter2, host=a", "login failed: password=***, host=a"),
            (r#"{"vcenter":{"password": "a\"b", "user":"x"}}"#, r#"{"vcenter":{"password": "***", "user":"x"}}"#),
            ("Authorization: Bearer abc.def next", "Authorization: *** next"),
            ("X-API-Key: k1", "X-API-Key: ***"),
            ("GET /x?api_key=abc&token=def&page=2", "GET /x?api_key=***&token=***&page=2"),
            ("aws_secret_access_key='q w'", "aws_secret_access_key='***'"),
            ("Set-Cookie: sid=1; Path=/", "Set-Cookie: ***; Path=/"),
            ("GOVC_PASSWORD=p@ss", "GOVC_PASSWORD=***"),
            ("dial https://root:p%40ss@vc.example.org/sdk: refused", "dial https://***@vc.example.org/sdk: refused"),
            ("http://host:80/a and ftp://u@h", "http://host:80/a and ftp://***@h"),
        ] {
            assert_eq!(redactor.text(text), clean);
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        let redactor = Redactor::new(false);
        for text in [
            "monkey: 3",
            "export failed: disk full",
            "key: value",
            "tokens=5",
            "user=svc",
            "10:30:00",
            "password",
            "é=ü:",
        ] {
            assert!(matches!(redactor.text(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn known_secrets_are_replaced_wherever_they_occur() {
        let redactor = Redactor::new(true);
        redactor.learn("s3cr3t");
        redactor.learn("s3cr3t-longer");
        redactor.learn("abc");
        redactor.learn_user_name("svc-vmware");
        assert_eq!(redactor.text("bad s3cr3t-longer, s3cr3t of svc-vmware abc"), "bad ***, *** of *** abc");
        assert_eq!(redactor.text("username=bob"), "username=***");
    }

    #[test]
    fn odd_text_does_not_make_it_panic() {
        let redactor = Redactor::new(true);
        redactor.learn("://");
        let pieces = ["password", "=", ":", "\"", "'", "\\", "://", "@", "é", " ", "Bearer", "token", "\n", "x"];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    for fourth in pieces {
                        let _ = redactor.text(&[first, second, third, fourth].concat());
                    }
                }
            }
        }
    }
}
