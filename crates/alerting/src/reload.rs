//! Reloads rule files: changed groups are replaced, unchanged ones go on, removed ones end. An invalid file changes
//! nothing.

use std::{collections::HashMap, sync::Arc, time::Duration};

use model::clock::now_ms;
use rules::Group;
use tokio_util::sync::CancellationToken;

use crate::{
    Alerting, Shared,
    group_runner::GroupRunner,
    rule_files as files,
    rule_files::{FilesError, Loaded},
};

/// Interval between checks of the files.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(3);

impl Alerting {
    /// Loads the files and replaces what changed; returns the new groups. If a file is invalid, the old rules stay.
    pub async fn reload(&self, is_requested: bool) -> Vec<Arc<GroupRunner>> {
        let shared = Arc::clone(&self.0);
        // Waits for the lock of a group under evaluation, so it runs on a blocking thread.
        let read = tokio::task::spawn_blocking(move || shared.read_again(is_requested)).await;
        match read {
            Ok(Ok(new)) => new,
            Ok(Err(error)) => {
                self.0.refuse(error.to_string());
                Vec::new()
            }
            Err(error) => {
                self.0.refuse(format!("the task that reads the rules failed: {error}"));
                Vec::new()
            }
        }
    }
}

impl Shared {
    /// Blocks. Loads the files and replaces what changed; returns the new groups.
    fn read_again(&self, is_requested: bool) -> Result<Vec<Arc<GroupRunner>>, FilesError> {
        let texts = files::texts(self.settings.built_in, &self.settings.files)?;
        let mut known = self.texts.lock();
        if texts == *known && !is_requested {
            return Ok(Vec::new());
        }
        // The same error is reported once, not at each check.
        known.clone_from(&texts);
        let new = self.replace(&files::parse(&texts)?);
        *self.trouble.lock() = None;
        self.telemetry.rules().set_reloaded(true);
        tracing::info!(groups = self.groups().len(), new = new.len(), "read the rules");
        Ok(new)
    }

    /// Groups of files, except disabled ones, each with whether it is built in.
    pub(crate) fn groups_of(&self, loaded: &[Loaded], is_restored: bool) -> Vec<(Group, bool)> {
        let interval_ms = i64::try_from(self.settings.interval.as_millis()).unwrap_or(i64::MAX);
        let mut groups = Vec::new();
        for file in loaded {
            for placed in &file.rules.groups {
                if self.settings.off.contains(&placed.value.name) {
                    continue;
                }
                match Group::new(&file.file, &placed.value, interval_ms, is_restored) {
                    Ok(group) => groups.push((group, file.is_built_in)),
                    // The file was checked, so this is a bug.
                    Err(error) => tracing::error!(file = file.file, group = placed.value.name, %error, "not evaluated"),
                }
            }
        }
        groups
    }

    /// Replaces the groups that changed; returns the new ones.
    fn replace(&self, loaded: &[Loaded]) -> Vec<Arc<GroupRunner>> {
        let mut old: HashMap<(String, String), Arc<GroupRunner>> =
            self.groups().into_iter().map(|group| ((group.file.clone(), group.name.clone()), group)).collect();
        let mut all = Vec::new();
        let mut new = Vec::new();
        for (mut group, is_built_in) in self.groups_of(loaded, true) {
            match old.remove(&(group.file.clone(), group.name.clone())) {
                Some(running) if running.is_same(&group) => all.push(running),
                before => {
                    if let Some(before) = before {
                        group.take_state(before.retire());
                    }
                    let running = Arc::new(GroupRunner::new(group, is_built_in, true, CancellationToken::new()));
                    new.push(Arc::clone(&running));
                    all.push(running);
                }
            }
        }
        *self.groups.write() = all;
        self.latest.is_outdated();
        for gone in old.into_values() {
            let ends = gone.retire().ends(now_ms());
            if let Err(error) = rules::Sink::append(&self.here, &ends) {
                tracing::warn!(%error, group = gone.name, "cannot write stale markers for removed rules");
            }
        }
        self.publish_list();
        self.rules_replaced.notify_one();
        new
    }

    fn refuse(&self, error: String) {
        let mut trouble = self.trouble.lock();
        if trouble.as_ref() != Some(&error) {
            tracing::error!(error, "invalid rules; keeping the previous ones");
            *trouble = Some(error);
        }
        self.telemetry.rules().set_reloaded(false);
    }
}

/// SIGHUP, where the platform has it.
pub(crate) struct Hangups(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

impl Hangups {
    #[cfg(unix)]
    pub(crate) fn new() -> Self {
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        Hangups(signal.inspect_err(|error| tracing::warn!(%error, "cannot listen for SIGHUP")).ok())
    }

    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        let heard = match &mut self.0 {
            Some(signal) => signal.recv().await.is_some(),
            None => false,
        };
        if !heard {
            std::future::pending().await
        }
    }

    #[cfg(not(unix))]
    pub fn new() -> Self {
        Hangups()
    }

    #[cfg(not(unix))]
    pub async fn next(&mut self) {
        std::future::pending().await
    }
}
