//! Jobs of a released daemon on the panels: counted, not estimated, and the same on each panel. The queries are those
//! of the dashboards.

use std::{path::Path, sync::Arc};

use crate::common::{Server, Simulator, eventually, now_ms};
use model::dashboard::Dashboard;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than any of these tests: all data after the start comes from the feed.
const NO_MORE_SCRAPES: &str = "1h";

/// The expression of a query of a built-in dashboard.
fn expr(uid: &str, panel: &str, legend: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../dashboards/{uid}.yaml"));
    let dashboard: Dashboard = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let panel = dashboard.panels.into_iter().find(|of_file| of_file.id == panel).unwrap();
    panel.queries.into_iter().find(|query| query.legend == legend).unwrap_or_else(|| panic!("no {legend}")).expr
}

/// A daemon like the released one, and a server connected to it.
struct Rig {
    simulator: Simulator,
    server: Server,
}

impl Rig {
    /// Three exports have ended in the daemon before the server starts.
    async fn after_three() -> Self {
        Rig::after_three_scraped(NO_MORE_SCRAPES).await
    }

    /// The same with a scrape interval.
    async fn after_three_scraped(interval: &str) -> Self {
        let simulator = Simulator::start("stock", &["--jobs-per-minute", "0"]).await;
        for (name, ago) in [("first", 1500), ("second", 900), ("third", 300)] {
            simulator.recall(name, "completed", ago).await;
        }
        let data_dir = Arc::new(TempDir::new().unwrap());
        let args = ["--daemon-url", &simulator.named("sim"), "--scrape-interval", interval];
        Rig { server: Server::start("serve", data_dir, &args).await, simulator }
    }

    async fn server(simulator: &Simulator, data_dir: Arc<TempDir>) -> Server {
        let args = ["--daemon-url", &simulator.named("sim"), "--scrape-interval", NO_MORE_SCRAPES];
        Server::start("serve", data_dir, &args).await
    }

    /// Submits running jobs, and waits until the table contains them.
    async fn submit(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for number in 0..count {
            ids.push(self.simulator.submit(&format!("later-{number}")).await);
        }
        for id in &ids {
            self.simulator.change(id, "progress?percent=10").await;
        }
        self.table("running", count).await;
        ids
    }

    /// Waits until the table shows this many jobs of a status.
    async fn table(&self, status: &str, count: usize) {
        eventually(&format!("{count} {status} in the table"), async || {
            let jobs = self.server.json(&format!("/api/jobs?status={status}")).await;
            (jobs["jobs"].as_array().unwrap().len() == count).then_some(())
        })
        .await;
    }

    /// The only value of an expression.
    async fn value(&self, expr: &str) -> Option<f64> {
        let samples = self.server.query(expr).await;
        assert!(samples.len() < 2, "{expr}: {samples:?}");
        samples.first().map(|(_, value)| *value)
    }

    /// Waits until an expression has this value.
    async fn shows(&self, expr: &str, expected: f64) {
        eventually(&format!("{expected} for {expr}"), async || {
            (self.value(expr).await == Some(expected)).then_some(())
        })
        .await;
    }

    /// Checks that every panel that counts jobs shows these numbers.
    async fn panels_agree(&self, completed: f64, failed: f64) {
        let overview = |panel: &str, legend: &str| expr("hypersdk-overview", panel, legend);
        let jobs = |panel: &str, legend: &str| expr("hypersdk-jobs", panel, legend);
        self.shows(&overview("completed-jobs-24h", "completed"), completed).await;
        let all = completed + failed;
        for (expr, expected) in [
            (overview("failed-jobs-24h", "failed"), failed),
            (overview("job-success-rate", "success"), 100.0 * completed / all),
            (overview("jobs-by-provider", "{{provider}}"), all),
            (overview("active-jobs", "active"), 0.0),
            (jobs("job-status-distribution", "completed"), completed),
            (jobs("job-status-distribution", "failed"), failed),
            (jobs("job-status-distribution", "active"), 0.0),
            (jobs("job-status-distribution", "pending"), 0.0),
            (jobs("job-status-distribution", "cancelled"), 0.0),
            (jobs("provider-performance", "Jobs"), all),
            (jobs("provider-performance", "Success rate"), 100.0 * completed / all),
            ("sum(increase(hypersdk_job_duration_seconds_count[24h] anchored))".to_owned(), all),
            ("sum(increase(hypersdk_jobs_total[24h] anchored))".to_owned(), all),
        ] {
            self.shows(&expr, expected).await;
        }
        let ended = self.server.json("/api/jobs").await;
        let of_status = |status: &str| {
            let jobs = ended["jobs"].as_array().unwrap().iter();
            jobs.filter(|job| job["status"] == status && job["historic"] != true).count()
        };
        if of_status("completed") + of_status("failed") > 0 {
            assert!(of_status("running") == 0, "{ended}");
        }
    }

    /// Checks that no counter of jobs has decreased or started twice.
    async fn nothing_fell(&self) {
        let resets = self.value("max(resets({__name__=~\"hypersdk_job.*(total|bucket|count|sum)\"}[6h]))").await;
        assert_eq!(resets, Some(0.0));
    }
}

#[tokio::test]
async fn jobs_are_counted_the_same_on_every_panel() {
    let rig = Rig::after_three().await;
    let ids = rig.submit(5).await;
    // The numbers beside the table show the same jobs, without a scrape.
    rig.shows(&expr("hypersdk-overview", "active-jobs", "active"), 5.0).await;
    for id in &ids[1..] {
        rig.simulator.change(id, "complete").await;
    }
    rig.simulator.change(&ids[0], "fail?error=no%20room").await;
    rig.table("completed", 7).await;
    rig.table("failed", 1).await;
    rig.panels_agree(7.0, 1.0).await;
    rig.nothing_fell().await;
    // The first sample came with the first message: the daemon was never down, and no number was missing.
    assert_eq!(rig.value("min(min_over_time(up[1h]))").await, Some(1.0));
    // Each job counts in the hour, or part of it, in which it ended.
    for (range, ended) in [("10m", 6.0), ("20m", 7.0), ("30m", 8.0)] {
        let counted = "hypersdk_job_duration_seconds_count";
        rig.shows(&format!("sum(increase({counted}[{range}] anchored))"), ended).await;
    }
}

#[tokio::test]
async fn a_restart_of_the_server_counts_nothing_twice() {
    let mut rig = Rig::after_three().await;
    let ids = rig.submit(3).await;
    rig.simulator.change(&ids[0], "complete").await;
    rig.shows(&expr("hypersdk-overview", "completed-jobs-24h", "completed"), 4.0).await;

    // The server is killed, and a job ends meanwhile.
    let data_dir = rig.server.kill().await;
    rig.simulator.change(&ids[1], "complete").await;
    rig.server = Rig::server(&rig.simulator, data_dir).await;
    rig.shows(&expr("hypersdk-overview", "completed-jobs-24h", "completed"), 5.0).await;
    rig.simulator.change(&ids[2], "fail?error=no%20room").await;
    rig.table("failed", 1).await;
    rig.panels_agree(5.0, 1.0).await;
    rig.nothing_fell().await;

    // Stopped regularly.
    let data_dir = Arc::clone(&rig.server.data_dir);
    rig.server.stop().await;
    rig.server = Rig::server(&rig.simulator, data_dir).await;
    rig.panels_agree(5.0, 1.0).await;
    rig.nothing_fell().await;
}

#[tokio::test]
async fn a_restart_of_the_daemon_begins_with_zero_and_takes_nothing_away() {
    let rig = Rig::after_three().await;
    let completed = expr("hypersdk-overview", "completed-jobs-24h", "completed");
    rig.shows(&completed, 3.0).await;
    rig.simulator.fault(&json!({"kind": "restart", "seconds": 1})).await;
    eventually("the daemon again", async || {
        let sources = rig.server.json("/api/upstreams").await;
        (sources["upstreams"][0]["state"] == "live" && sources["upstreams"][0]["reconnects"] != 0).then_some(())
    })
    .await;
    for id in rig.submit(2).await {
        rig.simulator.change(&id, "complete").await;
    }
    rig.shows(&completed, 5.0).await;
    rig.shows("sum(hypersdk_jobs_completed_total)", 2.0).await;
}

#[tokio::test]
async fn jobs_that_end_while_the_link_is_down_count_when_they_ended() {
    count_when_they_ended(Rig::after_three().await).await;
}

#[tokio::test]
async fn jobs_that_end_while_scrapes_find_nobody_count_when_they_ended() {
    count_when_they_ended(Rig::after_three_scraped("1s").await).await;
}

#[tokio::test]
async fn jobs_that_end_before_a_cut_link_is_noticed_count_each_when_it_ended() {
    let rig = Rig::after_three_scraped("1s").await;
    let ids = rig.submit(3).await;
    rig.shows("sum(hypersdk_jobs_active)", 3.0).await;
    for kind in ["http_500", "refuse_upgrade", "drop_socket"] {
        rig.simulator.fault(&json!({"kind": kind, "seconds": 60})).await;
    }
    let mut ended = Vec::new();
    for id in &ids {
        // Far enough apart for a busy machine, which stores late what it heard before the link was cut.
        tokio::time::sleep(std::time::Duration::from_millis(2_400)).await;
        rig.simulator.change(id, "complete").await;
        ended.push(now_ms());
    }
    eventually("a link that is down", async || {
        let sources = rig.server.json("/api/upstreams").await;
        (!["live", "polling"].contains(&sources["upstreams"][0]["state"].as_str().unwrap())).then_some(())
    })
    .await;
    // Its series ended with its last message.
    eventually("the end of its series", async || {
        rig.value("sum(hypersdk_jobs_completed_total)").await.is_none().then_some(())
    })
    .await;
    rig.simulator.heal().await;
    rig.shows("sum(hypersdk_jobs_completed_total)", 6.0).await;
    for (ended_ms, count) in ended.iter().zip(["4", "5", "6"]) {
        #[allow(clippy::cast_precision_loss)]
        let time = ((ended_ms + 1_200) as f64 / 1000.0).to_string();
        let query = [("query", "sum(hypersdk_jobs_completed_total)"), ("time", &time)];
        let answer: Value = rig.server.get("/api/v1/query").query(&query).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["data"]["result"][0]["value"][1], *count, "{answer}");
    }
    rig.nothing_fell().await;
}

async fn count_when_they_ended(rig: Rig) {
    let ids = rig.submit(1).await;
    rig.shows("sum(hypersdk_jobs_active)", 1.0).await;
    for kind in ["http_500", "refuse_upgrade", "drop_socket"] {
        rig.simulator.fault(&json!({"kind": kind, "seconds": 60})).await;
    }
    eventually("a link that is down", async || {
        let sources = rig.server.json("/api/upstreams").await;
        (!["live", "polling"].contains(&sources["upstreams"][0]["state"].as_str().unwrap())).then_some(())
    })
    .await;
    rig.simulator.change(&ids[0], "complete").await;
    let ended_ms = now_ms();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    rig.simulator.heal().await;
    rig.shows(&expr("hypersdk-overview", "completed-jobs-24h", "completed"), 4.0).await;
    // A second later it counts, although nobody could know it at that time.
    #[allow(clippy::cast_precision_loss)]
    let time = ((ended_ms + 1_000) as f64 / 1000.0).to_string();
    let query = [("query", "sum(hypersdk_jobs_completed_total)"), ("time", &time)];
    let answer: Value = rig.server.get("/api/v1/query").query(&query).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["result"][0]["value"][1], "4", "{answer}");
}

#[tokio::test]
async fn a_job_whose_end_overtakes_its_cancel_counts_once_and_says_so() {
    let rig = Rig::after_three().await;
    let ids = rig.submit(2).await;
    for (id, end, status) in [(&ids[0], "complete", "completed"), (&ids[1], "fail?error=no%20room", "failed")] {
        let path = format!("/api/jobs/sim/{id}/cancel");
        let answer: Value = rig.server.post(&path).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["cancelled"], true, "{answer}");
        rig.table("cancelling", 1).await;
        let job = rig.server.json(&format!("/api/jobs/sim/{id}")).await["job"].clone();
        assert_eq!((&job["status"], &job["completed_at"]), (&json!("cancelling"), &Value::Null), "{job}");
        assert!(rig.server.text("/").await.contains("cancelling"), "the table says the same");
        rig.simulator.change(id, end).await;
        rig.table("cancelling", 0).await;
        let job = rig.server.json(&format!("/api/jobs/sim/{id}")).await;
        let job = job.get("job").unwrap_or(&job);
        assert_eq!((&job["status"], &job["cancel_requested"]), (&json!(status), &json!(true)), "{job}");
    }
    rig.panels_agree(4.0, 1.0).await;
    let page = rig.server.text("/").await;
    for words in ["completed, cancel was asked", "failed, cancel was asked: no room"] {
        assert!(page.contains(words), "the table does not say {words:?}");
    }
}

#[tokio::test]
async fn panels_say_what_the_daemon_does_not_report() {
    let rig = Rig::after_three().await;
    rig.shows("sum(hypersdk_jobs_completed_total)", 3.0).await;
    for (path, panel, words) in [
        ("/system", "cpu-usage", "CPU usage"),
        ("/system", "cpu-now", "CPU usage"),
        ("/system", "http-response-time", "how HTTP response times are distributed"),
        ("/system", "api-latency", "how HTTP response times are distributed"),
        ("/system", "api-latency-by-route", "how HTTP response times are distributed"),
        ("/jobs", "export-throughput", "exported bytes"),
    ] {
        let page = rig.server.text(path).await;
        let start = page.find(&format!("<section id=\"panel-{panel}\"")).unwrap_or_else(|| panic!("no panel {panel}"));
        let html = page[start..].split("</section>").next().unwrap();
        let sentence = format!("hypervisord 0.0.1 does not report {words}.");
        assert!(html.contains(&sentence), "{panel}: {html}");
        assert!(!html.contains("message-advice\">hypersdk_"), "{panel} shows an expression");
    }
}
