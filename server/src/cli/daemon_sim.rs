//! `hyperscope daemon-sim`: a simulated daemon.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use daemon_sim::{SimOptions, Simulator};

use super::{ConfigFile, logging, say};
use crate::config::{DaemonSim, Dialect, Options};

const DEFAULT_PORT: u16 = 8080;

/// `hyperscope daemon-sim`
#[derive(Debug, Args)]
pub(super) struct DaemonSimCommand {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    options: DaemonSim,
}

impl DaemonSimCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let given = self.config.under(Options { daemon_sim: self.options, ..Options::default() })?;
        logging::init(given.log_format.unwrap_or_default());
        let given = given.daemon_sim;
        let usual = SimOptions::default();
        let options = SimOptions {
            listen: given
                .listen
                .map_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)), |listen| listen.0),
            dialect: match given.dialect.unwrap_or_default() {
                Dialect::Stock => daemon_sim::Dialect::Stock,
                Dialect::Custom => daemon_sim::Dialect::Custom,
                Dialect::Documented => daemon_sim::Dialect::Documented,
            },
            seed: given.seed.unwrap_or(usual.seed),
            jobs_per_minute: given.jobs_per_minute.unwrap_or(usual.jobs_per_minute),
            web: given.web,
            clock_offset_seconds: given.clock_offset.unwrap_or(usual.clock_offset_seconds),
            api_key: given.api_key.map(|key| key.expose().to_owned()),
            ..usual
        };
        let simulator = Simulator::start(options).await?;
        say(format_args!("daemon-sim ready on http://{}", simulator.addr()))?;
        crate::signals::stop_signal().await;
        simulator.shutdown().await;
        Ok(())
    }
}
