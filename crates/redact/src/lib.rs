//! Takes secrets out of text that came from a daemon, an engine or a receiver, before it is stored, logged, sent or shown.
//!
//! Three nets, because text of others can hold anything:
//! - [`known`]: the very secrets that are known, in every encoding in which they may turn up: configured keys, and the passwords that a
//!   daemon's feed shows.
//! - [`named`]: values whose key, option or header says that they are secret: `password=...`, `--token ...`, `"apiKey": "..."`.
//! - [`shapes`]: what shows by its form that it is a secret: credentials in URLs, PEM keys, keys of clouds, signed tokens.
//!
//! The crate knows nothing of where a text comes from or goes to.

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

/// What stands in a text in place of a secret.
pub const MASK: &str = "***";
/// Longest text that is looked through, in bytes: names and errors are far shorter. What is longer is cut, since nobody looked at it.
const LONGEST_TEXT: usize = 16 << 10;
/// How much of what follows is looked through as well, so that a secret over the cut is seen whole: the longest one, percent-encoded.
const BEYOND_CUT: usize = 12 << 10;
/// Parts of a header's value that are at least so long may be its secret, in bytes.
const SHORTEST_PART: usize = 8;

/// Replaces secrets. Shared by all that one server reads.
#[derive(Default)]
pub struct Redactor {
    hides_user_names: bool,
    known: RwLock<Arc<KnownSecrets>>,
    /// Held while secrets are added, which takes a while: who looks through a text does not wait for it.
    learning: Mutex<()>,
}

impl Redactor {
    /// A redactor that knows no secrets yet. User names count as secrets if `hides_user_names`.
    #[must_use]
    pub fn new(hides_user_names: bool) -> Self {
        Redactor { hides_user_names, ..Redactor::default() }
    }

    /// Remembers a secret that others told, to be replaced wherever it occurs from now on: the newest few hundred. Too short ones are
    /// not remembered: they turn up in ordinary words.
    pub fn learn(&self, secret: &str) {
        self.learn_all([secret].into_iter(), std::iter::empty());
    }

    /// Remembers all secrets that a message of others holds, and its user names if those are to be hidden.
    pub fn learn_all<'a>(
        &self,
        secrets: impl Iterator<Item = &'a str> + Clone,
        user_names: impl Iterator<Item = &'a str> + Clone,
    ) {
        let user_names = user_names.filter(|_| self.hides_user_names);
        self.remember(secrets.chain(user_names), Lasting::Newest);
    }

    /// Remembers a secret of the configuration for good.
    pub fn learn_configured(&self, secret: &str) {
        self.remember([secret].into_iter(), Lasting::ForGood);
    }

    /// Remembers the value of a header for good, if its name says that it is secret: all of it, and what follows the name of a scheme
    /// or of a parameter in it.
    pub fn learn_header(&self, name: &str, value: &str) {
        if is_secret_key(name, false) {
            self.learn_configured(value);
            for part in value.split(|letter: char| letter.is_whitespace() || matches!(letter, '=' | '"' | ',')) {
                // Names of schemes and of parameters are shorter.
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
            self.learn_configured(&plain(password));
        }
        self.learn_user_name(&plain(url.username()));
    }

    /// The text without secrets, cut after 16 KiB. Borrows it if there are none.
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
        // The end of what was looked through may be the beginning of a secret.
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

    /// The text without the known secrets: for values of labels, which tell series apart and of which nothing else may change.
    #[must_use]
    pub fn known<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.now_known().replace(text)
    }

    /// Whether a key or label of this name holds a secret.
    #[must_use]
    pub fn is_secret_key(&self, key: &str) -> bool {
        is_secret_key(key, self.hides_user_names)
    }
}

/// The first so many bytes of a text, or a few less.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

impl fmt::Debug for Redactor {
    /// Tells none of the secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Redactor").field("hides_user_names", &self.hides_user_names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
