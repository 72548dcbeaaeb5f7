//! `/api/routes`: lists all routes and who may use them.

use axum::{Json, extract::State};
use model::role::Role;
use serde::Serialize;

use super::{Rights, table};
use crate::state::AppState;

/// The response.
#[derive(Serialize)]
pub(super) struct Listing {
    routes: Vec<Listed>,
}

/// One route.
#[derive(Serialize)]
struct Listed {
    methods: Vec<&'static str>,
    path: &'static str,
    #[serde(flatten)]
    rights: Rights,
    /// Roles whose tokens may use it.
    roles: Vec<&'static str>,
}

/// `GET /api/routes`
pub(super) async fn list(State(state): State<AppState>) -> Json<Listing> {
    let listed = table(&state).into_iter().map(|route| {
        let allows = route.rights.who.allows();
        Listed {
            methods: route.methods.iter().map(|method| method.as_str()).collect(),
            path: route.path,
            rights: route.rights,
            roles: Role::ALL.into_iter().filter(|role| allows(*role)).map(Role::name).collect(),
        }
    });
    Json(Listing { routes: listed.collect() })
}
