use axum::extract::State;
use axum::http::StatusCode;
use chat_core::Chat;
use chat_core::proto::ConversationId;
use serde::Deserialize;

use crate::extract::{Caller, OptionalJsonBody, PathId};
use crate::problem::Problem;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Body {
    /// Whether the user is typing; so it is when left out.
    typing: Option<bool>,
}

/// `POST /conversations/{id}/typing`: lasts for `limits.typingExpiryMs` unless repeated.
pub(crate) async fn set(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(id): PathId<ConversationId>,
    OptionalJsonBody(body): OptionalJsonBody<Body>,
) -> Result<StatusCode, Problem> {
    if body.typing.unwrap_or(true) {
        chat.start_typing(&caller.actor, id).await?;
    } else {
        chat.stop_typing(&caller.actor, id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
