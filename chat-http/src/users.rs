//! `/users`: whom one may talk to.

use axum::Json;
use axum::extract::State;
use chat_core::Chat;
use chat_core::proto::{Page, User, UserId};

use crate::answer::{Answer, whole_list};
use crate::extract::{Caller, Params, PathId};

/// `GET /users`: the first users whose names begin with `query`. There is no next page: who is not
/// among them is found by more letters.
pub(crate) async fn search(
    State(chat): State<Chat>,
    caller: Caller,
    params: Params,
) -> Answer<Page<User>> {
    let query = params.text("query")?.unwrap_or_default();
    Ok(whole_list(chat.search_users(&caller.actor, query, params.limit()?).await?))
}

/// `GET /users/{id}`.
pub(crate) async fn show(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(id): PathId<UserId>,
) -> Answer<User> {
    Ok(Json(chat.profile(&caller.actor, &id).await?))
}
