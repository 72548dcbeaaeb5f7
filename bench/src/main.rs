//! `make bench`: what the server costs and how quick it is, measured from outside, on the release binary.
//!
//! `server` starts the demo and measures it; `bare` is the peer of the fan-out, an axum server that does nothing else;
//! `engine` compares our store and engine with Prometheus';
//! `front` has Prometheus behind the server and counts what it is asked;
//! `report` joins the rows of several runs into one table. What only a browser can tell is in `end2end/bench`.

mod bare;
mod engine;
mod fanout;
mod front;
mod process;
mod report;
mod request;
mod row;
mod rules;
mod server;
mod statistics;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "hyperscope-bench", about = "Benchmarks of hyperscope")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the release binary's demo
    Server {
        /// The binary
        #[arg(long, default_value = "target/release/hyperscope")]
        binary: PathBuf,
        /// Where the rows go, as JSON
        #[arg(long)]
        out: PathBuf,
        /// Sockets of the fan-out
        #[arg(long, default_value_t = 1_000)]
        sockets: usize,
    },
    /// Compare store and engine with Prometheus, over the same samples
    Engine {
        /// The binary
        #[arg(long, default_value = "target/release/hyperscope")]
        binary: PathBuf,
        /// Prometheus
        #[arg(long, default_value = "/usr/bin/prometheus")]
        prometheus: PathBuf,
        /// Where the rows go, as JSON
        #[arg(long)]
        out: PathBuf,
        /// Steady series
        #[arg(long, default_value_t = 10_000)]
        series: usize,
        /// How many hours they go back
        #[arg(long, default_value_t = 6)]
        hours: i64,
    },
    /// Compare the evaluation of rules with Prometheus', over the same samples and the same file
    Rules {
        /// The binary
        #[arg(long, default_value = "target/release/hyperscope")]
        binary: PathBuf,
        /// Prometheus
        #[arg(long, default_value = "/usr/bin/prometheus")]
        prometheus: PathBuf,
        /// Where the rows go, as JSON
        #[arg(long)]
        out: PathBuf,
    },
    /// Measure what an engine behind the server is asked, and how long a page takes beside asking it
    Front {
        /// The binary
        #[arg(long, default_value = "target/release/hyperscope")]
        binary: PathBuf,
        /// Prometheus
        #[arg(long, default_value = "/usr/bin/prometheus")]
        prometheus: PathBuf,
        /// Where the rows go, as JSON
        #[arg(long)]
        out: PathBuf,
        /// Sockets on all dashboards
        #[arg(long, default_value_t = 1_000)]
        sockets: usize,
    },
    /// Serve a plain broadcast, for comparison
    Bare,
    /// Print the rows of FILES as a table and write them as one list
    Report {
        /// Where the list goes, as JSON
        #[arg(long)]
        out: PathBuf,
        /// Lists of rows
        files: Vec<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Server { binary, out, sockets } => server::measure(&binary, &out, sockets).await,
        Command::Engine { binary, prometheus, out, series, hours } => {
            engine::measure(&binary, &prometheus, &out, &engine::Size { series, hours }).await
        }
        Command::Front { binary, prometheus, out, sockets } => {
            front::measure(&binary, &prometheus, &out, sockets).await
        }
        Command::Rules { binary, prometheus, out } => rules::measure(&binary, &prometheus, &out).await,
        Command::Bare => bare::serve().await,
        Command::Report { out, files } => report::write(&files, &out),
    }
}
