//! Mail by SMTP.

use std::{net::IpAddr, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Attachment, Mailboxes, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use notify::{config::Email, message::Mail};

use super::{
    guard::Guard,
    pictured::FILE_NAME,
    send::{Outcome, read_secret},
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
) -> Outcome {
    let message = match message(mail, id, picture) {
        Ok(message) => message,
        Err(reason) => return Outcome::refused(reason),
    };
    match tokio::time::timeout(timeout, transmit(email, message, guard, timeout)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::failed(format!("no answer within {} s", timeout.as_secs_f64())),
    }
}

async fn transmit(email: &Email, message: Message, guard: Guard, timeout: Duration) -> Outcome {
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
    let tls = match tls(email, host, port) {
        Ok(tls) => tls,
        Err(reason) => return Outcome::failed(reason),
    };
    // By address: the name is not looked up a second time.
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
        .port(port)
        .timeout(Some(timeout))
        .hello_name(hello(&email.hello))
        .tls(tls);
    if !email.auth_username.is_empty() {
        let password = match email.auth_password.as_ref().map(read_secret) {
            Some(Ok(password)) => password,
            Some(Err(reason)) => return Outcome::failed(reason),
            None => return Outcome::refused("the mail server wants a password: give auth_password"),
        };
        builder = builder
            .credentials(Credentials::new(email.auth_username.clone(), password))
            .authentication(vec![Mechanism::Plain, Mechanism::Login]);
    }
    match builder.build().send(message).await {
        Ok(_) => Outcome::Delivered { status: None },
        Err(error) if error.is_permanent() => Outcome::refused(chain(&error)),
        Err(error) => Outcome::failed(chain(&error)),
    }
}

fn tls(email: &Email, host: &str, port: u16) -> Result<Tls, String> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(tls) = &email.tls_config {
        parameters = parameters.dangerous_accept_invalid_certs(tls.insecure_skip_verify);
        if let Some(path) = &tls.ca_file {
            let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| format!("{}: {error}", path.display()))?;
            parameters = parameters.add_root_certificate(certificate);
        }
    }
    let parameters = parameters.build_rustls().map_err(|error| error.to_string())?;
    Ok(match (port, email.require_tls) {
        (IMPLICIT_TLS, _) => Tls::Wrapper(parameters),
        (_, Some(false)) => Tls::Opportunistic(parameters),
        _ => Tls::Required(parameters),
    })
}

fn hello(name: &str) -> ClientId {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(name.to_owned()),
    }
}

/// The mail as it goes over the wire.
fn message(mail: &Mail, id: &str, picture: Option<&[u8]>) -> Result<Message, String> {
    let addresses = |text: &str| {
        text.parse::<Mailboxes>().map_err(|_| format!("{text:?} is no list of addresses: write name@example.org, …"))
    };
    let from = addresses(&mail.from)?.into_single().ok_or_else(|| format!("{:?} is not one address", mail.from))?;
    let domain = from.email.domain().to_owned();
    let mut builder = Message::builder()
        .from(from)
        .subject(&mail.subject)
        .date_now()
        // The same at each try: a server that got it twice can tell.
        .message_id(Some(format!("<{id}@{domain}>")))
        .references(format!("<{}@{domain}>", mail.thread));
    for to in addresses(&mail.to)? {
        builder = builder.to(to);
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
