//! `hyperscope check`: checks a file or a store.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{check_store::CheckStore, say};
use crate::config::{Config, Options, default_data_dir};

/// `hyperscope check`
#[derive(Debug, Args)]
pub(super) struct CheckCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check a configuration file of this program or of Alertmanager
    Config {
        /// The file
        file: PathBuf,
    },
    /// Check a dashboard file
    Dashboard {
        /// The file
        file: PathBuf,
    },
    /// Check rule files
    Rules {
        /// Rule files; may contain wildcards
        #[arg(required_unless_present = "test")]
        files: Vec<PathBuf>,
        /// Unit test file in the format of `promtool test rules`; repeatable
        #[arg(long, value_name = "FILE")]
        test: Vec<PathBuf>,
    },
    /// Check the stored series: reads all, changes nothing, works while a server runs
    Store(CheckStore),
}

impl CheckCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let file = match self.what {
            What::Config { file } => {
                let named = || file.display().to_string();
                if notify::config_file::is_alertmanagers(&file) {
                    notify::config_file::load(&file, "")?;
                    return say(format_args!("{}: ok, a configuration of Alertmanager", file.display()))
                        .context("stdout");
                }
                let config = Options::from_file(&file)?;
                let config = Config::resolve(config, default_data_dir()).with_context(named)?;
                if let Some(receivers) = &config.notify.config {
                    notify::config_file::load(receivers, "")?;
                }
                file
            }
            What::Dashboard { file } => {
                dashboards::read(&file)?;
                file
            }
            What::Store(store) => return store.run(),
            What::Rules { files, test } => return check_rules(&files, &test),
        };
        say(format_args!("{}: ok", file.display())).context("stdout")
    }
}

/// Checks each rule file and runs each test file, and reports all failures.
fn check_rules(patterns: &[PathBuf], tests: &[PathBuf]) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for file in alerting::expand(patterns)? {
        match alerting::read(&file) {
            Ok(rules) => {
                for problem in rules.warnings() {
                    say(format_args!("warning: {}:{problem}", file.display())).context("stdout")?;
                }
                good(&file, rules.rule_count(), "rule")?;
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
    for file in tests {
        match alerting::run_tests(file) {
            Ok(count) => good(file, count, "test")?,
            Err(error) => wrong.push(error.to_string()),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(anyhow::anyhow!(wrong.join("\n"))) }
}

fn good(file: &Path, count: usize, noun: &str) -> anyhow::Result<()> {
    let plural = if count == 1 { "" } else { "s" };
    say(format_args!("{}: ok, {count} {noun}{plural}", file.display())).context("stdout")
}
