//! `make bench`: what the server costs and how quick it is, measured from outside, on the release binary.
//!
//! `server` starts the demo and measures it; `bare` is the peer of the fan-out, an axum server that does nothing else;
//! `engine` compares our store and engine with Prometheus' and others';
//! `front` has Prometheus behind the server and counts what it is asked; `parse` parses queries, without a server;
//! `report` joins the rows of several runs into one table. What only a browser can tell is in `end2end/bench`.

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

/// What is measured, and where the rows go.
#[derive(Args)]
struct Run {
    /// The binary
    #[arg(long, default_value = "target/release/hyperscope")]
    binary: PathBuf,
    /// Where the rows go, as JSON
    #[arg(long)]
    out: PathBuf,
}

/// What it is measured beside.
#[derive(Args)]
struct Peer {
    /// Prometheus
    #[arg(long, default_value = "prometheus")]
    prometheus: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the release binary's demo
    Server {
        #[command(flatten)]
        run: Run,
        /// Sockets of the fan-out
        #[arg(long, default_value_t = 1_000)]
        sockets: usize,
    },
    /// Compare store and engine with Prometheus and others, over the same samples
    Engine {
        #[command(flatten)]
        run: Run,
        /// Prometheus, one or more versions of it
        #[arg(long, default_value = "prometheus")]
        prometheus: Vec<PathBuf>,
        /// VictoriaMetrics, if it is to be compared with
        #[arg(long)]
        victoria_metrics: Vec<PathBuf>,
        /// Steady series
        #[arg(long, default_value_t = 10_000)]
        series: usize,
        /// How many hours they go back
        #[arg(long, default_value_t = 6)]
        hours: i64,
    },
    /// Compare the evaluation of rules with Prometheus', over the same samples and the same file, and let alerts fire
    Rules {
        #[command(flatten)]
        run: Run,
        #[command(flatten)]
        peer: Peer,
    },
    /// Measure what an engine behind the server is asked, and how long a page takes beside asking it
    Front {
        #[command(flatten)]
        run: Run,
        #[command(flatten)]
        peer: Peer,
        /// Sockets on all dashboards
        #[arg(long, default_value_t = 1_000)]
        sockets: usize,
    },
    /// Measure how long a query takes to parse
    Parse {
        /// Where the row goes, as JSON
        #[arg(long)]
        out: PathBuf,
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
