//! Runs a script.

use crate::{
    Answer, Loaded, Times, check,
    script::{self, Command},
};

/// What scripts are run against.
pub trait Target {
    /// Begins again, without series.
    ///
    /// # Errors
    /// It cannot.
    fn clear(&mut self) -> Result<(), String>;

    /// Adds series. With custom buckets, each classic histogram among them is added as a native one too.
    ///
    /// # Errors
    /// It does not take them.
    fn load(&mut self, loaded: Vec<Loaded>, with_custom_buckets: bool) -> Result<(), String>;

    /// Evaluates an expression.
    ///
    /// # Errors
    /// What the target says.
    fn evaluate(&self, expression: &str, times: Times) -> Result<Answer, String>;

    /// Whether native histograms were loaded.
    fn has_histograms(&self) -> bool;

    /// Whether it is asked over HTTP, where errors may have words around them.
    fn is_remote(&self) -> bool {
        false
    }
}

/// What became of a script's evaluations.
#[derive(Debug, Default)]
pub struct Report {
    /// As expected.
    pub passed: usize,
    /// All of them.
    pub total: usize,
    /// Line and reason of each that went wrong.
    pub failures: Vec<(usize, String)>,
}

impl Report {
    /// What keeps a script from being run is a failure, but no evaluation.
    fn note(&mut self, line: usize, done: Result<(), String>) {
        self.failures.extend(done.err().map(|reason| (line, reason)));
    }
}

/// Runs one script. If `float_only`, evaluations that involve native histograms are left out.
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
