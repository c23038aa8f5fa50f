//! Mocks of every trait, and one aggregate mocked over a real store.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use chat_core::auth::{Authenticator, Identity, MockAccounts, MockAuthenticator, UserClaims};
use chat_core::broker::MockBroker;
use chat_core::presence::MockPresenceStore;
use chat_core::proto::{ErrorCode, MessageSend, PeerTarget};
use chat_core::store::{
    MockAccountStore, MockConversationStore, MockCursorStore, MockInboxStore,
    MockLoginSessionStore, MockMemberStore, MockMessageStore, MockProbeStore, MockUserStore,
    StoreError,
};
use chat_core::{Actor, Chat, ChatConfig, ChatError, MemoryStore};

#[test]
fn there_is_a_mock_of_every_trait() {
    let _ = (MockUserStore::new(), MockConversationStore::new(), MockMemberStore::new());
    let _ = (MockMessageStore::new(), MockCursorStore::new(), MockInboxStore::new());
    let _ = (MockAccountStore::new(), MockLoginSessionStore::new(), MockPresenceStore::new());
    let _ = (MockBroker::new(), MockAccounts::new(), MockProbeStore::new());
}

#[tokio::test]
async fn an_authenticator_can_be_mocked() {
    let mut mock = MockAuthenticator::new();
    mock.expect_authenticate().returning(|_| Ok(Identity::of("ada".parse().unwrap())));
    let identity = mock.authenticate(&"any".into()).await.unwrap();
    assert_eq!(identity.claims.id.as_str(), "ada");
}

/// A conversation of two in an engine whose messages are kept by `messages`.
async fn conversation(messages: MockMessageStore) -> (Chat, Actor, MessageSend) {
    let chat = Chat::builder(Arc::new(MemoryStore::new()))
        .messages(Arc::new(messages))
        .config(ChatConfig { call_timeout_ms: 50, ..ChatConfig::default() })
        .build();
    let ada = chat.admit(&UserClaims::of("ada".parse().unwrap())).await.unwrap();
    chat.admit(&UserClaims::of("bo".parse().unwrap())).await.unwrap();
    let actor = Actor::user(ada.id);
    let peer = PeerTarget { user_id: Some("bo".parse().unwrap()), username: None };
    let direct = chat.open_direct(&actor, &peer).await.unwrap();
    let message = MessageSend {
        conversation_id: direct.conversation_id,
        client_id: None,
        content: "hi".into(),
    };
    (chat, actor, message)
}

#[tokio::test]
async fn a_failing_store_is_told_by_what_can_be_done() {
    for (failure, code, cause) in [
        (StoreError::unavailable("away"), ErrorCode::Unavailable, "away"),
        (StoreError::Full("no room".into()), ErrorCode::Unavailable, "no room"),
        (StoreError::failed("broken"), ErrorCode::Internal, "broken"),
    ] {
        let mut messages = MockMessageStore::new();
        let mut failure = Some(failure);
        messages.expect_append().times(1).returning(move |_| Err(failure.take().unwrap()));
        let (chat, actor, message) = conversation(messages).await;
        let error = chat.send(&actor, message).await.unwrap_err();
        assert_eq!(error.code(), code);
        let told = error.payload().message;
        assert!(!told.contains("away") && !told.contains("broken"), "no causes: {told}");
        // Whoever embeds the engine gets to the cause, all the same.
        let causes: Vec<_> = std::iter::successors(error.source(), |&error| error.source())
            .map(ToString::to_string)
            .collect();
        assert!(causes.iter().any(|told| told == cause), "{causes:?}");
    }
}

/// A store that never answers.
#[derive(Debug)]
struct Frozen;

#[async_trait::async_trait]
impl chat_core::store::MessageStore for Frozen {
    async fn append(
        &self,
        _: Vec<chat_core::store::MessageDraft>,
    ) -> Result<Vec<chat_core::store::AppendOutcome>, StoreError> {
        std::future::pending().await
    }

    async fn message(
        &self,
        _: chat_core::proto::MessageId,
    ) -> Result<Option<chat_core::proto::Message>, StoreError> {
        std::future::pending().await
    }

    async fn messages(
        &self,
        _: chat_core::proto::ConversationId,
        _: std::ops::RangeInclusive<u64>,
    ) -> Result<Vec<chat_core::proto::Message>, StoreError> {
        std::future::pending().await
    }

    async fn changes(
        &self,
        _: chat_core::proto::ConversationId,
        _: u64,
        _: usize,
    ) -> Result<chat_core::store::Changes, StoreError> {
        std::future::pending().await
    }

    async fn heads(
        &self,
        _: &[chat_core::proto::ConversationId],
    ) -> Result<Vec<chat_core::store::Head>, StoreError> {
        std::future::pending().await
    }

    async fn visible_head(
        &self,
        _: chat_core::proto::ConversationId,
        _: &chat_core::proto::UserId,
    ) -> Result<Option<chat_core::store::Head>, StoreError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_not_waited_for() {
    let chat = Chat::builder(Arc::new(MemoryStore::new())).messages(Arc::new(Frozen)).build();
    let ada = chat.admit(&UserClaims::of("ada".parse().unwrap())).await.unwrap();
    let actor = Actor::user(ada.id);
    let room = serde_json::from_str(r#"{"name": "general"}"#).unwrap();
    let room = chat.create_room(&actor, room).await.unwrap();
    let message = MessageSend {
        conversation_id: room.conversation_id,
        client_id: None,
        content: "hi".into(),
    };
    let began = tokio::time::Instant::now();
    let error = chat.send(&actor, message).await.unwrap_err();
    assert!(matches!(error, ChatError::Timeout), "{error}");
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}
