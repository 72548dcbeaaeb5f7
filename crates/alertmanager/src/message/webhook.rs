//! Alertmanager's webhook, version 4.

use serde_json::{Value, json};

use super::data::{Data, NO_END, rfc3339};
use crate::{config::Webhook, dispatch::Notification};

pub(super) fn body(webhook: &Webhook, notification: &Notification, data: &Data<'_>) -> Value {
    let most = if webhook.max_alerts == 0 { usize::MAX } else { webhook.max_alerts };
    let alerts: Vec<Value> = notification
        .alerts
        .iter()
        .take(most)
        .map(|(alert, is_resolved)| {
            json!({
                "status": if *is_resolved { "resolved" } else { "firing" },
                "labels": alert.labels,
                "annotations": alert.annotations,
                "startsAt": rfc3339(alert.starts_at_ms),
                "endsAt": if *is_resolved { rfc3339(alert.ends_at_ms) } else { NO_END.to_owned() },
                "generatorURL": alert.generator_url,
                "fingerprint": alert.fingerprint,
            })
        })
        .collect();
    json!({
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.alerts.len().saturating_sub(most),
        "status": data.status,
        "receiver": data.receiver,
        "groupLabels": notification.group_labels,
        "commonLabels": data.common_labels,
        "commonAnnotations": data.common_annotations,
        "routeLabels": data.route_labels,
        "externalURL": data.external_url,
        "notification_reason": notification.reason.words(),
        "alerts": alerts,
    })
}
