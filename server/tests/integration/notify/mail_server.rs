//! A minimal mail server for notifications: SMTP with STARTTLS and AUTH.

use std::{
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};

/// A received mail.
#[derive(Debug, Clone, Default)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    pub data: String,
    /// The credentials of `AUTH PLAIN`, if any.
    pub login: Option<String>,
    pub is_encrypted: bool,
}

/// Ends on drop.
pub struct MailServer {
    pub address: String,
    letters: Arc<Mutex<Vec<Letter>>>,
    task: JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Creates a certificate for `localhost` and 127.0.0.1: `cert.pem` and `key.pem` in `directory`.
pub fn make_certificate(directory: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

impl MailServer {
    /// With the certificate of `directory`, which enables STARTTLS; without a certificate there is no STARTTLS.
    pub async fn start(directory: Option<&Path>) -> Self {
        Self::start_as(directory, true).await
    }

    /// A server that offers STARTTLS but does not support TLS.
    pub async fn start_broken(directory: &Path) -> Self {
        Self::start_as(Some(directory), false).await
    }

    async fn start_as(directory: Option<&Path>, speaks_tls: bool) -> Self {
        let tls = directory.map(|directory| {
            let certificate = CertificateDer::from_pem_file(directory.join("cert.pem")).unwrap();
            let key = PrivateKeyDer::from_pem_file(directory.join("key.pem")).unwrap();
            let config =
                rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate], key)
                    .unwrap();
            tokio_rustls::TlsAcceptor::from(Arc::new(config))
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let letters = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&letters);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, tls) = (Arc::clone(&kept), tls.clone());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    stream.write_all(b"220 test ESMTP\r\n").await.ok()?;
                    let wants_tls = talk(&mut stream, &kept, tls.is_some(), false).await?;
                    if let (true, Some(tls)) = (wants_tls && speaks_tls, tls) {
                        let mut stream = BufReader::new(tls.accept(stream.into_inner()).await.ok()?);
                        talk(&mut stream, &kept, false, true).await;
                    }
                    Some(())
                });
            }
        });
        MailServer { address, letters, task }
    }

    pub fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }
}

/// Speaks SMTP until the end (`None`), or until the client requests TLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    letters: &Mutex<Vec<Letter>>,
    offers_tls: bool,
    is_encrypted: bool,
) -> Option<bool> {
    let mut letter = Letter { is_encrypted, ..Letter::default() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|len| *len > 0)?;
        let line = line.trim_end();
        let answer = match line.split([' ', ':']).next().unwrap().to_uppercase().as_str() {
            "EHLO" if offers_tls => "250-test\r\n250-8BITMIME\r\n250 STARTTLS\r\n",
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await.ok()?;
                return Some(true);
            }
            "AUTH" => {
                letter.login = line.split(' ').nth(2).map(str::to_owned);
                "235 welcome\r\n"
            }
            "MAIL" => {
                letter.from = line.to_owned();
                "250 ok\r\n"
            }
            "RCPT" => {
                letter.to.push(line.to_owned());
                "250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await.ok().filter(|len| *len > 0)?;
                    if line.trim_end() == "." {
                        break;
                    }
                    letter.data.push_str(&line);
                }
                letters.lock().unwrap().push(letter.clone());
                "250 kept\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await.ok()?;
                return None;
            }
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}
