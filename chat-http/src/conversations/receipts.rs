//! How far the user has come in a conversation.

use axum::Json;
use axum::extract::State;
use chat_core::Chat;
use chat_core::proto::ConversationId;

use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::extract::{Caller, OptionalJsonBody, PathId};

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Body {
    /// The `seq` of the last message; the last of all when left out.
    seq: Option<u64>,
}

/// Where the cursor stands now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    /// How many messages of others the cursor moved over.
    read: u64,
    /// Where it stands.
    seq: u64,
    /// What is unread in the conversation.
    unread: u64,
    /// The `seq` of the last message that was looked at: later ones are not counted.
    through_seq: u64,
}

impl From<chat_core::Receipt> for Receipt {
    fn from(moved: chat_core::Receipt) -> Self {
        let chat_core::Receipt { read, seq, unread, through_seq } = moved;
        Self { read, seq, unread, through_seq }
    }
}

/// `POST /conversations/{id}/read`.
pub(crate) async fn read(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(id): PathId<ConversationId>,
    OptionalJsonBody(body): OptionalJsonBody<Body>,
) -> Answer<Receipt> {
    let moved = chat.mark_read(&caller.actor, id, body.seq).await?;
    Ok(Json(moved.into()))
}

/// `POST /conversations/{id}/delivered`.
pub(crate) async fn delivered(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(id): PathId<ConversationId>,
    OptionalJsonBody(body): OptionalJsonBody<Body>,
) -> Answer<Receipt> {
    let moved = chat.mark_delivered(&caller.actor, id, body.seq).await?;
    Ok(Json(moved.into()))
}
