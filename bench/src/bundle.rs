//! The size of a browser's first download.

use std::{io::Write, path::Path};

use anyhow::Context;

use crate::rows::Rows;

/// As in the build.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW_BITS: u32 = 22;

/// Sums the compressed sizes of all scripts, modules and styles.
#[allow(clippy::cast_precision_loss)] // sizes, far below 2^53
pub(crate) fn measure(dist: &Path, rows: &mut Rows) -> anyhow::Result<()> {
    let mut total = 0;
    let mut folders = vec![dist.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("there is no {}: run `make build` first", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| ["js", "wasm", "css"].iter().any(|one| extension == *one))
            {
                let mut packed = brotli::CompressorWriter::new(Vec::new(), 1 << 16, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
                packed.write_all(&std::fs::read(&path)?)?;
                total += packed.into_inner().len();
            }
        }
    }
    rows.add("bundle, brotli", total as f64 / 1024.0, "KiB");
    Ok(())
}
