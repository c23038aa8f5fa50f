use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::store::forward::{forward_accounts, forward_store};
use crate::store::{AccountStore, LoginSessionStore, Store, StoreError, StoreParts};

/// How a [`FaultyStore`] fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreFault {
    /// It works.
    #[default]
    None,
    /// It says at once that it is not available, as when nothing listens at its address.
    Away,
    /// It does not answer, as when its process is stopped. Calls that are still waited for when the
    /// fault changes go on from there.
    Hanging,
    /// It does what it is asked, and the answer is lost, as when the connection breaks at that
    /// moment.
    Unheard,
    /// It has no room: writes are refused, reads go on.
    Full,
}

/// A store that fails on purpose, for as long as it is told to. Cloning it is cheap, and all clones
/// are the same store.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    parts: StoreParts,
    faults: Arc<Faults>,
}

/// Accounts and login sessions that fail together with a [`FaultyStore`].
#[derive(Debug, Clone)]
pub struct FaultyAccounts {
    accounts: Arc<dyn AccountStore>,
    logins: Arc<dyn LoginSessionStore>,
    faults: Arc<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    reads: watch::Sender<StoreFault>,
    writes: watch::Sender<StoreFault>,
    calls: AtomicU64,
}

impl FaultyStore {
    /// Passes every call on to a store, until it is told to fail.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { parts: store.into(), faults: Arc::default() }
    }

    /// Accounts that are kept in the same place, and so fail with it.
    #[must_use]
    pub fn accounts(
        &self,
        accounts: Arc<dyn AccountStore>,
        logins: Arc<dyn LoginSessionStore>,
    ) -> FaultyAccounts {
        FaultyAccounts { accounts, logins, faults: Arc::clone(&self.faults) }
    }

    /// Fails in this way from now on.
    pub fn set(&self, fault: StoreFault) {
        self.set_reads(fault);
        self.set_writes(fault);
    }

    /// Fails in this way when it is read.
    pub fn set_reads(&self, fault: StoreFault) {
        self.faults.reads.send_replace(fault);
    }

    /// Fails in this way when it is written to, and when it is probed.
    pub fn set_writes(&self, fault: StoreFault) {
        self.faults.writes.send_replace(fault);
    }

    /// How many calls have reached it, whatever came of them.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.faults.calls.load(Ordering::SeqCst)
    }
}

impl Faults {
    async fn read<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.suffer(&self.reads).await {
            StoreFault::Full => call.await,
            fault => fault.strike(call).await,
        }
    }

    async fn write<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.suffer(&self.writes).await.strike(call).await
    }

    /// Counts a call, and hangs with it.
    async fn suffer(&self, faults: &watch::Sender<StoreFault>) -> StoreFault {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut fault = faults.subscribe();
        match fault.wait_for(|fault| *fault != StoreFault::Hanging).await {
            Ok(fault) => *fault,
            Err(_) => StoreFault::Away,
        }
    }
}

impl StoreFault {
    async fn strike<T>(
        self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self {
            Self::None => call.await,
            Self::Away | Self::Hanging => Err(StoreError::unavailable("connection refused")),
            Self::Full => Err(StoreError::Full("no space left on device".into())),
            Self::Unheard => {
                call.await?;
                Err(StoreError::unavailable("connection reset by peer"))
            }
        }
    }
}

macro_rules! fail {
    ($this:ident . $part:ident . $method:ident ( $($argument:expr),* ), $kind:ident) => {
        $this.faults.$kind($this.parts.$part.$method($($argument),*)).await
    };
}

macro_rules! fail_accounts {
    ($this:ident . $part:ident . $method:ident ( $($argument:expr),* ), $kind:ident) => {
        $this.faults.$kind($this.$part.$method($($argument),*)).await
    };
}

forward_store!(FaultyStore, fail);
forward_accounts!(FaultyAccounts, fail_accounts);
