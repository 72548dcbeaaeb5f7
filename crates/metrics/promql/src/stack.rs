//! Stack space for recursion over deep queries.
//!
//! `a + b + c` is a tree as deep as its number of terms, and Prometheus accepts thousands. Recursion over such a tree
//! needs more stack than a thread has.

/// Trees with at most this many levels fit every thread's stack.
const SHALLOW: usize = 150;
/// Maximum stack per level of any recursion, in bytes; measured without optimization, where it is largest.
const LEVEL_BYTES: usize = 16 << 10;

/// Runs a function that recurses over a tree with this many levels, with enough stack.
pub(crate) fn with_room<T>(levels: usize, act: impl FnOnce() -> T) -> T {
    if levels <= SHALLOW { act() } else { stacker::grow(levels.saturating_mul(LEVEL_BYTES), act) }
}
