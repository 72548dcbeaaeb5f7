//! Cache freshness: until when the steps of a query are settled. Later ones may still change as samples arrive.

use promql::{Options, Query};

/// Functions that make a step's value depend on the other steps of the request.
const OF_THE_REQUEST: [&str; 4] = ["start()", "end()", "step()", "range()"];

/// The last time whose value no longer changes, if samples at least `fresh_ms` older than `now_ms` are settled; `None`
/// if parts of the range cannot be cached and combined.
#[must_use]
pub fn settled_until(query: &Query, step_ms: i64, now_ms: i64, fresh_ms: i64) -> Option<i64> {
    // In the uniform notation, without comments, so that a match is in the query or at worst in a string.
    let text = query.to_string();
    if OF_THE_REQUEST.iter().any(|word| text.contains(word)) {
        return None;
    }
    let settled_ms = now_ms.saturating_sub(fresh_ms);
    let selectors = query.selectors(settled_ms, settled_ms, step_ms, &Options::default());
    // An offset may be negative, and a fixed time may be in the future.
    let newest_ms = selectors.iter().map(|selector| selector.end_ms).max().unwrap_or(settled_ms);
    let ahead_ms = newest_ms.saturating_sub(settled_ms).max(0);
    if ahead_ms > 0 && text.contains('@') {
        return None;
    }
    Some(settled_ms.saturating_sub(ahead_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(query: &str) -> Option<i64> {
        settled_until(&promql::parse(query).unwrap(), 1_000, 1_000_000, 60_000)
    }

    #[test]
    fn a_step_is_settled_when_all_that_it_reads_is() {
        assert_eq!(until("sum(rate(a[5m])) # @ end()"), Some(940_000));
        assert_eq!(until("a offset 1h"), Some(940_000));
        assert_eq!(until("a - a offset -100s"), Some(840_000));
        assert_eq!(until("max_over_time(a[1h:1m] offset -10s)"), Some(930_000));
        assert_eq!(until("rate(a[5m] smoothed)"), Some(640_000), "a value between two samples needs the later one");
        assert_eq!(until("time()"), Some(940_000));
    }

    #[test]
    fn what_depends_on_the_request_or_a_young_fixed_time_is_not_kept() {
        for query in ["a @ end()", "rate(a[5m] @ start())", "a @ 999", "a @ 5000", "a offset -1h @ 10"] {
            assert_eq!(until(query), None, "{query}");
        }
        assert_eq!(until("a @ 100 + b"), Some(940_000));
    }
}
