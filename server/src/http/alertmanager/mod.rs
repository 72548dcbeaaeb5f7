//! `/api/v2`: the part of Alertmanager's API that `amtool`, Grafana and Prometheus use.

mod alerts;
mod posted_alerts;
mod silences;

use std::collections::BTreeSet;

use access::Principal;
use alertmanager::matcher::{Gathered, Matchers};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use budget::pairs;
use datasource::QueryError;
use jiff::Timestamp;
use model::clock::now_ms;
use notify::{Notifier, SilenceError, time};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Rights, Route, Who,
    answers::with_retry_after,
    api::{ABOUT, ACTS_ON_ALL, error::ApiError, listed::Listed},
};
use crate::{http::slices::AlertState, state::AppState};

/// The version of Alertmanager whose API this is. Generated clients require a version; amtool compares major and minor
/// version with its own at each command, warns if they differ, and expects all fields of `versionInfo`.
const LIKE_ALERTMANAGER: &str = "0.25.0";

/// The routes under `/api/v2`.
pub(super) fn routes() -> Vec<Route<AppState>> {
    vec![
        Route::get("/api/v2/status", ABOUT, status),
        Route::get("/api/v2/receivers", Rights::LISTS, receivers),
        Route::get("/api/v2/alerts", Rights::LISTS, alerts::alerts),
        Route::post("/api/v2/alerts", Rights::LISTS.of(Who::AlertSenders), posted_alerts::post_alerts),
        Route::get("/api/v2/alerts/groups", Rights::LISTS, alerts::groups),
        Route::get("/api/v2/silences", Rights::OF_ALL, silences::silences),
        Route::post("/api/v2/silences", ACTS_ON_ALL, silences::post_silence),
        Route::get("/api/v2/silence/{id}", Rights::OF_ALL, silences::silence),
        Route::delete("/api/v2/silence/{id}", ACTS_ON_ALL, silences::expire),
    ]
}

/// An error in Alertmanager's API: a text.
#[derive(Debug)]
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        with_retry_after((self.0, Json(Value::String(self.1))).into_response())
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
async fn status(State(notifier): State<Notifier>) -> Json<Value> {
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
async fn receivers(State(state): State<AlertState>, principal: Principal) -> Result<Json<Value>, Refused> {
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
