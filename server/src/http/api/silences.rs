//! `/api/silences`: silences, and previews of the alerts that one would mute.

use std::sync::Arc;

use access::{Action, Principal};
use alertmanager::{
    alert::Alert,
    matcher::{MatcherJson, Matchers, WrongMatcher},
    silence::{Silence, SilenceState, WrongSilence, matchers},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use model::{clock::now_ms, range::DurationMs};
use notify::SilenceError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    alert_details::alert_json,
    error::ApiError,
    extract::{Body, Parameters},
    listed::Listed,
};
use crate::http::slices::AlertState;

/// Duration of a silence without an end or a duration, in milliseconds.
const DEFAULT_DURATION_MS: i64 = 2 * 3_600_000;
/// Most alerts that a preview lists.
const MAX_PREVIEW: usize = 1_000;

impl From<SilenceError> for ApiError {
    fn from(error: SilenceError) -> Self {
        let message = error.to_string();
        match error {
            SilenceError::Wrong(WrongSilence::Unknown(_)) | SilenceError::NoAlert => ApiError::not_found(message),
            SilenceError::Wrong(_) | SilenceError::TooMany => ApiError::bad_request(message),
            SilenceError::Alertmanager(_) => ApiError::upstream(message),
            SilenceError::Database(_) | SilenceError::Random => {
                ApiError::internal("silences and acknowledgements cannot be stored", message)
            }
        }
    }
}

/// Matchers as text in Alertmanager's syntax, or as its API writes them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum MatchersGiven {
    Text(String),
    List(Vec<MatcherJson>),
}

impl MatchersGiven {
    fn read(self) -> Result<Matchers, ApiError> {
        let read = match self {
            MatchersGiven::Text(text) => text.parse(),
            MatchersGiven::List(list) => matchers(list),
        };
        read.map_err(|error: WrongMatcher| ApiError::bad_request(error.to_string()))
    }
}

/// A request to create or change a silence. Times are milliseconds since the Unix epoch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    matchers: Option<MatchersGiven>,
    starts_at: Option<i64>,
    ends_at: Option<i64>,
    /// Instead of `ends_at`: the duration from the start or, for a silence that has begun, from now.
    duration: Option<String>,
    comment: Option<String>,
}

/// A silence in a response. Times are milliseconds since the Unix epoch.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) state: &'static str,
    matchers: Vec<MatcherJson>,
    /// The matchers in Alertmanager's syntax, in one line.
    pub(crate) text: String,
    pub(crate) starts_at: i64,
    pub(crate) ends_at: i64,
    pub(crate) created_by: String,
    pub(crate) comment: String,
    updated_at: i64,
    /// Number of firing alerts that it matches.
    pub(crate) alerts: usize,
}

impl Wanted {
    /// A new silence that begins now.
    pub(crate) fn new(matchers: String, duration: String, comment: String) -> Self {
        Wanted {
            matchers: Some(MatchersGiven::Text(matchers)),
            starts_at: None,
            ends_at: None,
            duration: Some(duration),
            comment: Some(comment),
        }
    }

    /// A new end of an existing silence.
    pub(crate) fn until(ends_at: i64) -> Self {
        Wanted { matchers: None, starts_at: None, ends_at: Some(ends_at), duration: None, comment: None }
    }
}

fn shown(silence: &Silence, firing: &[Arc<Alert>]) -> Shown {
    let now_ms = now_ms();
    Shown {
        id: silence.id.clone(),
        state: silence.state(now_ms).name(),
        matchers: silence.matchers_json(),
        text: silence.matchers.to_string(),
        starts_at: silence.starts_at_ms,
        ends_at: silence.ends_at_ms,
        created_by: silence.created_by.clone(),
        comment: silence.comment.clone(),
        updated_at: silence.updated_at_ms,
        alerts: firing.iter().filter(|alert| silence.matchers.matches(&alert.labels)).count(),
    }
}

/// All silences: the active ones first, then the pending, then the expired.
pub(crate) async fn listed(state: &AlertState) -> Result<Vec<Shown>, ApiError> {
    let silences = state.notifier.silences().await?;
    let current = state.alerting.current().await;
    let notifier = state.notifier.clone();
    let shown = state.lists.list(Listed::RulesWithAlerts(silences.len(), &current), move || {
        // Only callers who may see all alerts may list silences.
        let firing = notifier.alerts().for_all();
        let mut shown: Vec<Shown> = silences.iter().map(|silence| shown(silence, &firing)).collect();
        shown.sort_by_key(|silence| match silence.state {
            "active" => (0, silence.ends_at),
            "pending" => (1, silence.starts_at),
            _ => (2, silence.ends_at.saturating_neg()),
        });
        shown
    });
    Ok(shown.await?)
}

/// Filters of the list.
#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    /// `active`, `pending` or `expired`, separated by commas.
    state: Option<String>,
}

/// The states in a list that is separated by commas.
fn states_in(words: &str) -> Result<Vec<SilenceState>, ApiError> {
    let state_of = |word: &str| SilenceState::ALL.into_iter().find(|state| state.name() == word);
    words
        .split(',')
        .map(|word| {
            let unknown = || ApiError::bad_request(format!("state {word:?} is none: use active, pending or expired"));
            state_of(word).ok_or_else(unknown)
        })
        .collect()
}

/// `GET /api/silences`
pub(super) async fn list(
    State(state): State<AlertState>,
    Parameters(filter): Parameters<Filter>,
) -> Result<Json<Value>, ApiError> {
    let states: Option<Vec<SilenceState>> = filter.state.as_deref().map(states_in).transpose()?;
    let mut silences = listed(&state).await?;
    if let Some(states) = states {
        silences.retain(|silence| states.iter().any(|state| state.name() == silence.state));
    }
    Ok(Json(json!({ "silences": silences })))
}

/// `GET /api/silences/{id}`
pub(super) async fn one(State(state): State<AlertState>, Path(id): Path<String>) -> Result<Json<Shown>, ApiError> {
    let silence = state.notifier.silence(&id).await?;
    let current = state.alerting.current().await;
    let notifier = state.notifier;
    let shown = state.lists.list(Listed::Alerts(&current), move || shown(&silence, &notifier.alerts().for_all()));
    Ok(Json(shown.await?))
}

fn end(wanted: &Wanted, from_ms: i64) -> Result<Option<i64>, ApiError> {
    match (&wanted.duration, wanted.ends_at) {
        (Some(_), Some(_)) => Err(ApiError::bad_request("give ends_at or duration, not both")),
        (Some(duration), None) => {
            let DurationMs(length_ms) =
                duration.parse().map_err(|error: model::range::RangeError| ApiError::bad_request(error.to_string()))?;
            Ok(Some(from_ms.saturating_add(length_ms)))
        }
        (None, ends_at) => Ok(ends_at),
    }
}

/// `POST /api/silences`
pub(super) async fn create(
    State(state): State<AlertState>,
    principal: Principal,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let silence = put_new(&state, &principal, wanted).await?;
    Ok((StatusCode::CREATED, written(state, silence).await?))
}

/// Creates a silence.
pub(crate) async fn put_new(state: &AlertState, principal: &Principal, wanted: Wanted) -> Result<Silence, ApiError> {
    let starts_at_ms = wanted.starts_at.unwrap_or(0).max(now_ms());
    let ends_at_ms = end(&wanted, starts_at_ms)?.unwrap_or(starts_at_ms.saturating_add(DEFAULT_DURATION_MS));
    let given = wanted.matchers.ok_or_else(|| ApiError::bad_request("a silence needs matchers"))?;
    let silence = Silence {
        id: String::new(),
        matchers: given.read()?,
        starts_at_ms,
        ends_at_ms,
        created_by: principal.session.name.clone(),
        comment: wanted.comment.unwrap_or_default(),
        updated_at_ms: 0,
    };
    let silence = state.notifier.put_silence(silence).await?;
    audit(principal, Action::CreateSilence, &silence);
    Ok(silence)
}

/// `PATCH /api/silences/{id}`: another end, or another comment.
pub(super) async fn change(
    State(state): State<AlertState>,
    principal: Principal,
    Path(id): Path<String>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Shown>, ApiError> {
    let silence = put_change(&state, &principal, &id, wanted).await?;
    written(state, silence).await
}

/// Changes the end or the comment of a silence.
pub(crate) async fn put_change(
    state: &AlertState,
    principal: &Principal,
    id: &str,
    wanted: Wanted,
) -> Result<Silence, ApiError> {
    if wanted.matchers.is_some() || wanted.starts_at.is_some() {
        return Err(ApiError::bad_request("only the end and the comment can be changed: make another silence"));
    }
    let mut silence = state.notifier.silence(id).await?;
    let ends_at_ms = end(&wanted, silence.starts_at_ms.max(now_ms()))?;
    silence.ends_at_ms = ends_at_ms.unwrap_or(silence.ends_at_ms);
    silence.comment = wanted.comment.unwrap_or(silence.comment);
    let silence = state.notifier.put_silence(silence).await?;
    audit(principal, Action::ChangeSilence, &silence);
    Ok(silence)
}

/// `DELETE /api/silences/{id}`: ends it now.
pub(super) async fn expire(
    State(state): State<AlertState>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Shown>, ApiError> {
    let silence = expire_one(&state, &principal, &id).await?;
    written(state, silence).await
}

/// Ends a silence.
pub(crate) async fn expire_one(state: &AlertState, principal: &Principal, id: &str) -> Result<Silence, ApiError> {
    let silence = state.notifier.expire_silence(id).await?;
    audit(principal, Action::ExpireSilence, &silence);
    Ok(silence)
}

/// The response for a silence that was just stored, with the number of alerts that it mutes. It is not a scheduled read, which could be refused although
/// the silence is stored.
async fn written(state: AlertState, silence: Silence) -> Result<Json<Shown>, ApiError> {
    let shown = tokio::task::spawn_blocking(move || shown(&silence, &state.notifier.alerts().for_all()));
    shown.await.map(Json).map_err(|error| ApiError::internal("the silence is stored and cannot be shown", error))
}

/// Writes a change of a silence into the audit log.
pub(crate) fn audit(principal: &Principal, action: Action, silence: &Silence) {
    let ends = jiff::Timestamp::from_millisecond(silence.ends_at_ms).map(|at| at.to_string()).unwrap_or_default();
    principal.actor().did(action, &silence.id, &format!("{} until {ends}", silence.matchers));
}

/// Parameters of `GET /api/silences/preview`.
#[derive(Debug, Deserialize)]
pub(super) struct PreviewOf {
    matchers: String,
}

/// `GET /api/silences/preview?matchers=`: the firing alerts that a silence would mute.
pub(super) async fn preview(
    State(state): State<AlertState>,
    principal: Principal,
    Parameters(of): Parameters<PreviewOf>,
) -> Result<Response, ApiError> {
    let matchers = MatchersGiven::Text(of.matchers).read()?;
    let (lists, current) = (state.lists.clone(), state.alerting.current().await);
    let make = move || {
        let alerts = state.notifier.preview(&matchers).visible_to(principal.scope());
        let total = alerts.len();
        let alerts: Vec<Value> = alerts.iter().take(MAX_PREVIEW).map(|alert| alert_json(&state, alert)).collect();
        Json(json!({ "matchers": matchers.to_string(), "total": total, "alerts": alerts }))
    };
    Ok(lists.answer(Listed::Alerts(&current), make).await?)
}
