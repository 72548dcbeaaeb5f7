//! The hyperscope server: an axum backend-for-frontend between browsers and the sources.

pub mod assets;
pub mod auth;
pub mod cli;
pub mod config;
pub mod database;
pub mod security;
pub mod upstream;
