//! Runs test scripts in the format of Prometheus' promqltest against this engine.
//!
//! `cargo run -p promql --example promqltest -- FILE...` prints `file passed/total` for each file, and each evaluation that went
//! wrong with its line. `--quiet` leaves out the latter, `--float` skips what involves native histograms.

mod check;
mod script;
mod series;
mod store;

use std::process::ExitCode;

use script::Command;

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
        let (passed, total) = run(&file, &text, has("--quiet"), has("--float"));
        println!("{file} {passed}/{total}");
        all_passed &= passed == total;
    }
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one script; how many evaluations went as expected, of how many.
fn run(file: &str, text: &str, quiet: bool, float_only: bool) -> (usize, usize) {
    let mut store = store::Memory::default();
    let (mut passed, mut total) = (0, 0);
    for (line, command) in script::parse(text) {
        match command {
            Ok(Command::Clear) => store = store::Memory::default(),
            Ok(Command::Load { series, with_custom_buckets }) => store.load(series, with_custom_buckets),
            Ok(Command::Eval(eval)) => {
                if float_only && (eval.mentions_histograms() || store.has_histograms()) {
                    continue;
                }
                total += 1;
                match check::check(&eval, &store) {
                    Ok(()) => passed += 1,
                    Err(reason) if !quiet => println!("{file}:{line}: {}\n    {reason}", eval.expression),
                    Err(_) => {}
                }
            }
            Err(reason) => {
                total += 1;
                println!("{file}:{line}: not understood: {reason}");
            }
        }
    }
    (passed, total)
}
