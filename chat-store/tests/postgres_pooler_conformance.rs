//! The store in Postgres keeps the promises of its traits behind a pooler that hands out the
//! server's connections by the transaction.

#![allow(clippy::unwrap_used, reason = "tests may")]

use chat_store::PostgresStore;

#[path = "support/databases.rs"]
mod databases;

async fn empty_store() -> databases::Opened<PostgresStore> {
    databases::pooled().await
}

chat_core::testing::store_conformance!(empty_store);
chat_core::testing::uncached_store_conformance!(empty_store);
chat_core::testing::account_conformance!(empty_store);
