//! The subscriptions of a page and the messages for them, from a socket or by polling.

use std::{cell::RefCell, fmt, rc::Rc};

use futures_channel::mpsc;
use futures_util::StreamExt;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use model::{
    frame::Frame,
    live::{ClientMessage, Event, ServerMessage, Topic},
    page::Boot,
    panel::{QueryState, Staleness},
};

use super::{Connection, Feed, FeedData, poll, socket::Connect};
use crate::platform;

/// Updates that arrive within this time, in milliseconds, are shown together: the points of a step of all queries, and events.
const BATCH_MS: u32 = 16;
/// How long a subscription without holders is retained, in milliseconds: the next page often needs the same.
const LINGER_MS: u32 = 400;

/// A cheap handle. Clones share one client.
#[derive(Clone)]
pub(crate) struct Client {
    shared: Rc<RefCell<Shared>>,
    connection: RwSignal<Connection>,
    wake: mpsc::UnboundedSender<Wake>,
    /// Version of the server that rendered the page.
    version: Rc<str>,
    /// Version of its dashboards; empty if the page shows none.
    dashboards: Rc<str>,
}

/// An event that interrupts a delay of the connection's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The network or the viewer is back: retry now.
    Retry,
    /// The network is gone.
    Offline,
    /// Whether a connection is wanted may have changed.
    Reconsider,
}

#[derive(Default)]
struct Shared {
    subscriptions: Vec<Subscription>,
    next_id: u64,
    paused: bool,
    /// Sends to the socket while one is open.
    outgoing: Option<mpsc::UnboundedSender<ClientMessage>>,
    /// Updates of the current batch.
    batch: Batch,
    batch_timer: Option<Timeout>,
    sweep_timer: Option<Timeout>,
}

struct Subscription {
    id: u64,
    topic: Topic,
    feed: Feed,
    holders: usize,
    /// Whether it was sent on the open socket.
    asked: bool,
}

/// Updates that are shown together.
#[derive(Default)]
struct Batch {
    events: Vec<(u64, Event)>,
    deltas: Vec<(u64, Frame)>,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client with a task that connects until the page is closed.
    pub(super) fn open(connection: RwSignal<Connection>, boot: &Boot, paused: bool, connect: Connect) -> Self {
        let (wake, woken) = mpsc::unbounded();
        let shared = Shared { paused, ..Shared::default() };
        let dashboards = if boot.dashboard.is_some() { boot.dashboards_version.as_str() } else { "" };
        let client = Client {
            shared: Rc::new(RefCell::new(shared)),
            connection,
            wake,
            version: boot.version.as_str().into(),
            dashboards: dashboards.into(),
        };
        client.wake_on_events();
        wasm_bindgen_futures::spawn_local(connect(client.clone(), woken.fuse()));
        client
    }

    fn wake_on_events(&self) {
        let on = |event: &'static str, wake: Wake| {
            let sender = self.wake.clone();
            let handle = window_event_listener_untyped(event, move |_| {
                if wake == Wake::Offline || platform::is_visible() {
                    let _ = sender.unbounded_send(wake);
                }
            });
            on_cleanup(move || handle.remove());
        };
        on("online", Wake::Retry);
        on("focus", Wake::Retry);
        on("pageshow", Wake::Retry);
        // This event is fired at the document and bubbles to the window.
        on("visibilitychange", Wake::Retry);
        on("offline", Wake::Offline);
    }

    /// The feed of `topic`, shared by all its holders.
    pub(super) fn acquire(&self, topic: &Topic) -> Feed {
        let mut shared = self.shared.borrow_mut();
        if let Some(subscription) = shared.subscriptions.iter_mut().find(|subscription| subscription.topic == *topic) {
            subscription.holders += 1;
            return subscription.feed.clone();
        }
        shared.next_id += 1;
        let id = shared.next_id;
        let feed = Feed::waiting(topic);
        shared.subscriptions.push(Subscription {
            id,
            topic: topic.clone(),
            feed: feed.clone(),
            holders: 1,
            asked: false,
        });
        shared.subscribe();
        if shared.paused {
            let _ = self.wake.unbounded_send(Wake::Reconsider);
        }
        // While the page polls, a new query is evaluated at once, not in the next round.
        if let (Topic::Query(query), Connection::Polling) = (topic, self.connection.get_untracked()) {
            poll::fetch_newest(query.clone(), feed.clone());
        }
        feed
    }

    /// Removes one holder of `topic`.
    pub(super) fn release(&self, topic: &Topic) {
        let mut shared = self.shared.borrow_mut();
        if let Some(subscription) = shared.subscriptions.iter_mut().find(|subscription| subscription.topic == *topic) {
            subscription.holders = subscription.holders.saturating_sub(1);
        }
        if shared.sweep_timer.is_none() {
            let weak = Rc::downgrade(&self.shared);
            shared.sweep_timer = Some(Timeout::new(LINGER_MS, move || {
                if let Some(shared) = weak.upgrade() {
                    shared.borrow_mut().sweep();
                }
            }));
        }
    }

    /// Stops or resumes the connection.
    pub(super) fn pause(&self, paused: bool) {
        let changed = {
            let mut shared = self.shared.borrow_mut();
            let changed = std::mem::replace(&mut shared.paused, paused) != paused;
            shared.subscribe();
            changed
        };
        if changed {
            let _ = self.wake.unbounded_send(Wake::Reconsider);
        }
    }

    /// Whether the viewer paused the page.
    pub(super) fn is_paused(&self) -> bool {
        self.shared.borrow().paused
    }

    /// Whether no connection is needed: the page is paused, and every feed has data.
    pub(super) fn rests(&self) -> bool {
        let shared = self.shared.borrow();
        shared.paused && shared.subscriptions.iter().all(|subscription| subscription.feed.has_come())
    }

    /// Sets the state of the connection.
    pub(super) fn show(&self, connection: Connection) {
        if self.connection.get_untracked() != connection {
            self.connection.set(connection);
        }
    }

    /// When the connection was lost, in milliseconds since the Unix epoch, if it is.
    pub(super) fn lost_at_ms(&self) -> Option<i64> {
        self.connection.get_untracked().lost_at_ms()
    }

    /// Subscribes to all held topics on a socket that opened. The old data is shown until the snapshots replace it. Nothing is appended to it, because
    /// the server may have other data now, for example after a restart.
    pub(super) fn attach(&self, outgoing: mpsc::UnboundedSender<ClientMessage>) {
        let mut shared = self.shared.borrow_mut();
        shared.outgoing = Some(outgoing);
        shared.subscriptions.iter_mut().for_each(|subscription| subscription.asked = false);
        shared.subscribe();
    }

    /// Removes the socket, which was closed.
    pub(super) fn detach(&self) {
        self.shared.borrow_mut().outgoing = None;
    }

    /// Ids, topics and feeds of all subscriptions.
    pub(super) fn held(&self) -> Vec<(u64, Topic, Feed)> {
        let shared = self.shared.borrow();
        let one =
            |subscription: &Subscription| (subscription.id, subscription.topic.clone(), subscription.feed.clone());
        shared.subscriptions.iter().map(one).collect()
    }

    /// Handles a message of the server.
    pub(super) fn receive(&self, message: ServerMessage) {
        match message {
            ServerMessage::Hello { version, now_ms, dashboards, .. } => {
                let has_other = !self.dashboards.is_empty() && dashboards != self.dashboards.as_ref();
                if version != self.version.as_ref() || has_other {
                    platform::reload_for(version + &dashboards);
                }
                platform::set_now_ms(now_ms);
            }
            ServerMessage::Snapshot { id, data, .. } => {
                self.flush();
                if let Some((_, feed)) = self.arrived(id) {
                    feed.replace(data);
                    feed.mark(None);
                }
            }
            ServerMessage::Delta { id, data, .. } => self.enqueue(|batch| batch.deltas.push((id, data))),
            ServerMessage::Event { id, event, .. } => self.enqueue(|batch| batch.events.push((id, event))),
            ServerMessage::Status { id, fresh, since, reason } => {
                if let Some(feed) = self.feed(id) {
                    feed.mark((!fresh).then_some(Staleness { since_ms: since, reason }));
                }
            }
            ServerMessage::Error { id, message, .. } => {
                if let Some(feed) = id.and_then(|id| self.feed(id)) {
                    match &feed.data {
                        FeedData::Query(state) => state.set(QueryState::Failed { message }),
                        _ => feed.mark(Some(Staleness { since_ms: platform::now_ms(), reason: message })),
                    }
                }
            }
        }
    }

    /// The topic and feed of subscription `id`.
    fn arrived(&self, id: u64) -> Option<(Topic, Feed)> {
        let shared = self.shared.borrow();
        let subscription = shared.subscriptions.iter().find(|subscription| subscription.id == id)?;
        Some((subscription.topic.clone(), subscription.feed.clone()))
    }

    fn feed(&self, id: u64) -> Option<Feed> {
        let shared = self.shared.borrow();
        shared.subscriptions.iter().find(|subscription| subscription.id == id).map(|found| found.feed.clone())
    }

    fn enqueue(&self, add: impl FnOnce(&mut Batch)) {
        let mut shared = self.shared.borrow_mut();
        add(&mut shared.batch);
        if shared.batch_timer.is_none() {
            let client = self.clone();
            shared.batch_timer = Some(Timeout::new(BATCH_MS, move || client.flush()));
        }
    }

    /// Applies the updates of the current batch.
    fn flush(&self) {
        let Batch { events, deltas } = {
            let mut shared = self.shared.borrow_mut();
            // Dropping the timer cancels it if it has not fired.
            shared.batch_timer = None;
            std::mem::take(&mut shared.batch)
        };
        for (id, delta) in deltas {
            if let Some((Topic::Query(query), feed)) = self.arrived(id) {
                // An instant query has only its newest value: a window of no length.
                feed.extend(&delta, if query.instant { 0 } else { query.window_ms });
            }
        }
        let mut by_feed: Vec<(u64, Vec<Event>)> = Vec::new();
        for (id, event) in events {
            match by_feed.iter_mut().find(|(other, _)| *other == id) {
                Some((_, events)) => events.push(event),
                None => by_feed.push((id, vec![event])),
            }
        }
        for (id, events) in by_feed {
            if let Some(feed) = self.feed(id) {
                feed.apply(events);
            }
        }
    }
}

impl Shared {
    fn send(&mut self, message: ClientMessage) {
        // Without a socket nothing is sent: the next socket subscribes to all held topics.
        if let Some(outgoing) = &self.outgoing
            && outgoing.unbounded_send(message).is_err()
        {
            self.outgoing = None;
        }
    }

    /// Subscribes on the open socket to topics that are not subscribed yet. A paused page needs only those without data.
    fn subscribe(&mut self) {
        let Some(outgoing) = &self.outgoing else { return };
        for subscription in &mut self.subscriptions {
            let rests = self.paused && subscription.feed.has_come();
            if !subscription.asked && !rests {
                subscription.asked = true;
                let message = ClientMessage::Subscribe { id: subscription.id, topic: subscription.topic.clone() };
                // The socket's task notices that the socket was closed.
                let _ = outgoing.unbounded_send(message);
            }
        }
    }

    fn sweep(&mut self) {
        self.sweep_timer = None;
        let unheld = self.subscriptions.iter().filter(|subscription| subscription.holders == 0 && subscription.asked);
        let unheld: Vec<u64> = unheld.map(|unheld| unheld.id).collect();
        self.subscriptions.retain(|subscription| subscription.holders > 0);
        for id in unheld {
            self.send(ClientMessage::Unsubscribe { id });
        }
    }
}
