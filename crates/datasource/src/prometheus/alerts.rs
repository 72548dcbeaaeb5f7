//! The alerts of an engine's rules.

use std::time::{Duration, Instant};

use ::labels::Fingerprint;
use model::{
    frame::Labels,
    live::{Alert, AlertList, AlertState},
};
use serde::{Deserialize, de::IgnoredAny};

use super::Prometheus;

/// Lifetime of whether an engine has alerting rules.
const RULES_LAST: Duration = Duration::from_secs(60);

impl Prometheus {
    /// The alerts of the engine's rules.
    pub async fn alerts(&self) -> AlertList {
        match self.ask::<AlertsData>("alerts", &[]).await {
            Ok(envelope) => {
                let mut alerts: Vec<Alert> =
                    envelope.data.map(|data| data.alerts).unwrap_or_default().into_iter().map(Alert::from).collect();
                for alert in &mut alerts {
                    self.name().clone_into(&mut alert.source);
                    if !self.labels.is_empty() {
                        alert.labels = self.labels.series(std::mem::take(&mut alert.labels));
                    }
                }
                alerts.sort_by(Alert::order);
                let without_rules = alerts.is_empty() && self.is_without_rules().await;
                AlertList { alerts, without_rules, ..AlertList::default() }
            }
            Err(error) => AlertList { unavailable: Some(error.message), ..AlertList::default() },
        }
    }

    /// Whether the engine has no alerting rules, so that an empty list of alerts means nothing. Checked once a minute;
    /// false if unknown.
    async fn is_without_rules(&self) -> bool {
        if let Some((asked, is_without)) = *self.without_rules.lock()
            && asked.elapsed() < RULES_LAST
        {
            return is_without;
        }
        let answer = self.ask::<RulesData>("rules", &[("type".to_owned(), "alert".to_owned())]).await;
        let groups = answer.ok().and_then(|envelope| envelope.data).map(|data| data.groups);
        let is_without = groups.is_some_and(|groups| groups.iter().all(|group| group.rules.is_empty()));
        *self.without_rules.lock() = Some((Instant::now(), is_without));
        is_without
    }
}

#[derive(Deserialize)]
struct AlertsData {
    alerts: Vec<PrometheusAlert>,
}

#[derive(Deserialize)]
struct RulesData {
    groups: Vec<RulesOfGroup>,
}

#[derive(Deserialize)]
struct RulesOfGroup {
    #[serde(default)]
    rules: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct PrometheusAlert {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    state: String,
    #[serde(default, rename = "activeAt")]
    active_at: Option<String>,
    #[serde(default)]
    value: String,
}

impl From<PrometheusAlert> for Alert {
    fn from(alert: PrometheusAlert) -> Self {
        let text = |from: &Labels, name: &str| from.get(name).cloned().unwrap_or_default();
        Alert {
            name: text(&alert.labels, "alertname"),
            state: if alert.state == "firing" { AlertState::Firing } else { AlertState::Pending },
            severity: text(&alert.labels, "severity"),
            summary: text(&alert.annotations, "summary"),
            description: text(&alert.annotations, "description"),
            value: alert.value.parse().ok(),
            active_at: alert.active_at.and_then(|at| at.parse::<jiff::Timestamp>().ok()).map(|at| at.as_millisecond()),
            runbook: alert.annotations.get("runbook_url").or_else(|| alert.annotations.get("runbook")).cloned(),
            fingerprint: fingerprint(&alert.labels),
            labels: alert.labels,
            annotations: alert.annotations,
            ..Alert::default()
        }
    }
}

fn fingerprint(labels: &Labels) -> String {
    Fingerprint::of(labels).to_string()
}
