use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use chat_core::proto::{ConversationId, Message, MessageId, UserId};
use chat_core::store::{
    AppendOutcome, Changes, Head, MessageDraft, MessageStore, Store, StoreError, StoreParts,
};
use chat_store::{PostgresStore, SqliteStore};
use chat_test_servers::Postgres;
use tempfile::TempDir;

/// A SQLite file and a Postgres server on the same disk, both as durable as they get.
#[derive(Debug)]
pub struct Databases {
    postgres: Postgres,
    folder: TempDir,
}

impl Databases {
    /// Starts the server.
    ///
    /// # Panics
    ///
    /// When Postgres is not installed, or there is no room for a temporary folder.
    #[must_use]
    pub fn start() -> Self {
        let postgres = Postgres::start().unwrap_or_else(|error| panic!("{error}"));
        Self { postgres, folder: tempfile::tempdir().expect("a folder") }
    }

    /// An empty SQLite database.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub async fn sqlite(&self, name: &str) -> Arc<dyn Store> {
        let file = self.folder.path().join(name);
        let store = SqliteStore::open(file.to_str().expect("a path")).await.expect("a store");
        store.migrate().await.expect("migrated");
        Arc::new(store)
    }

    /// An empty Postgres database.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub async fn postgres(&self) -> Arc<dyn Store> {
        let database = self.postgres.create_database().unwrap_or_else(|error| panic!("{error}"));
        let store = PostgresStore::open(&database.url).await.expect("a store");
        store.migrate().await.expect("migrated");
        Arc::new(store)
    }
}

/// The same store with batches of one: what group commit is compared with.
#[must_use]
pub fn one_by_one(store: Arc<dyn Store>) -> Arc<dyn Store> {
    let mut parts = StoreParts::from(store);
    parts.messages = Arc::new(OneByOne(parts.messages));
    Arc::new(parts)
}

#[derive(Debug)]
struct OneByOne(Arc<dyn MessageStore>);

#[async_trait]
impl MessageStore for OneByOne {
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(drafts.len());
        for draft in drafts {
            outcomes.append(&mut self.0.append(vec![draft]).await?);
        }
        Ok(outcomes)
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.0.message(id).await
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        seqs: RangeInclusive<u64>,
    ) -> Result<Vec<Message>, StoreError> {
        self.0.messages(conversation, seqs).await
    }

    async fn changes(
        &self,
        conversation: ConversationId,
        since: u64,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        self.0.changes(conversation, since, limit).await
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        self.0.heads(conversations).await
    }

    async fn visible_head(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError> {
        self.0.visible_head(conversation, user).await
    }
}
