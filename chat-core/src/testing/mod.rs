//! For tests of what is built on this crate (feature `testing`).
//!
//! * [`store_conformance!`], [`account_conformance!`] and [`presence_conformance!`]: one line each
//!   that tests any store.
//! * [`FaultyBroker`]: a broker that loses, repeats and reorders on purpose.
//! * [`FaultyStore`]: a store that is away, hangs, is full or loses its answers when it is told to.
//! * [`WatchedStore`]: a store whose every call can be counted, held up or refused.
//! * [`broker_conformance!`], [`broker_reconnect_conformance!`] and [`limits_conformance!`]: one line
//!   each that tests any broker, and any limits that nodes share.
//! * Mocks of every trait, made by `mockall`, beside the traits: such as
//!   [`MockUserStore`](crate::store::MockUserStore) and [`MockBroker`](crate::broker::MockBroker).
//!   [`ChatBuilder`](crate::ChatBuilder) takes a mock for a single aggregate, over a real store for
//!   the others.

pub mod broker;
mod faulty_broker;
mod faulty_store;
pub mod limits;
pub mod store;
mod watched_store;

pub use store::{
    account_conformance, presence_conformance, store_conformance, uncached_store_conformance,
};

pub use broker::{broker_conformance, broker_reconnect_conformance};
pub use faulty_broker::{Faults, FaultyBroker, FaultyBrokerNode};
pub use faulty_store::{FaultyAccounts, FaultyStore, StoreFault};
pub use limits::limits_conformance;
pub use watched_store::{Call, Watch, WatchedStore};
