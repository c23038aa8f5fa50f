//! A breaker before a store: what callers see of a store that hangs, is away, is full, and recovers.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

use std::sync::Arc;
use std::time::Duration;

use chat_core::MemoryStore;
use chat_core::breaker::{Breaker, BreakerConfig, CircuitState, GuardedStore};
use chat_core::proto::{DisplayName, UserId, Username};
use chat_core::store::{
    AccountStore, LoginSessionStore, NewUser, ProbeStore, StoreError, UserStore,
};
use chat_core::testing::{FaultyStore, StoreFault};
use jiff::Timestamp;
use tokio::time::Instant;

async fn guarded_store() -> Arc<GuardedStore> {
    Arc::new(Breaker::new(BreakerConfig::default()).guard(Arc::new(MemoryStore::new())))
}

chat_core::testing::store_conformance!(guarded_store);
chat_core::testing::uncached_store_conformance!(guarded_store);

/// A store behind a breaker, and a hand on both.
struct Rig {
    store: FaultyStore,
    breaker: Breaker,
    guarded: GuardedStore,
}

impl Rig {
    fn new(fault: StoreFault) -> Self {
        let store = FaultyStore::new(Arc::new(MemoryStore::new()));
        let breaker = Breaker::new(BreakerConfig::default());
        let guarded = breaker.guard(Arc::new(store.clone()));
        store.set(fault);
        Self { store, breaker, guarded }
    }

    async fn reads(&self) -> Result<(), StoreError> {
        self.guarded.user(&ada()).await.map(drop)
    }

    async fn writes(&self) -> Result<(), StoreError> {
        self.guarded.record_last_seen(&ada(), Timestamp::UNIX_EPOCH).await
    }

    /// Reads until it is refused; returns for how long.
    async fn opens(&self) -> Duration {
        for _ in 0..100 {
            if let Err(StoreError::CircuitOpen { retry_after }) = self.reads().await {
                return retry_after;
            }
        }
        panic!("never opened");
    }
}

fn ada() -> UserId {
    "ada".parse().unwrap()
}

fn is_refusal<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::CircuitOpen { .. }))
}

/// Lets time pass, where time is paused.
async fn passes(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_of_a_store_that_never_answers_wait_for_one_timeout() {
    let rig = Arc::new(Rig::new(StoreFault::Hanging));
    let began = Instant::now();
    let callers: Vec<_> = (0..1_000)
        .map(|n| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move {
                let result = if n % 2 == 0 { rig.reads().await } else { rig.writes().await };
                (result, began.elapsed())
            })
        })
        .collect();
    for caller in callers {
        let (result, waited) = caller.await.unwrap();
        assert!(result.unwrap_err().is_unavailable());
        assert!(waited <= Duration::from_millis(5_010), "{waited:?}");
    }
    assert_eq!(rig.store.calls(), 1_000);
    // Later ones at once.
    let later = Instant::now();
    for _ in 0..1_000 {
        assert!(is_refusal(&rig.reads().await) && is_refusal(&rig.writes().await));
    }
    assert_eq!((later.elapsed(), rig.store.calls()), (Duration::ZERO, 1_000));
    let state = rig.breaker.state();
    assert_eq!((state.reads.opened, state.reads.refused), (1, 1_000));
    assert_eq!((state.writes.opened, state.writes.refused), (1, 1_000));
    // While one finds out, nobody else waits.
    passes(Duration::from_millis(500)).await;
    let trial = tokio::spawn({
        let rig = Arc::clone(&rig);
        async move { rig.reads().await }
    });
    passes(Duration::from_millis(1)).await;
    assert_eq!(rig.breaker.state().reads.state, CircuitState::HalfOpen);
    let now = Instant::now();
    assert!(is_refusal(&rig.reads().await) && now.elapsed().is_zero());
    assert!(trial.await.unwrap().unwrap_err().is_unavailable());
    assert_eq!(rig.store.calls(), 1_001);
}

#[tokio::test(start_paused = true)]
async fn two_callers_who_wait_at_once_are_enough() {
    let rig = Rig::new(StoreFault::Hanging);
    let (first, second) = tokio::join!(rig.reads(), rig.reads());
    assert!(first.unwrap_err().is_unavailable() && second.unwrap_err().is_unavailable());
    assert!(is_refusal(&rig.reads().await), "nobody else waits");
}

#[tokio::test(start_paused = true)]
async fn it_closes_by_itself_when_the_store_is_back() {
    let rig = Rig::new(StoreFault::Away);
    let pause = rig.opens().await;
    assert!(pause <= Duration::from_millis(500));
    assert_eq!(rig.store.calls(), 5);
    passes(pause).await;
    assert!(!is_refusal(&rig.reads().await), "one is let through");
    let longer = rig.opens().await;
    assert!(longer > Duration::from_millis(500), "{longer:?}");
    assert_eq!(rig.store.calls(), 6);
    rig.store.set(StoreFault::None);
    assert!(is_refusal(&rig.reads().await));
    passes(longer).await;
    rig.reads().await.unwrap();
    assert!(rig.breaker.state().is_closed());
}

#[tokio::test(start_paused = true)]
async fn reads_go_on_while_writes_do_not() {
    let rig = Rig::new(StoreFault::None);
    rig.store.set_writes(StoreFault::Away);
    for _ in 0..10 {
        rig.reads().await.unwrap();
        rig.writes().await.unwrap_err();
    }
    assert!(is_refusal(&rig.writes().await));
    let state = rig.breaker.state();
    assert_eq!(state.reads.state, CircuitState::Closed);
    assert!(matches!(state.writes.state, CircuitState::Open { .. }));
    let why = state.writes.last_error.unwrap();
    assert_eq!(why, "the store is not available: connection refused");
    assert_eq!(state.reads.last_error, None);
}

#[tokio::test(start_paused = true)]
async fn a_full_store_is_there() {
    let rig = Rig::new(StoreFault::Full);
    for _ in 0..100 {
        assert!(matches!(rig.writes().await, Err(StoreError::Full(_))));
        rig.reads().await.unwrap();
    }
    assert!(rig.breaker.state().is_closed());
    // It answers, so it closes what was open.
    rig.store.set(StoreFault::Away);
    let pause = rig.opens().await;
    rig.store.set(StoreFault::Full);
    passes(pause).await;
    rig.reads().await.unwrap();
    assert!(rig.breaker.state().is_closed());
}

#[tokio::test(start_paused = true)]
async fn callers_that_go_away_count_only_when_they_have_waited() {
    let rig = Rig::new(StoreFault::Hanging);
    for _ in 0..50 {
        let _ = tokio::time::timeout(Duration::from_millis(2_400), rig.reads()).await;
    }
    assert!(rig.breaker.state().is_closed());
    for _ in 0..5 {
        let _ = tokio::time::timeout(Duration::from_millis(2_600), rig.reads()).await;
    }
    let reads = rig.breaker.state().reads;
    assert!(matches!(reads.state, CircuitState::Open { .. }));
    let why = reads.last_error.unwrap();
    assert!(why.contains("2600 ms"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_take_the_try_with_it() {
    let rig = Rig::new(StoreFault::Away);
    passes(rig.opens().await).await;
    rig.store.set(StoreFault::Hanging);
    for _ in 0..20 {
        let gone = tokio::time::timeout(Duration::from_millis(10), rig.reads()).await;
        assert!(gone.is_err(), "it was let through");
    }
    rig.store.set(StoreFault::None);
    rig.reads().await.unwrap();
    assert!(rig.breaker.state().is_closed());
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_when_it_opens_go_on() {
    let rig = Arc::new(Rig::new(StoreFault::Hanging));
    let early = tokio::spawn({
        let rig = Arc::clone(&rig);
        async move {
            let username = Username::parse("ada").unwrap();
            let display_name = DisplayName::from(&username);
            let created_at = Timestamp::UNIX_EPOCH;
            let user = NewUser { id: ada(), username, display_name, created_at };
            rig.guarded.ensure_user(user).await
        }
    });
    passes(Duration::from_millis(1)).await;
    assert_eq!(rig.store.calls(), 1);
    rig.store.set_reads(StoreFault::Away);
    rig.opens().await;
    rig.store.set(StoreFault::None);
    early.await.unwrap().unwrap();
    assert!(is_refusal(&rig.reads().await), "what became of it counts for nothing");
}

#[tokio::test(start_paused = true)]
async fn a_probe_always_reaches_the_store_and_closes_both_circuits() {
    let rig = Rig::new(StoreFault::Away);
    rig.opens().await;
    for _ in 0..5 {
        rig.writes().await.unwrap_err();
    }
    let calls = rig.store.calls();
    assert!(!is_refusal(&rig.guarded.probe().await));
    assert_eq!(rig.store.calls(), calls + 1);
    rig.store.set(StoreFault::None);
    assert!(is_refusal(&rig.reads().await) && is_refusal(&rig.writes().await));
    rig.guarded.probe().await.unwrap();
    assert!(rig.breaker.state().is_closed());
    rig.reads().await.unwrap();
    // Its failures count, for writes.
    rig.store.set(StoreFault::Hanging);
    for _ in 0..5 {
        rig.guarded.probe().await.unwrap_err();
    }
    let state = rig.breaker.state();
    assert!(matches!(state.writes.state, CircuitState::Open { .. }));
    assert_eq!(state.reads.state, CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_login_fails_fast_with_everything_else() {
    let memory = Arc::new(MemoryStore::new());
    let store = FaultyStore::new(memory.clone());
    let accounts = Arc::new(store.accounts(memory.clone(), memory));
    let breaker = Breaker::new(BreakerConfig::default());
    let guarded = breaker.guard_accounts(accounts.clone(), accounts);
    assert!(guarded.account(&ada()).await.unwrap().is_none());
    store.set(StoreFault::Away);
    let rig = Rig { guarded: breaker.guard(Arc::new(store.clone())), store, breaker };
    rig.opens().await;
    let calls = rig.store.calls();
    assert!(is_refusal(&guarded.account_by_name("ada").await));
    assert!(is_refusal(&guarded.login_session(&[0; 32]).await));
    assert_eq!(rig.store.calls(), calls);
    // And the other way about.
    for _ in 0..5 {
        assert!(!is_refusal(&guarded.end_login_sessions(&ada(), None).await));
    }
    assert!(is_refusal(&rig.writes().await));
}
