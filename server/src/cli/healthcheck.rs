//! `hyperscope healthcheck`: a health check command for containers and service managers.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::Args;

use super::{ConfigFile, say};
use crate::{
    address,
    config::{Config, Listen, Options, Tls, default_data_dir},
};

/// A server that takes longer counts as down.
const TIMEOUT: Duration = Duration::from_secs(5);

/// `hyperscope healthcheck`
#[derive(Debug, Args)]
pub(super) struct HealthcheckCommand {
    #[command(flatten)]
    file: ConfigFile,
    /// Address the server listens on [default: 127.0.0.1:3030]
    #[arg(long, env = "HYPERSCOPE_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<Listen>,
    /// Certificate of the server; if set, the check uses HTTPS
    #[arg(long, env = "HYPERSCOPE_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
}

impl HealthcheckCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut given = self.file.under(Options { listen: self.listen, ..Options::default() })?;
        let is_tls = self.tls_cert.is_some() || given.tls.cert.is_some();
        given.tls = Tls::default();
        let url = health_url(Config::resolve(given, default_data_dir())?.listen, is_tls);
        // The check connects by local address, which no certificate contains.
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .tls_danger_accept_invalid_certs(true)
            .build()
            .context("cannot make a request")?;
        let answer = client.get(&url).send().await.with_context(|| format!("{url} does not answer"))?;
        if !answer.status().is_success() {
            bail!("{url} answers {}", answer.status());
        }
        say(format_args!("{url} is alive")).context("stdout")
    }
}

/// Where a server that listens on `listen` says how it is, asked from the same machine.
fn health_url(listen: SocketAddr, is_tls: bool) -> String {
    format!("{}://{}/health", if is_tls { "https" } else { "http" }, address::reachable(listen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_asked_on_loopback() {
        assert_eq!(health_url("0.0.0.0:3030".parse().unwrap(), false), "http://127.0.0.1:3030/health");
        assert_eq!(health_url("[::]:1".parse().unwrap(), true), "https://[::1]:1/health");
        assert_eq!(health_url("10.0.0.1:1".parse().unwrap(), false), "http://10.0.0.1:1/health");
    }
}
