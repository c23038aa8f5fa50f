//! `/presence`: who is here.

use axum::extract::State;
use axum::http::StatusCode;
use chat_core::Chat;
use chat_core::proto::{Page, PresenceEntry, PresenceStatus};
use serde::Deserialize;

use crate::answer::{Answer, whole_list};
use crate::extract::{Caller, JsonBody};
use crate::problem::Problem;

/// `GET /presence`: who is online among the users whose presence this one may see.
pub(crate) async fn list(State(chat): State<Chat>, caller: Caller) -> Answer<Page<PresenceEntry>> {
    Ok(whole_list(chat.presence(&caller.actor).await?))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Body {
    status: PresenceStatus,
}

/// `PUT /presence`: how the user is shown while online.
pub(crate) async fn set(
    State(chat): State<Chat>,
    caller: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<StatusCode, Problem> {
    chat.set_presence(&caller.actor, body.status).await?;
    Ok(StatusCode::NO_CONTENT)
}
