//! The engine of a page without a server, in a worker: sockets, requests and timers around [`standalone::Standalone`].
//!
//! The page posts [`model::worker::FromPage`] as JSON, and live messages as CBOR bytes, as on a socket; it gets CBOR bytes
//! of the live protocol and [`model::worker::ToPage`] as JSON. The worker ends with its page.

mod client;
mod daemon_socket;
mod engine;
mod kept_history;
mod page;
mod tasks;

fn main() {
    console_error_panic_hook::set_once();
    page::listen();
}
