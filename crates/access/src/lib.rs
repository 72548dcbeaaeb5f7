//! Authorization: tokens, sessions, roles, and filtering of data by a token's matchers.

mod address;
mod audit;
mod cache;
mod login_throttle;
mod principal;
mod scope;
mod scoped_query;
mod scoped_request;
mod secret;
mod session;
mod store;
mod token;
mod visible;

pub use crate::audit::{Action, Actor};
pub use crate::cache::Cache;
pub use crate::cache::earlier;
pub use crate::login_throttle::{LoginThrottle, Verdict};
pub use crate::scoped_query::{distinct_selectors_of, selectors_of};
pub use crate::secret::{Hash, NoRandomness, has_our_prefix, is_mistyped, random_text};
pub use crate::visible::{Restricted, Visible, is_visible, visible_snapshot};
pub use crate::{
    address::ClientAddress,
    principal::{Carrier, Principal},
    scope::Scope,
    scoped_query::{ScopeError, ScopedQuery, ScopedSelectors},
    scoped_request::{ENGINE, Reads, ScopedRequest},
    session::{SessionInfo, SessionOrigin, SocketUse},
    store::{PRINTED_ID, StoreError, TokenStore},
    token::{NewToken, TokenInfo},
};
