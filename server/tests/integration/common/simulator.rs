//! `hyperscope daemon-sim` as a process.

use reqwest::Client;
use serde_json::{Value, json};

use super::{HYPERSCOPE, Program, client};

/// A simulated daemon that runs until it is dropped.
pub struct Simulator {
    pub program: Program,
    pub url: String,
    client: Client,
}

impl Simulator {
    /// On a free port.
    pub async fn start(dialect: &str, args: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", dialect, args).await
    }

    pub async fn start_at(listen: &str, dialect: &str, args: &[&str]) -> Self {
        let args = [&["daemon-sim", "--listen", listen, "--dialect", dialect], args].concat();
        let mut program = Program::start(HYPERSCOPE, &args, &[]);
        let url = program.said("daemon-sim ready on ").await;
        Simulator { program, url, client: client() }
    }

    /// The value of `--daemon-url` for it under this name.
    pub fn named(&self, name: &str) -> String {
        format!("{name}={}", self.url)
    }

    /// Submits a job that moves only by [`Simulator::change`], and returns its id.
    pub async fn submit(&self, name: &str) -> String {
        let body = json!({"name": name, "status": "pending", "bytes_total": 1_000_000_000});
        let answer: Value = self.post("/sim/jobs", &body).await.json().await.unwrap();
        answer["job_id"].as_str().unwrap().to_owned()
    }

    /// Adds a job to the past: it ended (`completed` or `failed`) this long ago, after it had run for a minute.
    pub async fn recall(&self, name: &str, status: &str, ended_seconds_ago: u32) {
        let body = json!({"name": name, "status": status, "ended_seconds_ago": ended_seconds_ago, "ran_seconds": 60});
        self.post("/sim/jobs", &body).await;
    }

    /// Ends every fault.
    pub async fn heal(&self) {
        let answer = self.client.delete(format!("{}/sim/fault", self.url)).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// `complete`, `fail?error=...`, `cancel` or `progress?percent=...`.
    pub async fn change(&self, job: &str, change: &str) {
        self.post(&format!("/sim/jobs/{job}/{change}"), &json!({})).await;
    }

    /// Starts a fault; the README describes `body`.
    pub async fn fault(&self, body: &Value) {
        self.post("/sim/fault", body).await;
    }

    /// Makes it send a message to all sockets.
    pub async fn say(&self, message: &Value) {
        self.post("/sim/say", message).await;
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let answer = self.client.post(format!("{}{path}", self.url)).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer
    }
}
