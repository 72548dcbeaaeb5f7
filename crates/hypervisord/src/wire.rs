//! JSON structures of jobs and numbers in all dialects, as types that cannot hold a secret.

use std::fmt;

use model::job::JobStatus;
use redact::Redactor;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

use crate::{jobs::JobUpdate, scalar::Scalar};

/// A job in `/jobs/query` and in the messages `jobs`, `job_update`, `metrics`, `job.progress` and `job.status`. These
/// differ in the names of fields, not in their meaning.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JobWire {
    definition: Option<Definition>,
    id: Scalar,
    job_id: Scalar,
    name: Scalar,
    vm_name: Scalar,
    vm_path: Scalar,
    provider: Scalar,
    region: Scalar,
    job_type: Scalar,
    status: Scalar,
    progress: ProgressField,
    percent: Scalar,
    bytes_transferred: Scalar,
    bytes_total: Scalar,
    rate_bytes_per_second: Scalar,
    eta_seconds: Scalar,
    result: Option<JobResult>,
    error: Scalar,
    error_msg: Scalar,
    created_at: Scalar,
    start_time: Scalar,
    started_at: Scalar,
    end_time: Scalar,
    completed_at: Scalar,
    updated_at: Scalar,
    timestamp: Scalar,
    duration_seconds: Scalar,
    format: Scalar,
    output_dir: Scalar,
}

/// What was submitted. Credentials are only parsed in order to redact them in texts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Definition {
    id: Scalar,
    name: Scalar,
    vm_path: Scalar,
    provider: Scalar,
    region: Scalar,
    datacenter: Scalar,
    job_type: Scalar,
    created_at: Scalar,
    output_dir: Scalar,
    output_path: Scalar,
    format: Scalar,
    export_method: Scalar,
    method: Scalar,
    username: Scalar,
    password: Scalar,
    vcenter: Option<Credentials>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Credentials {
    username: Scalar,
    password: Scalar,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("Credentials")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Progress {
    phase: Scalar,
    percent_complete: Scalar,
    export_method: Scalar,
    bytes_transferred: Scalar,
    bytes_downloaded: Scalar,
    total_bytes: Scalar,
    rate_bytes_per_second: Scalar,
    eta_seconds: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobResult {
    total_size: Scalar,
    export_method: Scalar,
}

/// `progress` is an object in a job and a percentage in the feed's list.
#[derive(Debug, Default)]
enum ProgressField {
    #[default]
    Nothing,
    Percent(f64),
    Object(Box<Progress>),
}

impl<'de> Deserialize<'de> for ProgressField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ProgressVisitor)
    }
}

struct ProgressVisitor;

impl<'de> Visitor<'de> for ProgressVisitor {
    type Value = ProgressField;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a percentage, an object or null")
    }

    fn visit_unit<E: Error>(self) -> Result<ProgressField, E> {
        Ok(ProgressField::Nothing)
    }

    #[allow(clippy::cast_precision_loss, reason = "a percentage is small")]
    fn visit_i64<E: Error>(self, percent: i64) -> Result<ProgressField, E> {
        Ok(ProgressField::Percent(percent as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "a percentage is small")]
    fn visit_u64<E: Error>(self, percent: u64) -> Result<ProgressField, E> {
        Ok(ProgressField::Percent(percent as f64))
    }

    fn visit_f64<E: Error>(self, percent: f64) -> Result<ProgressField, E> {
        Ok(ProgressField::Percent(percent))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ProgressField, A::Error> {
        Progress::deserialize(MapAccessDeserializer::new(map)).map(|progress| ProgressField::Object(Box::new(progress)))
    }
}

/// Number of jobs whose secrets are added at once: fewer than a redactor stores, so that none is evicted before its own
/// job is parsed.
const LEARNED_AT_ONCE: usize = 64;

/// Job updates without secrets; `None` for a job without an ID.
pub(crate) fn updates(jobs: Vec<JobWire>, redactor: &Redactor) -> Vec<Option<JobUpdate>> {
    let mut updates = Vec::with_capacity(jobs.len());
    let mut jobs = jobs.into_iter();
    while jobs.len() > 0 {
        let some: Vec<JobWire> = jobs.by_ref().take(LEARNED_AT_ONCE).collect();
        redactor.learn_all(some.iter().flat_map(JobWire::passwords), some.iter().flat_map(JobWire::user_names));
        updates.extend(some.into_iter().map(|job| job.into_update(redactor)));
    }
    updates
}

impl JobWire {
    fn passwords(&self) -> impl Iterator<Item = &str> + Clone {
        let definition = self.definition.as_ref();
        let credentials = definition.and_then(|definition| definition.vcenter.as_ref());
        let passwords = [
            definition.and_then(|definition| definition.password.as_text()),
            credentials.and_then(|credentials| credentials.password.as_text()),
        ];
        passwords.into_iter().flatten()
    }

    fn user_names(&self) -> impl Iterator<Item = &str> + Clone {
        let definition = self.definition.as_ref();
        let credentials = definition.and_then(|definition| definition.vcenter.as_ref());
        let names = [
            definition.and_then(|definition| definition.username.as_text()),
            credentials.and_then(|credentials| credentials.username.as_text()),
        ];
        names.into_iter().flatten()
    }

    /// The update with the job's own and all known secrets removed. `None` if it has no ID.
    fn into_update(self, redactor: &Redactor) -> Option<JobUpdate> {
        let definition = self.definition.unwrap_or_default();
        let progress = match self.progress {
            ProgressField::Object(progress) => *progress,
            ProgressField::Percent(percent) => {
                Progress { percent_complete: Scalar::Number(percent), ..Progress::default() }
            }
            ProgressField::Nothing => Progress::default(),
        };
        let result = self.result.unwrap_or_default();
        let clean = |text: Option<String>| text.map(|text| redactor.text(&text).into_owned());
        // A daemon that does not count bytes writes zeros.
        let bytes_total = self.bytes_total.count().or(progress.total_bytes.count()).filter(|bytes| *bytes > 0);
        let bytes_transferred = self
            .bytes_transferred
            .count()
            .or_else(|| progress.bytes_transferred.count().max(progress.bytes_downloaded.count()))
            .filter(|bytes| *bytes > 0 || bytes_total.is_some())
            .or_else(|| result.total_size.count().filter(|bytes| *bytes > 0));
        let status = self.status.as_text().map(|text| match JobStatus::from_name(text) {
            // This status is our own, for a job whose cancellation was accepted.
            JobStatus::Cancelling => JobStatus::Running,
            status => status,
        });
        let created_at = self.created_at.time_ms().or_else(|| definition.created_at.time_ms());
        let started_at = self.started_at.time_ms().or_else(|| {
            // The feed's `start_time` is the time of creation until the job has started.
            self.start_time.time_ms().filter(|_| status.is_some_and(|status| status != JobStatus::Pending))
        });
        Some(JobUpdate {
            id: self.job_id.text().or_else(|| self.id.text()).or_else(|| definition.id.text())?,
            name: clean(self.name.text().or_else(|| definition.name.text())),
            vm: clean(self.vm_path.text().or_else(|| self.vm_name.text()).or_else(|| definition.vm_path.text())),
            provider: clean(self.provider.text().or_else(|| definition.provider.text())),
            job_type: clean(self.job_type.text().or_else(|| definition.job_type.text())),
            region: clean(
                self.region.text().or_else(|| definition.region.text()).or_else(|| definition.datacenter.text()),
            ),
            status,
            phase: clean(progress.phase.text()),
            percent: self.percent.number().or_else(|| progress.percent_complete.number()),
            bytes_transferred,
            bytes_total,
            rate_bytes_per_second: self
                .rate_bytes_per_second
                .number()
                .or_else(|| progress.rate_bytes_per_second.number()),
            eta_seconds: self.eta_seconds.number().or_else(|| progress.eta_seconds.number()),
            created_at,
            started_at,
            completed_at: self.completed_at.time_ms().or_else(|| self.end_time.time_ms()),
            updated_at: self.updated_at.time_ms(),
            format: clean(self.format.text().or_else(|| definition.format.text())),
            export_method: clean(
                progress
                    .export_method
                    .text()
                    .or_else(|| result.export_method.text())
                    .or_else(|| definition.export_method.text())
                    .or_else(|| definition.method.text()),
            ),
            output_dir: clean(
                self.output_dir
                    .text()
                    .or_else(|| definition.output_dir.text())
                    .or_else(|| definition.output_path.text()),
            ),
            error: clean(self.error.text().or_else(|| self.error_msg.text())),
            changed_at: self.timestamp.time_ms(),
            duration_seconds: self.duration_seconds.number().filter(|seconds| *seconds >= 0.0),
        })
    }
}

/// The numbers of the feed's `metrics` messages.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MetricsWire<'a> {
    pub http_requests: Scalar,
    pub http_errors: Scalar,
    /// Mean since the start of the process, in milliseconds.
    pub avg_response_time: Scalar,
    pub memory_usage: Scalar,
    pub cpu_usage: Scalar,
    pub goroutines: Scalar,
    pub active_connections: Scalar,
    pub websocket_clients: Scalar,
    pub uptime_seconds: Scalar,
    /// All jobs, in any order; `None` if the field is absent.
    #[serde(borrow)]
    pub recent_jobs: Option<Vec<&'a RawValue>>,
}

/// Data of the documented `system.metrics`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SystemWire {
    pub cpu_percent: Scalar,
    pub memory_bytes: Scalar,
    pub goroutines: Scalar,
    pub connections: Scalar,
    pub websocket_clients: Scalar,
}

/// Response of `/status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StatusWire {
    /// Version of the daemon.
    pub version: Scalar,
    /// A Go duration.
    pub uptime: Scalar,
    /// Number of jobs.
    pub total_jobs: Scalar,
}

/// Response of `/jobs/query`, and data of the message `jobs`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JobsWire {
    /// `null` when there are none.
    pub jobs: Option<Vec<JobWire>>,
    /// When the response was created, by the daemon's clock.
    pub timestamp: Scalar,
}

/// Response of `/jobs/cancel`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CancelWire {
    /// IDs of jobs whose cancellation was accepted.
    pub cancelled: Option<Vec<String>>,
    /// Errors of the others, by ID.
    pub errors: Option<std::collections::BTreeMap<String, String>>,
}

/// Response of `/jobs/logs/{id}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogsWire {
    /// Entries of the log; `null` when there are none.
    pub logs: Option<Vec<LogWire>>,
}

/// One entry of a job's log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogWire {
    /// Time by the daemon's clock.
    pub timestamp: Scalar,
    /// Level.
    pub level: Scalar,
    /// Message.
    pub message: Scalar,
    /// Error, if any.
    pub error: Scalar,
}

/// Data of the documented `alert.fired`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AlertWire {
    pub name: Scalar,
    pub severity: Scalar,
    pub labels: std::collections::BTreeMap<String, Scalar>,
    pub summary: Scalar,
    pub description: Scalar,
    pub value: Scalar,
    pub active_at: Scalar,
}
