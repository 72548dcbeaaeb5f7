//! The content of the alert page, which only the server renders.
//!
//! The page consists of links and forms, so it works without scripts. With scripts, the page fetches the same HTML again when an alert changes or a
//! filter is typed, and replaces the old content (see `pages::drawn`). So the browser's program contains no code of this module.

mod address;
mod deliveries;
mod detail;
mod history;
mod list;
mod page;
mod rules;
mod silences;
pub(crate) mod words;

pub use address::{Grouping, Tab, ViewAddress};
pub use page::draw;

use std::collections::BTreeMap;

use model::{
    live::{Alert, AlertTransition, FiringCount},
    panel::PanelData,
    zone::Zone,
};

/// Everything that the page is rendered from.
#[derive(Debug, Clone)]
pub struct AlertsView {
    /// The parameters of the URL.
    pub address: ViewAddress,
    /// The server's time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The viewer's time zone.
    pub zone: Zone,
    /// Whether the viewer may silence and acknowledge.
    pub may_operate: bool,
    /// Number of firing alerts, for the heading.
    pub firing: FiringCount,
    /// Which alerts an Alertmanager refused lately or has not received yet, and why.
    pub troubles: Option<String>,
    /// The content of the page.
    pub content: Content,
}

/// The alerts of the list.
#[derive(Debug, Clone)]
pub struct ListedAlerts {
    /// The rendered alerts, which match the filter.
    pub alerts: Vec<ShownAlert>,
    /// Number of matching alerts that are not in `alerts`, because the page has a limit.
    pub more: usize,
    /// Number of matching active alerts in each group, by the value of the label.
    pub totals: BTreeMap<String, usize>,
    /// Number of matching muted alerts.
    pub muted: usize,
    /// Number of alerts that do not match the filter.
    pub hidden: usize,
    /// Set if no source has alert rules, or a source cannot be reached.
    pub unavailable: Option<String>,
    /// Why the filter is invalid.
    pub filter_error: Option<String>,
}

/// The content of the page.
#[derive(Debug, Clone)]
pub enum Content {
    /// Pending and firing alerts.
    Alerts(ListedAlerts),
    /// Silences, and the form for a new one.
    Silences {
        /// The active ones first, then the pending, then the expired.
        silences: Vec<ShownSilence>,
        /// The form, if it is open.
        draft: Option<Draft>,
    },
    /// Groups of rules.
    Rules(Vec<ShownGroup>),
    /// Changes of alerts, the newest first.
    History {
        /// Start of the timeline, in milliseconds since the Unix epoch.
        start_ms: i64,
        /// The changes.
        transitions: Vec<AlertTransition>,
    },
    /// Notifications to receivers.
    Deliveries(Vec<ShownDelivery>),
    /// Why the tab cannot be shown.
    Unavailable(String),
}

/// An alert, with what mutes it.
#[derive(Debug, Clone)]
pub struct ShownAlert {
    /// The alert.
    pub alert: Alert,
    /// Names of alerts that inhibit it.
    pub inhibited_by: Vec<String>,
    /// Names of time intervals that mute it.
    pub muted_by: Vec<String>,
    /// Receivers that it is routed to.
    pub receivers: Vec<String>,
    /// The details, if it is open.
    pub detail: Option<Box<Detail>>,
}

/// The details of an alert.
#[derive(Debug, Clone)]
pub struct Detail {
    /// A chart of its expression, if there is data.
    pub chart: Option<Chart>,
    /// Its notifications, the newest first.
    pub told: Vec<ShownDelivery>,
}

/// The data for a chart of an alert's expression.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The data of the chart's only query.
    pub data: PanelData,
    /// Start, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// End, in milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// Step in milliseconds.
    pub step_ms: i64,
}

/// A silence.
#[derive(Debug, Clone)]
pub struct ShownSilence {
    /// Its id.
    pub id: String,
    /// `active`, `pending` or `expired`.
    pub state: String,
    /// Its matchers in Alertmanager's syntax, in one line.
    pub matchers: String,
    /// Start, in milliseconds since the Unix epoch.
    pub starts_at: i64,
    /// End, in milliseconds since the Unix epoch.
    pub ends_at: i64,
    /// Name of its creator.
    pub created_by: String,
    /// The reason for it.
    pub comment: String,
    /// Number of firing alerts that it mutes.
    pub alerts: usize,
}

/// A silence in the form.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The matchers as typed.
    pub matchers: String,
    /// The alerts that it would mute, by name and labels; or why the matchers are invalid.
    pub preview: Result<Vec<String>, String>,
}

/// A group of rules.
#[derive(Debug, Clone)]
pub struct ShownGroup {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Name of the engine or the Prometheus that evaluates it.
    pub source: String,
    /// Seconds between evaluations.
    pub interval_secs: f64,
    /// Time of the last evaluation, in milliseconds since the Unix epoch.
    pub evaluated_at: Option<i64>,
    /// Duration of the last evaluation, in seconds.
    pub evaluation_secs: f64,
    /// Its rules.
    pub rules: Vec<ShownRule>,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct ShownRule {
    /// Its name.
    pub name: String,
    /// `alerting` or `recording`.
    pub kind: String,
    /// `inactive`, `pending` or `firing`; empty for a recording rule.
    pub state: String,
    /// Its expression.
    pub expr: String,
    /// Its `for` clause: how long the condition must be true before the alert fires, in seconds.
    pub hold_secs: f64,
    /// Its label `severity`.
    pub severity: String,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// Why the last evaluation failed.
    pub last_error: String,
}

/// A notification to a receiver.
#[derive(Debug, Clone)]
pub struct ShownDelivery {
    /// Its id.
    pub id: String,
    /// Name of the receiver.
    pub receiver: String,
    /// The integration, such as `slack` or `email`.
    pub kind: String,
    /// Its subject, in one line.
    pub subject: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// Attempts so far.
    pub attempts: i64,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// The error of the last attempt.
    pub error: Option<String>,
}
