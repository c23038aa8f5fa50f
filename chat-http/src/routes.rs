use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{delete, get, post};
use chat_core::Chat;
use chat_core::proto::ErrorCode;

use crate::finish::finish;
use crate::problem::Problem;
use crate::state::{AccountsApi, Api};
use crate::{HttpConfig, auth, conversations, limits, messages, presence, rooms, users};

pub(crate) fn router(chat: Chat, config: HttpConfig) -> Router {
    let accounts = config.accounts.clone();
    let registration = config.registration;
    let api = Api { chat, config: Arc::new(config) };

    let mut router = chat_routes().with_state(api.clone());
    if let Some(accounts) = accounts {
        router =
            router.merge(account_routes(registration).with_state(AccountsApi { api, accounts }));
    }
    router
        .fallback(async || Problem::new(ErrorCode::NotFound, "there is no such path"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                ErrorCode::MethodNotAllowed,
                "this path has other methods: see the header \"Allow\"",
            )
        })
        .layer(from_fn(finish))
}

fn chat_routes() -> Router<Api> {
    Router::new()
        .route("/auth/me", get(auth::me))
        .route("/conversations", get(conversations::list).post(conversations::create))
        .route("/conversations/unread-count", get(conversations::unread_count))
        .route("/conversations/with/{username}", get(conversations::with))
        .route("/conversations/{id}", get(conversations::show))
        .route("/conversations/{id}/join", post(conversations::members::join))
        .route("/conversations/{id}/leave", post(conversations::members::leave))
        .route("/conversations/{id}/members", get(conversations::members::list))
        .route(
            "/conversations/{id}/messages",
            get(conversations::messages::list).post(conversations::messages::send),
        )
        .route("/conversations/{id}/read", post(conversations::receipts::read))
        .route("/conversations/{id}/delivered", post(conversations::receipts::delivered))
        .route("/conversations/{id}/typing", post(conversations::typing::set))
        .route("/messages/{id}", get(messages::show))
        .route("/rooms", get(rooms::list))
        .route("/rooms/join", post(rooms::join))
        .route("/users", get(users::search))
        .route("/users/{id}", get(users::show))
        .route("/presence", get(presence::list).put(presence::set))
        .route("/limits", get(limits::show))
}

fn account_routes(registration: bool) -> Router<AccountsApi> {
    let router = Router::new()
        .route("/auth/login", post(auth::login))
        .route("/auth/logout", post(auth::logout))
        .route("/auth/password", post(auth::change_password))
        .route("/auth/sessions", get(auth::sessions::list).delete(auth::sessions::end_others))
        .route("/auth/sessions/{id}", delete(auth::sessions::end));
    if registration { router.route("/auth/register", post(auth::register)) } else { router }
}
