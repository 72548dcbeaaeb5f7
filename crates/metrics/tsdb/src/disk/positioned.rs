//! Reads and writes at a place of a file, whatever its position.

#[cfg(not(target_family = "wasm"))]
pub(super) use std::os::unix::fs::FileExt;

/// In a browser there are no files, and a store is in memory alone.
#[cfg(target_family = "wasm")]
pub(super) trait FileExt {
    fn read_exact_at(&self, _buffer: &mut [u8], _offset: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    fn write_all_at(&self, _bytes: &[u8], _offset: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

#[cfg(target_family = "wasm")]
impl FileExt for std::fs::File {}
