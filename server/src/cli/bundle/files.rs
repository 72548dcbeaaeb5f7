//! The files of a bundle: written with compressed variants, and listed in its manifest.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::http::assets::{content_type, is_hashed};

/// The list of files.
const MANIFEST: &str = "manifest.json";
/// Digits of a hash in a name, in hexadecimal.
const NAME_DIGITS: usize = 16;
/// Brotli's slowest and smallest level; a debug build, which takes minutes for that, uses a quick one. And a window larger than
/// any file.
const BROTLI_QUALITY: u32 = if cfg!(debug_assertions) { 2 } else { 11 };
const BROTLI_WINDOW_BITS: u32 = 22;

/// Files that were written to a directory.
pub(super) struct Written {
    directory: PathBuf,
    files: Vec<Entry>,
}

/// A file in the manifest.
#[derive(Debug, Serialize)]
struct Entry {
    path: String,
    bytes: usize,
    /// In hexadecimal.
    sha256: String,
    content_type: &'static str,
    /// Whether the name contains a hash of the content, so that the file can be cached forever.
    immutable: bool,
    /// Sizes of the files with `.br` and `.gz` at the end of the name, if there are such.
    #[serde(skip_serializing_if = "Option::is_none")]
    brotli_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gzip_bytes: Option<usize>,
}

/// The manifest.
#[derive(Serialize)]
struct Manifest<'a> {
    version: &'static str,
    files: &'a [Entry],
}

impl Written {
    /// Creates the directory, if it does not exist.
    pub(super) fn new(directory: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        Ok(Written { directory: directory.to_owned(), files: Vec::new() })
    }

    /// Writes a file, compressed too.
    pub(super) fn add(&mut self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let (brotli, gzip) = (brotli(content)?, gzip(content)?);
        self.add_with(path, content, Some(&brotli), Some(&gzip))
    }

    /// Writes a file with a hash of its content in the name, which is returned.
    pub(super) fn add_hashed(&mut self, stem: &str, extension: &str, content: &[u8]) -> anyhow::Result<String> {
        let digits: String = hex(content).chars().take(NAME_DIGITS).collect();
        let path = format!("{stem}-{digits}.{extension}");
        self.add(&path, content)?;
        Ok(path)
    }

    /// Writes a file and its variants, where they are smaller.
    pub(super) fn add_with(
        &mut self,
        path: &str,
        content: &[u8],
        brotli: Option<&[u8]>,
        gzip: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let smaller = |variant: Option<&[u8]>| variant.map(<[u8]>::len).filter(|bytes| *bytes < content.len());
        let (brotli_bytes, gzip_bytes) = (smaller(brotli), smaller(gzip));
        self.write(path, content)?;
        for (suffix, variant, bytes) in [(".br", brotli, brotli_bytes), (".gz", gzip, gzip_bytes)] {
            if let (Some(variant), Some(_)) = (variant, bytes) {
                self.write(&format!("{path}{suffix}"), variant)?;
            }
        }
        self.files.push(Entry {
            path: path.to_owned(),
            bytes: content.len(),
            sha256: hex(content),
            content_type: content_type(path),
            immutable: is_hashed(path),
            brotli_bytes,
            gzip_bytes,
        });
        Ok(())
    }

    /// Writes the manifest; returns the number of files in it.
    pub(super) fn finish(self) -> anyhow::Result<usize> {
        let manifest = Manifest { version: env!("CARGO_PKG_VERSION"), files: &self.files };
        let text = serde_json::to_string_pretty(&manifest).context(MANIFEST)?;
        self.write(MANIFEST, text.as_bytes())?;
        Ok(self.files.len())
    }

    fn write(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let file = self.directory.join(path);
        fs::write(&file, content).with_context(|| file.display().to_string())
    }
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    {
        let mut writer = brotli::CompressorWriter::new(&mut packed, 1 << 16, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
        writer.write_all(content)?;
        writer.flush()?;
    }
    Ok(packed)
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(content)?;
    writer.finish()
}
