//! Room for recursion over deep queries.
//!
//! `a + b + c` is a tree that is as deep as it has terms, and Prometheus takes thousands of them. What walks over such a tree needs more
//! stack than a thread has.

/// Trees of so many levels fit every thread's stack.
const SHALLOW: usize = 150;
/// What a level may need of the stack, in any of the walks, in bytes; measured without optimization, where most is needed.
const LEVEL_BYTES: usize = 16 << 10;

/// Does something that recurses over a tree of so many levels, with as much stack as that needs.
pub(crate) fn with_room<T>(levels: usize, act: impl FnOnce() -> T) -> T {
    if levels <= SHALLOW { act() } else { stacker::grow(levels.saturating_mul(LEVEL_BYTES), act) }
}
