//! `hyperscope bundle`: writes the browser bundle, for programs that serve it without us.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::say;
use crate::http::assets::Assets;

/// `hyperscope bundle`
#[derive(Debug, Args)]
pub(super) struct BundleCommand {
    /// Output directory; existing files with the same names are overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl BundleCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let assets = Assets::load();
        let paths = assets.paths();
        if paths.is_empty() {
            bail!("this build has no bundle inside: build with `make build`");
        }
        for path in &paths {
            let file = self.out.join(path);
            let asset = assets.get(path, "").with_context(|| format!("{path} is gone from the bundle"))?;
            if let Some(directory) = file.parent() {
                fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
            }
            fs::write(&file, &asset.bytes).with_context(|| file.display().to_string())?;
        }
        say(format_args!("{} files in {}", paths.len(), self.out.display())).context("stdout")
    }
}
