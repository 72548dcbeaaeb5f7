//! Alert groups, as in Alertmanager's API.

use std::{collections::BTreeMap, sync::Arc};

use alertmanager::{
    alert::{Alert, Labels},
    dispatch::Notification,
};
use model::clock::now_ms;

use crate::Notifier;

/// Alerts that a route groups together.
#[derive(Debug, Clone)]
pub struct AlertGroup {
    /// The labels by which the route groups.
    pub labels: Labels,
    /// Name of the receiver.
    pub receiver: String,
    /// Rendered labels of the route; empty if it has none.
    pub route_labels: Labels,
    /// In the order of the argument.
    pub alerts: Vec<Arc<Alert>>,
}

impl Notifier {
    /// The groups of these alerts for each route, ordered by labels, then by receiver.
    #[must_use]
    pub fn groups_of<'a>(&self, alerts: impl IntoIterator<Item = &'a Arc<Alert>>) -> Vec<AlertGroup> {
        let now_ms = now_ms();
        let (config, composer) = (self.0.config(), Arc::clone(&self.0.loaded().composer));
        let mut groups: BTreeMap<(Labels, &str, usize), Vec<Arc<Alert>>> = BTreeMap::new();
        for alert in alerts {
            let routes = config.routes_of(&alert.labels).into_iter().filter_map(|id| config.routes.get(id));
            for route in routes {
                let group = (route.group_by.of(&alert.labels), route.receiver.as_str(), route.id);
                groups.entry(group).or_default().push(Arc::clone(alert));
            }
        }
        let made = groups.into_iter().filter_map(|((labels, receiver, id), alerts)| {
            let states = alerts.iter().map(|alert| (Arc::clone(alert), alert.is_resolved(now_ms))).collect();
            let first = Notification::first(config.routes.get(id)?, labels.clone(), states);
            let (route_labels, _) = composer.route_labels(&first, now_ms);
            Some(AlertGroup { labels, receiver: receiver.to_owned(), route_labels, alerts })
        });
        made.collect()
    }
}
