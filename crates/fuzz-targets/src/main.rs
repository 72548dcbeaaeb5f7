//! Tries mutated seeds for some time: `cargo run -p fuzz-targets -- TARGET SECONDS [SEED [keep]]`, from the root of the
//! repository.
//!
//! An input at which something panics is left in `fuzz/found/TARGET/`, where the tests of this crate try it from then on. With `keep` the
//! input that is being tried is always there as `current`, which takes longer: what ends the process leaves it behind. The same seed
//! tries the same inputs.

#![allow(clippy::print_stderr)] // A tool for the terminal.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use fuzz_targets::{
    Target,
    mutate::{Dice, mutated},
};

/// Inputs that are remembered beside the seeds.
const MOST_KNOWN: usize = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let target = Target::ALL.into_iter().find(|target| arguments.first().is_some_and(|name| name == target.name()));
    let seconds = arguments.get(1).and_then(|seconds| seconds.parse().ok());
    let (Some(target), Some(seconds)) = (target, seconds) else {
        eprintln!("usage: fuzz-targets exposition|remote_write|promql SECONDS [SEED [keep]]");
        return ExitCode::from(2);
    };
    let seed = arguments.get(2).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let keeps = arguments.get(3).is_some_and(|word| word == "keep");
    match fuzz(target, Duration::from_secs(seconds), seed, keeps) {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            faults.iter().for_each(|path| eprintln!("a fault: {}", path.display()));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What became of an input, without what is quoted from it.
fn kind(told: &str) -> String {
    let own: String = told.split(['"', '\'', '`']).step_by(2).collect();
    // Short ones are counts; in sentences numbers say where.
    let counts = own.len() < 40;
    let tells =
        |character: &char| character.is_alphabetic() || *character == ' ' || (counts && character.is_ascii_digit());
    own.chars().filter(tells).take(120).collect()
}

fn fuzz(target: Target, time: Duration, seed: u64, keeps: bool) -> std::io::Result<Vec<PathBuf>> {
    let mut known = Vec::new();
    for entry in fs::read_dir(Path::new("fuzz/seeds").join(target.name()))? {
        let seed = fs::read(entry?.path())?;
        // A file of lines is a seed a line, and one.
        known.extend(seed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec));
        known.push(seed);
    }
    let found = Path::new("fuzz/found").join(target.name());
    fs::create_dir_all(&found)?;
    let current = found.join("current");
    let mut dice = Dice(seed);
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    let (started, mut tried) = (Instant::now(), 0_u64);
    while started.elapsed() < time {
        let input = mutated(target, &known, &mut dice);
        tried += 1;
        if keeps {
            fs::write(&current, &input)?;
        }
        match std::panic::catch_unwind(|| target.run(&input)) {
            Ok(told) => {
                if known.len() < MOST_KNOWN && seen.insert(kind(&told)) {
                    known.push(input);
                }
            }
            Err(_) => {
                let path = found.join(format!("{seed}-{tried}"));
                fs::write(&path, &input)?;
                faults.push(path);
            }
        }
    }
    if keeps {
        fs::remove_file(&current)?;
    }
    eprintln!("{}: {tried} inputs, {} kinds of outcome, {} faults", target.name(), seen.len(), faults.len());
    Ok(faults)
}
