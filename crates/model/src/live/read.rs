//! Reading what the server says: a message's kind is in its members, so it is read from a tree, by hand.

use super::{Event, ServerMessage, SnapshotData};
use crate::tree::{Members, Tree};

impl TryFrom<Tree> for ServerMessage {
    type Error = String;

    fn try_from(tree: Tree) -> Result<Self, String> {
        let mut members = Members::of(tree)?;
        let kind: String = members.take("type")?;
        Ok(match kind.as_str() {
            "hello" => ServerMessage::Hello {
                protocol: members.take("protocol")?,
                boot_id: members.take("boot_id")?,
                version: members.take("version")?,
                role: members.take("role")?,
                now_ms: members.take::<Option<i64>>("now_ms")?.unwrap_or_default(),
            },
            "snapshot" => ServerMessage::Snapshot {
                id: members.take("id")?,
                seq: members.take("seq")?,
                data: snapshot(members.tree("data"))?,
            },
            "delta" => {
                ServerMessage::Delta { id: members.take("id")?, seq: members.take("seq")?, data: members.take("data")? }
            }
            "event" => ServerMessage::Event {
                id: members.take("id")?,
                seq: members.take("seq")?,
                ts: members.take("ts")?,
                event: event(&mut members)?,
            },
            "status" => ServerMessage::Status {
                id: members.take("id")?,
                fresh: members.take("fresh")?,
                since: members.take("since")?,
                reason: members.take("reason")?,
            },
            "error" => ServerMessage::Error {
                id: members.take("id")?,
                code: members.take("code")?,
                message: members.take("message")?,
            },
            other => return Err(format!("unknown type of message: {other}")),
        })
    }
}

/// The data of a snapshot: the topic shows in the name of its list.
fn snapshot(tree: Tree) -> Result<SnapshotData, String> {
    let mut members = Members::of(tree)?;
    if members.has("series") {
        members.read().map(SnapshotData::Query)
    } else if members.has("alerts") {
        members.read().map(SnapshotData::Alerts)
    } else if members.has("jobs") {
        Ok(SnapshotData::Jobs { jobs: members.take("jobs")? })
    } else if members.has("system") {
        Ok(SnapshotData::System { system: members.take("system")? })
    } else if members.has("upstreams") {
        Ok(SnapshotData::Upstreams { upstreams: members.take("upstreams")? })
    } else {
        Err("the data of a snapshot has none of the lists that are known".to_owned())
    }
}

fn event(members: &mut Members) -> Result<Event, String> {
    let name: String = members.take("event")?;
    Ok(match name.as_str() {
        "job.progress" => Event::JobProgress(members.take("data")?),
        "job.status" => Event::JobStatus(members.take("data")?),
        "job.removed" => Event::JobRemoved(members.take("data")?),
        "system.metrics" => Event::SystemMetrics(members.take("data")?),
        "upstream.status" => Event::UpstreamStatus(members.take("data")?),
        "alert.fired" => Event::AlertFired(members.take("data")?),
        "alert.resolved" => Event::AlertResolved(members.take("data")?),
        other => return Err(format!("unknown event: {other}")),
    })
}
