use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::problem::Problem;

/// The one variable part of a path. A text that cannot be an id of this kind names nothing, so it
/// is answered as anything else that is not there.
#[derive(Debug)]
pub(crate) struct PathId<T>(pub(crate) T);

impl<S, T> FromRequestParts<S> for PathId<T>
where
    S: Send + Sync,
    T: FromStr,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => text.parse().ok(),
            Err(_) => None,
        };
        id.map(Self).ok_or_else(Problem::not_found)
    }
}
