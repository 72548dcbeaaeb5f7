//! Notifications of the real program: every kind of receiver on real sockets, working and failing.

mod alertmanager;
mod borders;
mod check;
mod demo;
mod faults;
mod hooks;
mod kinds;
mod mail_server;
mod muting;
mod pictures;
mod raised;
pub(crate) mod receiver;
mod silences;

use std::path::PathBuf;

use crate::common::Server;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with a configuration file of Alertmanager.
pub(crate) fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("alertmanager.yml");
    std::fs::write(&file, text).unwrap();
    (directory, file)
}

/// Routes without waits, to receivers of these kinds.
pub(crate) fn quick(receiver: &str) -> String {
    format!(
        "route: {{receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\nreceivers:\n- name: team\n{receiver}\n"
    )
}

/// A postable alert.
pub(crate) fn alert(name: &str, further: &[(&str, &str)]) -> Value {
    let mut labels = json!({ "alertname": name });
    for (label, value) in further {
        labels[*label] = json!(value);
    }
    json!({ "labels": labels, "annotations": { "summary": format!("{name} is on") } })
}

/// Posts alerts to a server, as a Prometheus does.
pub(crate) async fn post(server: &Server, alerts: &[Value]) {
    let answer = server.post("/api/v2/alerts").json(alerts).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

/// Posts the end of an alert.
async fn resolve(server: &Server, mut alert: Value) {
    alert["endsAt"] = json!("2026-01-01T00:00:00Z");
    alert["startsAt"] = json!("2025-12-31T00:00:00Z");
    post(server, &[alert]).await;
}

/// A server with this file, which may deliver to loopback.
pub(crate) async fn serve(file: &std::path::Path, args: &[&str]) -> Server {
    let file = file.to_str().unwrap();
    Server::serve(&[&["--alertmanager-config", file, "--notify-allow-private"], args].concat()).await
}

/// The deliveries with this state.
pub(crate) async fn deliveries(server: &Server, state: &str) -> Vec<Value> {
    let list = server.json(&format!("/api/notifications?state={state}")).await;
    list["notifications"].as_array().unwrap().clone()
}
