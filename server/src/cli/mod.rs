//! The command line: parses it and runs the command's module.

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

/// Live dashboards for HyperSDK's daemon and any Prometheus-compatible source.
#[derive(Debug, Parser)]
#[command(name = "hyperscope", version, propagate_version = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Every option of `serve` and `demo` has a flag, a HYPERSCOPE_* variable and a key of the configuration file; a flag \
overrides the variable, the variable overrides the file. RUST_LOG sets the log levels, for example RUST_LOG=debug or RUST_LOG=info,audit=off.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::ServeCommand>),
    /// Run the server with a simulated daemon and hours of history, for a first look, tests and development
    Demo(Box<serve::DemoCommand>),
    /// Run a simulated daemon, for tests and development
    DaemonSim(daemon_sim::DaemonSimCommand),
    /// Create, list and revoke tokens; a running server notices within a second
    Token(token::TokenCommand),
    /// Check a file or the stored series, and report errors with their position
    Check(check::CheckCommand),
    /// Render a dashboard or a panel to a file
    Render(Box<render::RenderCommand>),
    /// List the dashboards
    Dashboard(dashboard::DashboardCommand),
    /// Write the browser bundle, for a daemon that serves it itself
    Bundle(bundle::BundleCommand),
    /// Check whether a server on this machine is alive
    Healthcheck(healthcheck::HealthcheckCommand),
}

/// The configuration file, for settings without flag and variable.
#[derive(Debug, Clone, clap::Args)]
struct ConfigFile {
    /// Configuration file, YAML
    #[arg(long = "config", env = "HYPERSCOPE_CONFIG", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl ConfigFile {
    /// Merges `given` with the file, if there is one; `given` has priority.
    fn under(&self, given: Options) -> Result<Options, ConfigError> {
        self.with_secret_files(given).map(|(options, _)| options)
    }

    /// The same, with the list of files that hold its secrets.
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
    /// Runs the command.
    ///
    /// # Errors
    ///
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

/// Writes one line to stdout; a closed pipe is an error like any other.
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
            // The value is invalid for any key, so that the error of a known key differs from that of an unknown one.
            let text = match key.split_once('.') {
                Some((group, key)) => format!("{group}: {{ {key}: [[]] }}"),
                None => format!("{key}: [[]]"),
            };
            let complaint = parse(&text).err().unwrap_or_default();
            assert!(!complaint.contains("unknown key"), "{complaint}");
        }
    }
}
