//! Runs a script.

use crate::{
    Answer, Loaded, Times, check,
    script::{self, Command},
};

/// A target of scripts.
pub trait Target {
    /// Deletes all series.
    ///
    /// # Errors If the target fails.
    fn clear(&mut self) -> Result<(), String>;

    /// Adds series. With custom buckets, each classic histogram is also added as a native one.
    ///
    /// # Errors If the target rejects them.
    fn load(&mut self, loaded: Vec<Loaded>, with_custom_buckets: bool) -> Result<(), String>;

    /// Evaluates an expression.
    ///
    /// # Errors The target's error.
    fn evaluate(&self, expression: &str, times: Times) -> Result<Answer, String>;

    /// Whether native histograms were loaded.
    fn has_histograms(&self) -> bool;

    /// Whether the target is queried over HTTP, where error messages may have a prefix or suffix.
    fn is_remote(&self) -> bool {
        false
    }
}

/// The results of a script.
#[derive(Debug, Default)]
pub struct Report {
    /// Evaluations with the expected result.
    pub passed: usize,
    /// All evaluations.
    pub total: usize,
    /// Line and reason of each failure.
    pub failures: Vec<(usize, String)>,
}

impl Report {
    /// Records a failed command, which is no evaluation.
    fn note(&mut self, line: usize, done: Result<(), String>) {
        self.failures.extend(done.err().map(|reason| (line, reason)));
    }
}

/// Runs one script. If `float_only`, evaluations with native histograms are skipped.
pub fn run(text: &str, target: &mut dyn Target, float_only: bool) -> Report {
    let mut report = Report::default();
    report.note(0, target.clear());
    for (line, command) in script::parse(text) {
        match command {
            Ok(Command::Clear) => report.note(line, target.clear()),
            Ok(Command::Load { series, with_custom_buckets }) => {
                report.note(line, target.load(series, with_custom_buckets));
            }
            Ok(Command::Eval(eval)) => {
                if float_only && (eval.mentions_histograms() || target.has_histograms()) {
                    continue;
                }
                report.total += 1;
                match check::check(&eval, target) {
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
