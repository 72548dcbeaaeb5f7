//! Runs test scripts in the format of Prometheus' promqltest against this engine.
//!
//! `cargo run -p promql --example promqltest -- FILE...` prints `file passed/total` for each file, and each evaluation that went
//! wrong with its line. `--quiet` leaves out the latter, `--float` skips what involves native histograms.

mod check;
mod run;
mod script;
mod series;
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    let (flags, files): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    if files.is_empty() {
        println!("usage: promqltest [--quiet] [--float] FILE...");
        return ExitCode::from(2);
    }
    let mut all_passed = true;
    for file in files {
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                println!("{file}: {error}");
                all_passed = false;
                continue;
            }
        };
        let report = run::run(&text, has("--float"));
        for (line, reason) in report.failures.iter().filter(|_| !has("--quiet")) {
            println!("{file}:{line}: {reason}");
        }
        println!("{file} {}/{}", report.passed, report.total);
        all_passed &= report.failures.is_empty();
    }
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
