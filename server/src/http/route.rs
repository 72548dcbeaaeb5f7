//! One route: methods, path, rights and handler.

use axum::{
    extract::DefaultBodyLimit,
    handler::Handler,
    http::Method,
    middleware,
    routing::{MethodFilter, MethodRouter, on},
};

use super::{
    auth::{self, Auth},
    bodies::{self, Bodies},
    rights::{self, Rights, Who},
};
use crate::state::AppState;

/// A route; it cannot be created without rights. `S` is the state of its handler.
pub(crate) struct Route<S = AppState> {
    /// Its methods; GET includes HEAD.
    pub methods: &'static [Method],
    /// Path in axum's syntax: `/api/jobs/{daemon}/{id}`.
    pub path: &'static str,
    /// The rights it requires.
    pub rights: Rights,
    handler: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    fn new<H, T>(
        methods: &'static [Method],
        filter: MethodFilter,
        path: &'static str,
        rights: Rights,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Route { methods, path, rights, handler: on(filter, handler) }
    }

    /// A reading route.
    pub(crate) fn get<H: Handler<T, S>, T: 'static>(path: &'static str, rights: Rights, handler: H) -> Self {
        const METHODS: &[Method] = &[Method::GET];
        Self::new(METHODS, MethodFilter::GET, path, rights, handler)
    }

    /// A route that creates or does something.
    pub(crate) fn post<H: Handler<T, S>, T: 'static>(path: &'static str, rights: Rights, handler: H) -> Self {
        const METHODS: &[Method] = &[Method::POST];
        Self::new(METHODS, MethodFilter::POST, path, rights, handler)
    }

    /// A reading route with parameters that may be too long for a URL.
    pub(crate) fn get_or_post<H: Handler<T, S>, T: 'static>(path: &'static str, rights: Rights, handler: H) -> Self {
        const METHODS: &[Method] = &[Method::GET, Method::POST];
        Self::new(METHODS, MethodFilter::GET.or(MethodFilter::POST), path, rights, handler)
    }

    /// A route that does something, for clients that use either method.
    pub(crate) fn post_or_put<H: Handler<T, S>, T: 'static>(path: &'static str, rights: Rights, handler: H) -> Self {
        const METHODS: &[Method] = &[Method::POST, Method::PUT];
        Self::new(METHODS, MethodFilter::POST.or(MethodFilter::PUT), path, rights, handler)
    }

    /// A route that changes a part of something.
    pub(crate) fn patch<H: Handler<T, S>, T: 'static>(path: &'static str, rights: Rights, handler: H) -> Self {
        const METHODS: &[Method] = &[Method::PATCH];
        Self::new(METHODS, MethodFilter::PATCH, path, rights, handler)
    }

    /// A route that deletes something.
    pub(crate) fn delete<H: Handler<T, S>, T: 'static>(path: &'static str, rights: Rights, handler: H) -> Self {
        const METHODS: &[Method] = &[Method::DELETE];
        Self::new(METHODS, MethodFilter::DELETE, path, rights, handler)
    }

    /// Sets a limit for bodies, in bytes.
    #[must_use]
    pub(crate) fn with_body_limit(self, bytes: usize) -> Self {
        Route { handler: self.handler.layer(DefaultBodyLimit::max(bytes)), ..self }
    }

    /// Sets the state of its handler, to combine it with other routes.
    #[must_use]
    pub(crate) fn with_state<T>(self, state: S) -> Route<T> {
        let Route { methods, path, rights, handler } = self;
        Route { methods, path, rights, handler: handler.with_state(state) }
    }
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// The handler behind the check of the role.
    pub(crate) fn for_roles(self, auth: &Auth) -> MethodRouter<S> {
        match self.rights.who {
            Who::Anyone => self.handler,
            who => auth::require(self.handler, auth, who.allows(), self.methods.contains(&Method::GET)),
        }
    }
}

impl Route {
    /// The handler behind all its rights.
    pub(super) fn guarded(mut self, state: &AppState) -> MethodRouter<AppState> {
        // Without authentication there is no limited token.
        if self.rights.who == Who::Anyone {
            return self.handler;
        }
        let limits = middleware::from_fn_with_state((state.clone(), self.rights), rights::check_limits);
        let bodies = match self.rights.who {
            Who::Writers | Who::AlertSenders => Bodies::OfWriters(state.budgets.writes.clone()),
            _ => Bodies::OfViewers(state.budgets.answers.clone()),
        };
        self.handler =
            self.handler.route_layer(middleware::from_fn_with_state(bodies, bodies::layer)).route_layer(limits);
        self.for_roles(&state.auth)
    }

    /// The handler behind the admission of live sockets.
    pub(super) fn admitted(self, auth: &Auth) -> MethodRouter<AppState> {
        auth::admit_sockets(self.handler, auth)
    }
}
