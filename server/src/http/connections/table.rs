//! The table of connections, and which of them wait for a request: the decisions, without clocks and sockets.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use tokio::time::Instant;

use super::{ConnectionLimits, Ticket};

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The first request.
    FirstRequest,
    /// The next request, since this time.
    Since(Instant),
    /// Nothing: requests are in progress, or it was upgraded.
    Busy,
    /// The client, which has to read responses.
    Readers {
        /// Since when the slowest response waits.
        oldest: Instant,
        /// Since when the last read response waits.
        newest: Instant,
        count: usize,
    },
    /// It must close to make room.
    Evicted,
}

#[derive(Debug)]
struct Entry {
    /// Number of requests in progress.
    requests: usize,
    /// Responses that have started, by number: since when the client has to read, if it has to.
    answers: HashMap<u64, Option<Instant>>,
    next_answer: u64,
    asked: bool,
    upgraded: bool,
    /// Since when it waits.
    since: Instant,
    ticket: Arc<Ticket>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    next: u64,
    open: HashMap<u64, Entry>,
    of_address: HashMap<IpAddr, usize>,
    /// Waiting connections, by time.
    waiting: BTreeSet<(Instant, u64)>,
}

impl Table {
    /// Adds a connection within the limits; returns its number.
    pub(super) fn admit(
        &mut self,
        address: Option<IpAddr>,
        ticket: &Arc<Ticket>,
        limits: &ConnectionLimits,
        now: Instant,
    ) -> Option<u64> {
        if address
            .is_some_and(|address| self.of_address.get(&address).is_some_and(|count| *count >= limits.per_address))
        {
            return None;
        }
        if self.open.len() >= limits.total {
            let (_, longest) = self.waiting.pop_first()?;
            if let Some(entry) = self.open.remove(&longest) {
                entry.ticket.evict();
            }
        }
        if let Some(address) = address {
            *self.of_address.entry(address).or_default() += 1;
        }
        let id = self.next;
        self.next += 1;
        self.open.insert(
            id,
            Entry {
                requests: 0,
                answers: HashMap::new(),
                next_answer: 0,
                asked: false,
                upgraded: false,
                since: now,
                ticket: Arc::clone(ticket),
            },
        );
        self.waiting.insert((now, id));
        Some(id)
    }

    pub(super) fn remove(&mut self, id: u64, address: Option<IpAddr>) {
        if let Some(entry) = self.open.remove(&id) {
            self.waiting.remove(&(entry.since, id));
        }
        if let Some(address) = address
            && let Some(count) = self.of_address.get_mut(&address)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
    }

    /// Records the start of a request. False if the connection was closed to make room: the request is too late.
    pub(super) fn begin(&mut self, id: u64) -> bool {
        let Some(entry) = self.open.get_mut(&id) else { return false };
        if entry.requests == 0 {
            self.waiting.remove(&(entry.since, id));
        }
        entry.requests += 1;
        entry.asked = true;
        true
    }

    /// Records the start of a response; returns its number.
    pub(super) fn answer(&mut self, id: u64) -> Option<u64> {
        let entry = self.open.get_mut(&id)?;
        let number = entry.next_answer;
        entry.next_answer += 1;
        entry.answers.insert(number, None);
        Some(number)
    }

    /// Records since when the client has to read more of a response; `None` if it has not.
    pub(super) fn await_reader(&mut self, id: u64, answer: u64, since: Option<Instant>) {
        if let Some(waits) = self.open.get_mut(&id).and_then(|entry| entry.answers.get_mut(&answer)) {
            *waits = since;
        }
    }

    /// Records an upgrade: from now on the limits for waiting do not apply.
    pub(super) fn upgrade(&mut self, id: u64) {
        if let Some(entry) = self.open.get_mut(&id) {
            entry.upgraded = true;
        }
    }

    /// Records the end of a request, and of its response if that had started.
    pub(super) fn end(&mut self, id: u64, answer: Option<u64>, now: Instant) {
        if let Some(entry) = self.open.get_mut(&id) {
            entry.requests = entry.requests.saturating_sub(1);
            answer.map(|answer| entry.answers.remove(&answer));
            if entry.requests == 0 && !entry.upgraded {
                entry.since = now;
                self.waiting.insert((now, id));
            }
        }
    }

    pub(super) fn waiting(&self, id: u64) -> Waiting {
        match self.open.get(&id) {
            None => Waiting::Evicted,
            Some(entry) if entry.upgraded => Waiting::Busy,
            Some(entry) => {
                let waits = || entry.answers.values().flatten();
                match (waits().min(), waits().max()) {
                    // Regardless of other requests: a client that sends more requests must still read the responses.
                    (Some(oldest), Some(newest)) => {
                        Waiting::Readers { oldest: *oldest, newest: *newest, count: waits().count() }
                    }
                    _ if entry.requests > 0 => Waiting::Busy,
                    _ if entry.asked => Waiting::Since(entry.since),
                    _ => Waiting::FirstRequest,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::Ordering, time::Duration};

    use super::*;

    fn limits(total: usize, per_address: usize) -> ConnectionLimits {
        ConnectionLimits {
            total,
            per_address,
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            stalled_write: Duration::from_secs(30),
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
        }
    }

    #[test]
    fn the_one_that_waits_longest_makes_room_and_none_that_has_a_request() {
        let (limits, start) = (limits(3, 9), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut table = Table::default();
        let tickets: Vec<Arc<Ticket>> = (0..6).map(|_| Arc::default()).collect();
        let admit_at = |(ticket, second)| table.admit(None, ticket, &limits, at(second)).unwrap();
        let ids: Vec<u64> = tickets.iter().zip(0..3).map(admit_at).collect();
        table.begin(ids[0]);
        let fourth = table.admit(None, &tickets[3], &limits, at(4)).unwrap();
        assert_eq!(
            ids.iter().map(|id| table.waiting(*id)).collect::<Vec<_>>(),
            [Waiting::Busy, Waiting::Evicted, Waiting::FirstRequest]
        );
        table.begin(ids[2]);
        table.begin(fourth);
        assert_eq!(table.admit(None, &tickets[4], &limits, at(5)), None, "all are busy");
        table.begin(ids[0]);
        table.end(ids[0], None, at(6));
        assert_eq!(table.waiting(ids[0]), Waiting::Busy, "another request of it goes on");
        let answers = [table.answer(ids[0]), table.answer(ids[0])];
        table.begin(ids[0]);
        assert_eq!(table.waiting(ids[0]), Waiting::Busy, "nothing of the answers is there yet");
        table.await_reader(ids[0], answers[0].unwrap(), Some(at(6)));
        table.await_reader(ids[0], answers[1].unwrap(), Some(at(7)));
        let readers = |oldest, newest, count| Waiting::Readers { oldest: at(oldest), newest: at(newest), count };
        assert_eq!(table.waiting(ids[0]), readers(6, 7, 2));
        table.await_reader(ids[0], answers[0].unwrap(), None);
        assert_eq!(table.waiting(ids[0]), readers(7, 7, 1), "the server makes the other one wait");
        table.end(ids[0], answers[0], at(7));
        table.end(ids[0], answers[1], at(7));
        assert_eq!(table.waiting(ids[0]), Waiting::Since(at(7)));
        assert!(table.admit(None, &tickets[5], &limits, at(8)).is_some());
        assert_eq!(table.waiting(ids[0]), Waiting::Evicted);
        for id in ids.into_iter().chain([fourth]) {
            table.remove(id, None);
            table.remove(id, None);
        }
        assert_eq!((table.open.len(), table.waiting.len()), (1, 1));
        let evicted: Vec<bool> = tickets.iter().map(|ticket| ticket.evicted.load(Ordering::Relaxed)).collect();
        assert_eq!(evicted, [true, true, false, false, false, false]);
    }

    #[test]
    fn what_is_upgraded_makes_no_room_and_what_was_closed_begins_nothing() {
        let (limits, start) = (limits(2, 9), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut table = Table::default();
        let socket = table.admit(None, &Arc::default(), &limits, at(0)).unwrap();
        assert!(table.begin(socket));
        table.upgrade(socket);
        table.end(socket, None, at(1));
        let silent = table.admit(None, &Arc::default(), &limits, at(2)).unwrap();
        assert!(table.admit(None, &Arc::default(), &limits, at(3)).is_some());
        assert_eq!((table.waiting(socket), table.waiting(silent)), (Waiting::Busy, Waiting::Evicted));
        assert!(!table.begin(silent));
    }

    #[test]
    fn an_address_has_a_share() {
        let limits = limits(100, 2);
        let counted = |address: &str| limits.counted(address.parse().unwrap());
        let now = Instant::now();
        let mut table = Table::default();
        let mut admit = |address: &str| table.admit(counted(address), &Arc::default(), &limits, now).is_some();
        assert_eq!(
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"].map(&mut admit),
            [true, true, false, true]
        );
        assert_eq!(
            ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"].map(&mut admit),
            [true, true, false, true]
        );
        assert_eq!(["127.0.0.1", "::1", "10.1.2.3"].map(counted), [None; 3], "many share these");
        table.remove(0, counted("192.0.2.1"));
        assert!(table.admit(counted("192.0.2.1"), &Arc::default(), &limits, now).is_some());
    }
}
