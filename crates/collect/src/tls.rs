//! Trusted certificate authorities for TLS connections to sources: the machine's, or Mozilla's if it has none.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// TLS settings for HTTP and sockets.
///
/// # Errors
///
/// The cryptography library does not support the requested protocol versions, which is a bug.
pub(crate) fn client_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::debug!(%error, "a certificate authority of this machine cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
