//! A server under measurement: started on a free port with a directory of its own, ended by its pid.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};

/// Longest wait for a server to be ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// The token that all requests carry.
pub(crate) const TOKEN: &str = "bench-bench-bench-bench-bench-bench";

/// A running `hyperscope demo`.
pub(crate) struct Demo {
    child: Child,
    _output: BufReader<ChildStdout>,
    _directory: tempfile::TempDir,
    /// `http://HOST:PORT`
    pub(crate) url: String,
    /// From its start to its line that it is ready.
    pub(crate) ready_after: Duration,
}

impl Demo {
    /// Starts a demo and waits until it is ready.
    pub(crate) async fn start(binary: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let started = Instant::now();
        let mut child = Command::new(binary)
            .args(["demo", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path())
            .env("HYPERSCOPE_ADMIN_TOKEN", TOKEN)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut output = BufReader::new(child.stdout.take().context("the server has no output")?);
        let mut line = String::new();
        let url = loop {
            line.clear();
            let read = tokio::time::timeout(PATIENCE, output.read_line(&mut line)).await;
            if read.context("the server was not ready in time")?? == 0 {
                bail!("the server ended before it was ready");
            }
            if let Some(url) = line.trim().strip_prefix("hyperscope ready on ") {
                break url.to_owned();
            }
        };
        Ok(Demo { child, _output: output, _directory: directory, url, ready_after: started.elapsed() })
    }

    /// Resident memory now, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(self.child.id().context("the server ended")?)
    }

    /// Ends the server and waits for it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the server could not be ended")
    }
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new()?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        false,
        ProcessRefreshKind::nothing().with_memory(),
    );
    Ok(system.process(pid).context("the process is gone")?.memory())
}
