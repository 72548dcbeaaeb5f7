//! A job of the simulated daemon.

use super::{
    names,
    provider::{Provider, Traits},
};
use crate::{
    dice::Dice,
    number::{real_bytes, seconds, whole},
};

const GB: f64 = 1e9;
/// Smallest and largest virtual machine, bytes.
const SIZE_LIMITS: (f64, f64) = (8.0 * GB, 4_096.0 * GB);

/// Status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Waits for a slot.
    Pending,
    /// Running.
    Running,
    /// Succeeded.
    Completed,
    /// Failed.
    Failed,
    /// Stopped by a user. In the stock daemon the export continues nevertheless: see [`Job::working`].
    Cancelled,
}

impl Status {
    /// The daemon's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Running => "running",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }
}

/// Kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobType {
    /// Exports a virtual machine.
    Export,
    /// Moves a virtual machine to another platform.
    Migration,
    /// Imports a virtual machine.
    Import,
    /// Backs up a virtual machine.
    Backup,
}

impl JobType {
    /// Every kind, in the order in which series list them.
    pub const ALL: [JobType; 4] = [JobType::Export, JobType::Migration, JobType::Import, JobType::Backup];

    /// The value of the label `job_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            JobType::Export => "export",
            JobType::Migration => "migration",
            JobType::Import => "import",
            JobType::Backup => "backup",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn weight(self) -> f64 {
        match self {
            JobType::Export => 0.5,
            JobType::Migration => 0.27,
            JobType::Import => 0.08,
            JobType::Backup => 0.15,
        }
    }
}

/// The tool that does an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reports a percentage.
    Ctl,
    /// Reports lines, no percentage.
    Govc,
    /// Reports a percentage that falls back to 0 with some lines.
    Ovftool,
    /// Reports nothing.
    Web,
}

impl Method {
    /// The daemon's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Ctl => "ctl",
            Method::Govc => "govc",
            Method::Ovftool => "ovftool",
            Method::Web => "web",
        }
    }

    /// The tool of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Method::Ctl, Method::Govc, Method::Ovftool, Method::Web].into_iter().find(|method| method.name() == name)
    }
}

/// The result of a job, decided when it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    Completes,
    /// At this share of its bytes, for this reason.
    Fails(f64, &'static str),
    /// At this share of its bytes.
    IsCancelled(f64),
}

/// Access to a vCenter, as jobs contain it.
#[derive(Debug, Clone, PartialEq)]
pub struct Vcenter {
    /// Host name.
    pub server: String,
    /// User.
    pub username: String,
    /// Password in clear text, which the real daemon leaks.
    pub password: String,
    /// Whether its certificate is not verified.
    pub insecure: bool,
}

/// A job. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub struct Job {
    /// Unique id.
    pub id: String,
    /// The name that the submitter chose.
    pub name: String,
    /// The virtual machine's provider.
    pub provider: Provider,
    /// Region or data centre.
    pub region: String,
    /// Kind of work.
    pub job_type: JobType,
    /// Inventory path or name of the machine.
    pub vm_path: String,
    /// Output directory; may be empty.
    pub output_dir: String,
    /// Target format.
    pub format: String,
    /// Tool.
    pub method: Method,
    /// Whether the result is compressed.
    pub compress: bool,
    /// Access, for vSphere.
    pub vcenter: Option<Vcenter>,
    /// Current status.
    pub status: Status,
    /// Error of a failed job.
    pub error: Option<String>,
    /// True from its start to its end, whatever its status.
    pub working: bool,
    /// Bytes to transfer.
    pub bytes_total: u64,
    /// Current rate in bytes per second; 0 while connecting or stalled.
    pub rate: f64,
    /// When it was submitted.
    pub created_ms: i64,
    /// When it started.
    pub started_ms: Option<i64>,
    /// When it ended or was cancelled.
    pub completed_ms: Option<i64>,
    /// Time of its last change.
    pub updated_ms: i64,
    /// Progress only on request.
    pub manual: bool,
    /// Bytes transferred, with a fraction so that slow rates are exact.
    pub(super) moved: f64,
    pub(super) fate: Fate,
    /// End of the connecting phase.
    pub(super) connected_at_ms: i64,
    pub(super) stalled_until_ms: i64,
    /// Slow variation of its rate, around 1.
    pub(super) vigour: f64,
    /// Number of copy streams, which grows with its size.
    pub(super) streams: f64,
}

impl Job {
    /// A random job of the world's users.
    pub(super) fn random(dice: &mut Dice, provider: Provider, now_ms: i64) -> Self {
        let traits: &Traits = provider.traits();
        let size = dice.log_normal(92.0 * GB, 1.05).clamp(SIZE_LIMITS.0, SIZE_LIMITS.1);
        let job_type = dice.pick_weighted(&JobType::ALL, |kind| kind.weight()).copied().unwrap_or(JobType::Export);
        let region = dice.pick(traits.regions).copied().unwrap_or_default();
        let machine = names::machine(dice);
        let methods = [(Method::Ctl, 0.55), (Method::Govc, 0.2), (Method::Ovftool, 0.15), (Method::Web, 0.1)];
        let formats = ["qcow2", "ova", "vmdk", "raw", "ovf"];
        Job {
            id: names::id(dice),
            name: format!("{}-{machine}", job_type.name()),
            provider,
            region: region.to_owned(),
            job_type,
            vm_path: names::path(dice, provider, region, &machine),
            output_dir: format!("/exports/{machine}"),
            format: dice.pick(&formats).copied().unwrap_or_default().to_owned(),
            method: dice.pick_weighted(&methods, |(_, weight)| *weight).map_or(Method::Ctl, |(method, _)| *method),
            compress: dice.chance(0.4),
            vcenter: (provider == Provider::Vsphere).then(|| names::vcenter(region)),
            status: Status::Pending,
            error: None,
            working: false,
            bytes_total: whole(size),
            rate: 0.0,
            created_ms: now_ms,
            started_ms: None,
            completed_ms: None,
            updated_ms: now_ms,
            manual: false,
            moved: 0.0,
            fate: Fate::Completes,
            connected_at_ms: now_ms,
            stalled_until_ms: now_ms,
            vigour: 1.0,
            streams: 1.0 + (size / (600.0 * GB)).min(3.0),
        }
    }

    /// Bytes transferred.
    #[must_use]
    pub fn bytes_transferred(&self) -> u64 {
        whole(self.moved).min(self.bytes_total)
    }

    /// Percentage of the transferred bytes, 0 to 100.
    #[must_use]
    pub fn percent(&self) -> f64 {
        if self.bytes_total == 0 {
            return if self.status == Status::Completed { 100.0 } else { 0.0 };
        }
        (self.moved / real_bytes(self.bytes_total) * 100.0).clamp(0.0, 100.0)
    }

    /// Remaining time at the current rate; `None` while nothing is transferred.
    #[must_use]
    pub fn eta_seconds(&self) -> Option<f64> {
        (self.working && self.rate > 0.0).then(|| (real_bytes(self.bytes_total) - self.moved).max(0.0) / self.rate)
    }

    /// `connecting` or `exporting`; `None` before the start.
    #[must_use]
    pub fn phase(&self) -> Option<&'static str> {
        self.started_ms?;
        Some(if self.working && self.moved <= 0.0 { "connecting" } else { "exporting" })
    }

    /// Time from start to end, or to `now_ms` while it runs; 0 before the start.
    #[must_use]
    pub fn duration_seconds(&self, now_ms: i64) -> f64 {
        self.started_ms.map_or(0.0, |start| seconds(self.completed_ms.unwrap_or(now_ms) - start).max(0.0))
    }

    /// True if nothing more will happen to it.
    #[must_use]
    pub fn ended(&self) -> bool {
        !self.working && self.status != Status::Pending
    }

    /// Share of the bytes at which it fails or is cancelled; above 1 if it completes.
    pub(super) fn fated_share(&self) -> f64 {
        match self.fate {
            Fate::Completes => f64::INFINITY,
            Fate::Fails(share, _) | Fate::IsCancelled(share) => share,
        }
    }
}
