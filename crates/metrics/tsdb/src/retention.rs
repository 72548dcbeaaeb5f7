//! Retention by age and size, and detection of clock jumps.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, UNIX_EPOCH},
};

use parking_lot::{Mutex, RwLock};
use web_time::Instant;

use crate::{
    disk::{ChunkFile, FileNumber},
    error::FileError,
    head::Head,
    options::{StoreOptions, millis},
    writer::Writer,
};

/// Minimum time between the last write to a file and its removal because of age, so that backfilled history can be
/// seen.
const GRACE: Duration = Duration::from_secs(3_600);

/// If the clock advances by more than this between two checks, it has jumped, ...
const JUMP: Duration = Duration::from_secs(24 * 3_600);
/// ... and for this time nothing is removed because of its age, so that somebody can correct the clock.
const DISTRUST: Duration = Duration::from_secs(3_600);

/// Detects clock jumps. Samples stored after a wrong jump ahead would make all earlier ones look old.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    seen: Option<(Instant, i64)>,
    jumped_at: Option<Instant>,
}

impl Clock {
    /// Whether the current time of the clock can be trusted.
    pub(crate) fn is_trusted(&mut self, now_ms: i64) -> bool {
        let now = Instant::now();
        if let Some((then, then_ms)) = self.seen.replace((now, now_ms))
            && now_ms.saturating_sub(then_ms) > millis(now.duration_since(then)).saturating_add(millis(JUMP))
        {
            let days = now_ms.saturating_sub(then_ms) / millis(JUMP);
            tracing::warn!(days, "the clock jumped ahead; not removing old data for an hour");
            self.jumped_at = Some(now);
        }
        self.jumped_at.is_none_or(|jumped_at| now.duration_since(jumped_at) > DISTRUST)
    }
}

/// What retention removes in one run.
pub(crate) struct Doomed {
    /// Samples older than this are removed.
    pub(crate) cutoff: i64,
    /// Whole files.
    pub(crate) files: BTreeSet<FileNumber>,
    /// Files that stay although old chunks in them are hidden: they were written long enough ago.
    settled: BTreeSet<FileNumber>,
}

impl Doomed {
    /// Picks files that are older than the retention, relative to the latest sample or to now, whichever is earlier: a
    /// clock that jumps ahead removes nothing, nor does one that is not trusted. Then picks the oldest files until the
    /// rest and `other_bytes` fit the size limit.
    pub(crate) fn pick(
        head: &RwLock<Head>,
        options: &StoreOptions,
        clock: (i64, &mut Clock),
        other_bytes: u64,
    ) -> Self {
        let (now_ms, clock) = clock;
        let is_trusted = clock.is_trusted(now_ms);
        let head = head.read();
        // An empty store has nothing old. The clock alone does not decide: old samples that are appended before the
        // removal stay.
        let reference = head.newest.filter(|_| is_trusted).map(|newest| newest.min(now_ms));
        let cutoff = reference.map_or(i64::MIN, |reference| reference.saturating_sub(millis(options.retention)));
        let grace = millis(GRACE.min(options.retention));
        let mut files: Vec<_> = head.files.iter().map(|(number, file)| (file.last, *number, file)).collect();
        files.sort_unstable_by_key(|(last, number, _)| (*last, *number));
        let mut doomed = BTreeSet::new();
        let mut settled = BTreeSet::new();
        let mut kept_bytes = other_bytes + files.iter().map(|(.., file)| file.bytes).sum::<u64>();
        for (last, number, file) in files {
            let too_much = options.max_disk_bytes.is_some_and(|limit| kept_bytes > limit);
            let is_settled = written_before(file, now_ms.saturating_sub(grace));
            if too_much || (last < cutoff && is_settled) {
                doomed.insert(number);
                kept_bytes = kept_bytes.saturating_sub(file.bytes);
            } else if is_settled {
                settled.insert(number);
            }
        }
        Doomed { cutoff, files: doomed, settled }
    }

    /// Removes them first from disk, then from memory, where appends must not interfere. A file that cannot be removed
    /// stays and is reported.
    pub(crate) fn remove(mut self, head: &RwLock<Head>, writer: &Mutex<Writer>) -> Result<usize, FileError> {
        let files = head.read().files.clone();
        let mut failed = None;
        self.files.retain(|number| match files.get(number).map(|file| (file, fs::remove_file(&file.path))) {
            Some((file, Err(source))) if source.kind() != std::io::ErrorKind::NotFound => {
                failed = Some(FileError { action: "remove", path: file.path.clone(), source });
                false
            }
            _ => true,
        });
        let _writer = writer.lock();
        let mut head = head.write();
        if !self.files.is_empty() {
            std::sync::Arc::make_mut(&mut head.files).retain(|number, _| !self.files.contains(number));
        }
        head.remove_runs(|run| match run.place {
            Some(place) if self.files.contains(&place.file) => true,
            Some(place) => run.last < self.cutoff && self.settled.contains(&place.file),
            None => run.last < self.cutoff,
        });
        failed.map_or(Ok(self.files.len()), Err)
    }
}

/// Whether a file was last written before a time. A file without a modification time counts as new.
fn written_before(file: &ChunkFile, time_ms: i64) -> bool {
    let modified = file.file.metadata().and_then(|metadata| metadata.modified()).ok();
    let since_epoch = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since_epoch.is_some_and(|since_epoch| millis(since_epoch) < time_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_store_judges_nothing_by_the_clock_alone() {
        let head = RwLock::new(Head::default());
        for now_ms in [0, 1_795_165_200_000, i64::MAX] {
            let doomed = Doomed::pick(&head, &StoreOptions::default(), (now_ms, &mut Clock::default()), 0);
            assert_eq!(doomed.cutoff, i64::MIN, "what is written before the removal stays");
        }
    }
}
