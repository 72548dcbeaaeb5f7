//! Debian's Prometheus as a process.

use serde_json::Value;
use tempfile::TempDir;

use super::{Program, client, eventually, free_port};

/// A Prometheus that accepts remote writes, and runs until it is dropped.
pub struct Prometheus {
    pub program: Program,
    pub url: String,
    port: u16,
    directory: TempDir,
}

impl Prometheus {
    /// Scrapes `daemon`, a URL, each second. `rules` are the rules of one group, in YAML.
    pub async fn start(daemon: &str, rules: &str) -> Self {
        Self::start_relabelling(daemon, rules, "").await
    }

    /// The same with `metric_relabel_configs`, a list in YAML.
    pub async fn start_relabelling(daemon: &str, rules: &str, relabel: &str) -> Self {
        let relabel = if relabel.is_empty() { "[]" } else { relabel };
        let directory = TempDir::new().unwrap();
        let target = daemon.trim_start_matches("http://");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: [rules.yaml]\n\
             scrape_configs:\n\
             - job_name: hypersdk\n  metrics_path: /api/v1/metrics\n  static_configs: [{{ targets: ['{target}'], labels: {{ daemon: sim }} }}]\n  metric_relabel_configs: {relabel}\n"
        );
        Self::with_files(directory, &config, &format!("groups:\n- name: test\n  rules: {rules}\n")).await
    }

    /// Scrapes nothing: tests write its samples, and it evaluates a rule file with this text.
    pub async fn with_rules(rules: &str) -> Self {
        Self::with_files(super::in_memory(), "rule_files: [rules.yaml]\n", rules).await
    }

    /// Scrapes nothing, with this configuration.
    pub async fn with_config(config: &str) -> Self {
        Self::with_files(super::in_memory(), config, "groups: []\n").await
    }

    async fn with_files(directory: TempDir, config: &str, rules: &str) -> Self {
        std::fs::write(directory.path().join("prometheus.yaml"), config).unwrap();
        std::fs::write(directory.path().join("rules.yaml"), rules).unwrap();
        Self::run(directory, free_port()).await
    }

    async fn run(directory: TempDir, port: u16) -> Self {
        let address = format!("127.0.0.1:{port}");
        let args = [
            format!("--config.file={}", directory.path().join("prometheus.yaml").display()),
            format!("--storage.tsdb.path={}", directory.path().join("data").display()),
            format!("--web.listen-address={address}"),
            "--web.enable-remote-write-receiver".to_owned(),
        ];
        let program = Program::start("prometheus", &args.each_ref().map(String::as_str), &[]);
        let mut prometheus = Prometheus { program, url: format!("http://{address}"), port, directory };
        eventually("a Prometheus that is ready", async || {
            assert!(prometheus.program.is_running(), "{}", prometheus.program.stderr());
            let answer = client().get(format!("{}/-/ready", prometheus.url)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        prometheus
    }

    /// Its answer to a GET of its API.
    pub async fn ask(&self, path: &str) -> Value {
        client().get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    /// Kills it; [`Stopped::restart`] starts it again.
    pub async fn kill(mut self) -> Stopped {
        self.program.signal("KILL").await;
        Stopped { directory: self.directory, port: self.port }
    }
}

/// A stopped Prometheus.
pub struct Stopped {
    directory: TempDir,
    port: u16,
}

impl Stopped {
    /// Starts it again with the same address and data.
    pub async fn restart(self) -> Prometheus {
        Prometheus::run(self.directory, self.port).await
    }
}
