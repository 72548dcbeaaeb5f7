//! What stands in front of an engine, as logic without I/O or clock: which part of a range is known already ([`cache`]), which
//! part may be kept ([`horizon`]), which steps late samples change ([`late`]), which names a source has for a series ([`aliases`]) and for its labels ([`labels`]), whether a failing engine is asked at all ([`breaker`]) and asked twice ([`budget`]).

pub mod aliases;
pub mod breaker;
pub mod budget;
pub mod cache;
pub mod horizon;
pub mod labels;
pub mod late;
