//! `hyperscope check store`: reads every byte of a store and reports damage.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use model::civil::Civil;
use tsdb::{Damage, Verification, verify};

use super::{ConfigFile, say};
use crate::{
    config::{Options, default_data_dir},
    storage::{DEMO_SERIES, SERIES},
};

/// After this time a running server's current write is complete.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// `hyperscope check store`
#[derive(Debug, Args)]
pub(super) struct CheckStore {
    /// Data directory, or a store inside one [default: the data directory of `serve`]
    #[arg(value_name = "DIR", conflicts_with = "data_dir")]
    directory: Option<PathBuf>,
    /// The same as DIR
    #[arg(long, env = "HYPERSCOPE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

impl CheckStore {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let directory = match self.directory {
            Some(directory) => directory,
            None => {
                let given = Options { data_dir: self.data_dir, ..Options::default() };
                self.config.under(given)?.data_dir.unwrap_or_else(default_data_dir)
            }
        };
        let mut damaged = 0;
        for store in stores(&directory)? {
            let found = look(&store).with_context(|| format!("cannot check {}", store.display()))?;
            for damage in &found.damage {
                say(damage).context("stdout")?;
            }
            say(format_args!("{}: {}", store.display(), summary(&found))).context("stdout")?;
            damaged += found.damage.len();
        }
        if damaged > 0 {
            let places = if damaged == 1 { "1 place is".to_owned() } else { format!("{damaged} places are") };
            bail!(
                "{}: {places} damaged; the server moves the damaged data aside at its next start and continues with the rest",
                directory.display()
            );
        }
        Ok(())
    }
}

/// The stores in a data directory, or the directory itself if it is a store.
fn stores(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    // A store without its format file still counts, but not every directory with a folder of logs does.
    let is_store = |directory: &Path| {
        let has = |name: &str| directory.join(name).exists();
        has("FORMAT") || (has("log") && has("chunks"))
    };
    if is_store(directory) {
        return Ok(vec![directory.to_owned()]);
    }
    let found: Vec<PathBuf> =
        [SERIES, DEMO_SERIES].map(|name| directory.join(name)).into_iter().filter(|path| is_store(path)).collect();
    if found.is_empty() {
        bail!("there is no store in {}: name the server's data directory", directory.display());
    }
    Ok(found)
}

/// Checks a store. A server's current write looks torn although it is not, so damage is checked twice.
fn look(store: &Path) -> Result<Verification, tsdb::OpenError> {
    let first = verify(store)?;
    if !first.in_use || first.damage.is_empty() {
        return Ok(first);
    }
    std::thread::sleep(SECOND_LOOK);
    let mut second = verify(store)?;
    let place = |damage: &Damage| (damage.file.clone(), damage.offset);
    second.damage.retain(|damage| first.damage.iter().any(|before| place(before) == place(damage)));
    Ok(second)
}

fn summary(found: &Verification) -> String {
    let Verification { files, bytes, series, chunks, chunk_samples, log_samples, .. } = found;
    let mut summary = match found.damage.len() {
        0 => "ok".to_owned(),
        1 => "1 damaged place".to_owned(),
        places => format!("{places} damaged places"),
    };
    summary += &format!(
        "; {series} series, {chunk_samples} samples in {chunks} chunks, {log_samples} in the log; {bytes} bytes in {files} files"
    );
    if let (Some(oldest), Some(newest)) = (found.oldest_ms, found.newest_ms) {
        let time = |at_ms| {
            let at = Civil::utc(at_ms);
            format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", at.year, at.month, at.day, at.hour, at.minute, at.second)
        };
        summary += &format!("; chunks from {} to {}", time(oldest), time(newest));
    }
    if found.set_aside > 0 {
        summary += &format!("; {} files that earlier starts have set aside are in `damaged`", found.set_aside);
    }
    if found.in_use {
        summary += "; in use by a server";
    }
    summary
}
