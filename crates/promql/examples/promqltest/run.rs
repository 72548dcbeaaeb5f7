//! Runs a script.

use crate::{
    check,
    script::{self, Command},
    store::Memory,
};

/// What became of a script's evaluations.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) passed: usize,
    pub(crate) total: usize,
    /// Line and reason of each that went wrong.
    pub(crate) failures: Vec<(usize, String)>,
}

/// Runs one script. If `float_only`, evaluations that involve native histograms are left out.
pub(crate) fn run(text: &str, float_only: bool) -> Report {
    let mut store = Memory::default();
    let mut report = Report::default();
    for (line, command) in script::parse(text) {
        match command {
            Ok(Command::Clear) => store = Memory::default(),
            Ok(Command::Load { series, with_custom_buckets }) => store.load(series, with_custom_buckets),
            Ok(Command::Eval(eval)) => {
                if float_only && (eval.mentions_histograms() || store.has_histograms()) {
                    continue;
                }
                report.total += 1;
                match check::check(&eval, &store) {
                    Ok(()) => report.passed += 1,
                    Err(reason) => report.failures.push((line, format!("{}\n    {reason}", eval.expression))),
                }
            }
            Err(reason) => {
                report.total += 1;
                report.failures.push((line, format!("not understood: {reason}")));
            }
        }
    }
    report
}
