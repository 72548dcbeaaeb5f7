//! Which steps of a query read given times: those are re-evaluated when samples of these times arrive late.
//!
//! Times are milliseconds since the Unix epoch.

use labels::Matcher;
use promql::{Options, Query};

/// Functions that make a step's value depend on the range of the query.
const OF_THE_REQUEST: [&str; 3] = ["start()", "end()", "range()"];

/// Whether a step's value depends on the first and last step of the request, so that a new window changes all of them.
#[must_use]
pub fn depends_on_window(query: &Query) -> bool {
    // In the uniform notation, without comments, so that a match is in the query or at worst in a string.
    let text = query.to_string();
    OF_THE_REQUEST.iter().any(|word| text.contains(word))
}

/// The time range that one selector of a query reads.
#[derive(Debug, Clone)]
struct Read {
    matchers: Vec<Matcher>,
    /// For the step 0, both inclusive.
    from_ms: i64,
    to_ms: i64,
    /// Whether the range moves with the step; otherwise all steps read the same range.
    moves: bool,
}

/// The time ranges that the steps of a query read.
#[derive(Debug, Clone)]
pub struct Reads(Vec<Read>);

impl Reads {
    /// The ranges for a query with steps `step_ms` apart.
    #[must_use]
    pub fn of(query: &Query, step_ms: i64) -> Self {
        let at = |time_ms: i64| query.selectors(time_ms, time_ms, step_ms, &Options::default());
        let mut reads: Vec<Read> = at(0)
            .into_iter()
            .zip(at(step_ms))
            .map(|(at_zero, at_next)| Read {
                from_ms: at_zero.start_ms,
                to_ms: at_zero.end_ms,
                moves: at_next.start_ms != at_zero.start_ms,
                matchers: at_zero.matchers,
            })
            .collect();
        if query.calls("info") {
            // It reads series without a selector.
            let from_ms = 1 - Options::default().look_back_ms;
            reads.push(Read { matchers: Vec::new(), from_ms, to_ms: 0, moves: true });
        }
        Reads(reads)
    }

    /// The last time that steps up to `end_ms` read.
    #[must_use]
    pub fn until(&self, end_ms: i64) -> i64 {
        let last = |read: &Read| if read.moves { read.to_ms.saturating_add(end_ms) } else { read.to_ms };
        self.0.iter().map(last).fold(end_ms, i64::max)
    }

    /// The steps of `first..=last` whose value may have changed; `changed` returns the time range of changed samples
    /// that match matchers. `None` if there are none.
    #[must_use]
    pub fn affected(
        &self,
        (first, last): (i64, i64),
        changed: impl Fn(&[Matcher]) -> Option<(i64, i64)>,
    ) -> Option<(i64, i64)> {
        let spans = self.0.iter().filter_map(|read| {
            let (earliest, latest) = changed(&read.matchers)?;
            let (from, to) = if read.moves {
                (earliest.saturating_sub(read.to_ms), latest.saturating_sub(read.from_ms))
            } else if earliest <= read.to_ms && latest >= read.from_ms {
                (first, last)
            } else {
                return None;
            };
            let (from, to) = (from.max(first), to.min(last));
            (from <= to).then_some((from, to))
        });
        spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    /// The steps of 0..=10 hours that a sample of `a` at a time changes.
    fn affected(query: &str, changed: (i64, i64)) -> Option<(i64, i64)> {
        let reads = Reads::of(&promql::parse(query).unwrap(), 15_000);
        reads.affected((0, 600 * MINUTE), |matchers| {
            matchers.iter().all(|matcher| matcher.name != "__name__" || matcher.matches("a")).then_some(changed)
        })
    }

    #[test]
    fn the_steps_that_read_a_late_sample_are_those_that_look_back_to_it() {
        let at = 100 * MINUTE;
        let one = (at, at);
        assert_eq!(affected("a", one), Some((at, at + 5 * MINUTE - 1)), "staleness: later steps see it too");
        assert_eq!(affected("sum(rate(a[10m]))", one), Some((at, at + 10 * MINUTE - 1)));
        assert_eq!(affected("a offset 1h", one), Some((at + 60 * MINUTE, at + 65 * MINUTE - 1)));
        assert_eq!(affected("b + a offset -1h", one), Some((at - 60 * MINUTE, at - 55 * MINUTE - 1)));
        assert_eq!(affected("max_over_time(a[1h:1m])", one), Some((at, at + 65 * MINUTE - 1)));
        assert_eq!(affected("b", one), None);
        assert_eq!(affected("{x=\"y\"}", one), Some((at, at + 5 * MINUTE - 1)), "any name may be meant");
        assert_eq!(affected("time()", one), None);
        assert_eq!(affected("a", (at, at + MINUTE)), Some((at, at + 6 * MINUTE - 1)));
    }

    #[test]
    fn a_fixed_time_changes_every_step_or_none() {
        let at = 100 * MINUTE;
        assert_eq!(affected("a @ 6000", (at, at)), Some((0, 600 * MINUTE)));
        assert_eq!(affected("a @ 5000", (at, at)), None);
        assert_eq!(affected("max_over_time((a @ 6000)[1h:1m])", (at, at)), Some((0, 600 * MINUTE)));
        assert_eq!(affected("max_over_time(a[1h:1m] @ 6000)", (at, at)), Some((0, 600 * MINUTE)));
    }

    #[test]
    fn values_at_the_ends_of_a_range_reach_beyond_it() {
        let at = 100 * MINUTE;
        let whole = affected("increase(a[10m] anchored)", (at, at));
        assert_eq!(whole, Some((at, at + 15 * MINUTE - 1)));
        let whole = affected("increase(a[10m] smoothed)", (at, at));
        assert_eq!(whole, Some((at - 5 * MINUTE, at + 15 * MINUTE - 1)));
        assert_eq!(affected("a smoothed", (at, at)), Some((at - 5 * MINUTE, at + 5 * MINUTE - 1)));
    }

    #[test]
    fn how_far_a_query_reads_ahead_is_known() {
        let until = |query: &str| Reads::of(&promql::parse(query).unwrap(), 15_000).until(MINUTE);
        assert_eq!(until("a offset 5m"), MINUTE);
        assert_eq!(until("a offset -5m"), 6 * MINUTE);
        assert_eq!(until("a @ 600"), 10 * MINUTE);
        assert_eq!(until("1"), MINUTE);
    }

    #[test]
    fn what_depends_on_the_window_is_told() {
        let depends = |query: &str| depends_on_window(&promql::parse(query).unwrap());
        assert!(depends("a @ end()") && depends("rate(a[5m] @ start())"));
        assert!(!depends("a @ 5 # @ end()") && !depends("a{b=\"x@y\"}"));
    }
}
