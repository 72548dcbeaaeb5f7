//! Tokens, sessions, roles: who may do what.
