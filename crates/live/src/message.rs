//! One message to subscribers, encoded once for all of them.
//!
//! Only the subscription's `id` differs between sockets. So the rest of the message is encoded once per format, on
//! first use, and a socket's message is a short head followed by that body.

use std::sync::{Arc, OnceLock};

use budget::{Charge, MemoryBudget};
use bytes::Bytes;
use model::{
    frame::Frame,
    job::Job,
    live::{Alert, Event, SnapshotData},
};
use serde::Serialize;

/// Format of a socket's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `hyperscope.v1.json`
    Json,
    /// `hyperscope.v1.bin`: CBOR (RFC 8949).
    Cbor,
}

/// Content of a message.
#[derive(Debug)]
pub enum Content {
    /// The whole state.
    Snapshot(SnapshotData),
    /// New points.
    Delta(Frame),
    /// An event at `ts` (milliseconds since the Unix epoch).
    Event {
        /// Time.
        ts: i64,
        /// The event.
        event: Event,
    },
    /// The source became stale, or fresh again.
    Status {
        /// Whether data is fresh.
        fresh: bool,
        /// Since when, in milliseconds since the Unix epoch.
        since: i64,
        /// The reason, for people.
        reason: String,
    },
    /// The subscription failed.
    Error {
        /// See [`model::live::ServerMessage::Error`].
        code: &'static str,
        /// What is wrong.
        message: String,
    },
}

impl Content {
    /// Approximate memory of a message in bytes, including one encoded format: sockets usually use the same. The labels
    /// of a query's result are not included, because the topic holds them.
    fn weight(&self) -> u64 {
        let bytes = match self {
            Content::Delta(frame) | Content::Snapshot(SnapshotData::Query(frame)) => {
                let text = frame.text_length();
                frame.weight_without_labels() + text + text / 2
            }
            Content::Snapshot(data) => listed(data) * FORMS,
            Content::Event { event, .. } => size_of::<Event>() + json_length(event) * FORMS,
            Content::Status { .. } | Content::Error { .. } => 0,
        };
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Adds the weight. This traverses all data, so do it without holding a lock.
    #[must_use]
    pub fn weighed(self) -> Weighed {
        Weighed { weight: self.weight(), content: self }
    }
}

/// Content of a message with its weight.
#[derive(Debug)]
pub struct Weighed {
    content: Content,
    weight: u64,
}

impl Weighed {
    /// The content.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Approximate memory in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }
}

/// Factor for the memory of a list or an event: the data itself, and about half as much in each format.
const FORMS: usize = 2;

/// Approximate memory of the entries of a list, in bytes.
fn listed(data: &SnapshotData) -> usize {
    match data {
        SnapshotData::Jobs { jobs } => jobs.iter().map(|job| size_of::<Job>() + job_texts(job)).sum(),
        SnapshotData::Alerts(list) => {
            let weights = list.alerts.iter().map(Alert::weight_bytes);
            usize::try_from(weights.sum::<u64>()).unwrap_or(usize::MAX)
        }
        SnapshotData::System { .. } | SnapshotData::Upstreams { .. } => json_length(data),
        SnapshotData::Query(frame) => frame.weight(),
    }
}

fn job_texts(job: &Job) -> usize {
    let always = [&job.id, &job.daemon, &job.name, &job.vm, &job.provider].map(String::len);
    let sometimes =
        [&job.job_type, &job.region, &job.phase, &job.error].map(|text| text.as_ref().map_or(0, String::len));
    always.into_iter().chain(sometimes).sum()
}

/// Length as JSON, in bytes.
fn json_length(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A value that cannot be encoded has length 0.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// To whom updates are charged that are not charged yet.
#[derive(Debug, Clone)]
pub struct Payer {
    /// The memory for live topics.
    pub budget: MemoryBudget,
    /// The token.
    pub token: Arc<str>,
}

/// A message without its subscription.
#[derive(Debug)]
pub struct Update {
    /// Increases over all updates of this run of the server.
    pub seq: u64,
    /// The content.
    pub content: Content,
    weight: u64,
    /// Charge of memory for live topics, while the log or a queue holds the update. A query's update is charged when it
    /// is created, an event when the first socket does not keep up with it.
    charge: OnceLock<Charge>,
    json: OnceLock<Fields>,
    cbor: OnceLock<Fields>,
}

/// Encoded members of an object, without the braces.
#[derive(Debug, Clone, Default)]
struct Fields {
    count: u8,
    bytes: Bytes,
}

#[derive(Serialize)]
struct SeqData<'a, T> {
    seq: u64,
    data: &'a T,
}

#[derive(Serialize)]
struct SeqTs {
    seq: u64,
    ts: i64,
}

#[derive(Serialize)]
struct Status<'a> {
    fresh: bool,
    since: i64,
    reason: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
}

impl Update {
    /// Creates an update with its sequence number.
    #[must_use]
    pub fn new(seq: u64, weighed: Weighed) -> Self {
        let Weighed { content, weight } = weighed;
        Update { seq, content, weight, charge: OnceLock::new(), json: OnceLock::new(), cbor: OnceLock::new() }
    }

    /// Sets the charge.
    #[must_use]
    pub fn charged(self, charge: Option<Charge>) -> Self {
        Update { charge: charge.map_or_else(OnceLock::new, OnceLock::from), ..self }
    }

    /// Approximate memory in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Charges the update unless it is already charged; false if the limit is exceeded.
    #[must_use]
    pub fn charge_to(&self, payer: &Payer) -> bool {
        if self.weight == 0 || self.charge.get().is_some() {
            return true;
        }
        let charge = payer.budget.charge(&payer.token, self.weight);
        // Another thread may have charged it first.
        charge.map(|charge| drop(self.charge.set(charge))).is_ok()
    }

    /// Length of a message in this format, in bytes, without the few bytes of its ID. Encodes it if necessary.
    #[must_use]
    pub fn length(&self, format: Format) -> usize {
        self.fields(format).bytes.len()
    }

    fn kind(&self) -> &'static str {
        match self.content {
            Content::Snapshot(_) => "snapshot",
            Content::Delta(_) => "delta",
            Content::Event { .. } => "event",
            Content::Status { .. } => "status",
            Content::Error { .. } => "error",
        }
    }

    fn fields(&self, format: Format) -> &Fields {
        let cell = match format {
            Format::Json => &self.json,
            Format::Cbor => &self.cbor,
        };
        cell.get_or_init(|| {
            let seq = self.seq;
            match &self.content {
                Content::Snapshot(data) => Fields::of(&SeqData { seq, data }, format),
                Content::Delta(data) => Fields::of(&SeqData { seq, data }, format),
                Content::Event { ts, event } => {
                    Fields::of(&SeqTs { seq, ts: *ts }, format).and(&Fields::of(event, format), format)
                }
                Content::Status { fresh, since, reason } => {
                    Fields::of(&Status { fresh: *fresh, since: *since, reason }, format)
                }
                Content::Error { code, message } => Fields::of(&Error { code, message }, format),
            }
        })
    }

    /// The message for subscription `id`. Text formats are UTF-8.
    #[must_use]
    pub fn message(&self, id: u64, format: Format) -> Vec<u8> {
        let fields = self.fields(format);
        let kind = self.kind();
        match format {
            Format::Json => {
                let mut message = format!("{{\"type\":\"{kind}\",\"id\":{id},").into_bytes();
                message.extend_from_slice(&fields.bytes);
                message.push(b'}');
                message
            }
            Format::Cbor => {
                let mut message = Vec::with_capacity(fields.bytes.len() + 32);
                message.push(CBOR_MAP | (fields.count + 2));
                for value in ["type", kind, "id"] {
                    cbor_into(&value, &mut message);
                }
                cbor_into(&id, &mut message);
                message.extend_from_slice(&fields.bytes);
                message
            }
        }
    }
}

/// First byte of a CBOR map with fewer than 24 entries, to which the number of entries is added (RFC 8949, 3.1).
const CBOR_MAP: u8 = 0xa0;

/// Encodes into memory. This cannot fail for the types of the protocol; if it does, the receiver gets a broken message.
fn cbor_into<T: Serialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) {
    if let Err(error) = ciborium::into_writer(value, bytes) {
        tracing::error!(%error, "cannot encode a live message");
    }
}

impl Fields {
    /// Encodes a struct without the delimiters of the object.
    fn of<T: Serialize>(value: &T, format: Format) -> Self {
        match format {
            Format::Json => match serde_json::to_vec(value) {
                Ok(bytes) => {
                    let bytes = Bytes::from(bytes);
                    Fields { count: 0, bytes: bytes.slice(1..bytes.len().saturating_sub(1).max(1)) }
                }
                Err(error) => {
                    tracing::error!(%error, "cannot encode a live message");
                    Fields::default()
                }
            },
            Format::Cbor => {
                let mut bytes = Vec::new();
                cbor_into(value, &mut bytes);
                let count = bytes.first().map_or(0, |head| head & 0x1f);
                Fields { count, bytes: Bytes::from(bytes).slice(1..) }
            }
        }
    }

    fn and(&self, other: &Fields, format: Format) -> Fields {
        let separator: &[u8] = if format == Format::Json { b"," } else { b"" };
        Fields {
            count: self.count + other.count,
            bytes: [self.bytes.as_ref(), separator, other.bytes.as_ref()].concat().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{
        frame::{Labels, Series},
        live::{JobKey, ServerMessage},
    };

    use super::*;

    fn both_forms(update: &Update) -> ServerMessage {
        let json: ServerMessage = serde_json::from_slice(&update.message(300, Format::Json)).unwrap();
        let cbor: ServerMessage = ciborium::from_reader(update.message(300, Format::Cbor).as_slice()).unwrap();
        assert_eq!(json, cbor);
        json
    }

    #[test]
    fn both_forms_read_as_the_protocol_type() {
        let series = Series {
            labels: Labels::from([("job".into(), "x".into())]).into(),
            timestamps: vec![1_700_000_000_000],
            values: vec![f64::INFINITY],
        };
        let frame = Frame { series: vec![series], end_ms: 5, ..Frame::default() };
        let delta = Update::new(7, Content::Delta(frame.clone()).weighed());
        assert_eq!(both_forms(&delta), ServerMessage::Delta { id: 300, seq: 7, data: frame.clone() });

        let snapshot = Update::new(8, Content::Snapshot(SnapshotData::Query(frame.clone())).weighed());
        assert_eq!(
            both_forms(&snapshot),
            ServerMessage::Snapshot { id: 300, seq: 8, data: SnapshotData::Query(frame) }
        );

        let event = Event::JobRemoved(JobKey { job_id: "1".into(), daemon: "d".into() });
        let update = Update::new(9, Content::Event { ts: 4, event: event.clone() }.weighed());
        assert_eq!(both_forms(&update), ServerMessage::Event { id: 300, seq: 9, ts: 4, event });

        let status = Update::new(10, Content::Status { fresh: false, since: 3, reason: "down".into() }.weighed());
        assert_eq!(
            both_forms(&status),
            ServerMessage::Status { id: 300, fresh: false, since: 3, reason: "down".into() }
        );
    }
}
