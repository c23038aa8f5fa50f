use std::convert::Infallible;
use std::fmt;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::AppendHeaders;

/// A header, if it could be written.
type Location = AppendHeaders<Option<(HeaderName, HeaderValue)>>;

/// The path at which the host has nested the API: what a link to one of its resources begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base(String);

impl Base {
    /// The `Location` of a resource: `path` is relative to the base, begins with a slash, and
    /// holds nothing but what may stand in a path.
    pub(crate) fn location(&self, path: fmt::Arguments<'_>) -> Location {
        let location = HeaderValue::try_from(format!("{}{path}", self.0));
        AppendHeaders(location.ok().map(|location| (LOCATION, location)))
    }
}

impl<S: Sync> FromRequestParts<S> for Base {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let inner = parts.uri.path();
        let base = match parts.extensions.get::<OriginalUri>() {
            Some(OriginalUri(original)) => original.path().strip_suffix(inner).unwrap_or_default(),
            None => "",
        };
        Ok(Self(base.to_owned()))
    }
}
