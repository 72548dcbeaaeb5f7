//! Queries over a store, with the names that it has.

use std::collections::BTreeSet;

use labels::METRIC_NAME;
use model::frame::Frame;
use promql::{EvalError, Options, Outcome, Query};
use query_frontend::aliases::Aliases;
use tsdb::Store;

use crate::{
    coverage::{stored_remark, windows},
    frame,
};

/// How recent a sample must be, so that the store counts as having its series, in milliseconds.
const NAMES_LOOK_BACK_MS: i64 = 6 * 3_600_000;

/// When a query is evaluated. Times in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// At one time.
    At(i64),
    /// At each step of a closed range.
    Range {
        /// First step.
        start_ms: i64,
        /// Last step.
        end_ms: i64,
        /// Interval between steps, in milliseconds; more than 0.
        step_ms: i64,
    },
}

impl Span {
    fn end_ms(self) -> i64 {
        match self {
            Span::At(end_ms) | Span::Range { end_ms, .. } => end_ms,
        }
    }
}

/// Evaluates queries over a store on the calling thread.
#[derive(Debug)]
pub struct Evaluator {
    store: Store,
    aliases: Aliases,
}

impl Evaluator {
    /// An evaluator with aliases of metric names.
    #[must_use]
    pub fn new(store: Store, aliases: Aliases) -> Self {
        Evaluator { store, aliases }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The query with the metric names that the store has at `now_ms` (milliseconds since the Unix epoch); `None` if it is
    /// evaluated as written.
    #[must_use]
    pub fn as_evaluated(&self, written: &Query, now_ms: i64) -> Option<Query> {
        if !self.aliases.concern(written) {
            return None;
        }
        let names = self.store.label_values(METRIC_NAME, &[], now_ms.saturating_sub(NAMES_LOOK_BACK_MS), now_ms);
        self.aliases.rewrite(written, &names.into_iter().collect::<BTreeSet<String>>())
    }

    /// Evaluates a query as a panel shows it.
    ///
    /// # Errors
    ///
    /// It exceeds a limit, or cannot be executed.
    pub fn frame(&self, written: &Query, span: Span, options: &Options) -> Result<Frame, EvalError> {
        let end_ms = span.end_ms();
        let renamed = self.as_evaluated(written, end_ms);
        let query = renamed.as_ref().unwrap_or(written);
        let outcome = self.evaluate(query, span, options)?;
        Ok(Frame {
            remarks: stored_remark(&windows(query, end_ms), &self.store).into_iter().collect(),
            sent: renamed.as_ref().map(|renamed| renamed.text().to_owned()),
            ..frame(outcome, end_ms)
        })
    }

    /// Evaluates a query as it is written.
    ///
    /// # Errors
    ///
    /// It exceeds a limit, or cannot be executed.
    pub fn evaluate(&self, query: &Query, span: Span, options: &Options) -> Result<Outcome, EvalError> {
        match span {
            Span::At(time_ms) => query.instant(&self.store, time_ms, options),
            Span::Range { start_ms, end_ms, step_ms } => query.range(&self.store, start_ms, end_ms, step_ms, options),
        }
    }
}
