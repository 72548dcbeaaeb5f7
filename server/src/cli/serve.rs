//! `hyperscope serve` and `hyperscope demo`.

use clap::Args;

use super::{ConfigFile, logging};
use crate::{
    config::{Config, Demo, Options, default_data_dir},
    privacy,
    serve::{self, Mode},
};

/// `hyperscope serve`
#[derive(Debug, Args)]
pub(super) struct ServeCommand {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    options: Options,
}

/// `hyperscope demo`
#[derive(Debug, Args)]
pub(super) struct DemoCommand {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    demo: Demo,
    #[command(flatten)]
    options: Options,
}

impl ServeCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        run(&self.config, self.options, Mode::Serve).await
    }
}

impl DemoCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        run(&self.config, Options { demo: self.demo, ..self.options }, Mode::Demo).await
    }
}

async fn run(file: &ConfigFile, given: Options, mode: Mode) -> anyhow::Result<()> {
    privacy::make_private();
    let (options, secret_files) = file.with_secret_files(given)?;
    let config = Config::resolve(options, default_data_dir())?;
    logging::init(config.log_format);
    privacy::warn_of_readable(&config.data_dir, &secret_files);
    serve::run(config, mode).await
}
