//! Webhooks of the short form: jobs and alerts, signed.

use std::{path::PathBuf, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    alert,
    common::{Server, Simulator, eventually},
    post,
    receiver::{Answer, Receiver},
    resolve,
};

fn config(text: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("hyperscope.yml");
    std::fs::write(&file, format!("notify: {{ allow_private: true }}\nwebhooks:\n{text}")).unwrap();
    (directory, file)
}

/// A new simulated job that ends so.
async fn run_job(simulator: &Simulator, name: &str, end: &str) -> String {
    let job = simulator.submit(name).await;
    simulator.change(&job, end).await;
    job
}

#[tokio::test]
async fn jobs_are_told_of_in_every_format() {
    let (generic, slack, discord) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "0"]).await;
    let old = run_job(&simulator, "before the server", "complete").await;
    let (_directory, file) = config(&format!(
        "- {{name: all, url: '{}/x', secret: s3cret, headers: {{X-Own: '7'}}}}
- {{name: chat, url: '{}', format: slack, events: [job.failed]}}
- {{name: game, url: '{}', format: discord, events: ['job.*']}}
- {{name: off, url: '{}/off', enabled: false}}
",
        generic.url, slack.url, discord.url, generic.url
    ));
    let server = Server::serve(&["--config", file.to_str().unwrap(), "--daemon-url", &simulator.named("sim")]).await;
    eventually("the old job", async || server.text("/api/jobs").await.contains(&old).then_some(())).await;
    let good = run_job(&simulator, "good one", "complete").await;
    let bad = run_job(&simulator, "bad one", "fail").await;

    let of = |event: &'static str, job: String| {
        let generic = &generic;
        eventually("an event", async move || {
            generic.got().into_iter().find(|got| {
                let body = got.json();
                body["event"] == event && body["data"]["job_id"] == json!(job)
            })
        })
    };
    let got = of("job.completed", good.clone()).await;
    assert_eq!((got.path.as_str(), got.headers["x-own"].as_str()), ("/x", "7"));
    assert_eq!(got.json()["id"], json!(got.headers["x-hyperscope-delivery"]));
    assert_eq!(got.json()["data"]["name"], "good one");
    verify(&got.headers["x-hyperscope-signature"], &got.headers["x-hyperscope-timestamp"], &got.body);
    of("job.failed", bad.clone()).await;

    let body = slack.got_count(1).await[0].json();
    assert_eq!(body["blocks"][0]["text"]["text"], "Job failed: bad one");
    assert!(body.to_string().contains(&format!("/jobs/sim/{bad}")), "{body}");
    let colors = eventually("both ends in colour", async || {
        let bodies: Vec<Value> = discord.got().iter().map(|got| got.json()["embeds"][0].clone()).collect();
        let color = |title: &str| bodies.iter().find(|body| body["title"] == title)?["color"].as_u64();
        Some((color("Job completed: good one")?, color("Job failed: bad one")?))
    })
    .await;
    assert_eq!(colors, (0x2e_cc71, 0xe7_4c3c));

    let told: Vec<String> = generic.got().iter().map(|got| got.body.clone()).collect();
    assert!(!told.iter().any(|body| body.contains(&old)), "what was over before the server came is no news");
    assert!(!generic.got().iter().any(|got| got.path == "/off"));
    assert_eq!(slack.got().len(), 1);
}

/// The example of the description says that a message is ours.
fn verify(signature: &str, timestamp: &str, body: &str) {
    let described = include_str!("../../../docs/notifications.md");
    let example = described.split("```python").nth(1).unwrap().split("```").next().unwrap();
    let check = |body: &str, now: &str| {
        let program = format!(
            "{example}\nimport sys\nsys.exit(0 if is_ours(b's3cret', {signature:?}, {timestamp:?}, sys.argv[1].encode(), now=float(sys.argv[2])) else 1)"
        );
        Command::new("python3").args(["-c", &program, body, now]).status().unwrap().success()
    };
    assert!(check(body, timestamp), "a message of ours");
    assert!(!check(&body.replace("good one", "other"), timestamp), "another body");
    assert!(!check(body, "9999999999"), "an old one");
}

#[tokio::test]
async fn alerts_are_told_of_once_and_retries_end() {
    let receiver = Receiver::scripted(&[Answer::Status(500), Answer::Status(500)]).await;
    let (_directory, file) = config(&format!(
        "- {{name: ops, url: '{}', events: [alert.fired, alert.resolved], retry_count: 1, retry_delay: 10ms}}\n",
        receiver.url
    ));
    let server = Server::serve(&["--config", file.to_str().unwrap()]).await;
    post(&server, &[alert("a", &[("severity", "warning")])]).await;
    let dead =
        eventually("a delivery given up", async || crate::deliveries(&server, "dead").await.first().cloned()).await;
    assert_eq!(
        (&dead["kind"], &dead["attempts"], &dead["subject"]),
        (&json!("hook"), &json!(2), &json!("alert.fired: a"))
    );
    post(&server, &[alert("a", &[("severity", "warning")])]).await;
    resolve(&server, alert("a", &[("severity", "warning")])).await;
    let got = receiver.got_count(3).await;
    let events: Vec<Value> = got.iter().map(|got| got.json()["event"].clone()).collect();
    assert_eq!(events, ["alert.fired", "alert.fired", "alert.resolved"]);
    assert_eq!(got[2].json()["data"]["severity"], "warning");
}

#[tokio::test]
async fn a_job_that_ends_while_the_server_is_away_is_told_of() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "0"]).await;
    let (_directory, file) = config(&format!("- {{name: ops, url: '{}', events: ['job.*']}}\n", receiver.url));
    let named = simulator.named("sim");
    let args = ["--config", file.to_str().unwrap(), "--daemon-url", &named];
    let server = Server::serve(&args).await;
    eventually("a link", async || server.text("/api/upstreams").await.contains("live").then_some(())).await;
    let job = simulator.submit("long").await;
    simulator.change(&job, "progress?percent=10").await;
    let has = |event: &str| receiver.got().iter().filter(|got| got.json()["event"] == event).count();
    eventually("its start", async || (has("job.started") == 1).then_some(())).await;
    let data_dir = server.kill().await;
    simulator.change(&job, "complete").await;
    let _server = Server::start("serve", data_dir, &args).await;
    eventually("its end", async || (has("job.completed") == 1).then_some(())).await;
    assert_eq!(has("job.started"), 1, "and its start once");
}
