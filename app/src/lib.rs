//! The pages of hyperscope.

pub mod panels;
