//! The limits in memory keep every promise of limits that nodes share.

use chat_core::MemoryLimits;
use chat_core::testing::limits_conformance;

async fn two() -> (MemoryLimits, MemoryLimits) {
    let limits = MemoryLimits::new();
    (limits.clone(), limits)
}

limits_conformance!(two);
