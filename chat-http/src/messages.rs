//! `/messages`: one message, wherever it was sent.

use axum::Json;
use axum::extract::State;
use chat_core::Chat;
use chat_core::proto::{Message, MessageId};

use crate::answer::Answer;
use crate::extract::{Caller, PathId};

/// `GET /messages/{id}`.
pub(crate) async fn show(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(id): PathId<MessageId>,
) -> Answer<Message> {
    Ok(Json(chat.message(&caller.actor, id).await?))
}
