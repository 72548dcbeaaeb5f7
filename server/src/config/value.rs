//! Types of settings' values and their syntax.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use model::range::{DurationMs, RangeError};
use serde::Deserialize;

/// A duration in Prometheus' syntax: `90s`, `5m`, `15d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let DurationMs(millis) = text.parse()?;
        u64::try_from(millis)
            .map(|millis| Period(Duration::from_millis(millis)))
            .map_err(|_| RangeError::Duration(text.to_owned()))
    }
}

impl TryFrom<String> for Period {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, RangeError> {
        text.parse()
    }
}

/// A number of bytes: `1MiB`, `16KiB`, or digits only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ByteSize(pub usize);

impl FromStr for ByteSize {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let wrong = || WrongValue::Size(text.to_owned());
        let (number, unit) = match text.find(|character: char| !character.is_ascii_digit()) {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let factor: usize = match unit.trim_start() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(wrong()),
        };
        number.parse::<usize>().ok().and_then(|number| number.checked_mul(factor)).map(ByteSize).ok_or_else(wrong)
    }
}

impl TryFrom<String> for ByteSize {
    type Error = WrongValue;

    fn try_from(text: String) -> Result<Self, WrongValue> {
        text.parse()
    }
}

/// Listen address and port; port 0 is any free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(pub SocketAddr);

impl FromStr for Listen {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let wrong = || WrongValue::Listen(text.to_owned());
        if let Some(port) = text.strip_prefix("localhost:") {
            return Ok(Listen((Ipv4Addr::LOCALHOST, port.parse().map_err(|_| wrong())?).into()));
        }
        text.parse().map(Listen).map_err(|_| wrong())
    }
}

impl TryFrom<String> for Listen {
    type Error = WrongValue;

    fn try_from(text: String) -> Result<Self, WrongValue> {
        text.parse()
    }
}

/// An address or a network of addresses: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    /// Prefix length.
    prefix: u32,
}

impl Network {
    /// Whether `address` is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.prefix,
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.prefix,
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let wrong = || WrongValue::Network(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), |prefix| prefix.parse().map_err(|_| wrong()))?;
        if prefix <= bits { Ok(Network { address, prefix }) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Network {
    type Error = WrongValue;

    fn try_from(text: String) -> Result<Self, WrongValue> {
        text.parse()
    }
}

/// Format of the log on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human-readable lines.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// An invalid value. The error quotes it, so no type of a secret uses this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongValue {
    /// Not a number of bytes.
    #[error("{0:?} is not a size: write for example 65536, 64KiB or 16MiB")]
    Size(String),
    /// Not an address to listen on.
    #[error("{0:?} is not an address to listen on: write for example 127.0.0.1:3030, or 127.0.0.1:0 for any free port")]
    Listen(String),
    /// Neither an address nor a network.
    #[error("{0:?} is not a network: write for example 10.0.0.7 or 10.0.0.0/8")]
    Network(String),
    /// Not an HTTP URL.
    #[error("{0:?} is not a URL of http or https: write for example http://localhost:9090")]
    Url(String),
    /// A URL with a user name or password, which could end up in logs.
    #[error("the URL of {0} carries a user name or password: give the key as a key instead")]
    UrlWithPassword(String),
}

#[cfg(test)]
mod tests {
    use redact::Secret;

    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[redacted] [redacted] Some([redacted])");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn sizes_and_addresses_are_read_or_refused() {
        assert_eq!("64MiB".parse(), Ok(ByteSize(64 << 20)));
        assert_eq!("8192".parse(), Ok(ByteSize(8192)));
        assert_eq!("1 KiB".parse(), Ok(ByteSize(1024)));
        for wrong in ["", "MiB", "1MB", "-1", "99999999999999999999", "9999999999999999GiB"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
        assert_eq!("localhost:0".parse(), Ok(Listen("127.0.0.1:0".parse().unwrap())));
        assert!("[::1]:3030".parse::<Listen>().is_ok());
        for wrong in ["3030", "example.org:1", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
        }
        assert!("10.0.0.0/8".parse::<Network>().unwrap().contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!"10.0.0.7".parse::<Network>().unwrap().contains("10.0.0.8".parse().unwrap()));
        assert!("fd00::/8".parse::<Network>().unwrap().contains("fd12::1".parse().unwrap()));
        assert!(!"fd00::/8".parse::<Network>().unwrap().contains("fe80::1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("255.0.0.1".parse().unwrap()));
        assert!(!"0.0.0.0/0".parse::<Network>().unwrap().contains("::1".parse().unwrap()));
        for wrong in ["10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "/8", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
