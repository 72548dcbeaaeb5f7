//! Removes secrets from text of a daemon, an engine or a receiver, before it is stored, logged, sent or displayed.
//!
//! Foreign text may contain anything, so there are three kinds of detection:
//! - [`known`]: known secrets in any encoding: configured keys, and passwords in a daemon's feed.
//! - [`named`]: values whose key, option or header names a secret: `password=...`, `--token ...`, `"apiKey": "..."`.
//! - [`shapes`]: text with the format of a secret: credentials in URLs, PEM keys, cloud keys, signed tokens.
//!
//! The crate does not know where a text comes from or goes to.

mod known;
mod named;
mod secret;
mod shapes;

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use known::{KnownSecrets, Lasting};
pub use named::is_secret_key;
pub use secret::Secret;

/// Replaces a secret in a text.
pub const MASK: &str = "***";
/// Maximum length of a text, in bytes: names and errors are far shorter. A longer text is truncated, because the rest
/// was not searched.
const LONGEST_TEXT: usize = 16 << 10;
/// How many bytes after the limit are searched too, so that a secret at the limit is found: the length of the longest
/// one, percent-encoded.
const BEYOND_CUT: usize = 12 << 10;
/// Parts of a header's value of at least this length may be its secret, in bytes.
const SHORTEST_PART: usize = 8;

/// Replaces secrets. One instance is shared by a whole server.
#[derive(Default)]
pub struct Redactor {
    hides_user_names: bool,
    known: RwLock<Arc<KnownSecrets>>,
    /// Locked while secrets are added, which takes a while: searches do not wait for it.
    learning: Mutex<()>,
}

impl Redactor {
    /// A redactor without known secrets. User names count as secrets if `hides_user_names`.
    #[must_use]
    pub fn new(hides_user_names: bool) -> Self {
        Redactor { hides_user_names, ..Redactor::default() }
    }

    /// Adds a secret learned from others, which is replaced from now on. Only the latest few hundred are stored. Too
    /// short ones are ignored, because they would match in ordinary words.
    pub fn learn(&self, secret: &str) {
        self.learn_all([secret].into_iter(), std::iter::empty());
    }

    /// Adds all secrets in a message from others, and its user names if those are hidden.
    pub fn learn_all<'a>(
        &self,
        secrets: impl Iterator<Item = &'a str> + Clone,
        user_names: impl Iterator<Item = &'a str> + Clone,
    ) {
        let user_names = user_names.filter(|_| self.hides_user_names);
        self.remember(secrets.chain(user_names), Lasting::Newest);
    }

    /// Adds a configured secret permanently.
    pub fn learn_configured(&self, secret: &str) {
        self.remember([secret].into_iter(), Lasting::ForGood);
    }

    /// Adds the value of a header permanently, if its name means that it is secret: the whole value, and the parts
    /// after the name of a scheme or parameter.
    pub fn learn_header(&self, name: &str, value: &str) {
        if is_secret_key(name, false) {
            self.learn_configured(value);
            for part in value.split(|letter: char| letter.is_whitespace() || matches!(letter, '=' | '"' | ',')) {
                // Names of schemes and parameters are shorter.
                if part.len() >= SHORTEST_PART {
                    self.learn_configured(part);
                }
            }
        }
    }

    fn remember<'a>(&self, secrets: impl Iterator<Item = &'a str>, lasting: Lasting) {
        let _alone = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = self.now_known().with(secrets, lasting) {
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(more);
        }
    }

    fn now_known(&self) -> Arc<KnownSecrets> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a user name, if those are hidden.
    pub fn learn_user_name(&self, name: &str) {
        if self.hides_user_names {
            self.learn(name);
        }
    }

    /// Adds the credentials in a URL.
    pub fn learn_url(&self, url: &url::Url) {
        let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        if let Some(password) = url.password() {
            self.learn_configured(&plain(password));
        }
        self.learn_user_name(&plain(url.username()));
    }

    /// The text without secrets, truncated to 16 KiB. Borrows it if there are none.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let looked_through = cut(text, LONGEST_TEXT + BEYOND_CUT);
        let mut clean = self.known(looked_through);
        if let Some(replaced) = shapes::replace(&clean) {
            clean = Cow::Owned(replaced);
        }
        if let Some(replaced) = named::replace(&clean, self.hides_user_names) {
            clean = Cow::Owned(replaced);
        }
        // The end of the searched part may be the beginning of a secret.
        let sure = if looked_through.len() < text.len() { clean.len().saturating_sub(BEYOND_CUT) } else { clean.len() };
        let length = sure.min(LONGEST_TEXT);
        match clean {
            Cow::Borrowed(clean) => Cow::Borrowed(cut(clean, length)),
            Cow::Owned(mut clean) => {
                clean.truncate(clean.floor_char_boundary(length));
                Cow::Owned(clean)
            }
        }
    }

    /// The text without known secrets: for label values, which identify series, so that nothing else may change.
    #[must_use]
    pub fn known<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.now_known().replace(text)
    }

    /// Whether a key or label with this name holds a secret.
    #[must_use]
    pub fn is_secret_key(&self, key: &str) -> bool {
        is_secret_key(key, self.hides_user_names)
    }
}

/// At most the first `bytes` bytes of a text, at a character boundary.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

impl fmt::Debug for Redactor {
    /// Shows no secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Redactor").field("hides_user_names", &self.hides_user_names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
