//! `/api/v2`: the part of Alertmanager's API that `amtool`, Grafana and Prometheus use.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use access::{Action, Principal};
use alerting::Alerting;
use alertmanager::{
    alert::{ALERT_NAME, Alert, Labels, PostableAlert},
    matcher::{Gathered, MatcherJson, Matchers},
    silence::{Silence, matchers},
};
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use budget::pairs;
use datasource::QueryError;
use jiff::Timestamp;
use labels::Fingerprint;
use model::clock::now_ms;
use notify::{Notifier, SilenceError, time};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    api::{error::ApiError, extract::Body, listed::Listed, silences::audit},
    prometheus::envelope::RETRY_SECS,
};
use crate::http::slices::AlertState;

/// The version of Alertmanager whose API this is. Generated clients require a version; amtool compares major and minor
/// version with its own at each command, warns if they differ, and expects all fields of `versionInfo`.
const LIKE_ALERTMANAGER: &str = "0.25.0";

/// Maximum number of rejected alerts that a response lists.
const MAX_REASONS: usize = 20;

/// An error in Alertmanager's API: a text.
#[derive(Debug)]
pub(super) struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.0, Json(Value::String(self.1))).into_response();
        if matches!(self.0, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, RETRY_SECS);
        }
        response
    }
}

impl From<SilenceError> for Refused {
    fn from(error: SilenceError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Refused(error.status, error.message)
    }
}

impl From<QueryError> for Refused {
    fn from(error: QueryError) -> Self {
        ApiError::from(error).into()
    }
}

fn bad_request(message: impl ToString) -> Refused {
    Refused(StatusCode::BAD_REQUEST, message.to_string())
}

/// Query parameters, some of which may be repeated.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn new(query: Option<String>) -> Result<Self, Refused> {
        let query = query.unwrap_or_default();
        let pairs = pairs::read(query.as_bytes()).map_err(bad_request)?;
        Ok(Parameters(pairs.into_owned().collect()))
    }

    /// The matchers of all `filter` parameters.
    fn filter(&self) -> Result<Matchers, Refused> {
        let mut all = Gathered::default();
        for (_, text) in self.0.iter().filter(|(name, _)| name == "filter") {
            for matcher in text.parse::<Matchers>().map_err(bad_request)?.0 {
                all.push(matcher).map_err(bad_request)?;
            }
        }
        Ok(Matchers(all.finish()))
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.0.iter().rev().find(|(own, _)| own == name).is_none_or(|(_, value)| value != "false")
    }

    fn receiver(&self) -> Result<Option<regex::Regex>, Refused> {
        let Some((_, text)) = self.0.iter().find(|(name, _)| name == "receiver") else { return Ok(None) };
        labels::go_regex::compile(&format!("^(?:{text})$")).map(Some).map_err(bad_request)
    }
}

/// `GET /api/v2/status`
pub(super) async fn status(State(notifier): State<Notifier>) -> Json<Value> {
    Json(json!({
        "cluster": { "status": "disabled", "peers": [] },
        // amtool reads the routes from it. We leave it empty, because it contains secrets.
        "config": { "original": "" },
        "uptime": time(now_ms().saturating_sub(notifier.uptime_ms())),
        "versionInfo": {
            "version": LIKE_ALERTMANAGER,
            "revision": concat!("hyperscope ", env!("CARGO_PKG_VERSION")),
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        },
    }))
}

/// `GET /api/v2/receivers`: all; for a token with matchers only the receivers of alerts that it may see.
pub(super) async fn receivers(State(state): State<AlertState>, principal: Principal) -> Result<Json<Value>, Refused> {
    let mut receivers = state.notifier.receivers();
    if !principal.scope().is_all() {
        let (lists, current) = (state.lists.clone(), state.alerting.current().await);
        let make = move || -> BTreeSet<String> {
            let alerts = state.notifier.alerts().visible_to(principal.scope());
            let seen = alerts.iter();
            seen.flat_map(|alert| state.notifier.status(&alert.labels).receivers).collect()
        };
        let visible = lists.list(Listed::Alerts(&current), make).await?;
        receivers.retain(|name| visible.contains(name));
    }
    Ok(Json(receivers.into_iter().map(|name| json!({ "name": name })).collect()))
}

/// Filter for alerts.
struct Wanted {
    matchers: Matchers,
    receiver: Option<regex::Regex>,
    active: bool,
    silenced: bool,
    inhibited: bool,
}

impl Wanted {
    fn read(parameters: &Parameters) -> Result<Self, Refused> {
        Ok(Wanted {
            matchers: parameters.filter()?,
            receiver: parameters.receiver()?,
            active: parameters.is_wanted("active"),
            silenced: parameters.is_wanted("silenced"),
            inhibited: parameters.is_wanted("inhibited"),
        })
    }

    fn takes(&self, status: &alertmanager::dispatch::Status) -> bool {
        let is_receiver = |regex: &regex::Regex| status.receivers.iter().any(|name| regex.is_match(name));
        (self.silenced || status.silenced_by.is_empty())
            && (self.inhibited || status.inhibited_by.is_empty())
            && (self.active || status.state != "active")
            && self.receiver.as_ref().is_none_or(is_receiver)
    }

    /// The selected alerts in the API's JSON, with their receivers.
    fn shown(&self, state: &AlertState, principal: &Principal) -> Vec<(Value, Arc<Alert>)> {
        let alerts = state.notifier.preview(&self.matchers).visible_to(principal.scope());
        let shown = alerts.into_inner().into_iter().filter_map(|alert| {
            let status = state.notifier.status(&alert.labels);
            self.takes(&status).then(|| (alert_json(&alert, &status), alert))
        });
        shown.collect()
    }
}

fn alert_json(alert: &Alert, status: &alertmanager::dispatch::Status) -> Value {
    let receivers: Vec<Value> = status.receivers.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "fingerprint": alert.fingerprint,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": time(alert.starts_at_ms),
        "endsAt": time(alert.ends_at_ms),
        "updatedAt": time(alert.updated_at_ms),
        "generatorURL": alert.generator_url,
        "receivers": receivers,
        "status": status,
    })
}

/// `GET /api/v2/alerts`
pub(super) async fn alerts(
    State(state): State<AlertState>,
    principal: Principal,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let wanted = Wanted::read(&Parameters::new(query)?)?;
    let (lists, current) = (state.lists.clone(), state.alerting.current().await);
    let make = move || -> Json<Value> {
        let shown = wanted.shown(&state, &principal);
        Json(shown.into_iter().map(|(alert, ..)| alert).collect())
    };
    Ok(lists.answer(Listed::Alerts(&current), make).await?)
}

/// `GET /api/v2/alerts/groups`: alerts by receiver and by the labels that the routes group by.
pub(super) async fn groups(
    State(state): State<AlertState>,
    principal: Principal,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let wanted = Wanted::read(&Parameters::new(query)?)?;
    let (lists, current) = (state.lists.clone(), state.alerting.current().await);
    let make = move || -> Json<Value> {
        let shown = wanted.shown(&state, &principal);
        let by_alert: HashMap<Fingerprint, &Value> =
            shown.iter().map(|(shown, alert)| (alert.fingerprint, shown)).collect();
        let groups = state.notifier.groups_of(shown.iter().map(|(_, alert)| alert)).into_iter().map(|group| {
            let alerts: Vec<&Value> =
                group.alerts.iter().filter_map(|alert| by_alert.get(&alert.fingerprint).copied()).collect();
            json!({
                "labels": group.labels,
                "routeLabels": group.route_labels,
                "receiver": { "name": group.receiver },
                "alerts": alerts,
            })
        });
        Json(groups.collect())
    };
    Ok(lists.answer(Listed::Alerts(&current), make).await?)
}

/// A time as clients send it. Many use the end of the year 9999 for "forever"; it is converted to the last time that we
/// can format.
#[derive(Debug, Clone, Copy)]
struct Given(Timestamp);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(time) => Ok(Given(time)),
            Err(_) if text.starts_with("9999-12-3") => Ok(Given(Timestamp::MAX)),
            Err(error) => Err(serde::de::Error::custom(error)),
        }
    }
}

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

/// A posted silence.
#[derive(Debug, Deserialize)]
pub(super) struct SilencePosted {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<MatcherJson>,
    #[serde(rename = "startsAt")]
    starts_at: Given,
    #[serde(rename = "endsAt")]
    ends_at: Given,
    #[serde(rename = "createdBy", default)]
    created_by: String,
    #[serde(default)]
    comment: String,
}

fn silence_json(silence: &Silence) -> Value {
    json!({
        "id": silence.id,
        "status": { "state": silence.state(now_ms()) },
        "matchers": silence.matchers_json(),
        "startsAt": time(silence.starts_at_ms),
        "endsAt": time(silence.ends_at_ms),
        "updatedAt": time(silence.updated_at_ms),
        "createdBy": silence.created_by,
        "comment": silence.comment,
    })
}

/// `GET /api/v2/silences`
pub(super) async fn silences(State(state): State<AlertState>, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    let filter = Parameters::new(query)?.filter()?;
    let mut silences = state.notifier.silences().await?;
    let count = silences.len();
    let lists = state.lists;
    let make = move || -> Json<Value> {
        // As in Alertmanager, the filter applies to the silence's matchers.
        silences.retain(|silence| {
            let named: Labels =
                silence.matchers.0.iter().map(|matcher| (matcher.name.clone(), matcher.value.clone())).collect();
            filter.matches(&named)
        });
        Json(silences.iter().map(silence_json).collect())
    };
    Ok(lists.answer(Listed::Rules(count), make).await?)
}

/// `GET /api/v2/silence/{id}`
pub(super) async fn silence(State(notifier): State<Notifier>, Path(id): Path<String>) -> Result<Json<Value>, Refused> {
    Ok(Json(silence_json(&notifier.silence(&id).await?)))
}

/// `POST /api/v2/silences`
pub(super) async fn post_silence(
    State(notifier): State<Notifier>,
    principal: Principal,
    posted: Result<Body<SilencePosted>, ApiError>,
) -> Result<Json<Value>, Refused> {
    let Body(posted) = posted?;
    // The token's name is authoritative, whatever `createdBy` says.
    let name = &principal.session.name;
    let created_by = match posted.created_by.as_str() {
        "" => name.clone(),
        own if own == name => name.clone(),
        other => format!("{other} ({name})"),
    };
    let silence = Silence {
        id: posted.id.unwrap_or_default(),
        matchers: matchers(posted.matchers).map_err(bad_request)?,
        starts_at_ms: posted.starts_at.0.as_millisecond(),
        ends_at_ms: posted.ends_at.0.as_millisecond(),
        created_by,
        comment: posted.comment,
        updated_at_ms: 0,
    };
    let silence = notifier.put_silence(silence).await?;
    audit(&principal, Action::CreateSilence, &silence);
    Ok(Json(json!({ "silenceID": silence.id })))
}

/// `DELETE /api/v2/silence/{id}`
pub(super) async fn expire(
    State(notifier): State<Notifier>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    let silence = notifier.expire_silence(&id).await?;
    audit(&principal, Action::ExpireSilence, &silence);
    Ok(StatusCode::OK)
}
