//! Health of each Alertmanager: they are sources like the others, shown with the age of the last response.

use std::{sync::Arc, time::Duration};

use model::{
    clock::now_ms,
    upstream::{UpstreamKind, UpstreamStatus},
};
use reqwest::Method;
use serde::Deserialize;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{
    AlertmanagerClient, ClientError,
    member::{FAULTS_OF_ALERTS, Member},
};

/// Interval between health checks.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// Reports the version. Other servers with this API may lack it.
const STATUS: &str = "api/v2/status";
/// Accepts alerts.
const ALERTS: &str = "api/v2/alerts";
/// Shows and deletes a silence.
const SILENCE: &str = "api/v2/silence/";

/// The response of [`STATUS`], as far as we need it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version_info: VersionInfo,
}

#[derive(Debug, Deserialize)]
struct VersionInfo {
    version: String,
}

impl AlertmanagerClient {
    /// Health of each Alertmanager.
    pub(crate) fn statuses(&self) -> Vec<UpstreamStatus> {
        (1..).zip(&self.members).map(|(number, member)| member.status(number)).collect()
    }
}

impl Member {
    /// Checks its health at intervals until `stop` is cancelled.
    pub(super) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(PROBE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = self.probe() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn probe(&self) {
        // `call` has recorded the failure.
        let Ok(answer) = self.call(Method::GET, STATUS, None).await else { return };
        if let Ok(status) = serde_json::from_str::<Status>(&answer) {
            *self.version.lock() = Some(status.version_info.version);
        }
    }

    /// Records what a response says about its health.
    pub(super) fn note(&self, path: &str, answer: &Result<String, ClientError>, took: Duration) {
        let now_ms = now_ms();
        let mut health = self.health.lock();
        match answer {
            Ok(_) => self.note_answer(health.answered(now_ms, Some(took))),
            Err(ClientError::Refused { status: Some(status), .. }) if FAULTS_OF_ALERTS.contains(status) => {
                self.note_answer(health.answered(now_ms, Some(took)));
            }
            // The silence does not exist, or there is no status endpoint: this says nothing about health.
            Err(ClientError::Refused { status: Some(404), .. }) if path != ALERTS => {}
            Err(error @ ClientError::Refused { .. }) => {
                if health.refused(error.reason(), now_ms) {
                    tracing::warn!(url = %self.config.url, error = error.reason(), "the Alertmanager rejects requests");
                }
            }
            // The response for a silence that has already expired.
            Err(ClientError::Unreachable(_)) if path.starts_with(SILENCE) => {}
            Err(error @ ClientError::Unreachable(_)) => {
                if health.failed(error.reason(), now_ms) {
                    tracing::warn!(url = %self.config.url, error = error.reason(), "the Alertmanager does not answer");
                }
            }
        }
    }

    fn note_answer(&self, is_back: bool) {
        if is_back {
            tracing::info!(url = %self.config.url, "the Alertmanager answers again");
        }
    }

    /// The name contains no address, because `/ready` is public.
    fn status(&self, number: usize) -> UpstreamStatus {
        let name = if number == 1 { "alertmanager".to_owned() } else { format!("alertmanager-{number}") };
        let url = &self.config.url;
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let place = format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path().trim_end_matches('/'));
        let detail = match &*self.version.lock() {
            Some(version) => format!("{place}, version {version}"),
            None => place,
        };
        self.health.lock().status(&name, UpstreamKind::Alertmanager, Some(detail))
    }
}
