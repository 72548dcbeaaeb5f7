//! Messages of a daemon's WebSocket, in both dialects: the constant feed of real daemons, and the events of the
//! documentation.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use model::{
    job::JobStatus,
    live::{Alert, AlertState},
};
use redact::Redactor;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    jobs::JobUpdate,
    scalar::Scalar,
    wire::{self, AlertWire, JobWire, JobsWire, MetricsWire, SystemWire},
};

/// Parses the messages of one socket. A new socket needs a new one.
#[derive(Debug)]
pub struct FeedReader {
    redactor: Arc<Redactor>,
    repeats: Repeats,
}

impl FeedReader {
    /// A reader whose messages have no secrets that the redactor knows or learns from them.
    #[must_use]
    pub fn new(redactor: Arc<Redactor>) -> Self {
        FeedReader { redactor, repeats: Repeats::default() }
    }

    /// Parses one message, for [`Daemon::receive`](crate::daemon::Daemon::receive). This does not need the daemon, so
    /// that a long message can be parsed on another thread.
    ///
    /// # Errors
    ///
    /// It is not JSON, or a known field has an unexpected structure.
    pub fn read(&mut self, text: &str) -> Result<Incoming, FeedError> {
        parse(text, &self.redactor, &mut self.repeats)
    }
}

/// A parsed message, and when the daemon created it by its own clock.
#[derive(Debug)]
pub struct Incoming {
    /// Milliseconds since the Unix epoch.
    pub(crate) at_ms: Option<i64>,
    /// Content.
    pub(crate) message: Message,
}

/// Content of a message.
#[derive(Debug)]
pub(crate) enum Message {
    /// The daemon's complete list of jobs.
    AllJobs(Vec<JobUpdate>),
    /// Progress or a new status of one job.
    Job(Box<JobUpdate>),
    /// The numbers of the constant feed, with the list of jobs.
    Metrics {
        /// The numbers.
        numbers: Box<Numbers>,
        /// The jobs, if the message lists them.
        jobs: Option<JobList>,
    },
    /// State of the daemon's process.
    System(SystemReading),
    /// One of the daemon's own thresholds was exceeded.
    Alert(Box<Alert>),
    /// A type without new information, or an unknown type.
    Other,
}

/// The jobs in a message of the constant feed. Nearly all of them have ended, and each message repeats them unchanged.
#[derive(Debug, Default)]
pub(crate) struct JobList {
    /// New or changed jobs.
    pub updates: Vec<JobUpdate>,
    /// IDs of ended jobs whose text is the same as in the last message.
    pub unchanged: Vec<Arc<str>>,
}

/// The ended jobs of the last message of a constant feed, by a hash of their text.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    hasher: RandomState,
    ids: HashMap<u64, Arc<str>>,
}

impl Repeats {
    /// Parses a list of jobs, skipping unchanged ones. A job with an unexpected structure is left out.
    fn read(&mut self, jobs: &[&RawValue], redactor: &Redactor) -> JobList {
        let mut list = JobList::default();
        let mut ids = HashMap::with_capacity(self.ids.len());
        let (mut hashes, mut others) = (Vec::new(), Vec::new());
        for text in jobs.iter().map(|job| job.get()) {
            let hash = self.hasher.hash_one(text);
            if let Some(id) = self.ids.get(&hash) {
                ids.insert(hash, Arc::clone(id));
                list.unchanged.push(Arc::clone(id));
                continue;
            }
            let job = match serde_json::from_str::<JobWire>(text) {
                Ok(job) => job,
                Err(error) => {
                    tracing::debug!(%error, "a job of the feed has an unexpected structure");
                    continue;
                }
            };
            hashes.push(hash);
            others.push(job);
        }
        for (hash, update) in hashes.into_iter().zip(wire::updates(others, redactor)) {
            let Some(update) = update else { continue };
            if update.status.is_some_and(JobStatus::is_final) {
                ids.insert(hash, Arc::from(&*update.id));
            }
            list.updates.push(update);
        }
        self.ids = ids;
        list
    }
}

/// Counters and gauges of the constant feed. `None` means unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Numbers {
    /// Total number of requests.
    pub http_requests: Option<f64>,
    /// Requests that failed.
    pub http_errors: Option<f64>,
    /// Mean since the start of the process.
    pub mean_response_seconds: Option<f64>,
    /// How long the process has run.
    pub uptime_seconds: Option<f64>,
    /// State of the process.
    pub system: SystemReading,
}

/// State of a daemon's process. `None` means unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct SystemReading {
    /// In percent of one CPU.
    pub cpu_percent: Option<f64>,
    /// Memory in use.
    pub memory_bytes: Option<f64>,
    /// Number of goroutines.
    pub goroutines: Option<f64>,
    /// Open connections of all kinds.
    pub connections: Option<f64>,
    /// Open WebSockets.
    pub websocket_clients: Option<f64>,
}

/// A message that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("a message is not JSON of a known shape: {0}")]
pub struct FeedError(#[from] serde_json::Error);

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default, rename = "type")]
    kind: Scalar,
    #[serde(default)]
    timestamp: Scalar,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

/// Parses one message. `repeats` caches the previous one.
fn parse(text: &str, redactor: &Redactor, repeats: &mut Repeats) -> Result<Incoming, FeedError> {
    let envelope: Envelope = serde_json::from_str(text)?;
    let at_ms = envelope.timestamp.time_ms();
    let data = envelope.data.map_or("{}", RawValue::get);
    let updates =
        |jobs: Vec<JobWire>| -> Vec<JobUpdate> { wire::updates(jobs, redactor).into_iter().flatten().collect() };
    let message = match (envelope.kind.as_text(), envelope.data) {
        (Some("jobs"), Some(_)) => {
            let jobs: JobsWire = serde_json::from_str(data)?;
            Message::AllJobs(updates(jobs.jobs.unwrap_or_default()))
        }
        (Some("metrics"), _) | (None, None) => {
            let metrics = metrics(text, envelope.data)?;
            let jobs = metrics.recent_jobs.as_ref().map(|jobs| repeats.read(jobs, redactor));
            Message::Metrics { numbers: Box::new(numbers(&metrics)), jobs }
        }
        (Some("job_update" | "job.progress" | "job.status"), Some(_)) => {
            let job: JobWire = serde_json::from_str(data)?;
            let update = wire::updates(vec![job], redactor).into_iter().flatten().next();
            update.map_or(Message::Other, |update| Message::Job(Box::new(update)))
        }
        (Some("system.metrics"), Some(_)) => {
            let system: SystemWire = serde_json::from_str(data)?;
            Message::System(SystemReading {
                cpu_percent: system.cpu_percent.number(),
                memory_bytes: system.memory_bytes.number(),
                goroutines: system.goroutines.number(),
                connections: system.connections.number(),
                websocket_clients: system.websocket_clients.number(),
            })
        }
        (Some(kind @ ("alert.fired" | "alert.resolved")), Some(_)) => {
            let alert = alert(serde_json::from_str(data)?, redactor);
            let state = if kind == "alert.fired" { AlertState::Firing } else { AlertState::Inactive };
            Message::Alert(Box::new(Alert { state, ..alert }))
        }
        _ => Message::Other,
    };
    Ok(Incoming { at_ms, message })
}

/// The numbers of a `metrics` message: in `data.raw`, in `data`, or in the message itself.
fn metrics<'a>(text: &'a str, data: Option<&'a RawValue>) -> Result<MetricsWire<'a>, FeedError> {
    #[derive(Deserialize)]
    struct Wrapper<'a> {
        #[serde(default, borrow)]
        raw: Option<&'a RawValue>,
    }
    let outer = data.map_or(text, RawValue::get);
    let wrapper: Wrapper = serde_json::from_str(outer)?;
    Ok(serde_json::from_str(wrapper.raw.map_or(outer, RawValue::get))?)
}

fn numbers(metrics: &MetricsWire) -> Numbers {
    Numbers {
        http_requests: metrics.http_requests.number(),
        http_errors: metrics.http_errors.number(),
        mean_response_seconds: metrics.avg_response_time.number().map(|milliseconds| milliseconds / 1000.0),
        uptime_seconds: metrics.uptime_seconds.number(),
        system: SystemReading {
            // Daemons that write this field do not measure it: it is always 0.
            cpu_percent: metrics.cpu_usage.number().filter(|percent| *percent > 0.0),
            memory_bytes: metrics.memory_usage.number(),
            goroutines: metrics.goroutines.number(),
            connections: metrics.active_connections.number(),
            websocket_clients: metrics.websocket_clients.number(),
        },
    }
}

fn alert(wire: AlertWire, redactor: &Redactor) -> Alert {
    let text = |scalar: Scalar| scalar.text().map(|text| redactor.text(&text).into_owned()).unwrap_or_default();
    Alert {
        name: text(wire.name),
        severity: text(wire.severity),
        labels: wire.labels.into_iter().map(|(name, value)| (name, text(value))).collect(),
        summary: text(wire.summary),
        description: text(wire.description),
        value: wire.value.number(),
        active_at: wire.active_at.time_ms(),
        ..Alert::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Incoming {
        parse(text, &Redactor::default(), &mut Repeats::default()).unwrap()
    }

    #[test]
    fn metrics_come_in_three_shapes() {
        let numbers = r#"{"timestamp":"2026-03-01T10:00:01+01:00","http_requests":12,"cpu_usage":0,"memory_usage":52428800,
            "avg_response_time":4.5,"uptime_seconds":3600.5,"provider_stats":{},"alerts":[],"recent_jobs":[
            {"id":"5d1c","name":"web-01","status":"running","progress":45,"start_time":"2026-03-01T09:58:01+01:00",
             "provider":"vsphere","vm_path":"/DC1/vm/web-01","format":"","created_at":"2026-03-01T09:58:00+01:00"}]}"#;
        for text in [
            format!(r#"{{"type":"metrics","timestamp":"2026-03-01T10:00:01.2+01:00","data":{{"raw":{numbers}}}}}"#),
            format!(r#"{{"type":"metrics","timestamp":"2026-03-01T10:00:01.2+01:00","data":{numbers}}}"#),
            numbers.to_owned(),
        ] {
            let Incoming { at_ms: Some(_), message: Message::Metrics { numbers, jobs: Some(jobs) } } = read(&text)
            else {
                panic!("{text}");
            };
            assert_eq!((numbers.http_requests, numbers.mean_response_seconds), (Some(12.0), Some(0.0045)));
            assert_eq!((numbers.system.cpu_percent, numbers.uptime_seconds), (None, Some(3600.5)));
            let job = &jobs.updates[0];
            assert_eq!((&*job.id, job.status, job.percent), ("5d1c", Some(JobStatus::Running), Some(45.0)));
            assert_eq!((job.started_at, job.format.as_deref()), (Some(1_772_355_481_000), None));
        }
    }

    #[test]
    fn the_first_list_has_passwords_that_go_nowhere() {
        let redactor = Redactor::default();
        let text = r#"{"type":"jobs","timestamp":"2026-03-01T10:00:00.124+01:00","data":{"jobs":[
            {"definition":{"id":"a","name":"n","vm_path":"/v","vcenter":{"server":"s","username":"u","password":"CLEAR TEXT"}},
             "status":"failed","progress":null,"error":"bad login CLEAR TEXT"},
            {"definition":{"id":"b"},"status":"running","error":"","progress":{"phase":"exporting","percent_complete":45.5,
             "bytes_transferred":0,"total_bytes":0,"export_method":"ctl"}}]}}"#;
        let Message::AllJobs(jobs) = parse(text, &redactor, &mut Repeats::default()).unwrap().message else { panic!() };
        assert!(!format!("{jobs:?}").contains("CLEAR"));
        assert_eq!(jobs[0].error.as_deref(), Some("bad login ***"));
        assert_eq!((jobs[1].percent, jobs[1].bytes_transferred, jobs[1].bytes_total), (Some(45.5), None, None));
        assert_eq!((jobs[1].export_method.as_deref(), jobs[1].error.as_deref()), (Some("ctl"), None));
    }

    #[test]
    fn ended_jobs_are_read_once_and_running_ones_each_time() {
        let mut repeats = Repeats::default();
        let mut read = |jobs: &str| {
            let text = format!(r#"{{"type":"metrics","data":{{"raw":{{"recent_jobs":[{jobs}]}}}}}}"#);
            match parse(&text, &Redactor::default(), &mut repeats).unwrap().message {
                Message::Metrics { jobs: Some(list), .. } => (list.updates.len(), list.unchanged.len()),
                other => panic!("{other:?}"),
            }
        };
        let (ended, running) = (r#"{"id":"a","status":"failed"}"#, r#"{"id":"b","status":"running"}"#);
        let both = format!("{running},{ended}");
        assert_eq!(read(&both), (2, 0));
        assert_eq!(read(&both), (1, 1));
        assert_eq!(read(r#"{"id":"a","status":"failed","error_msg":"x"},7"#), (1, 0));
        assert_eq!(read(running), (1, 0));
        assert_eq!(read(&both), (2, 0), "what was away is read again");
    }

    #[test]
    fn documented_events_are_read() {
        let text = r#"{"type":"job.status","timestamp":"2026-03-01T09:00:00.500Z","data":{"job_id":"j","name":"n",
            "provider":"aws","region":"eu-central-1","job_type":"export","vm_path":"v","from":"running","status":"failed",
            "error":"timeout","timestamp":"2026-03-01T09:00:00.000Z"}}"#;
        let Message::Job(update) = read(text).message else { panic!() };
        assert_eq!((update.status, update.changed_at), (Some(JobStatus::Failed), Some(1_772_355_600_000)));
        let text = r#"{"type":"job.progress","data":{"job_id":"j","percent":1.5,"bytes_transferred":10,"bytes_total":100,"eta_seconds":null}}"#;
        let Message::Job(update) = read(text).message else { panic!() };
        assert_eq!((update.bytes_transferred, update.bytes_total, update.eta_seconds), (Some(10), Some(100), None));
        let text = r#"{"type":"system.metrics","data":{"cpu_percent":12.5,"memory_bytes":1,"memory":{"heap":1}}}"#;
        let Message::System(system) = read(text).message else { panic!() };
        assert_eq!((system.cpu_percent, system.goroutines), (Some(12.5), None));
        let text = r#"{"type":"alert.fired","data":{"name":"A","severity":"warning","labels":{"provider":"azure"},"value":3}}"#;
        let Message::Alert(alert) = read(text).message else { panic!() };
        assert_eq!((&*alert.name, alert.value, &*alert.labels["provider"]), ("A", Some(3.0), "azure"));
    }

    #[test]
    fn nulls_unknown_types_and_odd_fields_are_tolerated() {
        for text in [
            r#"{"type":"jobs","data":{"jobs":null}}"#,
            r#"{"type":"heartbeat","data":[1]}"#,
            r#"{"type":"metrics","data":{"raw":{"recent_jobs":null,"goroutines":"many"}}}"#,
            r#"{"type":"job_update","data":{"definition":null,"status":7,"progress":null}}"#,
            r#"{"type":5}"#,
        ] {
            read(text);
        }
        for text in ["", "hello", "[1]", r#"{"type":"jobs","data":{"jobs":5}}"#] {
            assert!(parse(text, &Redactor::default(), &mut Repeats::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn no_cut_or_changed_byte_makes_it_panic() {
        let text = r#"{"type":"metrics","timestamp":"2026-03-01T10:00:01.2+01:00","data":{"raw":{"http_requests":1e3,
            "recent_jobs":[{"id":"é","status":"running","progress":{"percent_complete":-1},"error":"a://b@c password=x"}]}}}"#;
        let characters: Vec<char> = text.chars().collect();
        for index in 0..characters.len() {
            let cut: String = characters[..index].iter().collect();
            let _ = parse(&cut, &Redactor::default(), &mut Repeats::default());
            for stranger in ['"', '{', '9', '\\', 'é', ':', '\0'] {
                let mut changed = characters.clone();
                changed[index] = stranger;
                let _ = parse(&changed.into_iter().collect::<String>(), &Redactor::default(), &mut Repeats::default());
            }
        }
    }
}
