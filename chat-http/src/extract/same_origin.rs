use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;

use crate::origin;
use crate::problem::Problem;
use crate::state::Api;

/// The request does not come from a web page of another origin.
///
/// For requests without a credential that set a cookie: another page must not log its visitor in
/// as somebody else.
#[derive(Debug)]
pub(crate) struct SameOrigin;

impl<S> FromRequestParts<S> for SameOrigin
where
    S: Send + Sync,
    Api: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        origin::check(&Api::from_ref(state).config.origins, parts).map(|()| Self)
    }
}
