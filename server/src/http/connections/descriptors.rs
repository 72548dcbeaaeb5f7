//! The number of file descriptors of the process, and the part of it for connections.

/// Minimum and maximum number of descriptors reserved for the store, the database, the log and connections to sources.
const RESERVED: std::ops::RangeInclusive<usize> = 64..=1024;

/// Raises the limit of this process to the hard limit, and returns it. The soft limit of shells is low by default, for
/// old programs.
pub(crate) fn raise_limit() -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::Nofile);
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum }) {
            tracing::warn!(%error, limit = before.current, "cannot raise the limit of open files");
        }
        getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }
    #[cfg(not(unix))]
    usize::MAX
}

/// The number of connections for this number of descriptors.
pub(super) fn for_connections(descriptors: usize) -> usize {
    let reserved = (descriptors / 2).clamp(*RESERVED.start(), *RESERVED.end());
    descriptors.saturating_sub(reserved).max(1)
}

#[cfg(test)]
mod tests {
    use super::for_connections;

    #[test]
    fn some_are_left_for_files() {
        assert_eq!([64, 256, 1_024, 1_048_576].map(for_connections), [1, 128, 512, 1_047_552]);
    }
}
