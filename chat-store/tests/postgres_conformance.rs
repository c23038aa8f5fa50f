//! The store in Postgres keeps the promises of its traits.

#![allow(clippy::unwrap_used, reason = "tests may")]

use chat_store::PostgresStore;

#[path = "support/databases.rs"]
mod databases;

async fn empty_store() -> databases::Opened<PostgresStore> {
    databases::postgres().await
}

chat_core::testing::store_conformance!(empty_store);
chat_core::testing::uncached_store_conformance!(empty_store);
chat_core::testing::account_conformance!(empty_store);
