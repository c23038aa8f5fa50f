//! A circuit breaker around a store: when the store hangs or is away, calls fail fast.
//!
//! [`Breaker::guard`] puts a breaker before any [`Store`], and [`Breaker::guard_accounts`] the same
//! one before accounts and login sessions, since all of them stand on one database.
//!
//! Every call has a timeout. Calls that fail one after another, or too many within a while, open
//! the circuit, and so do two that fail when there was no answer for as long as a timeout: from then on calls are refused with [`StoreError::CircuitOpen`], which says when to
//! ask again. When that time has come, one call is let through. If it is answered, the circuit
//! closes; if not, it opens again for longer.
//!
//! * **Failures** are [`StoreError::Unavailable`] and timeouts. [`StoreError::Full`] and
//!   [`StoreError::Failed`] are answers: a store that gives them is there.
//! * **Reads and writes have a circuit each**: a database that is locked or has no room for a
//!   journal refuses writes while reads go on.
//! * **A caller that goes away** counts as a failure when it has waited for half the timeout, and
//!   otherwise as nothing. It never takes a try with it.
//! * **Calls under way** when the circuit opens go on; what becomes of them counts for nothing.
//! * **A probe** ([`ProbeStore::probe`](crate::store::ProbeStore::probe)) always reaches the store,
//!   so that a node that nobody uses finds out, too. Since it writes and reads, its success closes
//!   both circuits, and its failure counts for writes.
//!
//! The breaker sets no bound on the calls that wait at once. While a store hangs and the circuit is
//! still closed, every caller waits, each at most for the timeout; once it is open, one waits and
//! all others are answered at once. How many callers there are is bounded by who lets them in.
//!
//! ```
//! use std::sync::Arc;
//!
//! use chat_core::breaker::{Breaker, BreakerConfig};
//! use chat_core::{Chat, MemoryStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let breaker = Breaker::new(BreakerConfig::default());
//! let chat = Chat::builder(Arc::new(breaker.guard(Arc::new(MemoryStore::new())))).build();
//! assert!(breaker.state().is_closed());
//! # drop(chat);
//! # }
//! ```

mod circuit;
mod config;
mod gate;
mod guarded;
mod state;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub use config::BreakerConfig;
pub use guarded::{GuardedAccounts, GuardedStore};
pub use state::{BreakerState, CircuitState, CircuitStatus};

use tokio::time::Instant;

use crate::store::{AccountStore, LoginSessionStore, Store, StoreError};
use gate::Gate;

/// Timeouts and circuits for the calls of one database. Cloning it is cheap, and all clones are the
/// same breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    circuits: Arc<Circuits>,
}

#[derive(Debug)]
struct Circuits {
    timeout: Duration,
    reads: Gate,
    writes: Gate,
}

impl Breaker {
    /// A breaker whose circuits are closed.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "a configuration is handed over")]
    pub fn new(config: BreakerConfig) -> Self {
        let (reads, writes) = (Gate::new("reads", &config), Gate::new("writes", &config));
        Self { circuits: Arc::new(Circuits { timeout: config.timeout, reads, writes }) }
    }

    /// Puts this breaker before a store.
    #[must_use]
    pub fn guard(&self, store: Arc<dyn Store>) -> GuardedStore {
        GuardedStore { breaker: self.clone(), parts: store.into() }
    }

    /// Puts this breaker before accounts and login sessions that are kept in the same database.
    #[must_use]
    pub fn guard_accounts(
        &self,
        accounts: Arc<dyn AccountStore>,
        logins: Arc<dyn LoginSessionStore>,
    ) -> GuardedAccounts {
        GuardedAccounts { breaker: self.clone(), accounts, logins }
    }

    /// How the circuits stand.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        let Circuits { reads, writes, .. } = &*self.circuits;
        BreakerState { reads: reads.status(), writes: writes.status() }
    }

    async fn read<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.pass(&self.circuits.reads, call).await
    }

    async fn write<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.pass(&self.circuits.writes, call).await
    }

    async fn probe<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let result = self.in_time(call).await;
        let Circuits { reads, writes, .. } = &*self.circuits;
        writes.probed(&result, began);
        if result.is_ok() {
            reads.probed(&result, began);
        }
        result
    }

    async fn pass<T>(
        &self,
        gate: &Gate,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let permit = gate.enter()?;
        let result = self.in_time(call).await;
        permit.settle(&result);
        result
    }

    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let limit = self.circuits.timeout;
        let timed_out = |_| Err(StoreError::unavailable(TimedOut { limit }));
        tokio::time::timeout(limit, call).await.unwrap_or_else(timed_out)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {} ms", limit.as_millis())]
struct TimedOut {
    limit: Duration,
}
