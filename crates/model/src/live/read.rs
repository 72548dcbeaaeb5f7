//! Parses the server's messages: the type is one of the members, so a message is read from a tree, by hand.

use super::{
    Alert, AlertList, AlertState, AlertThreshold, Event, FiringCount, JobKey, JobProgress, JobTransition,
    ServerMessage, SnapshotData,
};
use crate::{
    from_members, from_word,
    tree::{self, Faults, FromTree, Members, Tree},
};

impl TryFrom<Tree> for ServerMessage {
    type Error = String;

    fn try_from(tree: Tree) -> Result<Self, String> {
        tree::read(tree)
    }
}

impl FromTree for ServerMessage {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        let mut members = Members::of(tree, faults);
        let kind: String = members.take("type", faults);
        match kind.as_str() {
            "hello" => ServerMessage::Hello {
                protocol: members.take("protocol", faults),
                boot_id: members.take("boot_id", faults),
                version: members.take("version", faults),
                role: members.take("role", faults),
                now_ms: members.take_or_default("now_ms", faults),
                dashboards: members.take_or_default("dashboards", faults),
            },
            "snapshot" => ServerMessage::Snapshot {
                id: members.take("id", faults),
                seq: members.take("seq", faults),
                data: members.take("data", faults),
            },
            "delta" => ServerMessage::Delta {
                id: members.take("id", faults),
                seq: members.take("seq", faults),
                data: members.take("data", faults),
            },
            "event" => ServerMessage::Event {
                id: members.take("id", faults),
                seq: members.take("seq", faults),
                ts: members.take("ts", faults),
                event: event(&mut members, faults),
            },
            "status" => ServerMessage::Status {
                id: members.take("id", faults),
                fresh: members.take("fresh", faults),
                since: members.take("since", faults),
                reason: members.take("reason", faults),
            },
            other => {
                if other != "error" {
                    faults.note(&format_args!("unknown type of message: {other}"));
                }
                ServerMessage::Error {
                    id: members.take("id", faults),
                    code: members.take("code", faults),
                    message: members.take("message", faults),
                }
            }
        }
    }
}

/// The name of the list identifies the topic.
impl FromTree for SnapshotData {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        let mut members = Members::of(tree, faults);
        if members.has("series") {
            SnapshotData::Query(members.read(faults))
        } else if members.has("alerts") {
            SnapshotData::Alerts(members.read(faults))
        } else if members.has("jobs") {
            SnapshotData::Jobs { jobs: members.take("jobs", faults) }
        } else if members.has("system") {
            SnapshotData::System { system: members.take("system", faults) }
        } else {
            if !members.has("upstreams") {
                faults.note(&"the data of a snapshot has none of the lists that are known");
            }
            SnapshotData::Upstreams { upstreams: members.take("upstreams", faults) }
        }
    }
}

fn event(members: &mut Members, faults: &mut Faults) -> Event {
    let name: String = members.take("event", faults);
    match name.as_str() {
        "job.progress" => Event::JobProgress(members.take("data", faults)),
        "job.status" => Event::JobStatus(members.take("data", faults)),
        "system.metrics" => Event::SystemMetrics(members.take("data", faults)),
        "upstream.status" => Event::UpstreamStatus(members.take("data", faults)),
        "alert.fired" => Event::AlertFired(members.take("data", faults)),
        "alert.resolved" => Event::AlertResolved(members.take("data", faults)),
        other => {
            if other != "job.removed" {
                faults.note(&format_args!("unknown event: {other}"));
            }
            Event::JobRemoved(members.take("data", faults))
        }
    }
}

from_members!(JobKey { job_id, daemon });
from_members!(JobProgress {
    job_id,
    daemon,
    name,
    percent,
    bytes_transferred,
    bytes_total,
    rate_bytes_per_second,
    eta_seconds,
});
from_members!(JobTransition { job_id, daemon, name, from, status, timestamp, job });

from_word!(AlertState { "pending" => Pending, "firing" => Firing, "inactive" => Inactive });
from_members!(Alert {
    name,
    state,
    severity,
    labels,
    summary,
    description,
    value,
    active_at,
    fired_at,
    resolved_at,
    runbook,
    threshold,
    silenced_until,
    acknowledged_by,
    stale_since,
} or_default { annotations, expr, group, file, source, fingerprint, silenced_by, inhibited_by });
from_members!(AlertThreshold { expr, op, value });
from_members!(AlertList { alerts, unavailable } or_default { without_rules });
from_members!(FiringCount { active, muted, silenced, worst, begins_secs });
