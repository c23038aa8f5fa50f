//! What any shared limits must do. A case takes the limits as two nodes see them.

use std::num::NonZeroU32;
use std::time::Duration;

use chat_proto::UserId;
use futures::future::join_all;

use crate::limit::{Limit, LimitKey, Quota, SharedLimits, Verdict};

/// Tests that an implementation of [`SharedLimits`] does what the engine relies on.
///
/// `limits_conformance!(maker)`, where `maker` is an `async fn() -> (A, B)` of the same limits as two
/// nodes see them.
#[doc(inline)]
pub use crate::__limits_conformance as limits_conformance;

#[doc(hidden)]
#[macro_export]
macro_rules! __limits_conformance {
    ($maker:expr) => {
        $crate::__limits_conformance! { @cases $maker;
            a_burst_is_counted_over_all_nodes
            events_at_once_are_no_more_than_a_burst
            keys_are_counted_apart
            what_was_refused_is_allowed_after_its_wait
            a_refusal_costs_nothing
        }
    };
    (@cases $maker:expr; $($case:ident)+) => { $(
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (a, b) = ($maker)().await;
            $crate::testing::limits::$case(&a, &b).await;
        }
    )+ };
}

/// So many at once, and so slowly more that no case sees it.
fn burst(events: u32) -> Quota {
    Quota::new(NonZeroU32::MIN, Duration::from_secs(3_600), events)
}

fn key() -> LimitKey {
    LimitKey { limit: Limit::Sends, user: UserId::generate() }
}

async fn is_allowed(limits: &impl SharedLimits, key: &LimitKey, quota: &Quota) -> bool {
    limits.count(key, quota).await.expect("counted") == Verdict::Allowed
}

/// What one node counts, the other knows.
pub async fn a_burst_is_counted_over_all_nodes(a: &impl SharedLimits, b: &impl SharedLimits) {
    let (key, quota) = (key(), burst(4));
    for _ in 0..2 {
        assert!(is_allowed(a, &key, &quota).await);
        assert!(is_allowed(b, &key, &quota).await);
    }
    assert!(!is_allowed(a, &key, &quota).await);
    assert!(!is_allowed(b, &key, &quota).await);
}

/// Events at the same moment count each other.
pub async fn events_at_once_are_no_more_than_a_burst(a: &impl SharedLimits, b: &impl SharedLimits) {
    let (key, quota) = (key(), burst(7));
    let of_a = join_all((0..10).map(|_| is_allowed(a, &key, &quota)));
    let of_b = join_all((0..10).map(|_| is_allowed(b, &key, &quota)));
    let (of_a, of_b) = futures::future::join(of_a, of_b).await;
    assert_eq!(of_a.into_iter().chain(of_b).filter(|allowed| *allowed).count(), 7);
}

/// Another user, and another limit of the same user, are counted apart.
pub async fn keys_are_counted_apart(a: &impl SharedLimits, _: &impl SharedLimits) {
    let quota = burst(1);
    let user = |id: &str| id.parse::<UserId>().expect("a user id");
    for limit in [Limit::Sends, Limit::Openings] {
        for id in ["a.b", "a:b", "A.B", "a"] {
            let key = LimitKey { limit, user: user(id) };
            assert!(is_allowed(a, &key, &quota).await, "{key}");
            assert!(!is_allowed(a, &key, &quota).await, "{key}");
        }
    }
}

/// The wait that a refusal names is true: after it, the event is allowed, wherever it happens.
pub async fn what_was_refused_is_allowed_after_its_wait(
    a: &impl SharedLimits,
    b: &impl SharedLimits,
) {
    let second = Duration::from_secs(1);
    let quota = Quota::new(NonZeroU32::MIN, second, 1);
    let key = key();
    assert!(is_allowed(a, &key, &quota).await);
    let Verdict::Wait(wait) = b.count(&key, &quota).await.expect("counted") else {
        // A second has passed since: nothing can be said.
        return;
    };
    assert!(wait > Duration::ZERO && wait <= second, "{wait:?}");
    // Clocks of two machines may differ by a little, and one may round.
    let mut waited = tokio::time::interval(Duration::from_millis(20));
    let began = tokio::time::Instant::now();
    loop {
        waited.tick().await;
        if is_allowed(b, &key, &quota).await {
            break;
        }
        assert!(began.elapsed() < 30 * second, "refused for ever");
    }
}

/// What is refused uses nothing up: asking again and again does not put the end off.
pub async fn a_refusal_costs_nothing(a: &impl SharedLimits, b: &impl SharedLimits) {
    let (key, quota) = (key(), burst(1));
    assert!(is_allowed(a, &key, &quota).await);
    let mut waits = Vec::new();
    for _ in 0..5 {
        match b.count(&key, &quota).await.expect("counted") {
            Verdict::Wait(wait) => waits.push(wait),
            Verdict::Allowed => panic!("an hour has not passed"),
        }
    }
    assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(3_600)), "{waits:?}");
    assert!(waits.is_sorted_by(|one, next| *next <= *one + Duration::from_millis(1)), "{waits:?}");
}
