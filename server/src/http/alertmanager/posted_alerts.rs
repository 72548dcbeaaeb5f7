//! `POST /api/v2/alerts`: alerts of other engines.

use access::Principal;
use alerting::Alerting;
use alertmanager::alert::{ALERT_NAME, Alert, Labels, PostableAlert};
use axum::{extract::State, http::StatusCode};
use model::clock::now_ms;
use notify::Notifier;
use serde::Deserialize;
use serde_json::Value;

use super::{Given, Refused};
use crate::http::api::{error::ApiError, extract::Body};

/// Maximum number of rejected alerts that a response lists.
const MAX_REASONS: usize = 20;

/// A posted alert.
#[derive(Debug, Deserialize)]
pub(super) struct AlertPosted {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(rename = "startsAt", default)]
    starts_at: Option<Given>,
    #[serde(rename = "endsAt", default)]
    ends_at: Option<Given>,
    #[serde(rename = "generatorURL", default)]
    generator_url: String,
}

/// `POST /api/v2/alerts`: a Prometheus can use this server as its Alertmanager. Accepted alerts are stored before the
/// response. As in Alertmanager, the valid alerts of a batch are accepted even if others are invalid; the response
/// lists the rejected ones.
pub(super) async fn post_alerts(
    State(alerting): State<Alerting>,
    State(notifier): State<Notifier>,
    principal: Principal,
    posted: Result<Body<Vec<Value>>, ApiError>,
) -> Result<StatusCode, Refused> {
    let Body(posted) = posted?;
    let now_ms = now_ms();
    let count = posted.len();
    let mut alerts = Vec::with_capacity(count);
    let mut refused = RefusedAlerts::default();
    for (position, given) in posted.into_iter().enumerate() {
        match read_alert(&given, &principal, now_ms) {
            Ok(alert) => alerts.push(alert),
            Err(error) => refused.add(position, &given, error),
        }
    }
    for (labels, reason) in &refused.invalid {
        notifier.refuse(labels, reason, now_ms);
    }
    alerting.take_posted(&alerts);
    notifier.keep(alerts).await.map_err(|error| Refused(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    refused.answer(count)
}

/// Why one alert of a batch is rejected.
enum WrongPost {
    /// It is invalid.
    Invalid(String),
    /// It does not match the token's matchers.
    Forbidden,
}

/// Parses one alert of a batch.
fn read_alert(given: &Value, principal: &Principal, now_ms: i64) -> Result<PostableAlert, WrongPost> {
    let alert = AlertPosted::deserialize(given).map_err(|error| WrongPost::Invalid(error.to_string()))?;
    // Go's zero time means unset.
    let ms = |time: Option<Given>| time.map(|Given(time)| time.as_millisecond()).filter(|ms| *ms > 0);
    let alert = PostableAlert {
        labels: alert.labels,
        annotations: alert.annotations,
        starts_at_ms: ms(alert.starts_at),
        ends_at_ms: ms(alert.ends_at),
        generator_url: alert.generator_url,
        value: None,
    };
    let checked =
        Alert::from_posted(alert.clone(), now_ms, 0).map_err(|error| WrongPost::Invalid(error.to_string()))?;
    // An alert without a start time starts now; list and notifier must use the same time.
    let alert = PostableAlert { starts_at_ms: Some(checked.starts_at_ms), ..alert };
    if access::is_visible(principal.scope(), &checked) { Ok(alert) } else { Err(WrongPost::Forbidden) }
}

/// The rejected alerts of a batch.
#[derive(Default)]
struct RefusedAlerts {
    /// Index, name and reason of each, for the response.
    shown: Vec<String>,
    count: usize,
    /// The invalid ones, with the reason.
    invalid: Vec<(Labels, String)>,
}

impl RefusedAlerts {
    fn add(&mut self, position: usize, given: &Value, error: WrongPost) {
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let labels: Labels =
            given.get("labels").and_then(Value::as_object).into_iter().flatten().filter_map(text).collect();
        let name = labels.get(ALERT_NAME).map_or("", String::as_str);
        let reason = match &error {
            WrongPost::Invalid(reason) => reason,
            WrongPost::Forbidden => "this token's matchers do not match it",
        };
        self.count += 1;
        if self.shown.len() < MAX_REASONS {
            self.shown.push(format!("alerts[{position}] {name:?}: {reason}"));
        }
        if let WrongPost::Invalid(reason) = error {
            self.invalid.push((labels, reason));
        }
    }

    /// The response for a batch of `count` alerts; the alerts that are not in `self` were accepted.
    fn answer(self, count: usize) -> Result<StatusCode, Refused> {
        if self.count == 0 {
            return Ok(StatusCode::OK);
        }
        let status = if self.invalid.is_empty() { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
        let more = match self.count - self.shown.len() {
            0 => String::new(),
            more => format!("; {more} more"),
        };
        let (refused, reasons) = (self.count, self.shown.join("; "));
        let message = format!("{refused} of {count} alerts refused, the others are taken: {reasons}{more}");
        Err(Refused(status, message))
    }
}
