use std::sync::Arc;

use super::Breaker;
use crate::store::forward::{forward_accounts, forward_store};
use crate::store::{AccountStore, LoginSessionStore, StoreParts};

/// A store behind a [`Breaker`].
#[derive(Debug, Clone)]
pub struct GuardedStore {
    pub(super) breaker: Breaker,
    pub(super) parts: StoreParts,
}

/// Accounts and login sessions behind a [`Breaker`].
#[derive(Debug, Clone)]
pub struct GuardedAccounts {
    pub(super) breaker: Breaker,
    pub(super) accounts: Arc<dyn AccountStore>,
    pub(super) logins: Arc<dyn LoginSessionStore>,
}

macro_rules! guard {
    ($this:ident . probe . probe (), $kind:ident) => {
        $this.breaker.probe($this.parts.probe.probe()).await
    };
    ($this:ident . $part:ident . $method:ident ( $($argument:expr),* ), $kind:ident) => {
        $this.breaker.$kind($this.parts.$part.$method($($argument),*)).await
    };
}

macro_rules! guard_accounts {
    ($this:ident . $part:ident . $method:ident ( $($argument:expr),* ), $kind:ident) => {
        $this.breaker.$kind($this.$part.$method($($argument),*)).await
    };
}

forward_store!(GuardedStore, guard);
forward_accounts!(GuardedAccounts, guard_accounts);
