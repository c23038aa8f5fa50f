//! `/limits`: what a client may send.

use axum::Json;
use axum::extract::State;
use chat_core::Chat;
use chat_core::proto::Limits;

use crate::answer::Answer;
use crate::extract::Caller;

/// `GET /limits`: the same as in `session.ready`.
pub(crate) async fn show(State(chat): State<Chat>, _: Caller) -> Answer<Limits> {
    Ok(Json(chat.config().limits))
}
