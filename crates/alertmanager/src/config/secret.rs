//! Passwords, keys and URLs that contain a secret.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Deserializer};

/// A secret, or where it is stored. Neither `{:?}` nor an error prints it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The secret itself.
    Text(String),
    /// File that holds it. It is read at each use, so that the secret can be rotated.
    File(PathBuf),
    /// Environment variable that holds it, written `${NAME}`.
    Variable(String),
}

impl Secret {
    /// Reads `${NAME}` as an environment variable, anything else as the secret itself.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if !name.is_empty() => Secret::Variable(name.to_owned()),
            _ => Secret::Text(text),
        }
    }

    /// Whether it is an empty text, which counts as not set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Secret::Text(text) if text.is_empty())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[redacted]");
        assert_eq!(Secret::new("${KEY}"), Secret::Variable("KEY".into()));
        assert_eq!(Secret::new("${}"), Secret::Text("${}".into()));
    }
}
