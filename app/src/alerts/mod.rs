//! What the alert page shows, drawn by the server alone.
//!
//! The page is made of links and forms, so it works with scripts off. With scripts the same pieces are fetched again when
//! an alert changes or a filter is typed, and put in place of the old ones (see `pages::drawn`): none of this is
//! part of the download.

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

/// The page at one moment.
#[derive(Debug, Clone)]
pub struct AlertsView {
    /// What the URL asks for.
    pub address: ViewAddress,
    /// Now, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The viewer's minutes east of UTC.
    pub zone: Zone,
    /// Whether the viewer may silence and acknowledge.
    pub may_operate: bool,
    /// How many alerts fire, for the heading.
    pub firing: FiringCount,
    /// Says which alerts were refused lately or wait for an Alertmanager, and why.
    pub troubles: Option<String>,
    /// What fills the page.
    pub content: Content,
}

/// The alerts of the list.
#[derive(Debug, Clone)]
pub struct ListedAlerts {
    /// Those that are drawn: the filter lets them through.
    pub alerts: Vec<ShownAlert>,
    /// How many the filter lets through beside them: a page has room for so many.
    pub more: usize,
    /// How many of the active ones the filter lets through in each group, by its value.
    pub totals: BTreeMap<String, usize>,
    /// How many the filter lets through that are muted.
    pub muted: usize,
    /// How many the filter hides.
    pub hidden: usize,
    /// Set when no source has alert rules, or one cannot be asked.
    pub unavailable: Option<String>,
    /// Why the filter cannot be read.
    pub filter_error: Option<String>,
}

/// What fills the page.
#[derive(Debug, Clone)]
pub enum Content {
    /// Alerts that are pending or fire.
    Alerts(ListedAlerts),
    /// Silences, and perhaps one that is being written.
    Silences {
        /// Active first, then those to come, then those that are over.
        silences: Vec<ShownSilence>,
        /// The form, if it is open.
        draft: Option<Draft>,
    },
    /// Groups of rules.
    Rules(Vec<ShownGroup>),
    /// What changed, youngest first.
    History {
        /// Begin of the timeline, in milliseconds since the Unix epoch.
        start_ms: i64,
        /// The changes.
        transitions: Vec<AlertTransition>,
    },
    /// What was sent to whom.
    Deliveries(Vec<ShownDelivery>),
    /// The part cannot be shown, and why.
    Unavailable(String),
}

/// An alert with what keeps it quiet.
#[derive(Debug, Clone)]
pub struct ShownAlert {
    /// The alert.
    pub alert: Alert,
    /// Names of alerts that inhibit it.
    pub inhibited_by: Vec<String>,
    /// Named times that mute it.
    pub muted_by: Vec<String>,
    /// Receivers that are told of it.
    pub receivers: Vec<String>,
    /// What is shown of the one that is open.
    pub detail: Option<Box<Detail>>,
}

/// More of one alert.
#[derive(Debug, Clone)]
pub struct Detail {
    /// The course of its expression, if there is one to draw.
    pub chart: Option<Chart>,
    /// Who was told, youngest first.
    pub told: Vec<ShownDelivery>,
}

/// The course of an alert's expression.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Data of its one query.
    pub data: PanelData,
    /// Begin, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// End.
    pub end_ms: i64,
    /// Time between points.
    pub step_ms: i64,
}

/// A silence.
#[derive(Debug, Clone)]
pub struct ShownSilence {
    /// Names it.
    pub id: String,
    /// `active`, `pending` or `expired`.
    pub state: String,
    /// Its matchers in one line.
    pub matchers: String,
    /// Begin, in milliseconds since the Unix epoch.
    pub starts_at: i64,
    /// End.
    pub ends_at: i64,
    /// Whose it is.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Alerts that fire and that it takes.
    pub alerts: usize,
}

/// A silence that is being written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The matchers as typed.
    pub matchers: String,
    /// The alerts that it would mute, by name and labels; or why the matchers cannot be read.
    pub preview: Result<Vec<String>, String>,
}

/// A group of rules.
#[derive(Debug, Clone)]
pub struct ShownGroup {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Who evaluates it.
    pub source: String,
    /// Seconds between evaluations.
    pub interval_secs: f64,
    /// When it was evaluated last, in milliseconds since the Unix epoch.
    pub evaluated_at: Option<i64>,
    /// How long that took.
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
    /// How long it must hold, in seconds.
    pub hold_secs: f64,
    /// Its label `severity`.
    pub severity: String,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// Why the last evaluation failed.
    pub last_error: String,
}

/// A message to a receiver.
#[derive(Debug, Clone)]
pub struct ShownDelivery {
    /// Names it.
    pub id: String,
    /// Whom it is for.
    pub receiver: String,
    /// `slack`, `email` and so on.
    pub kind: String,
    /// One line.
    pub subject: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// Tries so far.
    pub attempts: i64,
    /// When it was decided, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// What went wrong at the last try.
    pub error: Option<String>,
}
