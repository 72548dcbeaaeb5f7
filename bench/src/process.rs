//! A server in its own process: start, memory, stop.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Timeout for the ready line.
const READY: Duration = Duration::from_secs(120);

/// A process that has printed its listen address. It is killed on drop.
pub(crate) struct Process {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    /// Time from the start to the ready line.
    pub(crate) ready_after: Duration,
}

impl Process {
    /// Starts `binary ARGS` and waits for its line `... ready on http://ADDRESS`.
    pub(crate) async fn start(binary: &Path, args: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(binary)
            .args(args)
            .envs(environment.iter().copied())
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let Some(output) = child.stdout.take() else { bail!("{} has no standard output", binary.display()) };
        let mut lines = BufReader::new(output).lines();
        let address = timeout(READY, async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, address)) = line.split_once(" ready on http://") {
                    return Ok(address.to_owned());
                }
            }
            bail!("{} ended before it was ready", binary.display())
        })
        .await
        .with_context(|| format!("{} was not ready in time", binary.display()))??;
        let ready_after = started.elapsed();
        // Continues to read, so that the process never blocks on its output.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, address, ready_after })
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<f64> {
        let Some(pid) = self.child.id() else { bail!("the process has ended") };
        resident_bytes(pid)
    }

    /// Stops it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot stop the process")
    }
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok())
        .context("no VmRSS in /proc")?;
    Ok(kibibytes * 1024.0)
}
