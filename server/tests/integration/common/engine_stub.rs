//! A stub with Prometheus' API that records its requests.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    routing::any,
};
use serde_json::{Value, json};

/// Parameters of one request.
pub type Pairs = Vec<(String, String)>;

/// A stub that runs until it is dropped.
pub struct EngineStub {
    pub url: String,
    asked: Asked,
    alerts: Alerts,
    task: tokio::task::JoinHandle<()>,
}

type Asked = Arc<Mutex<Vec<(String, Pairs)>>>;
type Alerts = Arc<Mutex<Value>>;

impl EngineStub {
    pub async fn start() -> Self {
        Self::with_alerts(json!([])).await
    }

    /// A stub with a firing rule of this name.
    pub async fn with_alert(name: &str) -> Self {
        let labels = json!({ "alertname": name, "severity": "critical" });
        let alert = json!({ "labels": labels, "annotations": {}, "state": "firing", "activeAt": "2026-01-01T00:00:00Z", "value": "1e+00" });
        Self::with_alerts(json!([alert])).await
    }

    async fn with_alerts(alerts: Value) -> Self {
        let asked = Asked::default();
        let alerts = Arc::new(Mutex::new(alerts));
        let shared = (Arc::clone(&asked), Arc::clone(&alerts));
        let router = Router::new().route("/api/v1/{*path}", any(answer)).with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        EngineStub { url, asked, alerts, task }
    }

    /// From now on it does not answer requests for alerts.
    pub fn lose_alerts(&self) {
        *self.alerts.lock().unwrap() = Value::Null;
    }

    /// The parameters of all requests for this path with the query `expr`, oldest first.
    pub fn asked(&self, path: &str, expr: &str) -> Vec<Pairs> {
        let is_it = |pairs: &Pairs| pairs.iter().any(|(name, value)| name == "query" && value == expr);
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(other, pairs)| other == path && is_it(pairs)).map(|(_, pairs)| pairs.clone()).collect()
    }
}

impl Drop for EngineStub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State((asked, alerts)): State<(Asked, Alerts)>, Path(path): Path<String>, form: Bytes) -> Json<Value> {
    let pairs: Pairs = form_urlencoded::parse(&form).into_owned().collect();
    asked.lock().unwrap().push((path.clone(), pairs.clone()));
    let number = |wanted: &str| -> f64 {
        pairs.iter().find(|(name, _)| name == wanted).map_or(0.0, |(_, value)| value.parse().unwrap())
    };
    let data = match path.as_str() {
        "query_range" => {
            let (start, end, step) = (number("start"), number("end"), number("step"));
            let steps = (0..).map(|index| start + f64::from(index) * step).take_while(|time| *time <= end);
            let values: Vec<Value> = steps.map(|time| json!([time, "1"])).collect();
            json!({"resultType": "matrix", "result": [{"metric": {"stub": "yes"}, "values": values}]})
        }
        "query" => json!({"resultType": "vector", "result": [{"metric": {}, "value": [number("time"), "1"]}]}),
        "alerts" => json!({"alerts": *alerts.lock().unwrap()}),
        _ => json!({"version": "0.0.0-stub"}),
    };
    Json(json!({"status": "success", "data": data}))
}
