//! Runs test scripts in the format of Prometheus' promqltest.
//!
//! `cargo run -p promql --example promqltest -- FILE...` prints `file passed/total` for each file, and each failed
//! evaluation with its line. `--quiet` omits the latter, `--float` skips tests with native histograms.
//!
//! By default queries are evaluated over series in memory. `--serve PROGRAM` starts that `hyperscope` for each `clear`,
//! with the additional arguments of each `--arg A`, loads it by remote write and queries it over HTTP; `--url
//! http://HOST:PORT --token T` does that with a running server, whose store must be empty, for scripts that load once.

use std::process::ExitCode;

use promqltest::{Memory, Server, Spawned, Target};

/// Command line arguments.
#[derive(Debug, Default)]
struct Arguments {
    quiet: bool,
    float: bool,
    serve: Option<String>,
    further: Vec<String>,
    url: Option<String>,
    token: Option<String>,
    files: Vec<String>,
}

impl Arguments {
    fn read() -> Option<Self> {
        let mut arguments = Arguments::default();
        let mut given = std::env::args().skip(1);
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--quiet" => arguments.quiet = true,
                "--float" => arguments.float = true,
                "--serve" => arguments.serve = Some(given.next()?),
                "--arg" => arguments.further.push(given.next()?),
                "--url" => arguments.url = Some(given.next()?),
                "--token" => arguments.token = Some(given.next()?),
                flag if flag.starts_with("--") => return None,
                _ => arguments.files.push(argument),
            }
        }
        (!arguments.files.is_empty()).then_some(arguments)
    }

    fn target(&self) -> Box<dyn Target> {
        match (&self.serve, &self.url) {
            (Some(program), _) => Box::new(Spawned::new(program, &self.further)),
            (None, Some(url)) => {
                let address = url.trim_start_matches("http://").trim_end_matches('/');
                Box::new(Server::new(address, self.token.as_deref()))
            }
            (None, None) => Box::new(Memory::default()),
        }
    }
}

fn main() -> ExitCode {
    let Some(arguments) = Arguments::read() else {
        println!(
            "usage: promqltest [--quiet] [--float] [--serve PROGRAM [--arg A]... | --url URL [--token T]] FILE..."
        );
        return ExitCode::from(2);
    };
    let mut target = arguments.target();
    let mut all_passed = true;
    for file in &arguments.files {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                println!("{file}: {error}");
                all_passed = false;
                continue;
            }
        };
        let report = promqltest::run(&text, target.as_mut(), arguments.float);
        for (line, reason) in report.failures.iter().filter(|_| !arguments.quiet) {
            println!("{file}:{line}: {reason}");
        }
        println!("{file} {}/{}", report.passed, report.total);
        all_passed &= report.failures.is_empty();
    }
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
