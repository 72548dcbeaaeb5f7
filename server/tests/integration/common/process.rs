//! A child process whose output is captured. It ends with the test.

use std::{
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

use super::{PATIENCE, eventually};

/// A program that runs until it is dropped.
pub struct Program {
    child: Child,
    stdout: Captured,
    stderr: Captured,
}

/// The captured output of a stream.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn of(mut stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let captured = Captured::default();
        let kept = captured.clone();
        tokio::spawn(async move {
            let mut piece = vec![0; 16 << 10];
            while let Ok(len @ 1..) = stream.read(&mut piece).await {
                kept.0.lock().unwrap().extend_from_slice(&piece[..len]);
            }
        });
        captured
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Program {
    /// Starts it with an environment that contains only the path.
    pub fn start(program: &str, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", "/nonexistent")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let stdout = Captured::of(child.stdout.take().unwrap());
        let stderr = Captured::of(child.stderr.take().unwrap());
        Program { child, stdout, stderr }
    }

    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits for the line of stdout with this prefix, and returns its rest.
    pub async fn said(&mut self, start: &str) -> String {
        eventually(&format!("a line {start:?}"), async || {
            let stdout = self.stdout.text();
            let complete = &stdout[..stdout.rfind('\n').unwrap_or(0)];
            if let Some(rest) = complete.lines().find_map(|line| line.strip_prefix(start)) {
                return Some(rest.to_owned());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("it ended ({status}) before it said {start:?}: {}", self.stderr.text());
            }
            None
        })
        .await
    }

    /// Sends this signal, and waits until it has ended.
    pub async fn signal(&mut self, signal: &str) -> ExitStatus {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().await.unwrap();
        assert!(sent.success(), "SIG{signal} could not be sent");
        self.ended().await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("an end in time").unwrap();
        // The tasks of the streams read the last output.
        tokio::time::sleep(Duration::from_millis(100)).await;
        status
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- stdout\n{}\n--- stderr\n{}", self.stdout(), self.stderr());
        }
    }
}
