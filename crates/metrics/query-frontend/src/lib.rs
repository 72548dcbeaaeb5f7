//! The query frontend of an engine, as logic without I/O or clock: which part of a range is cached ([`cache`]), which
//! part can be cached ([`horizon`]), which steps late samples change ([`late`]), what is new in a result ([`update`]),
//! aliases of metrics ([`aliases`]) and labels ([`labels`]), a circuit breaker ([`breaker`]) and a retry budget
//! ([`budget`]).

pub mod aliases;
pub mod breaker;
pub mod budget;
pub mod cache;
pub mod horizon;
pub mod labels;
pub mod late;
pub mod update;
