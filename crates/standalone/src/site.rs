//! What `hyperscope bundle` writes for a page without a server: the dashboards and rules that the server would have.

use model::{
    dashboard::Dashboard,
    page::{Boot, DashboardLink, Session},
    range::TimeRange,
    role::Role,
};
use query_frontend::aliases::Table;
use rules::PlainGroup;
use serde::{Deserialize, Serialize};

/// Dashboards and rules, from the file `site.json` of the bundle.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Site {
    /// Version of hyperscope that wrote it.
    pub version: String,
    /// In the order of the navigation.
    pub links: Vec<DashboardLink>,
    /// All dashboards.
    pub dashboards: Vec<Dashboard>,
    /// Rule files.
    pub rules: Vec<RuleGroups>,
    /// Aliases of metric names.
    pub aliases: Vec<Table>,
}

/// A rule file that was parsed and checked when the bundle was written: a parser of YAML is a quarter of the program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuleGroups {
    /// Its name in lists.
    pub file: String,
    /// Its groups.
    pub groups: Vec<PlainGroup>,
}

impl Site {
    /// The dashboard with this UID.
    #[must_use]
    pub fn dashboard(&self, uid: &str) -> Option<&Dashboard> {
        self.dashboards.iter().find(|dashboard| dashboard.uid == uid)
    }

    /// What the page starts from, at `now_ms` (milliseconds since the Unix epoch). It may do what the daemon lets it do:
    /// cancel jobs.
    #[must_use]
    pub fn boot(&self, now_ms: i64) -> Boot {
        Boot {
            version: self.version.clone(),
            boot_id: String::new(),
            now_ms,
            session: Session {
                name: String::new(),
                role: Role::Operator,
                expires_at: None,
                dashboards: Vec::new(),
                matchers: String::new(),
            },
            dashboards_version: String::new(),
            warning: String::new(),
            dashboards: self.links.clone(),
            dashboard: None,
            firing: model::live::FiringCount::default(),
            marks: model::frame::Frame::default(),
            range: TimeRange::default(),
            kiosk: false,
            theme: None,
            standalone: true,
        }
    }
}
