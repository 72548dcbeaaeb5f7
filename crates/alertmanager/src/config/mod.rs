//! Alertmanager's configuration file: parsed into [`file::ConfigFile`], then checked and completed into [`Config`].

mod check;
pub mod file;
pub mod http;
pub mod receiver;
mod route;
pub mod secret;

use std::collections::BTreeMap;

use yaml::Problem;

pub use self::{
    receiver::{Discord, Email, Integration, Kind, PagerDuty, Receiver, Slack, Webhook},
    route::{Route, RouteLabel},
    secret::Secret,
};
use crate::{alert::Labels, inhibit::InhibitRule, time_interval::TimeInterval};

/// A valid configuration: every name is resolved and every default is filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long an alert without an end lasts, in milliseconds.
    pub resolve_timeout_ms: i64,
    /// The routing tree, flattened; the first is the root.
    pub routes: Vec<Route>,
    /// Receivers by name.
    pub receivers: BTreeMap<String, Receiver>,
    /// Time intervals by name.
    pub intervals: BTreeMap<String, Vec<TimeInterval>>,
    /// Inhibition rules.
    pub inhibit_rules: Vec<InhibitRule>,
    /// Globs of template files, as written in the file.
    pub templates: Vec<String>,
}

impl Config {
    /// Indices into [`Config::routes`] of the routes that match an alert. There is at least one.
    #[must_use]
    pub fn routes_of(&self, labels: &Labels) -> Vec<usize> {
        let mut found = Vec::new();
        self.follow(0, labels, &mut found);
        found
    }

    /// Adds the matching routes at or below `id`; returns whether any matches.
    fn follow(&self, id: usize, labels: &Labels, found: &mut Vec<usize>) -> bool {
        let Some(route) = self.routes.get(id).filter(|route| route.matchers.matches(labels)) else { return false };
        let before = found.len();
        for child in &route.children {
            let goes_on = self.routes.get(*child).is_some_and(|child| child.goes_on);
            if self.follow(*child, labels, found) && !goes_on {
                break;
            }
        }
        if found.len() == before {
            found.push(id);
        }
        true
    }

    /// Names of the time intervals that mute a route at `now_ms`; if the route is outside its active intervals, their
    /// names.
    #[must_use]
    pub fn muted_by(&self, route: &Route, now_ms: i64) -> Vec<String> {
        let holds = |name: &&String| self.is_in_any(std::slice::from_ref(name), now_ms);
        let muting: Vec<String> = route.mute_time_intervals.iter().filter(holds).cloned().collect();
        let active = &route.active_time_intervals;
        if muting.is_empty() && !active.is_empty() && !self.is_in_any(active, now_ms) {
            return active.clone();
        }
        muting
    }

    /// Whether `now_ms` is within any of the named intervals.
    #[must_use]
    pub fn is_in_any(&self, names: &[String], now_ms: i64) -> bool {
        names.iter().filter_map(|name| self.intervals.get(name)).flatten().any(|interval| interval.contains(now_ms))
    }
}
