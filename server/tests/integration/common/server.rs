//! `hyperscope serve` and `hyperscope demo` as processes.

use std::{net::SocketAddr, path::Path, process::ExitStatus, sync::Arc};

use reqwest::{Client, RequestBuilder, StatusCode, redirect::Policy};
use serde_json::Value;
use tempfile::TempDir;

use super::{HYPERSCOPE, Program, eventually};

/// The first token of every server in these tests, an admin's.
pub const TOKEN: &str = "the-admin-of-these-tests_0123456789abcdef";

/// A server that is ready, and that runs until it is dropped.
pub struct Server {
    pub program: Program,
    pub address: SocketAddr,
    pub data_dir: Arc<TempDir>,
    client: Client,
}

impl Server {
    pub async fn serve(args: &[&str]) -> Self {
        Self::start("serve", Arc::new(TempDir::new().unwrap()), args).await
    }

    /// A demo with a short history.
    pub async fn demo(args: &[&str]) -> Self {
        let short: &[&str] = if args.contains(&"--history") { &[] } else { &["--history", "30m"] };
        let args = [short, args].concat();
        Self::start("demo", Arc::new(TempDir::new().unwrap()), &args).await
    }

    /// Starts with a data directory that may have been used before.
    pub async fn start(command: &str, data_dir: Arc<TempDir>, args: &[&str]) -> Self {
        let program = launch(command, data_dir.path(), args);
        Self::ready(program, data_dir).await
    }

    /// Waits until a started program is ready.
    pub async fn ready(mut program: Program, data_dir: Arc<TempDir>) -> Self {
        let url = program.said("hyperscope ready on http://").await;
        Server { program, address: url.parse().unwrap(), data_dir, client: client() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A GET as the admin.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(TOKEN)
    }

    /// A POST as the admin.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.url(path)).bearer_auth(TOKEN)
    }

    /// A GET without a token.
    pub fn get_as_nobody(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    /// The text of a page or answer, which must be successful.
    pub async fn text(&self, path: &str) -> String {
        let answer = self.get(path).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text
    }

    /// The JSON of a successful answer.
    pub async fn json(&self, path: &str) -> Value {
        let text = self.text(path).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// The samples of an instant query: labels and value.
    pub async fn query(&self, expr: &str) -> Vec<(Value, f64)> {
        let answer = self.get("/api/v1/query").query(&[("query", expr)]).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{expr}: {answer}");
        let samples = answer["data"]["result"].as_array().unwrap();
        samples.iter().map(|one| (one["metric"].clone(), one["value"][1].as_str().unwrap().parse().unwrap())).collect()
    }

    /// Stops it; returns its exit status and output.
    pub async fn stop(mut self) -> (ExitStatus, Program) {
        (self.program.signal("TERM").await, self.program)
    }

    /// Kills it.
    pub async fn kill(mut self) -> Arc<TempDir> {
        self.program.signal("KILL").await;
        self.data_dir
    }
}

/// Starts `hyperscope serve` or `demo` on a free port, without waiting for the ready line.
pub fn launch(command: &str, data_dir: &Path, args: &[&str]) -> Program {
    Program::start(HYPERSCOPE, &arguments(command, data_dir, args), &[("HYPERSCOPE_ADMIN_TOKEN", TOKEN)])
}

/// The command line of a server on a free port.
pub fn arguments<'a>(command: &'a str, data_dir: &'a Path, args: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![command, "--data-dir", data_dir.to_str().unwrap()];
    if !args.contains(&"--listen") {
        all.extend(["--listen", "127.0.0.1:0"]);
    }
    all.extend(args);
    all
}

/// Runs `hyperscope token` on the data directory of a server, and returns the last line of its output.
pub async fn token(data_dir: &Path, args: &[&str]) -> String {
    let all = [&["token"], args, &["--data-dir", data_dir.to_str().unwrap()]].concat();
    let mut program = Program::start(HYPERSCOPE, &all, &[]);
    let status = program.ended().await;
    assert!(status.success(), "{}", program.stderr());
    program.stdout().lines().last().unwrap_or_default().to_owned()
}

/// A client that follows no redirects, stores no cookies and decompresses nothing.
pub fn client() -> Client {
    // Only the first call installs the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(Policy::none()).no_proxy().no_gzip().timeout(super::PATIENCE).build().unwrap()
}

/// The secret of a new viewer token, once the server accepts it.
pub async fn viewer(server: &Server, name: &str) -> String {
    let secret = token(server.data_dir.path(), &["create", "--name", name, "--role", "viewer"]).await;
    eventually("the token counts", async || {
        let answer = server.get_as_nobody("/api/session").bearer_auth(&secret).send().await.unwrap();
        answer.status().is_success().then_some(())
    })
    .await;
    secret
}
