//! Actors instead of plumbing: `api.ada().sends(&room, "hi").await`.

mod accounts;
mod answer;
mod client;
mod tokens;

use std::sync::Arc;

use axum::Router;
use chat_core::auth::{AnyOf, OriginPolicy};
use chat_core::{Chat, ChatConfig, MemoryStore};
use chat_http::{HttpConfig, SessionCookie};

pub(crate) use accounts::FakeAccounts;
pub(crate) use answer::Answer;
pub(crate) use client::Client;

/// Where the host of these tests nests the API.
pub(crate) const BASE: &str = "/api/chat";

/// An origin, beside the server's own, whose pages may use a cookie.
pub(crate) const ALLOWED_ORIGIN: &str = "https://app.example.org";

/// A host with the API in it.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) chat: Chat,
    router: Router,
}

impl Api {
    /// A host with accounts and open registration.
    pub(crate) fn start() -> Self {
        Self::with(ChatConfig::default(), |_| {})
    }

    /// The same, with something changed.
    pub(crate) fn with(chat: ChatConfig, change: impl FnOnce(&mut HttpConfig)) -> Self {
        let accounts = Arc::new(FakeAccounts::default());
        let anyone = AnyOf::new(vec![accounts.clone(), Arc::new(tokens::Tokens)]);
        let mut config = HttpConfig {
            accounts: Some(accounts),
            origins: OriginPolicy::new([ALLOWED_ORIGIN.into()]),
            session_cookie: SessionCookie::Plain,
            ..HttpConfig::new(Arc::new(anyone))
        };
        change(&mut config);
        let chat = Chat::builder(Arc::new(MemoryStore::new())).config(chat).build();
        let router = Router::new().nest(BASE, chat_http::router(chat.clone(), config));
        Self { chat, router }
    }

    /// The host's router, to be served.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Somebody with this token. Every user id is one.
    pub(crate) fn bearer(&self, token: &str) -> Client {
        Client::new(self.router.clone()).with("authorization", &format!("Bearer {token}"))
    }

    /// A browser that keeps this token in the session cookie.
    pub(crate) fn browser(&self, token: &str) -> Client {
        Client::new(self.router.clone()).with("cookie", &format!("sid={token}"))
    }

    /// Somebody without any credential.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.router.clone())
    }

    pub(crate) fn ada(&self) -> Client {
        self.bearer("ada")
    }

    pub(crate) fn bo(&self) -> Client {
        self.bearer("bo")
    }

    pub(crate) fn eve(&self) -> Client {
        self.bearer("eve")
    }
}
