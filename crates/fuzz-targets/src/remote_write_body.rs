//! Bodies of remote writes, packed and unpacked.

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

pub(crate) fn run(input: &[u8]) -> String {
    let limits = Limits { decompressed_bytes: 1 << 20 };
    // An unpacked body is the easier thing to mutate.
    let packed = decompress(input, limits).map_err(|error| error.to_string());
    let told = match packed.as_deref() {
        Ok(bytes) => try_message(bytes),
        Err(error) => error.clone(),
    };
    told + &try_message(input)
}

fn try_message(bytes: &[u8]) -> String {
    match decode(bytes) {
        Ok(request) => {
            let again = Request { rejected: 0, first_rejected: None, ..request.clone() };
            let written = encode(&again);
            let read = decode(&written).unwrap_or_default();
            assert_eq!(read.series.len(), again.series.len(), "series were lost: {again:?}");
            assert_eq!(encode(&read), written, "what is written and read is no longer the same: {again:?}");
            let samples: usize = request.series.iter().map(|series| series.samples.len()).sum();
            let histograms: usize = request.series.iter().map(|series| series.histograms.len()).sum();
            let rejected = request.first_rejected.map(|first| first.reason).unwrap_or_default();
            format!("{} {samples} {histograms} {} {rejected}", request.series.len(), request.families.len())
        }
        Err(error) => error.to_string().split(" at byte").next().unwrap_or_default().to_owned(),
    }
}
