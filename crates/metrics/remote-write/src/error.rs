//! What can be wrong with a request.

/// Why a body cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is no block of Snappy.
    #[error("the body is not compressed with Snappy's block format: {0}")]
    Compression(String),
    /// It is larger than is taken once it is decompressed.
    #[error("the body has {size} bytes once decompressed, and at most {limit} are taken: send smaller requests")]
    TooLarge {
        /// Bytes once decompressed, as the block says itself.
        size: u64,
        /// Bytes that are taken at most.
        limit: usize,
    },
    /// It is no message of the protocol.
    #[error("the body is no prometheus.WriteRequest: {what} at byte {offset}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, in the decompressed body or in the message within it.
        offset: usize,
    },
    /// What is in it would take more memory than is given to one request.
    #[error("what the body holds would take more than {0} bytes of memory: send smaller requests")]
    TooManyObjects(usize),
    /// It has more buckets than are taken.
    #[error("the body has more than {0} histogram buckets: send smaller requests")]
    TooManyBuckets(usize),
}

/// A series or sample that is left out, while the rest of the request is good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {series}")]
pub struct Rejected {
    /// Its labels, as far as they can be shown.
    pub series: String,
    /// What is wrong with it.
    pub reason: String,
}
