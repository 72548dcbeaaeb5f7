//! Mail by SMTP.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use alertmanager::{config::Email, message::Mail};
use lettre::{
    Message,
    address::Envelope,
    message::{
        Attachment, Mailboxes, MessageBuilder, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, Identity, TlsParameters},
        commands::Ehlo,
        extension::ClientId,
    },
};
use redact::Redactor;

use crate::{
    alert_image::FILE_NAME,
    egress_policy::EgressPolicy,
    send::{Outcome, reveal},
};

/// The port of SMTP with implicit TLS.
const IMPLICIT_TLS: u16 = 465;

/// Authentication mechanisms, preferred first.
const LOGINS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Sends a mail.
pub(crate) async fn send(
    email: &Email,
    mail: &Mail,
    id: &str,
    picture: Option<&[u8]>,
    guard: EgressPolicy,
    timeout: Duration,
    sent: &Redactor,
) -> Outcome {
    let message = match message(mail, id, picture) {
        Ok(message) => message,
        Err(reason) => return Outcome::refused(reason),
    };
    match tokio::time::timeout(timeout, transmit(email, message, guard, timeout, sent)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::failed(format!("no answer within {} s", timeout.as_secs_f64())),
    }
}

async fn transmit(email: &Email, message: Message, guard: EgressPolicy, timeout: Duration, sent: &Redactor) -> Outcome {
    let Some((host, port)) =
        email.smarthost.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
    else {
        return Outcome::refused("the mail server cannot be read: write host:port");
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // Connects by address, so that the name is not resolved a second time.
    let addresses = match guard.resolve(host, port).await {
        Ok(addresses) => addresses,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Outcome::refused(error.to_string());
        }
        Err(error) => return Outcome::failed(format!("{host}: {error}")),
    };
    let server = MailServer { email, host, port, addresses, timeout };
    let sent = async {
        let (mut connection, address) = server.connect().await?;
        server.log_in(&mut connection, address, sent).await?;
        connection.send(message.envelope(), &message.formatted()).await.map_err(|error| outcome(&error))?;
        // The server has accepted the mail, so a failed QUIT does not matter.
        let _ = connection.quit().await;
        Ok(Outcome::Delivered { status: None })
    };
    sent.await.unwrap_or_else(|outcome| outcome)
}

fn outcome(error: &SmtpError) -> Outcome {
    if error.is_permanent() { Outcome::refused(chain(error)) } else { Outcome::failed(chain(error)) }
}

/// Whether no SMTP server answered at this address: another address of the host may work.
fn is_unreached(error: &SmtpError) -> bool {
    let has_spoken = error.is_response() || error.is_transient() || error.is_permanent();
    !has_spoken && !error.is_client() && !error.is_tls()
}

/// How to verify the server's certificate.
#[derive(Clone, Copy, PartialEq)]
enum Verification {
    /// As `tls_config` says.
    Configured,
    /// Not at all: without TLS the mail would be sent in plain text, so any encryption is an improvement.
    None,
}

/// The mail server to deliver to.
struct MailServer<'a> {
    email: &'a Email,
    host: &'a str,
    port: u16,
    /// Allowed addresses of `host`, in the order to try.
    addresses: Vec<SocketAddr>,
    /// For all addresses together.
    timeout: Duration,
}

impl MailServer<'_> {
    /// Connects, with as much TLS as the configuration requires and the server offers; returns the address too. With
    /// `require_tls: false` the mail is sent in any case: encrypted if that works, otherwise in plain text. The
    /// certificate is then verified only if a password will follow.
    async fn connect(&self) -> Result<(AsyncSmtpConnection, SocketAddr), Outcome> {
        let hello = hello(&self.email.hello);
        if self.port == IMPLICIT_TLS {
            return self.reach(&hello, Some(self.tls(Verification::Configured)?)).await;
        }
        let (mut connection, address) = self.reach(&hello, None).await?;
        let is_required = self.email.require_tls != Some(false);
        if !connection.can_starttls() {
            if !is_required {
                return Ok((connection, address));
            }
            connection.abort().await;
            return Err(Outcome::failed(format!(
                "{} does not offer STARTTLS: allow mail without TLS by require_tls: false, or use another port",
                self.host
            )));
        }
        let is_login = !self.email.auth_username.is_empty();
        let wanted = if is_required || is_login { Verification::Configured } else { Verification::None };
        match connection.starttls(self.tls(wanted)?, &hello).await {
            Ok(()) => Ok((connection, address)),
            Err(_) if wanted == Verification::None => {
                let plain = open(address, self.timeout, &hello, None).await.map_err(|error| outcome(&error))?;
                Ok((plain, address))
            }
            Err(error) => Err(outcome(&error)),
        }
    }

    /// Connects to the first address that accepts. Addresses that do not answer share the timeout.
    async fn reach(
        &self,
        hello: &ClientId,
        tls: Option<TlsParameters>,
    ) -> Result<(AsyncSmtpConnection, SocketAddr), Outcome> {
        let end = Instant::now() + self.timeout;
        let mut failures = Vec::new();
        for (address, left) in self.addresses.iter().zip((1..=self.addresses.len()).rev()) {
            let share = end.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(u32::MAX);
            match open(*address, share, hello, tls.clone()).await {
                Ok(connection) => return Ok((connection, *address)),
                Err(error) if is_unreached(&error) => failures.push(format!("{address}: {}", chain(&error))),
                Err(error) => return Err(outcome(&error)),
            }
        }
        Err(Outcome::failed(failures.join("; ")))
    }

    /// Authenticates if a user name is configured and the server offers authentication: a relay without it accepts mail
    /// anyway, as in Alertmanager.
    async fn log_in(
        &self,
        connection: &mut AsyncSmtpConnection,
        address: SocketAddr,
        sent: &Redactor,
    ) -> Result<(), Outcome> {
        if self.email.auth_username.is_empty() || !self.offers_login(connection).await? {
            return Ok(());
        }
        let password = match self.email.auth_password.as_ref().map(|password| reveal(password, sent)) {
            Some(Ok(password)) => password,
            Some(Err(reason)) => return Err(Outcome::failed(reason)),
            None => return Err(Outcome::refused("the mail server wants a password: give auth_password")),
        };
        // Others could read a password sent in plain text, unless the connection is to this machine.
        if !connection.is_encrypted() && !address.ip().is_loopback() {
            connection.abort().await;
            return Err(Outcome::refused(format!(
                "{} accepts mail only without TLS, where a password could be intercepted: remove auth_username, or use a server with STARTTLS",
                self.host
            )));
        }
        let credentials = Credentials::new(self.email.auth_username.clone(), password);
        connection.auth(&LOGINS, &credentials).await.map_err(|error| outcome(&error))?;
        Ok(())
    }

    /// Whether the server offers authentication, including mechanisms that we do not support.
    async fn offers_login(&self, connection: &mut AsyncSmtpConnection) -> Result<bool, Outcome> {
        if connection.server_info().get_auth_mechanism(&LOGINS).is_some() {
            return Ok(true);
        }
        // The library drops mechanisms that it does not know, so we send EHLO again and read the response.
        let greeting = Ehlo::new(hello(&self.email.hello));
        let answer = connection.command(greeting).await.map_err(|error| outcome(&error))?;
        Ok(answer
            .message()
            .any(|line| line.split([' ', '=']).next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH"))))
    }

    fn tls(&self, verification: Verification) -> Result<TlsParameters, Outcome> {
        let mut parameters = TlsParameters::builder(self.host.to_owned());
        let config = self.email.tls_config.clone().unwrap_or_default();
        let is_lax = config.insecure_skip_verify || verification == Verification::None;
        parameters = parameters.dangerous_accept_invalid_certs(is_lax).dangerous_accept_invalid_hostnames(is_lax);
        let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let built = || {
            if let Some(path) = &config.ca_file {
                let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
                parameters = parameters
                    .add_root_certificate(Certificate::from_pem(&read(path)?).map_err(|error| named(&error))?);
            }
            if let Some((cert, key)) = config.cert_file.as_ref().zip(config.key_file.as_ref()) {
                let identity = Identity::from_pem(&read(cert)?, &read(key)?);
                let named = |error: &dyn std::fmt::Display| format!("{}: {error}", cert.display());
                parameters = parameters.identify_with(identity.map_err(|error| named(&error))?);
            }
            parameters.build_rustls().map_err(|error| error.to_string())
        };
        built().map_err(Outcome::failed)
    }
}

/// Connects to one address within `timeout`.
async fn open(
    address: SocketAddr,
    timeout: Duration,
    hello: &ClientId,
    tls: Option<TlsParameters>,
) -> Result<AsyncSmtpConnection, SmtpError> {
    AsyncSmtpConnection::connect_tokio1(address, Some(timeout), hello, tls, None).await
}

fn hello(name: &str) -> ClientId {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(name.to_owned()),
    }
}

/// The mail in wire format. The envelope uses the addresses of the configuration; headers are only displayed.
fn message(mail: &Mail, id: &str, picture: Option<&[u8]>) -> Result<Message, String> {
    let addresses = |text: &str| {
        text.parse::<Mailboxes>().map_err(|_| format!("{text:?} is no list of addresses: write name@example.org, …"))
    };
    let from = addresses(&mail.from)?.into_single().ok_or_else(|| format!("{:?} is not one address", mail.from))?;
    let domain = from.email.domain().to_owned();
    let to = addresses(mail.to.trim().trim_end_matches(','))?;
    let envelope = Envelope::new(Some(from.email.clone()), to.iter().map(|to| to.email.clone()).collect())
        .map_err(|error| format!("{:?} has no address: {error}", mail.to))?;
    let shown_from = mail.shown_from.as_deref().and_then(|text| addresses(text).ok()?.into_single());
    let mut builder = Message::builder()
        .envelope(envelope)
        // As in Alertmanager, a configured header is sent, even `Bcc`.
        .keep_bcc()
        .from(shown_from.unwrap_or(from))
        .subject(&mail.subject)
        .date_now()
        // The same at each attempt, so that a server can detect duplicates.
        .message_id(Some(format!("<{id}@{domain}>")))
        .references(format!("<{}@{domain}>", mail.thread));
    let shown_to = mail.shown_to.as_deref().map(|text| addresses(text).map_err(|_| text.to_owned()));
    match shown_to.unwrap_or(Ok(to)) {
        Ok(mailboxes) => builder = mailboxes.into_iter().fold(builder, MessageBuilder::to),
        // Not a list of addresses, for example `undisclosed-recipients:;`.
        Err(text) => builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("To"), text)),
    }
    for (name, value) in &mail.headers {
        let name =
            HeaderName::new_from_ascii(name.clone()).map_err(|_| format!("{name:?} is not a name of a header"))?;
        builder = builder.raw_header(HeaderValue::new(name, value.clone()));
    }
    let text = || SinglePart::plain(mail.text.clone());
    let made = match (mail.html.is_empty(), mail.text.is_empty(), picture) {
        (false, false, None) => {
            builder.multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
        }
        (false, true, None) => builder.singlepart(SinglePart::html(mail.html.clone())),
        (true, _, None) => builder.singlepart(text()),
        (false, false, Some(picture)) => builder
            .multipart(MultiPart::alternative().singlepart(text()).multipart(illustrated(&mail.html, id, picture)?)),
        (false, true, Some(picture)) => builder.multipart(illustrated(&mail.html, id, picture)?),
        (true, _, Some(picture)) => builder.multipart(
            MultiPart::mixed()
                .singlepart(text())
                .singlepart(Attachment::new(FILE_NAME.to_owned()).body(picture.to_vec(), png()?)),
        ),
    };
    made.map_err(|error| error.to_string())
}

fn png() -> Result<ContentType, String> {
    ContentType::parse("image/png").map_err(|error| error.to_string())
}

/// The HTML with the image at its end, and the image part.
fn illustrated(html: &str, id: &str, picture: &[u8]) -> Result<MultiPart, String> {
    let content_id = format!("picture.{id}");
    let image = format!(
        "<p><img src=\"cid:{content_id}\" alt=\"Chart of the alert\" width=\"720\" style=\"max-width:100%;height:auto\"></p>"
    );
    let (before, after) = html.rfind("</body>").map_or((html, ""), |end| html.split_at(end));
    let inline = Attachment::new_inline(content_id).body(picture.to_vec(), png()?);
    Ok(MultiPart::related().singlepart(SinglePart::html(format!("{before}{image}{after}"))).singlepart(inline))
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use alertmanager::config::Secret;
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpSocket},
    };

    use super::*;

    /// A mail server that answers EHLO with `offers` and accepts everything else; records the commands it receives.
    async fn server(offers: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let words = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&words);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut answer = "220 test ESMTP\r\n";
                let mut line = String::new();
                while stream.write_all(answer.as_bytes()).await.is_ok() {
                    line.clear();
                    if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                        break;
                    }
                    heard.lock().push(line.split_whitespace().next().unwrap_or_default().to_owned());
                    answer = if line.starts_with("EHLO") { offers } else { "250 ok\r\n" };
                }
            }
        });
        (address, words)
    }

    fn mail_server(email: &Email, addresses: Vec<SocketAddr>) -> MailServer<'_> {
        MailServer { email, host: "relay", port: 25, addresses, timeout: Duration::from_secs(60) }
    }

    #[tokio::test]
    async fn all_addresses_of_a_name_are_tried_until_one_takes_the_connection() {
        let (good, _) = server("250 test\r\n").await;
        // Bound but not listening: connections are refused, and no other process gets the port.
        let closed = TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let bad = closed.local_addr().unwrap();
        let email = Email { require_tls: Some(false), ..Email::default() };
        let (_, reached) = mail_server(&email, vec![bad, good]).connect().await.unwrap();
        assert_eq!(reached, good);
        let Err(Outcome::Failed { reason, .. }) = mail_server(&email, vec![bad, bad]).connect().await else {
            panic!("nothing answers there");
        };
        assert_eq!(reason.matches(&bad.to_string()).count(), 2, "each with its reason: {reason}");

        // If an SMTP server answers, its answer is final.
        let (rude, _) = server("554 not with you\r\n").await;
        let refused = mail_server(&email, vec![rude, good]).connect().await;
        assert!(matches!(&refused, Err(Outcome::Refused { reason, .. }) if reason.contains("not with you")));
    }

    #[tokio::test]
    async fn a_login_is_for_servers_that_offer_one() {
        let email = Email {
            require_tls: Some(false),
            auth_username: "me".into(),
            auth_password: Some(serde_json::from_str::<Secret>("\"secret\"").unwrap()),
            ..Email::default()
        };
        let log_in = async |offers| {
            let (address, words) = server(offers).await;
            let server = mail_server(&email, vec![address]);
            let (mut connection, address) = server.connect().await.unwrap();
            let logged_in = server.log_in(&mut connection, address, &Redactor::default()).await;
            let has_tried = words.lock().iter().any(|word| word == "AUTH");
            (logged_in.is_ok(), has_tried)
        };
        assert_eq!(log_in("250-test\r\n250 AUTH PLAIN LOGIN\r\n").await, (true, true));
        assert_eq!(log_in("250-test\r\n250 8BITMIME\r\n").await, (true, false), "it takes mail of everybody");
        assert_eq!(log_in("250-test\r\n250 AUTH NTLM\r\n").await, (false, false), "it wants a login of another kind");
    }
}
