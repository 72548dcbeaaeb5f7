//! Prepares the browser bundle for embedding in a release build: each file of `dist/` with its brotli and gzip
//! variants, so that the server never compresses an asset at run time. `assets.rs` includes `bundle.rs`, a table of
//! names and contents.
//!
//! A debug build reads `dist/` from disk and embeds nothing.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Brotli's slowest and smallest level: paid once, at build time.
const BROTLI_QUALITY: u32 = 11;
/// A window of 4 MiB, larger than any file of the bundle.
const BROTLI_WINDOW_BITS: u32 = 22;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("PROFILE").is_none_or(|profile| profile != "release") {
        return Ok(());
    }

    let dist = Path::new("../dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let Some(out) = env::var_os("OUT_DIR").map(|dir| PathBuf::from(dir).join("bundle")) else {
        return Err(io::Error::other("Cargo did not set OUT_DIR"));
    };
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    let mut packed = Packed { out, names: Vec::new() };
    if dist.is_dir() {
        packed.add_folder(dist, "")?;
    } else {
        println!("cargo::warning=there is no browser bundle in dist/: the pages of this build will not come alive");
    }
    packed.write_table()
}

/// The files written so far, ready to be included.
struct Packed {
    out: PathBuf,
    names: Vec<String>,
}

impl Packed {
    /// Adds the files below `folder`, each with its compressed variants, under names that start with `prefix`.
    fn add_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(io::Error::other(format!("{}: the name is not UTF-8", entry.path().display())));
            };
            let name = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                self.add_folder(&entry.path(), &format!("{name}/"))?;
                continue;
            }
            let content = fs::read(entry.path())?;
            for (suffix, variant) in [(".br", brotli(&content)?), (".gz", gzip(&content)?)] {
                // Some kinds of files do not compress.
                if variant.len() < content.len() {
                    self.add(format!("{name}{suffix}"), &variant)?;
                }
            }
            self.add(name, &content)?;
        }
        Ok(())
    }

    fn add(&mut self, name: String, content: &[u8]) -> io::Result<()> {
        // Flat and numbered, so that names need not become paths.
        fs::write(self.out.join(self.names.len().to_string()), content)?;
        self.names.push(name);
        Ok(())
    }

    fn write_table(&self) -> io::Result<()> {
        let mut table = String::from("&[\n");
        for (number, name) in self.names.iter().enumerate() {
            table += &format!("({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/bundle/{number}\"))),\n");
        }
        table += "]\n";
        fs::write(self.out.with_extension("rs"), table)
    }
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = brotli::CompressorWriter::new(Vec::new(), 1 << 16, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
    packed.write_all(content)?;
    packed.flush()?;
    Ok(packed.into_inner())
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(content)?;
    packed.finish()
}
