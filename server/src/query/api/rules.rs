//! Alerts and rules.

use axum::extract::State;

use super::Answer;
use crate::{
    auth::Principal,
    query::{Backend, Reads, envelope::success, params::Params, within},
    state::AppState,
};

pub(super) async fn alerts(State(state): State<AppState>, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    match &state.backend {
        Backend::Embedded(_) => Ok(success(&serde_json::json!({ "alerts": [] }))),
        Backend::Prometheus(engine) => {
            let request = scope.request("alerts", Reads::Nothing, &params)?;
            if scope.is_all() {
                return Ok(engine.pass_on(&request).await);
            }
            let mut data = engine.json(&request).await?;
            within::alerts(&mut data, scope);
            Ok(success(&data))
        }
    }
}

pub(super) async fn rules(State(state): State<AppState>, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    match &state.backend {
        Backend::Embedded(_) => Ok(success(&serde_json::json!({ "groups": [] }))),
        Backend::Prometheus(engine) => {
            let request = scope.request("rules", Reads::Nothing, &params)?;
            if scope.is_all() {
                return Ok(engine.pass_on(&request).await);
            }
            let mut data = engine.json(&request).await?;
            within::rules(&mut data, scope);
            Ok(success(&data))
        }
    }
}
