//! The promises of [`store`](crate::store) as tests of any implementation.
//!
//! Each case is a plain function that starts from an empty store. One list names them all. A macro
//! turns each into a test with its name, so an implementation runs all of them in one line. The
//! maker is called once a test, and returns something that dereferences to an empty store; what else
//! it holds, such as a temporary folder, lives as long as the test:
//!
//! ```
//! use std::sync::Arc;
//!
//! use chat_core::MemoryStore;
//!
//! async fn empty_store() -> Arc<MemoryStore> {
//!     Arc::new(MemoryStore::new())
//! }
//!
//! chat_core::testing::store::store_conformance!(empty_store);
//! chat_core::testing::store::account_conformance!(empty_store);
//! # fn main() {}
//! ```
//!
//! The tests need `tokio` with the features `macros` and `rt-multi-thread`. [`failures`] runs the
//! same cases of a store without a test harness, and returns those that fail.
//!
//! # One aggregate of one's own
//!
//! Who implements one aggregate, and leaves the rest to another store, tests the two together, put
//! together as [`StoreParts`](crate::store::StoreParts). The rest must be a store that keeps its
//! promises, such as [`MemoryStore`](crate::MemoryStore), so that what fails is one's own. The
//! aggregates speak of the same things — a cursor is that of a member, and passes messages — so one
//! that keeps rows elsewhere must see what the others have written.
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use chat_core::MemoryStore;
//! use chat_core::proto::{ConversationId, UserId};
//! use chat_core::store::{CursorAdvance, CursorKind, CursorStore, Store, StoreError, StoreParts};
//! use chat_core::testing::store::failures;
//!
//! /// Cursors of one's own, over the memberships and messages of a store.
//! #[derive(Debug)]
//! struct Cursors(Arc<MemoryStore>);
//!
//! #[async_trait]
//! impl CursorStore for Cursors {
//!     async fn advance(
//!         &self,
//!         conversation: ConversationId,
//!         user: &UserId,
//!         kind: CursorKind,
//!         seq: Option<u64>,
//!     ) -> Result<Option<CursorAdvance>, StoreError> {
//!         self.0.advance(conversation, user, kind, seq).await
//!     }
//! }
//!
//! async fn empty_store() -> Arc<StoreParts> {
//!     let rest = Arc::new(MemoryStore::new());
//!     let mut parts = StoreParts::from(rest.clone() as Arc<dyn Store>);
//!     parts.cursors = Arc::new(Cursors(rest));
//!     Arc::new(parts)
//! }
//!
//! // In tests, one line:
//! chat_core::testing::store::store_conformance!(empty_store);
//!
//! // Anywhere else, as data:
//! # #[tokio::main]
//! # async fn main() {
//! assert_eq!(failures(empty_store).await, []);
//! # }
//! ```
//!
//! # How cases are made
//!
//! Cases of what happens at once let other tasks go on between their calls, so that calls overlap
//! in any store that waits for something. None of them sleeps, and none depends on speed.

#![allow(clippy::unwrap_used, reason = "where a case cannot go on, its test has failed")]

pub mod accounts;
pub mod batches;
pub mod changes;
pub mod conversations;
pub mod cursors;
pub mod inbox;
pub mod limits;
pub mod logins;
pub mod members;
pub mod memberships;
pub mod messages;
pub mod missed;
pub mod presence;
pub mod probe;
pub mod races;
pub mod refusals;
pub mod snapshots;
pub mod users;
pub mod visits;

mod failures;
mod fixture;
mod list;

use std::time::Duration;

pub use failures::{Failure, failures};

/// Tests that an implementation of [`Store`](crate::store::Store) keeps its promises.
#[doc(inline)]
pub use crate::__store_conformance as store_conformance;

/// Tests what a [`Store`](crate::store::Store) that keeps no answers promises beyond
/// [`store_conformance!`](store_conformance), which a cache over it must not be asked for.
#[doc(inline)]
pub use crate::__uncached_store_conformance as uncached_store_conformance;

/// Tests that an implementation of [`AccountStore`](crate::store::AccountStore) and
/// [`LoginSessionStore`](crate::store::LoginSessionStore) keeps its promises.
#[doc(inline)]
pub use crate::__account_conformance as account_conformance;

/// Tests that an implementation of [`PresenceStore`](crate::presence::PresenceStore) keeps its
/// promises.
#[doc(inline)]
pub use crate::__presence_conformance as presence_conformance;

/// Runs a case, but not for ever.
#[doc(hidden)]
pub async fn bounded(case: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(120), case).await.expect("the case does not end");
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance {
    ($maker:expr; $($module:ident { $($case:ident)+ })+) => { $($(
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let store = ($maker)().await;
            let case = $crate::testing::store::$module::$case(&*store);
            $crate::testing::store::bounded(case).await;
        }
    )+)+ };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_conformance {
    ($maker:expr) => {
        $crate::__store_cases! { __conformance! $maker }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __uncached_store_conformance {
    ($maker:expr) => {
        $crate::__uncached_store_cases! { __conformance! $maker }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __account_conformance {
    ($maker:expr) => {
        $crate::__account_cases! { __conformance! $maker }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __presence_conformance {
    ($maker:expr) => {
        $crate::__presence_cases! { __conformance! $maker }
    };
}
