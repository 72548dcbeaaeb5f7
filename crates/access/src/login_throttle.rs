//! Limits failed logins per address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Window in which failed logins are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Maximum number of addresses; beyond it the oldest is dropped.
const ADDRESSES: usize = 10_000;

/// Whether an address may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may try.
    Allowed,
    /// It must wait.
    Limited {
        /// How long.
        retry_after: Duration,
        /// True once per window: only then it is logged.
        is_news: bool,
    },
}

/// Failed logins of the last minute.
#[derive(Debug)]
pub struct LoginThrottle {
    limit: u32,
    by_address: HashMap<Option<IpAddr>, Window>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    wrong: u32,
    is_reported: bool,
}

impl LoginThrottle {
    /// Allows `limit` failed logins per minute and address.
    pub fn new(limit: u32) -> Self {
        LoginThrottle { limit, by_address: HashMap::new() }
    }

    /// Whether `address` may try to log in at `now`.
    pub fn check(&mut self, address: Option<IpAddr>, now: Instant) -> Verdict {
        let Some(window) = self.by_address.get_mut(&network(address)) else { return Verdict::Allowed };
        let age = now.saturating_duration_since(window.since);
        if age >= WINDOW || window.wrong < self.limit {
            return Verdict::Allowed;
        }
        let is_news = !std::mem::replace(&mut window.is_reported, true);
        Verdict::Limited { retry_after: WINDOW.saturating_sub(age), is_news }
    }

    /// Counts a failed login.
    pub fn note_wrong(&mut self, address: Option<IpAddr>, now: Instant) {
        let address = network(address);
        if self.by_address.len() >= ADDRESSES && !self.by_address.contains_key(&address) {
            self.make_room(now);
        }
        let window = self.by_address.entry(address).or_insert(Window { since: now, wrong: 0, is_reported: false });
        if now.saturating_duration_since(window.since) >= WINDOW {
            *window = Window { since: now, wrong: 0, is_reported: false };
        }
        window.wrong = window.wrong.saturating_add(1);
    }

    fn make_room(&mut self, now: Instant) {
        self.by_address.retain(|_, window| now.saturating_duration_since(window.since) < WINDOW);
        if self.by_address.len() >= ADDRESSES {
            let oldest = self.by_address.iter().min_by_key(|(_, window)| window.since).map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                self.by_address.remove(&oldest);
            }
        }
    }
}

/// The address range that one client certainly controls: an IPv4 address, or an IPv6 /64 network.
fn network(address: Option<IpAddr>) -> Option<IpAddr> {
    address.map(|address| match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_waits_for_the_rest_of_the_minute() {
        let mut attempts = LoginThrottle::new(10);
        let (start, address) = (Instant::now(), "10.0.0.1".parse().ok());
        for _ in 0..10 {
            assert_eq!(attempts.check(address, start), Verdict::Allowed);
            attempts.note_wrong(address, start);
        }
        let later = start + Duration::from_secs(20);
        let limited = |is_news| Verdict::Limited { retry_after: Duration::from_secs(40), is_news };
        assert_eq!(attempts.check(address, later), limited(true));
        assert_eq!(attempts.check("::ffff:10.0.0.1".parse().ok(), later), limited(false));
        assert_eq!(attempts.check("10.0.0.2".parse().ok(), later), Verdict::Allowed);
        assert_eq!(attempts.check(address, start + WINDOW), Verdict::Allowed);
    }

    #[test]
    fn a_network_of_version_6_is_one_party_and_memory_is_bounded() {
        let mut attempts = LoginThrottle::new(1);
        let now = Instant::now();
        attempts.note_wrong("2001:db8::1".parse().ok(), now);
        assert_ne!(attempts.check("2001:db8::2".parse().ok(), now), Verdict::Allowed);
        for number in 0..20_000_u32 {
            attempts.note_wrong(Some(IpAddr::V4(number.into())), now);
        }
        assert!(attempts.by_address.len() <= ADDRESSES);
    }
}
