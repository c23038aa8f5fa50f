//! The broker in memory, and the faulty one without faults, do what any broker must.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

use chat_core::testing::Faults;

mod memory {
    use chat_core::broker::{MemoryBroker, MemoryBrokerNode};

    async fn nodes() -> (MemoryBrokerNode, MemoryBrokerNode) {
        let broker = MemoryBroker::new();
        (broker.node(), broker.node())
    }

    chat_core::testing::broker_conformance!(nodes);
}

mod faultless {
    use chat_core::testing::{FaultyBroker, FaultyBrokerNode};

    use super::Faults;

    async fn nodes() -> (FaultyBrokerNode, FaultyBrokerNode) {
        let broker = FaultyBroker::new(Faults::NONE, 1);
        (broker.node(), broker.node())
    }

    chat_core::testing::broker_conformance!(nodes);
}
