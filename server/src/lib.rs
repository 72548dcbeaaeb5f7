//! The hyperscope server: an axum backend-for-frontend between browsers and the sources.

pub mod address;
pub mod cli;
pub mod config;
pub mod demo;
pub mod http;
pub mod privacy;
pub mod serve;
mod signals;
pub mod source_list;
pub mod state;
pub mod storage;
