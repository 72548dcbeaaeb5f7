//! The pages of hyperscope: rendered to HTML by the server, hydrated by the same components in the browser.
//!
//! Both sides build the component tree from the same [`payload::Payload`] and wait for no data. The HTML is therefore complete, and hydration
//! needs no request. Nothing here knows the URL of an upstream, and nothing here reads a file.

// The type of a view nests as deeply as its elements.
#![recursion_limit = "512"]
// The component macro generates public items for private components as well.
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
