//! `hyperscope check`: looks a file or a store over.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{check_store::CheckStore, say};
use crate::{
    config::{Config, Options, default_data_dir},
    dashboards, rules,
};

/// `hyperscope check`
#[derive(Debug, Args)]
pub(super) struct CheckCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A configuration file
    Config {
        /// The file
        file: PathBuf,
    },
    /// A dashboard of your own
    Dashboard {
        /// The file
        file: PathBuf,
    },
    /// A file of alert and recording rules
    Rules {
        /// The file
        file: PathBuf,
    },
    /// The stored series: reads all of them, changes nothing, also while a server runs
    Store(CheckStore),
}

impl CheckCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let file = match self.what {
            What::Config { file } => {
                let named = || file.display().to_string();
                let config = Options::from_file(&file)?;
                Config::resolve(config, default_data_dir()).with_context(named)?;
                file
            }
            What::Dashboard { file } => {
                dashboards::read(&file)?;
                file
            }
            What::Rules { file } => {
                rules::read(&file)?;
                file
            }
            What::Store(store) => return store.run(),
        };
        say(format_args!("{}: ok", file.display())).context("stdout")
    }
}
