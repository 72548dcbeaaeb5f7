//! A token: what it may be, and what is told of one.

use model::role::Role;
use serde::Serialize;

use crate::{Scope, StoreError};

/// Maximum length of a token's name, in characters.
const NAME_LENGTH: usize = 100;
/// Maximum number of dashboards of one token.
const DASHBOARDS_PER_TOKEN: usize = 100;
/// Maximum length of a token's matchers, in bytes.
const MATCHERS_LENGTH: usize = 4_000;

/// Properties of a new token.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Name of the person or program that uses it.
    pub name: String,
    /// Role.
    pub role: Role,
    /// When it expires, in milliseconds since the Unix epoch; `None` for never.
    pub expires_at: Option<i64>,
    /// UIDs of the dashboards of a kiosk token; empty for no limit.
    pub dashboards: Vec<String>,
    /// Matchers that all visible series must match, as inside the braces of a selector; empty for all series.
    pub matchers: String,
}

impl NewToken {
    /// Rejects contradictions and what could not be enforced.
    pub(crate) fn check(&self, now_ms: i64) -> Result<(), StoreError> {
        let wrong = |message: &str| Err(StoreError::Invalid(message.to_owned()));
        let is_uid = |uid: &String| {
            !uid.is_empty() && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if self.name.trim().is_empty() || self.name.chars().count() > NAME_LENGTH {
            return wrong("the name must have 1 to 100 characters");
        }
        if self.name.chars().any(|character| character.is_control() || is_direction_mark(character)) {
            return wrong("the name must not have control characters or marks of text direction");
        }
        if self.expires_at.is_some_and(|expires_at| expires_at <= now_ms) {
            return wrong("it would have expired already: let it expire later");
        }
        if !self.dashboards.is_empty() && self.role != Role::Kiosk {
            return wrong("only a token of role kiosk can be limited to dashboards");
        }
        if self.dashboards.len() > DASHBOARDS_PER_TOKEN {
            return wrong("a token names at most 100 dashboards");
        }
        if !self.dashboards.iter().all(is_uid) {
            return wrong("a dashboard is named by its uid: letters, digits, `-` and `_`");
        }
        if self.matchers.len() > MATCHERS_LENGTH {
            return wrong("the matchers have more than 4000 characters");
        }
        let scope = Scope::parse(&self.matchers).map_err(StoreError::Invalid)?;
        if !scope.is_all() && (!self.role.scrapes() || self.role.administers()) {
            return wrong(
                "matchers are for tokens that read: viewer, kiosk, operator or scrape (an admin could make a token without them)",
            );
        }
        Ok(())
    }
}

/// Whether a character changes the direction of the text after it (Unicode, UAX 9), so that a name could look like another one.
fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A listed token: everything except its secret, which is not stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenInfo {
    /// ID for `revoke` and the audit log.
    pub id: String,
    /// Name of the person or program that uses it.
    pub name: String,
    /// Role.
    pub role: Role,
    /// UIDs of the dashboards to which it is limited; empty for no limit.
    pub dashboards: Vec<String>,
    /// Matchers that all visible series must match, as inside the braces of a selector; empty for all series.
    #[serde(rename = "match")]
    pub matchers: String,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When it expires, in milliseconds since the Unix epoch; `None` for never.
    pub expires_at: Option<i64>,
    /// When it was revoked, in milliseconds since the Unix epoch.
    pub revoked_at: Option<i64>,
}

impl TokenInfo {
    /// Description for the audit log.
    pub fn words(&self) -> String {
        let until = self.expires_at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let until = until.map(|at| format!(" until {at}")).unwrap_or_default();
        format!("{:?}, role {}{until}", self.name, self.role.name())
    }
}
