//! A minimal HTTP/1.1 client for servers on this machine.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Timeout.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a POST; returns status and body of the answer.
pub(crate) fn post(address: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(u16, Vec<u8>), String> {
    let describe = |error: std::io::Error| format!("{address}: {error}");
    let mut stream = TcpStream::connect(address).map_err(describe)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(describe)?;
    let mut head =
        format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\naccept-encoding: identity\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(&[head.as_bytes(), body].concat()).map_err(describe)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(describe)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or("no answer in HTTP")?;
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
    let is_chunked = head.lines().any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked"));
    Ok((status, if is_chunked { unchunked(body)? } else { body.to_vec() }))
}

fn unchunked(mut body: &[u8]) -> Result<Vec<u8>, String> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n").ok_or("a chunk without a size")?;
        let (size, rest) = body.split_at(end);
        let size = String::from_utf8_lossy(size);
        let size = usize::from_str_radix(size.trim(), 16).map_err(|error| error.to_string())?;
        let (chunk, rest) = rest.get(2..).and_then(|rest| rest.split_at_checked(size)).ok_or("a chunk cut short")?;
        if size == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(chunk);
        body = rest.get(2..).unwrap_or_default();
    }
}

/// Encodes pairs as a form.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (name, value) in pairs {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => form.push(char::from(byte)),
                byte => form.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    form
}
