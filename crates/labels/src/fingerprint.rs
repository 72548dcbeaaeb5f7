//! A hash of a label set.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Identifies a label set: equal labels have equal fingerprints. It is Alertmanager's hash
/// (`model.LabelSet.Fingerprint`), so that alerts have the same fingerprints there and here. Written as 16 hexadecimal
/// digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// The fingerprint of labels sorted by name: FNV-1a over names and values, each followed by the byte 255, which no
    /// text contains.
    #[must_use]
    pub fn of<'a, N, V>(labels: impl IntoIterator<Item = (&'a N, &'a V)>) -> Self
    where
        N: AsRef<str> + ?Sized + 'a,
        V: AsRef<str> + ?Sized + 'a,
    {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let texts = labels.into_iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]);
        let bytes = texts.flat_map(|text| text.bytes().chain([255]));
        Fingerprint(bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// A text that is not a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fingerprint: it has 16 hexadecimal digits")]
pub struct WrongFingerprint(String);

impl FromStr for Fingerprint {
    type Err = WrongFingerprint;

    fn from_str(text: &str) -> Result<Self, WrongFingerprint> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = if digits { u64::from_str_radix(text, 16).ok() } else { None };
        number.map(Fingerprint).ok_or_else(|| WrongFingerprint(text.to_owned()))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = WrongFingerprint;

    fn try_from(text: String) -> Result<Self, WrongFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_alertmanagers_and_is_read_as_it_is_written() {
        // The result of Debian's Alertmanager 0.25 for these labels.
        let fingerprint = Fingerprint::of([("alertname", "a"), ("b", "c")]);
        assert_eq!(fingerprint.to_string(), "fc6101df625cd9d2");
        assert_ne!(fingerprint, Fingerprint::of([("alertname", "ab"), ("", "c")]));
        assert_eq!("fc6101df625cd9d2".parse(), Ok(fingerprint));
        for wrong in ["ff", "+000000000000000", "000000000000000g"] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }
}
