//! Requests in flight: identical ones are sent once, but for those that need a fresh response.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use budget::Requester;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

use super::{Answer, Asked, Transport};

type Sharing = Shared<BoxFuture<'static, Answer>>;

/// The queue in which a request waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// With those of a token. A request joins one of another token that has already been sent, but never waits in
    /// another token's queue.
    Token(Arc<str>),
    /// With those of rules, which do not share requests with viewers.
    Rules,
    /// With those of the server itself, which do not share requests with viewers either.
    Server,
    /// With those of other images of notifications.
    Pictures,
}

impl Lane {
    pub(super) fn current() -> Self {
        match Requester::current() {
            Requester::Rules => Lane::Rules,
            Requester::Server => Lane::Server,
            Requester::Pictures => Lane::Pictures,
            Requester::Token(token) => Lane::Token(token),
        }
    }

    fn is_of_viewers(&self) -> bool {
        matches!(self, Lane::Token(_))
    }
}

/// A request in flight.
pub(super) struct Flight {
    sharing: WeakShared<BoxFuture<'static, Answer>>,
    /// The previous request, for which it waits. Its response serves callers that do not need a fresh one.
    before: Option<WeakShared<BoxFuture<'static, Answer>>>,
    /// When the request was sent; unset while it waits for its turn, or for the previous one.
    asked_at: Arc<OnceLock<Instant>>,
}

impl Flight {
    /// The request, while its response is pending.
    fn running(&self) -> Option<Sharing> {
        running(&self.sharing)
    }

    /// The next pending response, perhaps of the previous request.
    fn next(&self) -> Option<Sharing> {
        self.before.as_ref().and_then(running).or_else(|| self.running())
    }

    /// The request, if it was sent at or after `since` and its response is pending.
    fn asked(&self, since: Option<Instant>) -> Option<Sharing> {
        let asked_at = self.asked_at.get()?;
        if since.is_none_or(|since| *asked_at >= since) { self.running() } else { None }
    }

    /// Whether its response will be from `since` or later.
    fn is_after(&self, since: Instant) -> bool {
        self.asked_at.get().is_none_or(|asked_at| *asked_at >= since)
    }
}

fn running(sharing: &WeakShared<BoxFuture<'static, Answer>>) -> Option<Sharing> {
    // A request with a response is no longer in flight.
    sharing.upgrade().filter(|one| one.peek().is_none())
}

impl Transport {
    /// A request in flight whose response is from `since` or later, or otherwise a new one; and whether it belongs to
    /// another token.
    pub(super) fn share(&self, asked: Asked, since: Option<Instant>) -> (Sharing, bool) {
        let lane = Lane::current();
        let mut in_flight = self.0.in_flight.lock();
        let flights = in_flight.get(&asked);
        let own = flights.and_then(|flights| flights.get(&lane));
        if since.is_none()
            && let Some(next) = own.and_then(Flight::next)
        {
            return (next, false);
        }
        let mut others =
            flights.into_iter().flatten().filter(|(other, _)| other.is_of_viewers() && lane.is_of_viewers());
        if let Some(asked) = others.find_map(|(_, flight)| flight.asked(since)) {
            return (asked, true);
        }
        let before = own.and_then(|flight| Some((flight.running()?, flight)));
        let before = match before {
            Some((running, flight)) if since.is_none_or(|since| flight.is_after(since)) => return (running, false),
            before => before.map(|(running, _)| running),
        };
        in_flight.retain(|_, flights| {
            flights.retain(|_, flight| flight.running().is_some());
            !flights.is_empty()
        });
        let (inner, (path, pairs), waits_in) = (Arc::clone(&self.0), asked.clone(), lane.clone());
        let asked_at = Arc::<OnceLock<Instant>>::default();
        let going_out = Arc::clone(&asked_at);
        let waits_for = before.as_ref().and_then(Shared::downgrade);
        let sharing = async move {
            if let Some(before) = before {
                // Regardless of its result. Callers that join until then share the new response.
                let _ = before.await;
            }
            inner.ask(&path, &pairs, waits_in, &going_out).await
        };
        let sharing = sharing.boxed().shared();
        if let Some(weak) = sharing.downgrade() {
            in_flight.entry(asked).or_default().insert(lane, Flight { sharing: weak, before: waits_for, asked_at });
        }
        (sharing, false)
    }
}
