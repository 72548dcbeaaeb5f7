//! `/api/v2/silences`: silences as `amtool` and Grafana read and write them.

use access::{Action, Principal};
use alertmanager::{
    alert::Labels,
    matcher::MatcherJson,
    silence::{Silence, matchers},
};
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::Response,
};
use model::clock::now_ms;
use notify::{Notifier, time};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Given, Parameters, Refused, bad_request};
use crate::http::{
    api::{error::ApiError, extract::Body, listed::Listed, silences::audit},
    slices::AlertState,
};

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
