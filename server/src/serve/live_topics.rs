//! What the live topics publish, and from where.

use std::sync::{Arc, OnceLock};

use access::Scope;
use alerting::Alerting;
use live::{Hub, Sources};
use model::live::{Event, SnapshotData};

use crate::source_list::SourceList;

/// The sources of snapshots. Alerts are listed once `alerting` is set: the hub is built before it.
pub(super) fn sources(list: &SourceList, alerting: &Arc<OnceLock<Alerting>>) -> Sources {
    let (jobs, system, all) = (list.upstreams.clone(), list.upstreams.clone(), list.clone());
    let alerting = Arc::clone(alerting);
    Sources {
        jobs: Box::new(move || Some(SnapshotData::Jobs { jobs: jobs.jobs() })),
        system: Box::new(move || Some(SnapshotData::System { system: system.system() })),
        upstreams: Box::new(move || Some(SnapshotData::Upstreams { upstreams: all.statuses() })),
        alerts: Box::new(move || Some(SnapshotData::Alerts(alerting.get()?.current_now().list(&Scope::all())))),
    }
}

/// Publishes alerts on the live topics.
pub(super) struct LiveAlerts(pub(super) Hub);

impl alerting::Publisher for LiveAlerts {
    fn publish(&self, event: Event) {
        self.0.publish(event);
    }

    fn publish_list(&self) {
        self.0.publish_alerts();
    }
}
