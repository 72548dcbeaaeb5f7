//! The state that we read from Alertmanagers: their alerts, and what mutes each.

use std::{collections::HashMap, sync::Arc, time::Duration};

use alertmanager::{
    alert::{Alert, Labels},
    silence::Silence,
};
use labels::Fingerprint;
use reqwest::Method;

use super::{
    AlertmanagerClient,
    wire::{Remote, RemoteAlert},
};
use crate::muting::Muting;

/// How long to wait for the first response.
const AWAITED: Duration = Duration::from_secs(30);

/// The last responses.
#[derive(Debug, Default)]
pub(super) struct Readback {
    alerts: HashMap<Fingerprint, Remote>,
    /// By alert name.
    by_name: HashMap<String, Vec<Fingerprint>>,
    silences: Vec<Silence>,
    /// Whether there was a response.
    is_read: bool,
}

impl Readback {
    fn new(alerts: Vec<RemoteAlert>, silences: Vec<Silence>) -> Self {
        let alerts = alerts.into_iter().map(|alert| (alert.fingerprint, Remote::from(alert))).collect();
        let mut readback = Readback { alerts, silences, is_read: true, ..Readback::default() };
        for (fingerprint, remote) in &readback.alerts {
            readback.by_name.entry(remote.alert.name().to_owned()).or_default().push(*fingerprint);
        }
        readback
    }

    /// Whether two reads agree on what mutes alerts.
    fn mutes_as(&self, other: &Readback) -> bool {
        let is_same = |(fingerprint, remote): (_, &Remote)| {
            other.alerts.get(fingerprint).is_some_and(|other| other.status == remote.status)
        };
        self.is_read == other.is_read
            && self.silences == other.silences
            && self.alerts.len() == other.alerts.len()
            && self.alerts.iter().all(is_same)
    }

    /// The alerts in Alertmanager that belong to one of ours. The engine that evaluates a rule adds external labels
    /// when it posts: if there is no alert with exactly our labels, these are all firing ones that have our labels and
    /// more.
    fn named(&self, fingerprint: Fingerprint, labels: &Labels, now_ms: i64) -> Vec<&Remote> {
        if let Some(remote) = self.alerts.get(&fingerprint) {
            return vec![remote];
        }
        let has = |remote: &Remote, (name, value): (&String, &String)| remote.alert.labels.get(name) == Some(value);
        let name = labels.get("alertname").map_or("", String::as_str);
        let namesakes = self.by_name.get(name).into_iter().flatten().filter_map(|one| self.alerts.get(one));
        let fires = namesakes.filter(|remote| !remote.alert.is_resolved(now_ms));
        fires.filter(|remote| labels.iter().all(|label| has(remote, label))).collect()
    }

    /// What mutes an alert. If several alerts of Alertmanager belong to it, it counts as muted only if all of them are.
    fn muting(&self, fingerprint: Fingerprint, labels: &Labels, now_ms: i64) -> Muting {
        let of = |remote: &&Remote| {
            let inhibited_by = remote.status.inhibited_by.iter().filter_map(|text| text.parse().ok()).collect();
            let mut muting = Muting::of(self.silences.iter(), inhibited_by, &remote.alert.labels, now_ms);
            // Trusts Alertmanager for a silence that we could not parse. For the others we know exactly when each
            // starts and ends.
            let is_unread = |id: &&String| !self.silences.iter().any(|silence| silence.id == **id);
            muting.silenced_by.extend(remote.status.silenced_by.iter().filter(is_unread).cloned());
            muting
        };
        let remotes = self.named(fingerprint, labels, now_ms);
        let mut all = remotes.iter().map(of);
        // Alertmanager does not know the alert yet: apply the silences that will match it.
        let Some(first) = all.next() else { return Muting::of(self.silences.iter(), Vec::new(), labels, now_ms) };
        all.fold(first, |one, other| if one.is_empty() || other.is_empty() { Muting::default() } else { one })
    }
}

impl AlertmanagerClient {
    /// Reads the states of alerts, and the silences.
    pub(crate) async fn read_back(&self) {
        let (alerts, silences) = futures_util::future::join(
            self.ask::<Vec<RemoteAlert>>(Method::GET, "api/v2/alerts", None),
            self.silences(),
        )
        .await;
        let alerts = match alerts {
            Ok(alerts) => alerts,
            Err(error) => return tracing::debug!(%error, "cannot read the states of alerts"),
        };
        let silences = silences.inspect_err(|error| tracing::debug!(%error, "cannot read silences")).ok();
        let mut known = self.readback.lock();
        let new = Readback::new(alerts, silences.unwrap_or_else(|| known.silences.clone()));
        let is_same = known.mutes_as(&new);
        *known = new;
        drop(known);
        if !is_same {
            self.muting.note();
        }
    }

    /// Adds a silence that was just created, before the next read.
    pub(crate) fn note_silence(&self, silence: Silence) {
        let mut known = self.readback.lock();
        known.silences.retain(|other| other.id != silence.id);
        known.silences.push(silence);
        drop(known);
        self.muting.note();
        self.stirred.notify_one();
    }

    /// Whether muting is known, or the Alertmanagers have been down for so long that we stop waiting.
    pub(crate) fn knows_muting(&self) -> bool {
        self.readback.lock().is_read || self.begun.elapsed() >= AWAITED
    }

    /// What mutes an alert.
    pub(crate) fn muting(&self, fingerprint: Fingerprint, labels: &Labels, now_ms: i64) -> Muting {
        self.readback.lock().muting(fingerprint, labels, now_ms)
    }

    /// Receivers of an alert, if Alertmanager knows it.
    pub(crate) fn receivers(&self, fingerprint: Fingerprint) -> Option<Vec<String>> {
        self.readback.lock().alerts.get(&fingerprint).map(|known| known.receivers.clone())
    }

    /// An alert that Alertmanager knows.
    pub(crate) fn alert(&self, fingerprint: Fingerprint) -> Option<Arc<Alert>> {
        self.readback.lock().alerts.get(&fingerprint).map(|known| Arc::clone(&known.alert))
    }

    /// Firing alerts that Alertmanager knows, from any source.
    pub(crate) fn alerts(&self, now_ms: i64) -> Vec<Arc<Alert>> {
        let known = self.readback.lock();
        known.alerts.values().map(|known| Arc::clone(&known.alert)).filter(|alert| !alert.is_resolved(now_ms)).collect()
    }

    /// When the next of their silences starts or ends.
    pub(crate) fn next_change(&self, now_ms: i64) -> Option<i64> {
        self.readback.lock().silences.iter().filter_map(|silence| silence.next_change(now_ms)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn silence(matchers: &str) -> Silence {
        Silence {
            id: "s".into(),
            matchers: matchers.parse().unwrap(),
            starts_at_ms: 0,
            ends_at_ms: 5_000,
            created_by: String::new(),
            comment: "c".into(),
            updated_at_ms: 0,
        }
    }

    fn remote(labels: &Labels, inhibited_by: &[&str]) -> RemoteAlert {
        let alert = serde_json::json!({
            "labels": labels, "fingerprint": Fingerprint::of(labels).to_string(), "receivers": [],
            "startsAt": "1970-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z",
            "status": { "state": "active", "silencedBy": [], "inhibitedBy": inhibited_by, "mutedBy": [] },
        });
        serde_json::from_value(alert).unwrap()
    }

    #[test]
    fn a_silence_that_cannot_be_read_mutes_all_the_same() {
        let ours = labels(&[("alertname", "A"), ("host", "a")]);
        let by = |ids: &[&str]| {
            let mut alert = remote(&ours, &[]);
            alert.status.silenced_by = ids.iter().map(|id| (*id).to_owned()).collect();
            alert
        };
        let muting = |ids: &[&str], now_ms| {
            let readback = Readback::new(vec![by(ids)], vec![silence("host=a")]);
            readback.muting(Fingerprint::of(&ours), &ours, now_ms)
        };
        let strange = muting(&["strange"], 6_000);
        assert_eq!((strange.silenced_by, strange.silenced_until_ms), (vec!["strange".to_owned()], None));
        assert_eq!(muting(&["s", "strange"], 1_000).silenced_by, ["s", "strange"]);
        assert!(muting(&["s"], 6_000).is_empty(), "we know that it is over");
        let of = |ids: &[&str]| Readback::new(vec![by(ids)], vec![]);
        assert!(of(&["x"]).mutes_as(&of(&["x"])) && !of(&["x"]).mutes_as(&of(&[])), "viewers get the change");
    }

    #[test]
    fn an_alert_is_muted_by_what_mutes_it_there_under_more_labels() {
        let ours = labels(&[("alertname", "A"), ("host", "a")]);
        let in_eu = labels(&[("alertname", "A"), ("host", "a"), ("cluster", "eu")]);
        let in_us = labels(&[("alertname", "A"), ("host", "a"), ("cluster", "us")]);
        let other = labels(&[("alertname", "A"), ("host", "b"), ("cluster", "us")]);
        let muting = |alerts: Vec<RemoteAlert>, matchers: &str| {
            let readback = Readback::new(alerts, vec![silence(matchers)]);
            readback.muting(Fingerprint::of(&ours), &ours, 1_000)
        };
        let all = || vec![remote(&in_eu, &[]), remote(&other, &[])];
        let muted = muting(all(), "cluster=eu");
        assert_eq!((muted.silenced_by, muted.silenced_until_ms), (vec!["s".to_owned()], Some(5_000)));
        assert!(muting(all(), "cluster=us").is_empty(), "a silence of another alert");
        let both = || vec![remote(&in_eu, &[]), remote(&in_us, &[])];
        assert!(muting(both(), "cluster=eu").is_empty(), "one of two still fires");
        assert!(!muting(both(), "cluster=~\"eu|us\"").is_empty());
        assert!(!muting(vec![], "host=a").is_empty(), "not known there yet");
        let inhibited = muting(vec![remote(&ours, &["00000000000000ff"])], "host=z");
        assert_eq!(inhibited.inhibited_by.len(), 1);
        let readback = Readback::new(all(), vec![silence("cluster=eu")]);
        assert!(readback.muting(Fingerprint::of(&ours), &ours, 5_000).is_empty(), "the silence is over");
    }
}
