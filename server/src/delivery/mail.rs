//! Mail by SMTP.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use lettre::{
    Message,
    address::Envelope,
    message::{
        Attachment, Mailboxes, MessageBuilder, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, Identity, TlsParameters},
        extension::ClientId,
    },
};
use notify::{config::Email, message::Mail};
use redact::Redactor;

use super::{
    guard::Guard,
    pictured::FILE_NAME,
    send::{Outcome, reveal},
};

/// The port of SMTP inside TLS from the first byte.
const IMPLICIT_TLS: u16 = 465;

/// Sends a mail.
pub(super) async fn send(
    email: &Email,
    mail: &Mail,
    id: &str,
    picture: Option<&[u8]>,
    guard: Guard,
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

async fn transmit(email: &Email, message: Message, guard: Guard, timeout: Duration, sent: &Redactor) -> Outcome {
    let Some((host, port)) =
        email.smarthost.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
    else {
        return Outcome::refused("the mail server cannot be read: write host:port");
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = match guard.resolve(host, port).await {
        Ok(addresses) => match addresses.first() {
            Some(address) => *address,
            None => return Outcome::failed(format!("{host} has no address")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Outcome::refused(error.to_string());
        }
        Err(error) => return Outcome::failed(format!("{host}: {error}")),
    };
    let credentials = match credentials(email, sent) {
        Ok(credentials) => credentials,
        Err(outcome) => return outcome,
    };
    // By address: the name is not looked up a second time.
    let server = MailServer { email, host, address: (address.ip(), port).into(), timeout };
    let sent = async {
        let mut connection = server.connect(credentials.is_some()).await?;
        if let Some(credentials) = credentials {
            // A password that is read on the way is lost: nobody but this machine may hear it.
            if !connection.is_encrypted() && !address.ip().is_loopback() {
                connection.abort().await;
                return Err(Outcome::refused(format!(
                    "{host} takes mail without TLS only, where a password could be read on the way: leave out auth_username, or use a server with STARTTLS"
                )));
            }
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await
                .map_err(|error| outcome(&error))?;
        }
        connection.send(message.envelope(), &message.formatted()).await.map_err(|error| outcome(&error))?;
        // It has the mail: whether it says good-bye too does not matter.
        let _ = connection.quit().await;
        Ok(Outcome::Delivered { status: None })
    };
    sent.await.unwrap_or_else(|outcome| outcome)
}

/// Who logs in, if anybody does.
fn credentials(email: &Email, sent: &Redactor) -> Result<Option<Credentials>, Outcome> {
    if email.auth_username.is_empty() {
        return Ok(None);
    }
    match email.auth_password.as_ref().map(|password| reveal(password, sent)) {
        Some(Ok(password)) => Ok(Some(Credentials::new(email.auth_username.clone(), password))),
        Some(Err(reason)) => Err(Outcome::failed(reason)),
        None => Err(Outcome::refused("the mail server wants a password: give auth_password")),
    }
}

fn outcome(error: &lettre::transport::smtp::Error) -> Outcome {
    if error.is_permanent() { Outcome::refused(chain(error)) } else { Outcome::failed(chain(error)) }
}

/// How much of a server's certificate is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Verification {
    /// What `tls_config` says.
    Configured,
    /// Nothing: what would else be sent in plain text is encrypted for no matter whom.
    None,
}

/// Where a mail goes.
struct MailServer<'a> {
    email: &'a Email,
    host: &'a str,
    address: SocketAddr,
    timeout: Duration,
}

impl MailServer<'_> {
    /// A connection with as much TLS as the configuration asks for and the server has. With `require_tls: false`, mail goes out
    /// whatever the server has: encrypted where that works, and in plain text where it does not. Only a password that is to
    /// follow asks for a certificate that holds.
    async fn connect(&self, is_login: bool) -> Result<AsyncSmtpConnection, Outcome> {
        let hello = hello(&self.email.hello);
        if self.address.port() == IMPLICIT_TLS {
            return self.open(&hello, Some(self.tls(Verification::Configured)?)).await;
        }
        let mut connection = self.open(&hello, None).await?;
        let is_required = self.email.require_tls != Some(false);
        if !connection.can_starttls() {
            if !is_required {
                return Ok(connection);
            }
            connection.abort().await;
            return Err(Outcome::failed(format!(
                "{} does not offer STARTTLS: allow mail without TLS by require_tls: false, or use another port",
                self.host
            )));
        }
        let wanted = if is_required || is_login { Verification::Configured } else { Verification::None };
        match connection.starttls(self.tls(wanted)?, &hello).await {
            Ok(()) => Ok(connection),
            Err(_) if wanted == Verification::None => self.open(&hello, None).await,
            Err(error) => Err(outcome(&error)),
        }
    }

    async fn open(&self, hello: &ClientId, tls: Option<TlsParameters>) -> Result<AsyncSmtpConnection, Outcome> {
        AsyncSmtpConnection::connect_tokio1(self.address, Some(self.timeout), hello, tls, None)
            .await
            .map_err(|error| outcome(&error))
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

fn hello(name: &str) -> ClientId {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(name.to_owned()),
    }
}

/// The mail as it goes over the wire. The envelope is made of the addresses of the configuration; headers are only shown.
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
        // As in Alertmanager, a header that is asked for is there, whoever may read it.
        .keep_bcc()
        .from(shown_from.unwrap_or(from))
        .subject(&mail.subject)
        .date_now()
        // The same at each try: a server that got it twice can tell.
        .message_id(Some(format!("<{id}@{domain}>")))
        .references(format!("<{}@{domain}>", mail.thread));
    let shown_to = mail.shown_to.as_deref().map(|text| addresses(text).map_err(|_| text.to_owned()));
    match shown_to.unwrap_or(Ok(to)) {
        Ok(mailboxes) => builder = mailboxes.into_iter().fold(builder, MessageBuilder::to),
        // No list of addresses, such as `undisclosed-recipients:;`.
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

/// HTML that shows a picture at its end, and the picture.
fn illustrated(html: &str, id: &str, picture: &[u8]) -> Result<MultiPart, String> {
    let content_id = format!("picture.{id}");
    let image = format!(
        "<p><img src=\"cid:{content_id}\" alt=\"Chart of the alert\" width=\"720\" style=\"max-width:100%;height:auto\"></p>"
    );
    let (before, after) = html.rfind("</body>").map_or((html, ""), |end| html.split_at(end));
    let inline = Attachment::new_inline(content_id).body(picture.to_vec(), png()?);
    Ok(MultiPart::related().singlepart(SinglePart::html(format!("{before}{image}{after}"))).singlepart(inline))
}

/// An error with its causes.
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
