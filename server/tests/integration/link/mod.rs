//! The links to daemons, over real sockets, against the simulated daemon in its three dialects and against what is no daemon.

mod address;
mod counts;
mod dialects;
mod faults;
mod secrets;
mod targets;
mod world;
