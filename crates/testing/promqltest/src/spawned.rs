//! A fresh server for each `clear`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{Answer, Loaded, Server, Target, Times};

/// The token of the started servers.
const TOKEN: &str = "the-admin-of-a-promqltest-run_0123456789";

/// Starts `hyperscope serve` with an empty directory, and again after each `clear`. The server ends with this value.
#[derive(Debug)]
pub struct Spawned {
    program: String,
    arguments: Vec<String>,
    running: Option<Running>,
    is_loaded: bool,
}

#[derive(Debug)]
struct Running {
    child: Child,
    server: Server,
    _directory: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It is no error if the child has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Spawned {
    /// Prepares to start `program serve` with further arguments.
    #[must_use]
    pub fn new(program: &str, arguments: &[String]) -> Self {
        Spawned { program: program.to_owned(), arguments: arguments.to_vec(), running: None, is_loaded: false }
    }

    fn start(&self) -> Result<Running, String> {
        let directory = TempDir::new().map_err(|error| error.to_string())?;
        let mut child = Command::new(&self.program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path())
            .args(&self.arguments)
            .env("HYPERSCOPE_ADMIN_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        let address = line.trim().strip_prefix("hyperscope ready on http://");
        let server = address.map(|address| Server::new(address, Some(TOKEN)));
        match server {
            Some(server) => Ok(Running { child, server, _directory: directory }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("{} did not start: {line:?}", self.program))
            }
        }
    }

    fn server(&mut self) -> Result<&mut Server, String> {
        let running = match self.running.take() {
            Some(running) => running,
            None => self.start()?,
        };
        Ok(&mut self.running.insert(running).server)
    }
}

impl Target for Spawned {
    fn clear(&mut self) -> Result<(), String> {
        if self.is_loaded || self.running.is_none() {
            self.running = None;
            self.server()?;
        }
        self.is_loaded = false;
        Ok(())
    }

    fn load(&mut self, loaded: Vec<Loaded>, with_custom_buckets: bool) -> Result<(), String> {
        self.is_loaded = true;
        self.server()?.load(loaded, with_custom_buckets)
    }

    fn evaluate(&self, expression: &str, times: Times) -> Result<Answer, String> {
        self.running.as_ref().ok_or("no server was started")?.server.evaluate(expression, times)
    }

    fn has_histograms(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.server.has_histograms())
    }

    fn is_remote(&self) -> bool {
        true
    }
}
