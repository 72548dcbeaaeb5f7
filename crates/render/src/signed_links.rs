//! Signed links to images of alerts for people who cannot log in: each for one image and a limited time.
//!
//! The subject of a link is stored in memory under a random name; the signature covers the name and the expiry. The key
//! is generated at each start, and again when links are revoked, so that no link outlives the server that created it.

use std::{collections::VecDeque, fmt::Write, sync::Arc, time::Duration};

use access::{NoRandomness, random_text};
use hmac::{Hmac, KeyInit, Mac};
use notify::AlertSubject;
use parking_lot::{Mutex, MutexGuard};
use sha2::Sha256;

/// Maximum number of stored links; the oldest is dropped.
const MOST: usize = 1_000;
/// Random bytes in a name.
const NAME_BYTES: usize = 16;
/// Random bytes in the key.
const KEY_BYTES: usize = 32;

/// Creates and verifies links. Cheap to clone.
#[derive(Clone)]
pub struct PictureLinks(Arc<Mutex<Parts>>);

struct Parts {
    key: String,
    kept: VecDeque<(String, AlertSubject)>,
}

impl Parts {
    fn new() -> Result<Self, NoRandomness> {
        Ok(Parts { key: random_text::<KEY_BYTES>()?, kept: VecDeque::new() })
    }

    fn mac(&self, name: &str, until: i64) -> Option<Hmac<Sha256>> {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).ok()?;
        mac.update(format!("{name}.{until}").as_bytes());
        Some(mac)
    }
}

impl PictureLinks {
    /// With a new key.
    ///
    /// # Errors
    ///
    /// The machine has no random numbers.
    pub fn new() -> anyhow::Result<Self> {
        Ok(PictureLinks(Arc::new(Mutex::new(Parts::new()?))))
    }

    /// Revokes all existing links.
    ///
    /// # Errors
    ///
    /// The machine has no random numbers; the links stay valid.
    pub fn withdraw(&self) -> Result<(), NoRandomness> {
        let fresh = Parts::new()?;
        *self.parts() = fresh;
        Ok(())
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock()
    }

    /// A path to the image of an alert that is valid for `life`; `None` if the machine has no random numbers.
    pub fn make(&self, subject: AlertSubject, now_ms: i64, life: Duration) -> Option<String> {
        let name = random_text::<NAME_BYTES>().ok()?;
        let until = now_ms.saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX)) / 1_000;
        let mut parts = self.parts();
        let mut signature = String::new();
        for byte in parts.mac(&name, until)?.finalize().into_bytes() {
            // Writing to a string cannot fail.
            let _ = write!(signature, "{byte:02x}");
        }
        if parts.kept.len() >= MOST {
            parts.kept.pop_front();
        }
        let path = format!("/render/alert/{name}.png?until={until}&signature={signature}");
        parts.kept.push_back((name, subject));
        Some(path)
    }

    /// The subject of a link, if its signature is valid and it has not expired.
    pub fn open(&self, name: &str, until: i64, signature: &str, now_ms: i64) -> Option<AlertSubject> {
        let signature = bytes(signature)?;
        let parts = self.parts();
        // Compared in constant time.
        parts.mac(name, until)?.verify_slice(&signature).ok()?;
        if until.saturating_mul(1_000) <= now_ms {
            return None;
        }
        parts.kept.iter().find(|(other, _)| other == name).map(|(_, subject)| subject.clone())
    }
}

/// Decodes hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn subject(name: &str) -> AlertSubject {
        AlertSubject { name: name.into(), expr: "up".into(), labels: Default::default(), since_ms: 0, until_ms: 0 }
    }

    /// Name, expiry and signature of a path.
    fn parts(path: &str) -> (String, i64, String) {
        let (name, rest) = path.strip_prefix("/render/alert/").unwrap().split_once(".png?until=").unwrap();
        let (until, signature) = rest.split_once("&signature=").unwrap();
        (name.to_owned(), until.parse().unwrap(), signature.to_owned())
    }

    #[test]
    fn a_link_leads_to_its_picture_for_its_time() {
        let links = PictureLinks::new().unwrap();
        let (name, until, signature) = parts(&links.make(subject("a"), 1_000, DAY).unwrap());
        let (other, ..) = parts(&links.make(subject("b"), 1_000, DAY).unwrap());
        let open = |name: &str, until, signature: &str, now_ms| {
            links.open(name, until, signature, now_ms).map(|subject| subject.name)
        };
        assert_eq!(open(&name, until, &signature, 2_000).as_deref(), Some("a"));
        assert_eq!(open(&name, until, &signature, until * 1_000), None, "its time is over");
        assert_eq!(open(&name, until + 1, &signature, 2_000), None, "a longer time was not signed");
        assert_eq!(open(&other, until, &signature, 2_000), None, "nor another picture");
        assert_eq!(open(&name, until, &signature.replace(|digit: char| digit.is_ascii_digit(), "0"), 2_000), None);
        assert_eq!(open(&name, until, "", 2_000), None);
        assert_eq!(open(&name, until, "zz", 2_000), None);
        assert!(PictureLinks::new().unwrap().open(&name, until, &signature, 2_000).is_none(), "another key");
        links.withdraw().unwrap();
        assert_eq!(open(&name, until, &signature, 2_000), None, "withdrawn");
        let (name, until, signature) = parts(&links.make(subject("c"), 1_000, DAY).unwrap());
        assert_eq!(open(&name, until, &signature, 2_000).as_deref(), Some("c"));
    }

    #[test]
    fn only_so_many_are_kept() {
        let links = PictureLinks::new().unwrap();
        let (name, until, signature) = parts(&links.make(subject("first"), 0, DAY).unwrap());
        for _ in 0..MOST {
            links.make(subject("next"), 0, DAY).unwrap();
        }
        assert!(links.open(&name, until, &signature, 1).is_none());
        assert_eq!(links.parts().kept.len(), MOST);
    }
}
