//! Roles of tokens and sessions, and their permissions.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::from_word;

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Only writes samples (`/api/v1/write`).
    Ingest,
    /// Only reads metrics to scrape (`/metrics`, `/federate`).
    Scrape,
    /// Reads the dashboards of its token; its session never expires.
    Kiosk,
    /// Reads everything.
    Viewer,
    /// A viewer that also cancels jobs and silences alerts.
    Operator,
    /// An operator that also manages tokens and dashboards.
    Admin,
}

from_word!(Role {
    "viewer" => Viewer,
    "kiosk" => Kiosk,
    "operator" => Operator,
    "admin" => Admin,
    "ingest" => Ingest,
    "scrape" => Scrape,
});

impl Role {
    /// All roles, from the least to the most privileged.
    pub const ALL: [Role; 6] = [Role::Ingest, Role::Scrape, Role::Kiosk, Role::Viewer, Role::Operator, Role::Admin];

    /// Name in commands, files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Ingest => "ingest",
            Role::Scrape => "scrape",
            Role::Kiosk => "kiosk",
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    /// May read pages, queries and live topics. A kiosk is also limited to its dashboards.
    #[must_use]
    pub fn reads(self) -> bool {
        !matches!(self, Role::Ingest | Role::Scrape)
    }

    /// May cancel jobs and silence alerts.
    #[must_use]
    pub fn operates(self) -> bool {
        matches!(self, Role::Operator | Role::Admin)
    }

    /// May manage tokens and dashboards.
    #[must_use]
    pub fn administers(self) -> bool {
        self == Role::Admin
    }

    /// May read `/metrics` and `/federate`, limited to what its token may see.
    #[must_use]
    pub fn scrapes(self) -> bool {
        self.reads() || self == Role::Scrape
    }

    /// May write samples.
    #[must_use]
    pub fn ingests(self) -> bool {
        matches!(self, Role::Ingest | Role::Admin)
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

/// An unknown role name.
#[derive(Debug, thiserror::Error)]
#[error("unknown role {0:?}: use viewer, kiosk, operator, admin, ingest or scrape")]
pub struct UnknownRole(String);
