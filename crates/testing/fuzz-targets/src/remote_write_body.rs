//! Bodies of remote writes, compressed and uncompressed.

use remote_write::{Limits, Request, decode, decompress, encode};

pub(crate) const WORDS: &[&str] = &[
    "\x08__name__",
    "\x12\x02up",
    "\x0a",
    "\x12",
    "\x1a",
    "\x22",
    "\x09",
    "\x10",
    "\x42\x04\x08\x00\x10\x02",
    "\x4a\x02\x02\x01",
    "\x5a\x04\x08\x01\x10\x01",
    "\x62\x01\x02",
    "\x20\x01",
    "\x70\x01",
    "\x78\x05",
];

pub(crate) fn run(input: &[u8]) {
    let limits = Limits { decompressed_bytes: 1 << 20, ..Limits::default() };
    // An uncompressed body is easier to mutate.
    try_message(input);
    if let Ok(bytes) = decompress(input, limits) {
        try_message(&bytes);
    }
}

fn try_message(bytes: &[u8]) {
    let Ok(request) = decode(bytes, Limits::default()) else { return };
    let again = Request { rejected: 0, first_rejected: None, ..request };
    let written = encode(&again);
    let read = decode(&written, Limits::default()).unwrap_or_default();
    assert_eq!(read.series.len(), again.series.len(), "series were lost: {again:?}");
    assert_eq!(encode(&read), written, "what is written and read is no longer the same: {again:?}");
}
