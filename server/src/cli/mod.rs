//! The command line: what was asked for, handed to the module that does it.

mod bundle;
mod check;
mod check_store;
mod daemon_sim;
mod dashboard;
mod healthcheck;
mod log_fields;
pub(crate) mod logging;
mod render;
pub(crate) mod render_offline;
mod serve;
mod token;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::{ConfigError, Options};

/// Live dashboards for HyperSDK's daemon and anything that speaks Prometheus.
#[derive(Debug, Parser)]
#[command(name = "hyperscope", version, propagate_version = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Every option of `serve` and `demo` has a flag, a HYPERSCOPE_* variable and a key of the configuration file; a flag \
lies over the variable, the variable over the file. RUST_LOG chooses what is logged, for example RUST_LOG=debug or RUST_LOG=info,audit=off.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch daemons and show them
    Serve(Box<serve::ServeCommand>),
    /// Show a simulated daemon with hours of history: a first look, tests, development
    Demo(Box<serve::DemoCommand>),
    /// Simulate a daemon, for tests and development
    DaemonSim(daemon_sim::DaemonSimCommand),
    /// Make, list and revoke tokens; a running server follows within a second
    Token(token::TokenCommand),
    /// Look a file or the stored series over and say what is wrong, and where
    Check(check::CheckCommand),
    /// Draw a dashboard or a panel into a file
    Render(Box<render::RenderCommand>),
    /// Say which dashboards there are
    Dashboard(dashboard::DashboardCommand),
    /// Write the browser bundle, for a daemon that serves it by itself
    Bundle(bundle::BundleCommand),
    /// Ask a server on this machine whether it is alive
    Healthcheck(healthcheck::HealthcheckCommand),
}

/// Where settings are that no flag and no variable gives.
#[derive(Debug, Clone, clap::Args)]
struct ConfigFile {
    /// Configuration file, YAML
    #[arg(long = "config", env = "HYPERSCOPE_CONFIG", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl ConfigFile {
    /// `given` over what the file holds, if there is one.
    fn under(&self, given: Options) -> Result<Options, ConfigError> {
        self.with_secret_files(given).map(|(options, _)| options)
    }

    /// The same, and the files that hold its secrets.
    fn with_secret_files(&self, given: Options) -> Result<(Options, Vec<PathBuf>), ConfigError> {
        let mut files = given.secret_files();
        let given = given.with_secrets()?;
        let Some(path) = &self.path else { return Ok((given, files)) };
        let under = Options::read(path)?;
        files.extend(under.secret_files());
        files.push(path.clone());
        Ok((given.or(under.with_secrets()?), files))
    }
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// What went wrong, as one sentence with its cause.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(serve) => serve.run().await,
            Command::Demo(demo) => demo.run().await,
            Command::DaemonSim(simulator) => simulator.run().await,
            Command::Token(token) => token.run().await,
            Command::Check(check) => check.run(),
            Command::Render(render) => render.run().await,
            Command::Dashboard(dashboard) => dashboard.run(),
            Command::Bundle(bundle) => bundle.run(),
            Command::Healthcheck(healthcheck) => healthcheck.run().await,
        }
    }
}

/// Writes one line to stdout, where a pipe that is closed is an error like any other.
fn say(line: impl std::fmt::Display) -> std::io::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_of_a_server_has_a_variable_and_is_described() {
        use clap::CommandFactory;
        let described = include_str!("../../../docs/configuration.md");
        for name in ["serve", "demo", "daemon-sim"] {
            let command = Cli::command().find_subcommand(name).unwrap().clone();
            for option in command.get_arguments().filter(|option| option.get_id() != "help") {
                let (flag, variable) = (option.get_long().unwrap(), option.get_env().unwrap().to_str().unwrap());
                let named = variable.strip_prefix("HYPERSCOPE_").unwrap().to_lowercase().replace('_', "-");
                let plain = named.strip_prefix("daemon-sim-").filter(|_| name == "daemon-sim").unwrap_or(&named);
                assert_eq!(flag, plain, "{name}: {variable}");
                assert!(described.contains(&format!("`--{flag}`")), "--{flag} is not in docs/configuration.md");
            }
        }
    }

    #[test]
    fn the_keys_and_the_example_of_the_description_are_taken() {
        let described = include_str!("../../../docs/configuration.md");
        let parse = |text: &str| yaml::parse::<Options>("docs".as_ref(), text).map_err(|error| error.to_string());
        parse(described.split("```").nth(1).unwrap().strip_prefix("yaml").unwrap()).unwrap();
        let keys = described.lines().filter_map(|line| line.strip_prefix("| `--")?.split(" | ").nth(1));
        let keys: Vec<_> = keys.flat_map(|cell| cell.split(", ")).map(|key| key.trim_matches('`')).collect();
        assert!(keys.len() > 35, "{keys:?}");
        for key in keys.into_iter().filter(|key| !key.trim().is_empty()) {
            // A value that no key takes: only a key that does not exist is told as unknown.
            let text = match key.split_once('.') {
                Some((group, key)) => format!("{group}: {{ {key}: [[]] }}"),
                None => format!("{key}: [[]]"),
            };
            let complaint = parse(&text).err().unwrap_or_default();
            assert!(!complaint.contains("unknown key"), "{complaint}");
        }
    }
}
