//! Submitting and cancelling jobs.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    super::{
        respond::{body_error, json_ok},
        shared::Shared,
    },
    jobs::{Body, read_request},
};
use crate::{
    go_format::salt,
    world::{Method, Provider, Submission, Vcenter, World},
};

/// Body of a cancel request.
#[derive(Debug, Deserialize)]
pub(in crate::server) struct JobIds {
    #[serde(default)]
    pub(in crate::server) job_ids: Vec<String>,
}

/// The fields of a job definition that are read; the others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Definition {
    id: Option<String>,
    name: Option<String>,
    vm_path: Option<String>,
    output_dir: Option<String>,
    format: Option<String>,
    export_method: Option<String>,
    method: Option<String>,
    vcenter: Option<Access>,
    provider: Option<String>,
    region: Option<String>,
    job_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Access {
    server: String,
    username: String,
    password: String,
    insecure: bool,
}

impl Definition {
    fn submission(self) -> Submission {
        let non_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
        let method = non_empty(self.export_method).or_else(|| non_empty(self.method));
        Submission {
            id: non_empty(self.id),
            name: non_empty(self.name).or_else(|| non_empty(self.vm_path.clone())),
            provider: self.provider.as_deref().and_then(Provider::from_name),
            region: non_empty(self.region),
            job_type: self.job_type.as_deref().and_then(crate::world::JobType::from_name),
            vm_path: Some(self.vm_path.unwrap_or_default()),
            output_dir: Some(self.output_dir.unwrap_or_default()),
            format: Some(non_empty(self.format).unwrap_or_else(|| "ovf".to_owned())),
            method: method.as_deref().and_then(Method::from_name),
            vcenter: self.vcenter.map(|access| Vcenter {
                server: access.server,
                username: access.username,
                password: access.password,
                insecure: access.insecure,
            }),
            ..Submission::default()
        }
    }
}

/// Parses the body of a submission: one definition with `vm_path`, `{"jobs": [...]}`, or a list; JSON or YAML by the
/// content type.
pub(in crate::server) fn parse_submission(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Submission>, String> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let json = || serde_json::from_slice::<Value>(body).ok().and_then(definitions);
    let yaml = || {
        let text = std::str::from_utf8(body).ok()?;
        serde_saphyr::from_str::<Value>(text).ok().and_then(definitions)
    };
    let (found, form) = match kind {
        "application/json" => (json(), "JSON"),
        "application/x-yaml" | "text/yaml" => (yaml(), "YAML"),
        _ => (json().or_else(yaml), "JSON or YAML"),
    };
    found.ok_or_else(|| format!("failed to parse jobs: invalid {form} format"))
}

fn definitions(body: Value) -> Option<Vec<Submission>> {
    let list = match body {
        Value::Array(list) => list,
        Value::Object(mut object) => match object.remove("jobs") {
            Some(Value::Array(list)) => list,
            Some(_) => return None,
            None if object.contains_key("vm_path") => vec![Value::Object(object)],
            None => return None,
        },
        _ => return None,
    };
    list.into_iter().map(|item| serde_json::from_value::<Definition>(item).ok().map(Definition::submission)).collect()
}

/// Submits all jobs; returns the response without its timestamp.
pub(in crate::server) fn submit_all(world: &mut World, submissions: Vec<Submission>) -> Map<String, Value> {
    let (mut accepted, mut errors) = (Vec::new(), Vec::new());
    for submission in submissions {
        match world.submit(submission) {
            Ok(id) => accepted.push(id),
            Err(error) => errors.push(error.to_string()),
        }
    }
    let mut body = Map::new();
    body.insert("accepted".to_owned(), json!(accepted.len()));
    body.insert("rejected".to_owned(), json!(errors.len()));
    body.insert("job_ids".to_owned(), json!(accepted));
    if !errors.is_empty() {
        body.insert("errors".to_owned(), json!(errors));
    }
    body
}

/// Cancels all jobs; returns the response without its timestamp.
pub(in crate::server) fn cancel_all(world: &mut World, ids: &[String]) -> Map<String, Value> {
    let (mut cancelled, mut failed, mut errors) = (Vec::new(), Vec::new(), Map::new());
    for id in ids {
        match world.cancel(id) {
            Ok(()) => cancelled.push(id),
            Err(error) => {
                failed.push(id);
                errors.insert(id.clone(), json!(error.to_string()));
            }
        }
    }
    let mut body = Map::new();
    body.insert("cancelled".to_owned(), json!(cancelled));
    body.insert("failed".to_owned(), json!(failed));
    if !errors.is_empty() {
        body.insert("errors".to_owned(), Value::Object(errors));
    }
    body
}

pub(super) async fn submit(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let parsed = body
        .map_err(|rejection| format!("failed to read request body: {}", body_error(&rejection)))
        .and_then(|body| parse_submission(&headers, &body));
    match parsed {
        // The coded daemon supports one provider only.
        Ok(submissions) => answer(&shared, |world| {
            submit_all(
                world,
                submissions.into_iter().map(|s| Submission { provider: None, region: None, ..s }).collect(),
            )
        }),
        Err(message) => shared.error(StatusCode::BAD_REQUEST, &message),
    }
}

pub(super) async fn cancel(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    match read_request::<JobIds>(body) {
        Ok(ids) => answer(&shared, |world| cancel_all(world, &ids.job_ids)),
        Err(message) => shared.error(StatusCode::BAD_REQUEST, &message),
    }
}

fn answer(shared: &Shared, act: impl FnOnce(&mut World) -> Map<String, Value>) -> Response {
    let (mut body, now_ms) = shared.change(|world| (act(world), world.now_ms()));
    body.insert("timestamp".to_owned(), json!(shared.time.nanos(now_ms, salt("answer"))));
    json_ok(&body)
}
