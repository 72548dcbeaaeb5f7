//! The subscriptions of a page and what arrives for them, whichever way it arrives.

use std::{cell::RefCell, fmt, rc::Rc};

use futures_channel::mpsc;
use futures_util::StreamExt;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use model::{
    live::{ClientMessage, Event, LiveQuery, ServerMessage, Topic},
    page::Boot,
    panel::{QueryState, Staleness},
};

use super::{Connection, Feed, FeedData, poll, socket::Connect};
use crate::platform;

/// Events that arrive within so many milliseconds are shown together.
const BATCH_MS: u32 = 16;
/// A subscription nobody holds is kept for so many milliseconds: the next page often wants the same.
const LINGER_MS: u32 = 400;

/// A cheap handle; clones are the same client.
#[derive(Clone)]
pub(crate) struct Client {
    shared: Rc<RefCell<Shared>>,
    connection: RwSignal<Connection>,
    wake: mpsc::UnboundedSender<Wake>,
    /// Of the server that made the page, and of its dashboards if the page shows one.
    version: Rc<str>,
    dashboards: Rc<str>,
}

/// What makes the connection's task act before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The network or the viewer is back: try now.
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
    /// Where to send while a socket is open.
    outgoing: Option<mpsc::UnboundedSender<ClientMessage>>,
    /// Events that wait for the end of their batch.
    batch: Vec<(u64, Event)>,
    batch_timer: Option<Timeout>,
    sweep_timer: Option<Timeout>,
}

struct Subscription {
    id: u64,
    topic: Topic,
    feed: Feed,
    holders: usize,
    /// Whether the socket that is open was asked for it.
    asked: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client whose task connects for as long as the page lives.
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
        // It happens at the document and is not cancelled on its way up.
        on("visibilitychange", Wake::Retry);
        on("offline", Wake::Offline);
    }

    /// The feed of `topic`, shared by all who hold it.
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
        // What is new while the page polls does not wait for the next round.
        if let (Topic::Query(query), Connection::Polling) = (topic, self.connection.get_untracked()) {
            poll::fetch_newest(query.clone(), feed.clone());
        }
        feed
    }

    /// Lets go of one hold on `topic`.
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

    /// Whether no connection is wanted: the page is paused, and all that it shows has come once.
    pub(super) fn rests(&self) -> bool {
        let shared = self.shared.borrow();
        shared.paused && shared.subscriptions.iter().all(|subscription| subscription.feed.has_come())
    }

    /// Shows how the page is connected.
    pub(super) fn show(&self, connection: Connection) {
        if self.connection.get_untracked() != connection {
            self.connection.set(connection);
        }
    }

    /// When the connection was lost, if it is.
    pub(super) fn lost_at_ms(&self) -> Option<i64> {
        self.connection.get_untracked().lost_at_ms()
    }

    /// A socket opened: what is held is subscribed on it, and comes whole. What is there stays until then, and nothing is added
    /// to it: the server may have other data now, as after a restart.
    pub(super) fn attach(&self, outgoing: mpsc::UnboundedSender<ClientMessage>) {
        let mut shared = self.shared.borrow_mut();
        shared.outgoing = Some(outgoing);
        shared.subscriptions.iter_mut().for_each(|subscription| subscription.asked = false);
        shared.subscribe();
    }

    /// The socket is gone.
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

    /// Takes a message of the server.
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
            ServerMessage::Delta { id, data, .. } => {
                if let Some((Topic::Query(LiveQuery { window_ms, instant, .. }), feed)) = self.arrived(id)
                    && let FeedData::Query(state) = &feed.data
                {
                    state.update(|state| {
                        // A part of what never came whole says nothing.
                        if let QueryState::Ready { frame, .. } = state {
                            // Of an instant query only the newest value is kept: a window of no length.
                            frame.apply(&data, if instant { 0 } else { window_ms });
                        }
                    });
                }
            }
            ServerMessage::Event { id, event, .. } => {
                if self.arrived(id).is_some() {
                    self.enqueue(id, event);
                }
            }
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

    fn enqueue(&self, id: u64, event: Event) {
        let mut shared = self.shared.borrow_mut();
        shared.batch.push((id, event));
        if shared.batch_timer.is_none() {
            let client = self.clone();
            shared.batch_timer = Some(Timeout::new(BATCH_MS, move || client.flush()));
        }
    }

    /// Shows the events that wait.
    fn flush(&self) {
        let batch = {
            let mut shared = self.shared.borrow_mut();
            // A timer that has run out may be dropped; one that has not is cancelled.
            shared.batch_timer = None;
            std::mem::take(&mut shared.batch)
        };
        let mut by_feed: Vec<(u64, Vec<Event>)> = Vec::new();
        for (id, event) in batch {
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
        // Without a socket there is nothing to say: the next one begins with all that is held.
        if let Some(outgoing) = &self.outgoing
            && outgoing.unbounded_send(message).is_err()
        {
            self.outgoing = None;
        }
    }

    /// Asks the open socket for what it was not asked for. A paused page wants only what has never come.
    fn subscribe(&mut self) {
        let Some(outgoing) = &self.outgoing else { return };
        for subscription in &mut self.subscriptions {
            let rests = self.paused && subscription.feed.has_come();
            if !subscription.asked && !rests {
                subscription.asked = true;
                let message = ClientMessage::Subscribe { id: subscription.id, topic: subscription.topic.clone() };
                // A socket that is gone is noticed by its task.
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
