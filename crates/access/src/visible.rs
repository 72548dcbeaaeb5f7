//! Which jobs, alerts and sources a session sees whose token has matchers: those that their labels prove to be in its scope.

use model::{
    job::Job,
    live::{Alert, SnapshotData},
    system::SystemMetrics,
    upstream::{UpstreamKind, UpstreamStatus},
};

use crate::Scope;

/// Whether the labels that a job's series would have are in the scope.
#[must_use]
pub fn job(scope: &Scope, job: &Job) -> bool {
    scope.proves(|name| match name {
        "daemon" => Some(job.daemon.as_str()),
        "provider" => Some(job.provider.as_str()),
        "region" => job.region.as_deref(),
        "job_type" => job.job_type.as_deref(),
        _ => None,
    })
}

/// Whether an alert's labels are in the scope.
#[must_use]
pub fn alert(scope: &Scope, alert: &Alert) -> bool {
    scope.proves(|name| alert.labels.get(name).map(String::as_str))
}

/// Whether a daemon's process is in the scope.
#[must_use]
pub fn system(scope: &Scope, system: &SystemMetrics) -> bool {
    daemon(scope, &system.daemon)
}

/// Whether the state of a source is in the scope. An engine's is where there are no matchers.
#[must_use]
pub fn upstream(scope: &Scope, status: &UpstreamStatus) -> bool {
    match status.kind {
        UpstreamKind::Daemon => daemon(scope, &status.name),
        _ => scope.is_all(),
    }
}

fn daemon(scope: &Scope, daemon: &str) -> bool {
    scope.proves(|name| (name == "daemon").then_some(daemon))
}

/// What of a topic's state is in the scope. A query's is already: it was asked for within it.
#[must_use]
pub fn snapshot(scope: &Scope, data: SnapshotData) -> SnapshotData {
    match data {
        SnapshotData::Query(frame) => SnapshotData::Query(frame),
        SnapshotData::Jobs { mut jobs } => {
            jobs.retain(|one| job(scope, one));
            SnapshotData::Jobs { jobs }
        }
        SnapshotData::System { system: mut all } => {
            all.retain(|one| system(scope, one));
            SnapshotData::System { system: all }
        }
        SnapshotData::Upstreams { mut upstreams } => {
            upstreams.retain(|one| upstream(scope, one));
            SnapshotData::Upstreams { upstreams }
        }
        SnapshotData::Alerts(mut list) => {
            list.alerts.retain(|one| alert(scope, one));
            SnapshotData::Alerts(list)
        }
    }
}
