//! A measured server: it accepts remote writes and implements Prometheus' API.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::Client;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Admin token of our server in this run.
pub(crate) const TOKEN: &str = "benchmark-token-of-this-run-only-0123456789";
/// Timeout of a start.
const READY: Duration = Duration::from_secs(300);
/// Interval of readiness checks.
const LOOK: Duration = Duration::from_millis(5);
/// Concurrent requests.
const SENDERS: usize = 2;

/// A server in its own process, which is killed on drop.
pub(crate) struct Subject {
    /// The program and its version, if it prints one: `Prometheus 3.16.0`.
    pub(crate) name: String,
    binary: PathBuf,
    args: Vec<String>,
    directory: TempDir,
    address: String,
    client: Client,
    child: Child,
    /// Time from the start until it was ready.
    pub(crate) ready_after: Duration,
}

impl Subject {
    /// Our server.
    pub(crate) async fn hyperscope(binary: &Path) -> anyhow::Result<Self> {
        Self::start("hyperscope", binary, None, |directory, address| {
            vec!["serve".into(), format!("--listen={address}"), format!("--data-dir={directory}")]
        })
        .await
    }

    /// Our server with a file of rules and further arguments.
    pub(crate) async fn hyperscope_with_rules(binary: &Path, rules: &str, further: &[String]) -> anyhow::Result<Self> {
        Self::start("hyperscope", binary, Some(rules), |directory, address| {
            let mut args = vec![
                "serve".into(),
                format!("--listen={address}"),
                format!("--data-dir={directory}"),
                format!("--rules={directory}/rules.yml"),
            ];
            args.extend_from_slice(further);
            args
        })
        .await
    }

    /// Prometheus without scrape targets.
    pub(crate) async fn prometheus(binary: &Path) -> anyhow::Result<Self> {
        Self::prometheus_with_rules(binary, "").await
    }

    /// Prometheus without scrape targets, with a file of rules.
    pub(crate) async fn prometheus_with_rules(binary: &Path, rules: &str) -> anyhow::Result<Self> {
        Self::start("Prometheus", binary, Some(rules), |directory, address| {
            vec![
                format!("--config.file={directory}/prometheus.yml"),
                format!("--storage.tsdb.path={directory}/data"),
                format!("--web.listen-address={address}"),
                "--web.enable-remote-write-receiver".into(),
                "--log.level=error".into(),
            ]
        })
        .await
    }

    /// VictoriaMetrics without caching of results, which returns the newest samples and accepts samples of any age.
    pub(crate) async fn victoria_metrics(binary: &Path) -> anyhow::Result<Self> {
        Self::start("VictoriaMetrics", binary, None, |directory, address| {
            vec![
                format!("-storageDataPath={directory}/data"),
                format!("-httpListenAddr={address}"),
                "-search.disableCache".into(),
                "-search.latencyOffset=0s".into(),
                "-retentionPeriod=100y".into(),
                "-inmemoryDataFlushInterval=1s".into(),
                "-loggerLevel=ERROR".into(),
            ]
        })
        .await
    }

    async fn start(
        program: &str,
        binary: &Path,
        rules: Option<&str>,
        args: impl Fn(&str, &str) -> Vec<String>,
    ) -> anyhow::Result<Self> {
        let version = version(binary).await?;
        let name = version.map_or_else(|| program.to_owned(), |version| format!("{program} {version}"));
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("prometheus.yml"), "rule_files: [rules.yml]\n")?;
        std::fs::write(directory.path().join("rules.yml"), rules.unwrap_or_default())?;
        // Prometheus does not report the port that it chose.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let path = directory.path().to_str().context("the temporary directory's name is not UTF-8")?;
        let args = args(path, &address);
        let child = spawn(binary, &args)?;
        let client = Client::builder().no_proxy().build()?;
        let started = Instant::now();
        let mut subject = Self {
            name,
            binary: binary.to_owned(),
            args,
            directory,
            address,
            client,
            child,
            ready_after: Duration::ZERO,
        };
        subject.wait_until_ready(started).await?;
        Ok(subject)
    }

    async fn wait_until_ready(&mut self, started: Instant) -> anyhow::Result<()> {
        let url = format!("http://{}/-/ready", self.address);
        while started.elapsed() < READY {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended before it was ready: {status}", self.binary.display());
            }
            if self.client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
                self.ready_after = started.elapsed();
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("{} was not ready in time", self.binary.display())
    }

    /// Its listen address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Kills it and starts it again with the same data.
    pub(crate) async fn kill_and_start(&mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        let started = Instant::now();
        self.child = spawn(&self.binary, &self.args)?;
        self.wait_until_ready(started).await
    }

    /// Sends requests, some concurrently; returns the time until all were acknowledged.
    pub(crate) async fn write(&self, bodies: &[Vec<u8>]) -> anyhow::Result<Duration> {
        let url = format!("http://{}/api/v1/write", self.address);
        let started = Instant::now();
        let share = bodies.len().div_ceil(SENDERS).max(1);
        let senders = bodies.chunks(share).map(async |some| {
            for body in some {
                let request = self.client.post(&url).bearer_auth(TOKEN).body(body.clone());
                let request =
                    request.header("content-type", "application/x-protobuf").header("content-encoding", "snappy");
                let answer = request.header("x-prometheus-remote-write-version", "0.1.0").send().await?;
                if answer.status() != 204 {
                    bail!("{}: {}: {}", self.binary.display(), answer.status(), answer.text().await?);
                }
            }
            Ok(())
        });
        futures_util::future::try_join_all(senders).await?;
        Ok(started.elapsed())
    }

    /// Sends a request; returns the body and the time until it was complete.
    pub(crate) async fn ask(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<(Vec<u8>, Duration)> {
        let started = Instant::now();
        let request = self.client.get(format!("http://{}{path}", self.address)).query(query).bearer_auth(TOKEN);
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?.to_vec();
        let took = started.elapsed();
        if status != 200 {
            bail!("{}: {path}: {status}: {}", self.binary.display(), String::from_utf8_lossy(&body));
        }
        Ok((body, took))
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<f64> {
        crate::process::resident_bytes(self.child.id().context("it has ended")?)
    }

    /// Bytes of all its files.
    pub(crate) fn disk_bytes(&self) -> anyhow::Result<f64> {
        size_of_files(self.directory.path())
    }

    /// Stops it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot stop the process")
    }
}

/// The version that a program prints; a development build prints none.
async fn version(binary: &Path) -> anyhow::Result<Option<String>> {
    let printed = Command::new(binary)
        .arg("--version")
        .output()
        .await
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let printed = String::from_utf8_lossy(&[printed.stdout, printed.stderr].concat()).into_owned();
    Ok(find_version(printed.lines().next().unwrap_or_default()).map(str::to_owned))
}

/// The first word of a text that is a version, such as `2.42.0+ds`: numbers separated by dots, with a suffix.
fn find_version(text: &str) -> Option<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !".+~".contains(letter));
    words.map(|word| word.trim_start_matches('v')).find(|word| {
        let mut parts = word.split('.');
        let mut is_number = || parts.next().is_some_and(|part| part.starts_with(|digit: char| digit.is_ascii_digit()));
        is_number() && is_number()
    })
}

fn spawn(binary: &Path, args: &[String]) -> anyhow::Result<Child> {
    Command::new(binary)
        .args(args)
        .env("HYPERSCOPE_ADMIN_TOKEN", TOKEN)
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))
}

#[allow(clippy::cast_precision_loss)] // Far below 2^53.
fn size_of_files(directory: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0.0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size_of_files(&entry.path())? } else { metadata.len() as f64 };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_programs_print() {
        for (printed, version) in [
            ("prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+b5)\n", Some("2.42.0+ds")),
            ("prometheus, version 3.16.0 (branch: , revision: unknown)\n", Some("3.16.0")),
            ("victoria-metrics-20261001-101010-tags-v1.151.0-0-g0123456789\n", Some("1.151.0")),
            ("hyperscope 0.1.0\n", Some("0.1.0")),
            ("prometheus, version  (branch: , revision: unknown)\n", None),
        ] {
            assert_eq!(find_version(printed), version, "{printed}");
        }
    }
}
