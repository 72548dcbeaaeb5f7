//! Errors of requests.

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not a Snappy block.
    #[error("the body is not compressed with Snappy's block format: {0}")]
    Compression(String),
    /// It exceeds the limit of the decompressed size.
    #[error("the body has {size} bytes once decompressed, and at most {limit} are taken: send smaller requests")]
    TooLarge {
        /// Decompressed size, as declared in the block.
        size: u64,
        /// The limit.
        limit: usize,
    },
    /// It is not a valid message.
    #[error("the body is no prometheus.WriteRequest: {what} at byte {offset}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Offset in the decompressed body, or in the nested message.
        offset: usize,
    },
    /// Its content would exceed the memory limit.
    #[error("what the body holds would take more than {0} bytes of memory: send smaller requests")]
    TooManyObjects(usize),
    /// It has too many buckets.
    #[error("the body has more than {0} histogram buckets: send smaller requests")]
    TooManyBuckets(usize),
}

/// A series or sample that is skipped while the rest of the request is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {series}")]
pub struct Rejected {
    /// Its labels, as far as they can be displayed.
    pub series: String,
    /// What is wrong with it.
    pub reason: String,
}
