//! The program `hyperscope`: a backend-for-frontend between browsers and the sources.

mod address;
mod cli;
mod config;
mod demo;
mod http;
mod privacy;
mod serve;
mod signals;
mod source_list;
mod state;
mod storage;
mod walls;

use std::{io::Write, process::ExitCode};

use crate::cli::Cli;
use clap::Parser;

/// This allocator returns memory to the system. Ingestion and queries need much memory for short times, which the
/// system's allocator would retain per thread.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, there is nowhere to report this.
            let _ = writeln!(std::io::stderr(), "error: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<()> {
    // Only we can have installed another provider, and then it is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(cli.run())
}

/// An error and its causes as one sentence, without causes that the error already contains.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence.push_str(": ");
            sentence.push_str(&cause);
        }
    }
    sentence
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || Err::<(), _>(anyhow::anyhow!("no such file"));
        assert_eq!(sentence(&cause().context("cannot read x").unwrap_err()), "cannot read x: no such file");
        assert_eq!(sentence(&cause().context("x: no such file").unwrap_err()), "x: no such file");
    }
}
