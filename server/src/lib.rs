//! The hyperscope server: an axum backend-for-frontend between browsers and the sources.

pub mod address;
pub mod alerting;
pub mod api;
pub mod assets;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod concern;
pub mod config;
pub mod dashboards;
pub mod database;
pub mod delivery;
pub mod demo;
pub mod ingest;
pub mod pages;
pub mod pictures;
pub mod query;
pub mod routes;
pub mod security;
pub mod serve;
pub mod state;
pub mod storage;
pub mod telemetry;
pub mod upstream;
pub mod visible;
pub mod ws;
