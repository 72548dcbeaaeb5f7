//! `/api/openapi.json` is correct: each of its paths answers as described, and it contains each route of the JSON API.

use std::collections::BTreeSet;

use crate::common::{Server, eventually};
use reqwest::Method;
use serde_json::{Value, json};

/// Methods and paths of the JSON API, as the server itself lists them. Prometheus documents the routes below `/api/v1`.
async fn routes(server: &Server) -> BTreeSet<(String, String)> {
    let listing = server.json("/api/routes").await;
    let routes = listing["routes"].as_array().unwrap().iter();
    let own = routes.filter(|route| {
        let path = route["path"].as_str().unwrap();
        path.starts_with("/api/") && !path.starts_with("/api/v1/")
    });
    let operations = |route: &Value| -> Vec<(String, String)> {
        let methods = route["methods"].as_array().unwrap().iter();
        methods
            .map(|method| (method.as_str().unwrap().to_lowercase(), route["path"].as_str().unwrap().to_owned()))
            .collect()
    };
    own.flat_map(operations).collect()
}

fn described(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = |(path, operations): (&String, &Value)| -> Vec<(String, String)> {
        operations.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())).collect()
    };
    paths.iter().flat_map(operations).collect()
}

/// The violations of a schema by a value. Supports the parts of JSON Schema that this document uses.
fn faults(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference}"));
        return faults(document, target, value, place, found);
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("{other} at {place}"),
    };
    let fits = match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
        _ => true,
    };
    if !fits || schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        found.push(format!("{place} is {value} and not {schema}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            found.push(format!("{place} has no {name}"));
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            faults(document, schema, value, &format!("{place}.{name}"), found);
        }
    }
    if schema["items"].is_object() {
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            faults(document, &schema["items"], value, &format!("{place}[{index}]"), found);
        }
    }
}

#[tokio::test]
async fn each_route_is_described() {
    let server = Server::serve(&[]).await;
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let (routes, described) = (routes(&server).await, described(&document));
    assert!(routes.len() > 30, "{routes:?}");
    let missing: Vec<_> = routes.difference(&described).collect();
    let invented: Vec<_> = described.difference(&routes).collect();
    assert!(missing.is_empty() && invented.is_empty(), "not described: {missing:?}; not there: {invented:?}");
}

#[tokio::test]
async fn each_description_is_true() {
    let server = Server::demo(&[]).await;
    let document = server.json("/api/openapi.json").await;
    let job = eventually("a job", async || server.json("/api/jobs").await["jobs"].get(0).cloned()).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found = Vec::new();
    for (method, path) in described(&document) {
        let operation = &document["paths"][&path][&method];
        // Routes that change something get a name that does not exist.
        let reads = method == "get";
        let (daemon, id) = if reads { (text(&job["daemon"]), text(&job["id"])) } else { ("no".into(), "none".into()) };
        let uid = "hypersdk-overview";
        let id = if path.contains("/jobs/") { id } else { "12345".to_owned() };
        let filled = path.replace("{daemon}", &daemon).replace("{id}", &id).replace("{uid}", uid);
        let filled = filled.replace("{fingerprint}", "0123456789abcdef");
        let given: Vec<(&str, String)> = match path.as_str() {
            "/api/frame" => [("query", "up"), ("start_ms", "1000"), ("end_ms", "2000"), ("step_ms", "1000")]
                .map(|(n, v)| (n, v.to_owned()))
                .into(),
            "/api/live" => vec![("topics", "jobs".to_owned()), ("timeout", "1".to_owned())],
            "/api/silences/preview" => vec![("matchers", r#"severity="critical""#.to_owned())],
            "/api/dashboards/{uid}/marks" => vec![("from", "now-1h".to_owned()), ("to", "now".to_owned())],
            _ => Vec::new(),
        };
        let request = crate::common::client()
            .request(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), server.url(&filled))
            .bearer_auth(crate::common::TOKEN)
            .query(&given);
        let request = if operation["requestBody"].is_object() { request.json(&json!({"none": 1})) } else { request };
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        let described = &operation["responses"][status.to_string()];
        if described.is_null() {
            found.push(format!("{method} {filled} answers {status}, which is not described: {body}"));
            continue;
        }
        if status >= 400 {
            let body: Value =
                serde_json::from_str(&body).unwrap_or_else(|error| panic!("{method} {path}: {error}: {body}"));
            let told = if path.starts_with("/api/v2/") { &body } else { &body["error"]["message"] };
            assert!(told.as_str().is_some_and(|told| !told.is_empty()), "{method} {path}: {body}");
        }
        if reads && status == 200 {
            let schema = &described["content"]["application/json"]["schema"];
            let body = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"));
            faults(&document, schema, &body, &filled, &mut found);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));

    // Invalid parameters are rejected in the same shape.
    for path in [
        "/api/jobs?limit=many",
        "/api/alerts/history?since=yesterday",
        "/api/frame?query=up&start_ms=x&end_ms=2&step_ms=1",
    ] {
        let answer = server.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], "bad_request", "{path}: {body}");
    }
}
