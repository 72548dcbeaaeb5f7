//! `hyperscope dashboard`: lists the dashboards of a server.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use dashboards::DashboardRegistry;

use super::{ConfigFile, say};
use crate::config::Options;

/// `hyperscope dashboard`
#[derive(Debug, Args)]
pub(super) struct DashboardCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the dashboards: UID, number of panels, title
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// Directory of your own dashboards, YAML; they override built-in ones with the same UID
        #[arg(long, env = "HYPERSCOPE_DASHBOARDS_DIR", value_name = "DIR")]
        dashboards_dir: Option<PathBuf>,
    },
}

impl DashboardCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Action::List { config, dashboards_dir } = self.action;
        let given = config.under(Options { dashboards_dir, ..Options::default() })?;
        let library = DashboardRegistry::load(given.dashboards_dir.as_deref())?;
        let width = library.all().map(|dashboard| dashboard.uid.len()).max().unwrap_or(0);
        for dashboard in library.all() {
            let panels = dashboard.panels.len();
            say(format_args!("{:width$}  {panels:>2} panels  {}", dashboard.uid, dashboard.title)).context("stdout")?;
        }
        Ok(())
    }
}
