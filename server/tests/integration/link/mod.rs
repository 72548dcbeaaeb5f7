//! Connections to daemons, over real sockets, with the simulated daemon in its three dialects and with servers that are
//! no daemon.

mod address;
mod counts;
mod dialects;
mod faults;
mod secrets;
mod targets;
mod world;
