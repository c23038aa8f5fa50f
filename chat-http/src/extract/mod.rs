//! What handlers take from a request. Each extractor refuses with a [`Problem`](crate::problem),
//! so that no error is ever told in another form.

mod base;
mod caller;
mod client;
mod json;
mod params;
mod path;
mod same_origin;

pub(crate) use base::Base;
pub(crate) use caller::{ActingCaller, Caller, LeavingCaller};
pub(crate) use client::Client;
pub(crate) use json::{JsonBody, OptionalJsonBody, secret};
pub(crate) use params::Params;
pub(crate) use path::PathId;
pub(crate) use same_origin::SameOrigin;
