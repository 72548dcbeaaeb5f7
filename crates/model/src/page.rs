//! What the server tells the browser with the page itself.

use serde::{Deserialize, Serialize};

use crate::{
    dashboard::Dashboard,
    frame::Frame,
    from_members,
    live::FiringCount,
    range::TimeRange,
    role::Role,
    tree::{Faults, FromTree, Members, Tree},
};

/// Who is looking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Name of the token.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends, in milliseconds since the Unix epoch; `None` for never.
    pub expires_at: Option<i64>,
    /// Dashboards it is limited to, by uid; empty for no limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dashboards: Vec<String>,
    /// Matchers that every series it sees fulfils, as between the braces of a selector; empty for all series.
    #[serde(default, rename = "match", skip_serializing_if = "String::is_empty")]
    pub matchers: String,
}

/// By hand, for the member that has the name of a keyword.
impl FromTree for Session {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        let mut members = Members::of(tree, faults);
        Session {
            name: members.take("name", faults),
            role: members.take("role", faults),
            expires_at: members.take("expires_at", faults),
            dashboards: members.take_or_default("dashboards", faults),
            matchers: members.take_or_default("match", faults),
        }
    }
}

/// A dashboard as an entry of the navigation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DashboardLink {
    /// Its uid.
    pub uid: String,
    /// Its title.
    pub title: String,
    /// Where it is: `/`, `/jobs`, `/system` or `/d/{uid}`.
    pub path: String,
}

from_members!(DashboardLink { uid, title, path });

/// What the browser needs to take over a page: the layout, not the data. The data is in the pictures already, and then comes live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// Version of the server.
    pub version: String,
    /// Names this run of the server.
    pub boot_id: String,
    /// When the page was rendered, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Who is looking.
    pub session: Session,
    /// All dashboards this session may see.
    pub dashboards: Vec<DashboardLink>,
    /// The dashboard of this page, if it is one.
    pub dashboard: Option<Dashboard>,
    /// How many alerts fire.
    #[serde(default)]
    pub firing: FiringCount,
    /// When alerts fired that concern the panels of `dashboard`: a series for each time, with the labels `panel` (its id),
    /// `alertname` and `severity`, from its first point to its second one, or on if it has none.
    #[serde(default)]
    pub marks: Frame,
    /// The range of this page.
    pub range: TimeRange,
    /// Without chrome, sized to the screen.
    pub kiosk: bool,
    /// The theme chosen by the viewer, `light` or `dark`; `None` follows the system.
    pub theme: Option<String>,
}

from_members!(Boot { version, boot_id, now_ms, session, dashboards, dashboard, range, kiosk, theme } or_default {
    firing,
    marks,
});
