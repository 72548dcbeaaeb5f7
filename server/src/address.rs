//! Records the running server's URL in the data directory for CLI commands.

use std::{net::SocketAddr, path::Path};

/// The file in the data directory.
const FILE: &str = "address";

/// Records that a server listens at `url`. If this fails, commands need `--url`.
pub(crate) fn note(data_dir: &Path, url: &str) {
    if let Err(error) = std::fs::write(data_dir.join(FILE), url) {
        tracing::warn!(%error, "cannot record the address: hyperscope render needs --url");
    }
}

/// Removes the record, if it is still ours.
pub(crate) fn forget(data_dir: &Path, url: &str) {
    if std::fs::read_to_string(data_dir.join(FILE)).is_ok_and(|noted| noted == url) {
        // A leftover address does not respond, which its reader notices.
        let _ = std::fs::remove_file(data_dir.join(FILE));
    }
}

/// The recorded URL of the server on a data directory, to connect to from this machine. The server may have ended
/// since.
#[must_use]
pub(crate) fn noted(data_dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join(FILE)).ok()?;
    let (scheme, address) = text.trim().split_once("://")?;
    let address: SocketAddr = address.parse().ok()?;
    Some(format!("{scheme}://{}", reachable(address)))
}

/// A local address to connect to, if the server listens on all addresses.
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
