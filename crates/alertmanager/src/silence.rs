//! Silences: they mute matching alerts for a time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    alert::Labels,
    matcher::{Gathered, Matcher, MatcherJson, Matchers, WrongMatcher},
};

/// Maximum size of a silence's matchers, and of its comment and author: all silences are in memory and are matched
/// against each alert.
const MATCHERS_BYTES: usize = 16 << 10;
const COMMENT_BYTES: usize = 4 << 10;

/// A silence. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// ID.
    pub id: String,
    /// Matchers that must all match.
    pub matchers: Matchers,
    /// When it starts.
    pub starts_at_ms: i64,
    /// When it ends.
    pub ends_at_ms: i64,
    /// Author.
    pub created_by: String,
    /// Comment: the reason.
    pub comment: String,
    /// When it was last changed.
    pub updated_at_ms: i64,
}

/// Whether a silence is in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// It has not started yet.
    Pending,
    /// It is in effect.
    Active,
    /// It has ended.
    Expired,
}

impl SilenceState {
    /// All states.
    pub const ALL: [SilenceState; 3] = [SilenceState::Pending, SilenceState::Active, SilenceState::Expired];

    /// Name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SilenceState::Pending => "pending",
            SilenceState::Active => "active",
            SilenceState::Expired => "expired",
        }
    }
}

/// Why a silence is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongSilence {
    /// It has no matchers.
    #[error("a silence needs at least one matcher")]
    NoMatchers,
    /// It would match every alert.
    #[error(
        "a silence needs at least one matcher that does not match an empty value: as it is, it could silence everything"
    )]
    MatchesAll,
    /// A matcher is invalid.
    #[error(transparent)]
    Matcher(#[from] WrongMatcher),
    /// It ends before it starts.
    #[error("the silence ends before it starts")]
    Order,
    /// It has already ended.
    #[error("the silence would be over already: let it end in the future")]
    Past,
    /// It has no comment.
    #[error("a silence needs a comment: say why, for those who wonder")]
    NoComment,
    /// It is too long.
    #[error("a silence has at most 16 KiB of matchers and 4 KiB of words: make several of it")]
    Size,
    /// There is no silence with this ID.
    #[error("there is no silence {0:?}")]
    Unknown(String),
}

impl Silence {
    /// Its state at `now_ms`.
    #[must_use]
    pub fn state(&self, now_ms: i64) -> SilenceState {
        if self.ends_at_ms <= now_ms {
            SilenceState::Expired
        } else if self.starts_at_ms > now_ms {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }

    /// When it starts or ends next after `now_ms`; `None` once it has ended.
    #[must_use]
    pub fn next_change(&self, now_ms: i64) -> Option<i64> {
        match self.state(now_ms) {
            SilenceState::Pending => Some(self.starts_at_ms),
            SilenceState::Active => Some(self.ends_at_ms),
            SilenceState::Expired => None,
        }
    }

    /// Whether it mutes an alert with these labels at `now_ms`.
    #[must_use]
    pub fn mutes(&self, labels: &Labels, now_ms: i64) -> bool {
        self.state(now_ms) == SilenceState::Active && self.matchers.matches(labels)
    }

    /// Approximate size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.matchers.0.iter().map(Matcher::size).sum::<usize>() + self.comment.len() + self.created_by.len()
    }

    /// Its matchers in the API's JSON.
    #[must_use]
    pub fn matchers_json(&self) -> Vec<MatcherJson> {
        self.matchers.0.iter().map(MatcherJson::from).collect()
    }

    /// Whether it is acceptable at `now_ms`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self, now_ms: i64) -> Result<(), WrongSilence> {
        if self.matchers.0.is_empty() {
            return Err(WrongSilence::NoMatchers);
        }
        let matchers = self.matchers.0.iter().map(|matcher| matcher.name.len() + matcher.value.len() + 4);
        if matchers.sum::<usize>() > MATCHERS_BYTES || self.comment.len() + self.created_by.len() > COMMENT_BYTES {
            return Err(WrongSilence::Size);
        }
        if self.matchers.matches(&Labels::new()) {
            return Err(WrongSilence::MatchesAll);
        }
        if self.ends_at_ms <= self.starts_at_ms {
            return Err(WrongSilence::Order);
        }
        if self.ends_at_ms <= now_ms {
            return Err(WrongSilence::Past);
        }
        if self.comment.trim().is_empty() {
            return Err(WrongSilence::NoComment);
        }
        Ok(())
    }
}

/// Parses matchers of the API's JSON.
///
/// # Errors
///
/// One of them is invalid.
pub fn matchers(json: Vec<MatcherJson>) -> Result<Matchers, WrongMatcher> {
    let mut matchers = Gathered::default();
    for matcher in json {
        matchers.push(matcher.try_into()?)?;
    }
    Ok(Matchers(matchers.finish()))
}

/// All silences. Expired ones are retained for a while.
#[derive(Debug, Clone, Default)]
pub struct Silences(BTreeMap<String, Silence>);

impl Silences {
    /// All silences, ordered by ID.
    pub fn all(&self) -> impl Iterator<Item = &Silence> {
        self.0.values()
    }

    /// The silence with this ID.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Silence> {
        self.0.get(id)
    }

    /// Inserts or replaces a silence.
    pub fn put(&mut self, silence: Silence) {
        self.0.insert(silence.id.clone(), silence);
    }

    /// Removes silences that ended before `before_ms`; returns their IDs.
    pub fn drop_expired(&mut self, before_ms: i64) -> Vec<String> {
        let old: Vec<_> = self
            .0
            .values()
            .filter(|silence| silence.ends_at_ms <= before_ms)
            .map(|silence| silence.id.clone())
            .collect();
        for id in &old {
            self.0.remove(id);
        }
        old
    }

    /// When the next silence starts or ends after `now_ms`; `None` if none does.
    #[must_use]
    pub fn next_change(&self, now_ms: i64) -> Option<i64> {
        self.0.values().filter_map(|silence| silence.next_change(now_ms)).min()
    }

    /// IDs of the silences that mute an alert with these labels.
    #[must_use]
    pub fn silencing(&self, labels: &Labels, now_ms: i64) -> Vec<String> {
        self.0.values().filter(|silence| silence.mutes(labels, now_ms)).map(|silence| silence.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_has_a_size_and_its_expressions_a_weight() {
        let silence = |matchers: &str, comment: &str| Silence {
            id: String::new(),
            matchers: matchers.parse().unwrap(),
            starts_at_ms: 0,
            ends_at_ms: 2,
            created_by: "alice".to_owned(),
            comment: comment.to_owned(),
            updated_at_ms: 0,
        };
        let many = (0..2_000).map(|number| format!("a{number}=\"b\"")).collect::<Vec<_>>().join(",");
        for (matchers, comment, outcome) in [
            ("a=\"b\"", "why", Ok(())),
            ("a=\"b\"", &*"why ".repeat(1_100), Err(WrongSilence::Size)),
            (&*many, "why", Err(WrongSilence::Size)),
        ] {
            assert_eq!(silence(matchers, comment).check(1), outcome);
        }
        let heavy = (0..9).map(|number| format!("a{number}=~\"\\\\pL{{3}}\"")).collect::<Vec<_>>();
        assert!(heavy[0].parse::<Matchers>().is_ok(), "{heavy:?}");
        assert_eq!(heavy.join(",").parse::<Matchers>(), Err(WrongMatcher::Weight));
        let json = heavy.iter().map(|text| MatcherJson::from(&text.parse::<Matcher>().unwrap()));
        assert_eq!(matchers(json.collect()), Err(WrongMatcher::Weight));
    }
}
