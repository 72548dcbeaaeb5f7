//! Where the server on a data directory answers: written down there while it runs, for the commands that ask it something.

use std::{net::SocketAddr, path::Path};

/// The file in the data directory.
const FILE: &str = "address";

/// Writes down that a server answers at `url`. The commands that look for it do without, if that fails.
pub(crate) fn note(data_dir: &Path, url: &str) {
    if let Err(error) = std::fs::write(data_dir.join(FILE), url) {
        tracing::warn!(%error, "the address could not be written down: hyperscope render needs --url");
    }
}

/// Takes it back, if it is still the one that was written.
pub(crate) fn forget(data_dir: &Path, url: &str) {
    if std::fs::read_to_string(data_dir.join(FILE)).is_ok_and(|noted| noted == url) {
        // What is left behind leads nowhere, which its reader finds out.
        let _ = std::fs::remove_file(data_dir.join(FILE));
    }
}

/// Where a server on a data directory said that it answers, as a URL to ask from this machine. It may have ended since.
#[must_use]
pub(crate) fn noted(data_dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join(FILE)).ok()?;
    let (scheme, address) = text.trim().split_once("://")?;
    let address: SocketAddr = address.parse().ok()?;
    Some(format!("{scheme}://{}", reachable(address)))
}

/// An address of this machine in place of one that stands for all.
#[must_use]
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_there_until_it_is_forgotten() {
        let directory = tempfile::TempDir::new().unwrap();
        assert_eq!(noted(directory.path()), None);
        note(directory.path(), "http://0.0.0.0:3030");
        assert_eq!(noted(directory.path()).as_deref(), Some("http://127.0.0.1:3030"));
        forget(directory.path(), "http://0.0.0.0:1");
        assert!(noted(directory.path()).is_some(), "another server's");
        forget(directory.path(), "http://0.0.0.0:3030");
        assert_eq!(noted(directory.path()), None);
        std::fs::write(directory.path().join(FILE), "not an address").unwrap();
        assert_eq!(noted(directory.path()), None);
    }
}
