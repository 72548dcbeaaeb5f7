//! Who may see and do what: tokens, sessions, roles, and what of the data a token's matchers leave visible.

mod address;
mod audit;
mod cache;
pub mod database;
mod login_throttle;
mod principal;
mod scope;
mod scoped_request;
mod secret;
mod session;
mod store;
pub mod visible;

pub(crate) use self::audit::{Action, Actor};
pub(crate) use self::cache::Cache;
pub(crate) use self::cache::earlier;
pub(crate) use self::login_throttle::{LoginThrottle, Verdict};
pub(crate) use self::scope::{distinct_selectors_of, selectors_of};
pub(crate) use self::secret::{Hash, NoRandomness, has_our_prefix, is_mistyped, random_text};
pub use self::{
    address::ClientAddress,
    principal::{Carrier, Principal},
    scope::{Scope, ScopeError, ScopedQuery, ScopedSelectors},
    scoped_request::{ENGINE, Reads, ScopedRequest},
    session::{SessionInfo, SessionOrigin, SocketUse},
    store::{NewToken, PRINTED_ID, StoreError, TokenInfo, TokenStore},
};
