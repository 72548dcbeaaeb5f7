//! The files of rules read again: what changed is replaced, what stays goes on, what is gone is ended, and what is wrong changes nothing.

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

/// How often the files are looked at.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(3);

impl Alerting {
    /// Reads the files, and replaces what changed; the groups that are new. What is wrong keeps the old rules.
    pub async fn reload(&self, is_told: bool) -> Vec<Arc<GroupRunner>> {
        let shared = Arc::clone(&self.0);
        // A group that is replaced may be under evaluation: its lock is waited for here, on a thread that may wait.
        let read = tokio::task::spawn_blocking(move || shared.read_again(is_told)).await;
        match read {
            Ok(Ok(new)) => new,
            Ok(Err(error)) => {
                self.0.refuse(error.to_string());
                Vec::new()
            }
            Err(error) => {
                self.0.refuse(format!("reading the rules broke off: {error}"));
                Vec::new()
            }
        }
    }
}

impl Shared {
    /// Blocks. Reads the files, and replaces what changed; the groups that are new.
    fn read_again(&self, is_told: bool) -> Result<Vec<Arc<GroupRunner>>, FilesError> {
        let texts = files::texts(self.settings.built_in, &self.settings.files)?;
        let mut known = self.texts.lock();
        if texts == *known && !is_told {
            return Ok(Vec::new());
        }
        // The same mistake is told once, not at each look.
        known.clone_from(&texts);
        let new = self.replace(&files::parse(&texts)?);
        *self.trouble.lock() = None;
        self.telemetry.rules().set_reloaded(true);
        tracing::info!(groups = self.groups().len(), new = new.len(), "read the rules");
        Ok(new)
    }

    /// Groups of files, without those that are switched off, and whether they come with the program.
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
                    // The file was checked: this is a fault of ours.
                    Err(error) => tracing::error!(file = file.file, group = placed.value.name, %error, "not evaluated"),
                }
            }
        }
        groups
    }

    /// Replaces the groups that changed; those that are new.
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
                tracing::warn!(%error, group = gone.name, "the series of rules that are gone could not be ended");
            }
        }
        self.publish_list();
        self.rules_replaced.notify_one();
        new
    }

    fn refuse(&self, error: String) {
        let mut trouble = self.trouble.lock();
        if trouble.as_ref() != Some(&error) {
            tracing::error!(error, "the rules were not read again: those from before stay in use");
            *trouble = Some(error);
        }
        self.telemetry.rules().set_reloaded(false);
    }
}

/// SIGHUP, where there is such a thing.
pub(crate) struct Hangups(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

impl Hangups {
    #[cfg(unix)]
    pub(crate) fn new() -> Self {
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        Hangups(signal.inspect_err(|error| tracing::warn!(%error, "SIGHUP will not be heard")).ok())
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
