//! `make bench`: measures the resources and latency of the server from outside, with the release binary.
//!
//! `server` starts the demo and measures it; `bare` is the baseline of the fan-out, an axum server that does nothing
//! else; `engine` compares our store and engine with Prometheus and others; `front` runs Prometheus behind the server
//! and counts its requests; `parse` parses queries without a server; `report` joins the rows of several runs into one
//! table. Measurements that need a browser are in `end2end/bench`.

mod attack;
mod bare;
mod engine;
mod fanout;
mod front;
mod parse;
mod process;
mod report;
mod request;
mod row;
mod rules;
mod server;
mod statistics;
mod storm;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "hyperscope-bench", about = "Benchmarks of hyperscope")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The measured binary, and the output.
#[derive(Args)]
struct Run {
    /// Path of the binary
    #[arg(long, default_value = "target/release/hyperscope")]
    binary: PathBuf,
    /// Write the rows to this file, as JSON
    #[arg(long)]
    out: PathBuf,
}

/// The program to compare with.
#[derive(Args)]
struct Peer {
    /// Path of Prometheus
    #[arg(long, default_value = "prometheus")]
    prometheus: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the release binary's demo
    Server {
        #[command(flatten)]
        run: Run,
        /// Number of sockets of the fan-out
        #[arg(long, default_value_t = 1_000)]
        sockets: usize,
    },
    /// Compare store and engine with Prometheus and others, with the same samples
    Engine {
        #[command(flatten)]
        run: Run,
        /// Path of Prometheus; repeatable for several versions
        #[arg(long, default_value = "prometheus")]
        prometheus: Vec<PathBuf>,
        /// Path of VictoriaMetrics, to compare with it too
        #[arg(long)]
        victoria_metrics: Vec<PathBuf>,
        /// Number of steady series
        #[arg(long, default_value_t = 10_000)]
        series: usize,
        /// Their length in hours
        #[arg(long, default_value_t = 6)]
        hours: i64,
    },
    /// Compare the evaluation of rules with Prometheus, with the same samples and rule file, and let alerts fire
    Rules {
        #[command(flatten)]
        run: Run,
        #[command(flatten)]
        peer: Peer,
    },
    /// Count the requests to an engine behind the server, and compare the duration of a page with direct queries
    Front {
        #[command(flatten)]
        run: Run,
        #[command(flatten)]
        peer: Peer,
        /// Number of sockets, each subscribed to all dashboards
        #[arg(long, default_value_t = 1_000)]
        sockets: usize,
    },
    /// Measure the parse time of queries
    Parse {
        /// Write the row to this file, as JSON
        #[arg(long)]
        out: PathBuf,
    },
    /// Serve a plain broadcast, for comparison
    Bare,
    /// Print the rows of FILES as a table and write them as one list
    Report {
        /// Write the list to this file, as JSON
        #[arg(long)]
        out: PathBuf,
        /// Lists of rows
        files: Vec<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Server { run, sockets } => server::measure(&run.binary, &run.out, sockets).await,
        Command::Engine { run, prometheus, victoria_metrics, series, hours } => {
            let peers = engine::Peers { prometheus, victoria_metrics };
            engine::measure(&run.binary, &peers, &run.out, &engine::Size { series, hours }).await
        }
        Command::Front { run, peer, sockets } => front::measure(&run.binary, &peer.prometheus, &run.out, sockets).await,
        Command::Rules { run, peer } => rules::measure(&run.binary, &peer.prometheus, &run.out).await,
        Command::Parse { out } => parse::measure(&out),
        Command::Bare => bare::serve().await,
        Command::Report { out, files } => report::write(&files, &out),
    }
}
