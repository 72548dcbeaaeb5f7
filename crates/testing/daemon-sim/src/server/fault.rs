//! Faults on request.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::UnknownName;

/// Maximum size of the message of `huge_frame`.
const HUGE_LIMIT: usize = 256 << 20;
/// Its default size.
const HUGE_USUAL: usize = 16 << 20;
/// Default delay of `slow`.
const SLOW_USUAL: Duration = Duration::from_millis(3_000);

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Closes open sockets.
    DropSocket,
    /// Sockets stay open but send nothing.
    Silence,
    /// Sends a message that is not JSON.
    Garbage,
    /// Sends one very large message.
    HugeFrame,
    /// Answers 500.
    #[serde(rename = "http_500")]
    Http500,
    /// Answers with a web page.
    Html,
    /// Sends only the first half of each answer.
    HalfJson,
    /// Deletes all state, closes sockets and refuses connections.
    Restart,
    /// Delays answers.
    Slow,
    /// Rejects new sockets.
    RefuseUpgrade,
}

impl FaultKind {
    const ALL: [FaultKind; 10] = [
        FaultKind::DropSocket,
        FaultKind::Silence,
        FaultKind::Garbage,
        FaultKind::HugeFrame,
        FaultKind::Http500,
        FaultKind::Html,
        FaultKind::HalfJson,
        FaultKind::Restart,
        FaultKind::Slow,
        FaultKind::RefuseUpgrade,
    ];

    /// Its name in requests and options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::DropSocket => "drop_socket",
            FaultKind::Silence => "silence",
            FaultKind::Garbage => "garbage",
            FaultKind::HugeFrame => "huge_frame",
            FaultKind::Http500 => "http_500",
            FaultKind::Html => "html",
            FaultKind::HalfJson => "half_json",
            FaultKind::Restart => "restart",
            FaultKind::Slow => "slow",
            FaultKind::RefuseUpgrade => "refuse_upgrade",
        }
    }

    /// Whether the fault happens once if no duration is given; the others last until they are ended.
    fn is_momentary(self) -> bool {
        matches!(self, FaultKind::DropSocket | FaultKind::Garbage | FaultKind::HugeFrame | FaultKind::Restart)
    }
}

/// A requested fault.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its kind.
    pub kind: FaultKind,
    /// Its duration; 0 means once, or until ended.
    #[serde(default)]
    pub seconds: f64,
    /// Size of a `huge_frame`: 16 MiB by default, at most 256 MiB.
    #[serde(default)]
    pub bytes: Option<usize>,
    /// Delay of `slow`, 3000 by default.
    #[serde(default)]
    pub delay_ms: Option<u64>,
}

impl Fault {
    /// A fault of this kind with default details; `seconds` 0 means once, or until ended.
    #[must_use]
    pub fn new(kind: FaultKind, seconds: f64) -> Self {
        Fault { kind, seconds, bytes: None, delay_ms: None }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.unwrap_or(HUGE_USUAL).min(HUGE_LIMIT)
    }
}

/// `kind` or `kind:seconds`, as on the command line.
impl FromStr for Fault {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let unknown = || UnknownName {
            what: "fault",
            given: text.to_owned(),
            known: "drop_socket, silence, garbage, huge_frame, http_500, html, half_json, restart, slow, refuse_upgrade, each with or without :SECONDS",
        };
        let (name, seconds) = text.split_once(':').unwrap_or((text, "0"));
        let kind = FaultKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(unknown)?;
        let seconds = seconds.parse::<f64>().ok().filter(|s| s.is_finite() && *s >= 0.0).ok_or_else(unknown)?;
        Ok(Fault::new(kind, seconds))
    }
}

/// The active faults and their ends.
#[derive(Debug)]
pub(super) struct FaultBoard {
    on: Mutex<Vec<On>>,
}

#[derive(Debug, Clone, Copy)]
struct On {
    fault: Fault,
    /// `None`: until ended.
    until: Option<Instant>,
}

impl FaultBoard {
    pub(super) fn new(faults: &[Fault]) -> Self {
        let board = FaultBoard { on: Mutex::new(Vec::new()) };
        for fault in faults {
            board.set(*fault);
        }
        board
    }

    pub(super) fn set(&self, fault: Fault) {
        let seconds = Duration::try_from_secs_f64(fault.seconds).unwrap_or(Duration::ZERO);
        let until = (!seconds.is_zero()).then(|| Instant::now() + seconds.min(Duration::from_secs(86_400)));
        let mut on = self.lock();
        on.retain(|other| other.fault.kind != fault.kind);
        if until.is_some() || !fault.kind.is_momentary() {
            on.push(On { fault, until });
        }
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn is_on(&self, kind: FaultKind) -> bool {
        self.find(kind).is_some()
    }

    /// The current delay of answers.
    pub(super) fn delay(&self) -> Option<Duration> {
        self.find(FaultKind::Slow).map(|fault| fault.delay_ms.map_or(SLOW_USUAL, Duration::from_millis))
    }

    /// Names of the active faults.
    pub(super) fn names(&self) -> Vec<&'static str> {
        FaultKind::ALL.into_iter().filter(|kind| self.is_on(*kind)).map(FaultKind::name).collect()
    }

    fn find(&self, kind: FaultKind) -> Option<Fault> {
        let now = Instant::now();
        self.lock()
            .iter()
            .find(|on| on.fault.kind == kind && on.until.is_none_or(|until| now < until))
            .map(|on| on.fault)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<On>> {
        self.on.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn faults_last_as_long_as_asked() {
        let board =
            FaultBoard::new(&["http_500:5".parse().unwrap(), "silence".parse().unwrap(), "garbage".parse().unwrap()]);
        assert_eq!(board.names(), ["silence", "http_500"]);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(board.names(), ["silence"]);
        board.set(Fault { delay_ms: Some(20), ..Fault::new(FaultKind::Slow, 1.0) });
        assert_eq!(board.delay(), Some(Duration::from_millis(20)));
        board.clear();
        assert!(board.names().is_empty());
    }

    #[test]
    fn unknown_faults_are_named() {
        let error = "slw:3".parse::<Fault>().unwrap_err().to_string();
        assert!(error.contains("\"slw:3\"") && error.contains("slow"), "{error}");
        assert!("slow:-1".parse::<Fault>().is_err());
    }
}
