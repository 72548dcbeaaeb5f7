//! The alerts that fire, where they go, and what mutes them.

use std::{collections::HashSet, sync::Arc};

use access::Restricted;
use alertmanager::{
    alert::{Alert, Labels},
    dispatch::Status,
    matcher::Matchers,
};
use labels::Fingerprint;
use model::clock::now_ms;

use crate::Notifier;

/// The routing of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// Its receivers, including those that a time interval mutes.
    pub receivers: Vec<String>,
    /// Time intervals that mute it on one of its routes.
    pub muted_by: Vec<String>,
}

impl Notifier {
    /// Firing alerts ordered by labels: our own, and those that only an Alertmanager knows.
    #[must_use]
    pub fn alerts(&self) -> Restricted<Vec<Arc<Alert>>> {
        Restricted::new(self.all_alerts())
    }

    pub(crate) fn all_alerts(&self) -> Vec<Arc<Alert>> {
        let now_ms = now_ms();
        let mut alerts = self.0.dispatcher().firing(now_ms);
        if let Some(alertmanagers) = &self.0.alertmanagers {
            let own: HashSet<Fingerprint> = alerts.iter().map(|alert| alert.fingerprint).collect();
            alerts.extend(alertmanagers.alerts(now_ms).into_iter().filter(|alert| !own.contains(&alert.fingerprint)));
            alerts.sort_by(|one, other| one.labels.cmp(&other.labels));
        }
        alerts
    }

    /// Firing alerts that match `matchers`.
    #[must_use]
    pub fn preview(&self, matchers: &Matchers) -> Restricted<Vec<Arc<Alert>>> {
        let mut alerts = self.all_alerts();
        alerts.retain(|alert| matchers.matches(&alert.labels));
        Restricted::new(alerts)
    }

    /// The receivers of an alert with these labels, and what mutes it.
    #[must_use]
    pub fn status(&self, labels: &Labels) -> Status {
        let now_ms = now_ms();
        let own = self.0.dispatcher().status(labels, now_ms);
        let Some(alertmanagers) = &self.0.alertmanagers else { return own };
        let fingerprint = Fingerprint::of(labels);
        let muting = alertmanagers.muting(fingerprint, labels, now_ms);
        Status {
            state: if muting.is_empty() { "active" } else { "suppressed" },
            silenced_by: muting.silenced_by,
            inhibited_by: muting.inhibited_by,
            receivers: alertmanagers.receivers(fingerprint).unwrap_or(own.receivers),
            muted_by: Vec::new(),
        }
    }

    /// The receivers of an alert with these labels, and the time intervals that mute them at `now_ms`.
    #[must_use]
    pub fn routed(&self, fingerprint: Fingerprint, labels: &Labels, now_ms: i64) -> Routed {
        let config = self.0.config();
        let routes = || config.routes_of(labels).into_iter().filter_map(|id| config.routes.get(id));
        let own = || routes().map(|route| route.receiver.clone()).collect();
        match &self.0.alertmanagers {
            Some(alertmanagers) => {
                Routed { receivers: alertmanagers.receivers(fingerprint).unwrap_or_else(own), muted_by: Vec::new() }
            }
            None => Routed {
                receivers: own(),
                muted_by: routes().flat_map(|route| config.muted_by(route, now_ms)).collect(),
            },
        }
    }

    /// Name of an alert that we or an Alertmanager know.
    #[must_use]
    pub fn name_of(&self, fingerprint: Fingerprint) -> Option<String> {
        let own = self.0.dispatcher().alert(fingerprint).map(Arc::clone);
        let known = own.or_else(|| self.0.alertmanagers.as_ref()?.alert(fingerprint))?;
        Some(known.name().to_owned())
    }

    /// Names of the receivers of the configuration.
    #[must_use]
    pub fn receivers(&self) -> Vec<String> {
        self.0.config().receivers.keys().cloned().collect()
    }
}
