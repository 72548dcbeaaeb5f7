//! The pages of hyperscope: rendered to HTML by the server, taken over by the same components in the browser.
//!
//! The component tree is built at once from a [`payload::Payload`] on both sides, so a page is complete in its first byte
//! and hydrates without waiting. Nothing here knows the URL of an upstream, and nothing here reads a file.

// A view's type nests as deep as its elements.
#![recursion_limit = "512"]
// The component macro writes public items for components that are not.
#![allow(unreachable_pub)]

#[cfg(feature = "ssr")]
pub mod alerts;
pub mod clock;
#[cfg(feature = "ssr")]
pub mod document;
#[cfg(feature = "ssr")]
pub mod explore;
#[cfg(feature = "ssr")]
pub mod functions;
pub mod live;
mod pages;
pub mod panels;
pub mod payload;
#[cfg(feature = "ssr")]
pub mod picture;
mod platform;
mod refusal;
#[cfg(feature = "ssr")]
pub mod settings;
mod shell;
#[cfg(feature = "browser")]
pub mod start;
mod view;
#[cfg(feature = "ssr")]
pub mod walls;
#[cfg(feature = "browser")]
mod without_server;

#[cfg(feature = "ssr")]
pub use document::{AssetPaths, Document, PageInput, render_document};
pub use pages::{PageSet, VIEWER, WORKBENCH};
#[cfg(feature = "ssr")]
pub use payload::{Evaluated, THEME_COOKIE, ZONE_COOKIE};
pub use shell::App;
#[cfg(feature = "browser")]
pub use without_server::start_standalone;
