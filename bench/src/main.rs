//! `make bench`: measures the release binary, beside its peer in the same run where there is one.
//!
//! Prints a table and writes `bench/results.json`. Nothing here judges: it only measures.

mod bundle;
mod fanout;
mod page;
mod process;
mod rows;
mod statistics;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::rows::Rows;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if std::env::var_os(fanout::PLAIN_SERVER).is_some() {
        return fanout::serve_plain().await;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = PathBuf::from(arguments.first().map_or(".", String::as_str));
    let mut rows = Rows::default();

    bundle::measure(&root.join("dist"), &mut rows)?;
    let binary = binary(&root)?;
    page::measure(&binary, &mut rows).await?;
    fanout::measure(&binary, &mut rows).await?;

    for file in arguments.iter().skip(1) {
        rows.add_file(Path::new(file))?;
    }
    rows.print();
    rows.write(&root.join("bench/results.json"))
}

fn binary(root: &Path) -> anyhow::Result<PathBuf> {
    let binary = root.join("target/release/hyperscope");
    binary.canonicalize().with_context(|| format!("there is no {}: run `make build` first", binary.display()))
}
