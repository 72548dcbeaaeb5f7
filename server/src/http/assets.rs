//! The browser bundle: its files, their names in this build, and how to send them.
//!
//! A release build embeds the compressed bundle; a debug build reads it from disk, so that a rebuilt bundle is used at
//! the next request. A build without a bundle serves static pages: [`Assets::names`] is then `None`, and the page has
//! to say so.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use model::route::Program;
use std::ops::RangeInclusive;

/// Length of a name's hash: Trunk writes 64 bits in hexadecimal, without leading zeros.
const HASH_DIGITS: RangeInclusive<usize> = 10..=16;

/// For names with a hash of the content: cached forever.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// For the others: cached, but revalidated each time.
const REVALIDATE: &str = "no-cache";

/// The bundle of this build.
#[derive(Clone, Debug)]
pub struct Assets {
    source: source::Source,
}

/// What a page has to refer to, as file names without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleNames {
    /// The module that loads its program.
    pub js: String,
    /// The WebAssembly program.
    pub wasm: String,
    /// The style sheet.
    pub css: String,
}

/// Content encoding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Uncompressed.
    Identity,
    /// gzip.
    Gzip,
    /// brotli.
    Brotli,
}

/// One file to send.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The body in its `encoding`.
    pub bytes: Bytes,
    /// The media type.
    pub content_type: &'static str,
    /// Content encoding of `bytes`.
    pub encoding: Encoding,
    /// The entity tag of this body in this encoding, with its quotes.
    pub etag: String,
    /// Whether the name contains a hash of the content, so that the file can be cached forever.
    pub immutable: bool,
}

impl Assets {
    /// The embedded bundle; in a debug build the one in the directory `HYPERSCOPE_DIST`, or in `dist/` beside the
    /// sources.
    pub fn load() -> Self {
        Self { source: source::Source::open() }
    }

    /// The hashed names that pages of `program` refer to, or `None` if this build has no bundle.
    pub fn names(&self, program: Program) -> Option<BundleNames> {
        let paths = self.paths();
        let start = match program {
            Program::Viewer => "viewer-",
            Program::Workbench => "workbench-",
        };
        let find =
            |start: &str, end: &str| paths.iter().find(|path| path.starts_with(start) && path.ends_with(end)).cloned();
        Some(BundleNames { js: find(start, ".js")?, wasm: find(start, "_bg.wasm")?, css: find("main-", ".css")? })
    }

    /// The paths of all files, relative to the bundle's root, sorted, without compressed variants.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = self.source.paths();
        paths.retain(|path| !path.ends_with(".br") && !path.ends_with(".gz"));
        paths.sort_unstable();
        paths
    }

    /// The file at `path` (relative, no leading slash) in the best encoding that the bundle has and that
    /// `accept_encoding`, the value of the request header or an empty string, allows.
    pub fn get(&self, path: &str, accept_encoding: &str) -> Option<Asset> {
        if path.ends_with(".br") || path.ends_with(".gz") {
            return None;
        }
        let encodings = [(Encoding::Brotli, ".br"), (Encoding::Gzip, ".gz"), (Encoding::Identity, "")];
        encodings.into_iter().filter(|(encoding, _)| accepts(accept_encoding, *encoding)).find_map(
            |(encoding, suffix)| {
                let (bytes, hash) = self.source.read(&format!("{path}{suffix}"))?;
                let hash: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
                Some(Asset {
                    bytes,
                    content_type: content_type(path),
                    encoding,
                    etag: format!("\"{hash}\""),
                    immutable: is_hashed(path),
                })
            },
        )
    }

    /// The response to a request for `path`, or `None` if the bundle has no such file.
    pub fn respond(&self, path: &str, request: &HeaderMap) -> Option<Response<Body>> {
        let header = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        Some(self.get(path, header(ACCEPT_ENCODING))?.into_response(header(IF_NONE_MATCH)))
    }
}

impl Asset {
    /// The response: 200, or 304 if `if_none_match`, the value of the request header or an empty string, contains this
    /// entity tag.
    pub fn into_response(self, if_none_match: &str) -> Response<Body> {
        let unchanged = if_none_match.split(',').any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.trim_start_matches("W/") == self.etag
        });
        let length = self.bytes.len();
        let mut response = Response::new(if unchanged { Body::empty() } else { Body::from(self.bytes) });
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(ETAG, etag);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(if self.immutable { IMMUTABLE } else { REVALIDATE }));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if unchanged {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        match self.encoding {
            Encoding::Identity => {}
            Encoding::Gzip => {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            Encoding::Brotli => {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
            }
        }
        response
    }
}

/// Whether `Accept-Encoding` allows `encoding`.
fn accepts(accept_encoding: &str, encoding: Encoding) -> bool {
    let wanted = match encoding {
        // The protocol allows clients to forbid it, but none does.
        Encoding::Identity => return true,
        Encoding::Gzip => "gzip",
        Encoding::Brotli => "br",
    };
    accept_encoding.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        named
            && !parts
                .filter_map(|parameter| parameter.strip_prefix("q="))
                .any(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0))
    })
}

/// The media type of a file. `application/wasm` lets browsers compile during the download.
pub(crate) fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("wasm") => "application/wasm",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether a name has Trunk's hash in it: `main-81db85d7ba80aafc.css`, `viewer-3b482273ee77be56_bg.wasm`.
pub(crate) fn is_hashed(path: &str) -> bool {
    let Some((_, rest)) = path.rsplit_once('-') else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    HASH_DIGITS.contains(&digits) && matches!(rest.as_bytes().get(digits), Some(b'.' | b'_'))
}

#[cfg(not(debug_assertions))]
mod source {
    //! The bundle inside the binary.

    use std::{collections::HashMap, sync::Arc};

    use sha2::{Digest, Sha256};

    use super::Bytes;

    /// Names and contents of the files that `build.rs` prepared.
    static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

    /// The files by name, each with its hash.
    #[derive(Clone, Debug)]
    pub(super) struct Source {
        files: Arc<HashMap<&'static str, (Bytes, [u8; 32])>>,
    }

    impl Source {
        pub(super) fn open() -> Self {
            let hashed = |(name, content): &(&'static str, &'static [u8])| {
                (*name, (Bytes::from_static(content), Sha256::digest(content).into()))
            };
            Self { files: Arc::new(FILES.iter().map(hashed).collect()) }
        }

        pub(super) fn paths(&self) -> Vec<String> {
            self.files.keys().map(|&name| name.to_owned()).collect()
        }

        /// A file's bytes and a hash of them.
        pub(super) fn read(&self, path: &str) -> Option<(Bytes, [u8; 32])> {
            self.files.get(path).cloned()
        }
    }
}

#[cfg(debug_assertions)]
mod source {
    //! The bundle on disk.

    use std::{
        fs,
        path::{Component, Path, PathBuf},
        sync::Arc,
    };

    use sha2::{Digest, Sha256};

    use super::Bytes;

    /// The directory that Trunk wrote.
    #[derive(Clone, Debug)]
    pub(super) struct Source {
        root: Arc<Path>,
    }

    impl Source {
        pub(super) fn open() -> Self {
            let root = std::env::var_os("HYPERSCOPE_DIST")
                .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist"), PathBuf::from);
            Self::at(&root)
        }

        pub(super) fn at(root: &Path) -> Self {
            Self { root: root.into() }
        }

        pub(super) fn paths(&self) -> Vec<String> {
            let mut paths = Vec::new();
            let mut folders = vec![self.root.to_path_buf()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                    let path = entry.path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if let Some(name) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) {
                        paths.push(name.to_owned());
                    }
                }
            }
            paths
        }

        /// A file's bytes and a hash of them.
        pub(super) fn read(&self, path: &str) -> Option<(Bytes, [u8; 32])> {
            let path = Path::new(path);
            if !path.components().all(|part| matches!(part, Component::Normal(_))) {
                return None;
            }
            let bytes = fs::read(self.root.join(path)).ok()?;
            let hash = Sha256::digest(&bytes).into();
            Some((bytes.into(), hash))
        }
    }
}

#[cfg(test)]
#[cfg(debug_assertions)]
mod tests {
    use std::fs;

    use super::*;

    fn bundle() -> (tempfile::TempDir, Assets) {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| fs::write(dir.path().join(name), content).unwrap();
        write("viewer-3b482273ee77be56.js", "js");
        write("viewer-3b482273ee77be56_bg.wasm", "wasm");
        write("viewer-3b482273ee77be56_bg.wasm.br", "w");
        write("workbench-4d836112f346c94.js", "js");
        write("workbench-4d836112f346c94_bg.wasm", "wasm");
        write("main-81db85d7ba80aafc.css", "css");
        write("robots.txt", "robots");
        let assets = Assets { source: source::Source::at(dir.path()) };
        (dir, assets)
    }

    #[test]
    fn finds_the_names_the_page_refers_to() {
        let (dir, assets) = bundle();
        let names = assets.names(Program::Viewer).unwrap();
        assert_eq!(names.js, "viewer-3b482273ee77be56.js");
        assert_eq!(names.wasm, "viewer-3b482273ee77be56_bg.wasm");
        assert_eq!(names.css, "main-81db85d7ba80aafc.css");
        assert_eq!(assets.names(Program::Workbench).unwrap().js, "workbench-4d836112f346c94.js");
        drop(dir);
        assert_eq!(assets.names(Program::Viewer), None);
    }

    #[test]
    fn sends_the_smallest_variant_that_is_accepted() {
        let (_dir, assets) = bundle();
        let wasm = "viewer-3b482273ee77be56_bg.wasm";
        assert_eq!(assets.get(wasm, "gzip, deflate, br;q=0.5").unwrap().encoding, Encoding::Brotli);
        assert_eq!(assets.get(wasm, "gzip, br;q=0").unwrap().encoding, Encoding::Identity);
        assert_eq!(assets.get(wasm, "").unwrap().content_type, "application/wasm");
        assert!(assets.get("viewer-3b482273ee77be56_bg.wasm.br", "br").is_none());
    }

    #[test]
    fn keeps_only_hashed_names_for_ever() {
        let (_dir, assets) = bundle();
        assert!(assets.get("main-81db85d7ba80aafc.css", "").unwrap().immutable);
        assert!(!assets.get("robots.txt", "").unwrap().immutable);
        assert!(is_hashed("viewer-4d836112f346c94_bg.wasm"));
        assert!(!is_hashed("apple-touch.png"));
    }

    #[test]
    fn answers_304_to_who_has_it() {
        let (_dir, assets) = bundle();
        let first = assets.respond("robots.txt", &HeaderMap::new()).unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CACHE_CONTROL], REVALIDATE);
        let again = HeaderMap::from_iter([(IF_NONE_MATCH, first.headers()[ETAG].clone())]);
        assert_eq!(assets.respond("robots.txt", &again).unwrap().status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn reads_nothing_outside_the_bundle() {
        let (dir, assets) = bundle();
        let secret = dir.path().with_extension("secret");
        fs::write(&secret, "secret").unwrap();
        let name = secret.file_name().unwrap().to_str().unwrap();
        assert!(assets.get(&format!("../{name}"), "").is_none());
        assert!(assets.get(secret.to_str().unwrap(), "").is_none());
        fs::remove_file(secret).unwrap();
    }
}
