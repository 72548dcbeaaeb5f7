//! Data that the server embeds in a page for the browser.

use serde::{Deserialize, Serialize};

use crate::{
    dashboard::Dashboard,
    frame::Frame,
    from_members,
    live::FiringCount,
    range::TimeRange,
    role::Role,
    route::Reach,
    tree::{Faults, FromTree, Members, Tree},
};

/// The viewer's session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Name of the token.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// When it ends, in milliseconds since the Unix epoch; `None` for never.
    pub expires_at: Option<i64>,
    /// Dashboards it is limited to, by uid; empty for no limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dashboards: Vec<String>,
    /// Matchers that all visible series must match, as inside the braces of a selector; empty for all series.
    #[serde(default, rename = "match", skip_serializing_if = "String::is_empty")]
    pub matchers: String,
}

impl Session {
    /// Whether it is limited to some dashboards. It has no other pages then than those that
    /// [`PageKind::is_for_limited_sessions`](crate::route::PageKind::is_for_limited_sessions) names.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        !self.dashboards.is_empty()
    }
}

/// By hand, because one member has the name of a keyword.
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

/// A dashboard in the navigation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DashboardLink {
    /// Its uid.
    pub uid: String,
    /// Its title.
    pub title: String,
    /// Its path: `/`, `/jobs`, `/system` or `/d/{uid}`.
    pub path: String,
}

from_members!(DashboardLink { uid, title, path });

/// What the browser needs to hydrate a page: the layout, not the data. The page already contains rendered data, and
/// live data follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// Version of the server.
    pub version: String,
    /// Identifies this run of the server.
    pub boot_id: String,
    /// When the page was rendered, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The viewer's session.
    pub session: Session,
    /// Which dashboards the server has: another text when a file of them has changed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dashboards_version: String,
    /// What of the address and of the files of dashboards is not shown, in sentences; empty if all is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub warning: String,
    /// All dashboards that this session may see.
    pub dashboards: Vec<DashboardLink>,
    /// The dashboard of this page, if it is one.
    pub dashboard: Option<Dashboard>,
    /// Number of firing alerts.
    #[serde(default)]
    pub firing: FiringCount,
    /// Annotations: when alerts related to the panels of `dashboard` fired. One series per time range, with the labels
    /// `panel` (its ID), `alertname` and `severity`, from its first point to its second one, or without an end if it
    /// has only one.
    #[serde(default)]
    pub marks: Frame,
    /// The range of this page.
    pub range: TimeRange,
    /// Kiosk mode: without navigation, scaled to the screen.
    pub kiosk: bool,
    /// The theme of the viewer, `light` or `dark`; `None` follows the system.
    pub theme: Option<String>,
    /// Whether there is no server: the page itself does its work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standalone: bool,
}

impl Boot {
    /// Which pages the viewer can open.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match (self.standalone, self.session.is_limited()) {
            (true, _) => Reach::Standalone,
            (false, true) => Reach::Limited,
            (false, false) => Reach::All,
        }
    }
}

from_members!(Boot { version, boot_id, now_ms, session, dashboards, dashboard, range, kiosk, theme } or_default {
    dashboards_version,
    warning,
    firing,
    marks,
    standalone,
});
