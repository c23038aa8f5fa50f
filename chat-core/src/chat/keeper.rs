//! What an engine does by the clock.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_proto::SignalEvent;
use tokio::time::{Instant, MissedTickBehavior};

use super::logins;
use crate::broker::Subject;
use crate::config::{ChatConfig, PresenceScope};
use crate::presence::{MAKE_UP, Presence};
use crate::router::{Router, causes};
use crate::sharded::lock;
use crate::store::LoginSessionStore;
use crate::tasks::Tasks;
use crate::typing::{Told, TypingTable};

/// How long after a failed renewal of the lease the next try is.
const RENEW_AGAIN: Duration = Duration::from_secs(1);
/// How often subjects are let go of.
const RELEASE: Duration = Duration::from_millis(250);
/// About how long after the broker was away it is compared with the store.
const AFTER_INTERRUPTION: Duration = Duration::from_millis(200);
/// How exactly typing and the grace time end.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn start(
    tasks: &Tasks,
    config: &Arc<ChatConfig>,
    router: &Arc<Router>,
    presence: &Arc<Presence>,
    typing: &Arc<Mutex<TypingTable>>,
    kept_logins: Option<Arc<dyn LoginSessionStore>>,
) {
    let (table, signals) = (Arc::clone(typing), Arc::clone(router));
    tasks.keep("typing", move || expire_typing(Arc::clone(&table), Arc::clone(&signals)));

    let grace = Arc::clone(presence);
    tasks.keep("presence.grace", move || end_grace(Arc::clone(&grace)));

    let owing = Arc::clone(presence);
    tasks.keep("presence.make_up", move || make_up(Arc::clone(&owing)));

    let lease = Arc::clone(presence);
    let renewal = config.presence_lease() / 4;
    tasks.keep("presence.lease", move || renew_lease(Arc::clone(&lease), renewal));

    let visited = Arc::clone(presence);
    tasks.keep("presence.visits", move || {
        let presence = Arc::clone(&visited);
        async move { presence.keep_visits().await }
    });

    let every = Duration::from_millis(config.reconcile_interval_ms.max(1));
    let checked = Arc::clone(router);
    tasks.keep("router.reconcile", move || reconcile(Arc::clone(&checked), every));

    if let Some(kept) = kept_logins {
        let (watched, timeout) = (Arc::clone(router), config.call_timeout());
        tasks.keep("logins", move || {
            logins::watch(Arc::clone(&watched), Arc::clone(&kept), timeout, every)
        });
    }

    let leaving = Arc::clone(router);
    tasks.keep("router.release", move || release(Arc::clone(&leaving)));

    let (receiving, scope) = (Arc::clone(router), config.presence_scope);
    tasks.keep("broker.inbound", move || {
        let router = Arc::clone(&receiving);
        async move {
            if scope == PresenceScope::Everyone {
                router.hear(Subject::Presence).await;
            }
            router.receive().await;
        }
    });
}

fn interval(period: Duration) -> tokio::time::Interval {
    let period = period.max(Duration::from_millis(1));
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn expire_typing(typing: Arc<Mutex<TypingTable>>, router: Arc<Router>) {
    let mut ticks = interval(TICK);
    loop {
        let now = ticks.tick().await;
        let due: Vec<_> = {
            let mut typing = lock(&typing);
            // Numbered under the lock, in the order in which the table has changed.
            typing.due(now).into_iter().map(|told| (told, router.next_version())).collect()
        };
        for (Told { conversation: conversation_id, user, typing }, version) in due {
            // Who has left meanwhile, through another node, is not typing: the leaving said so.
            let hub = &router.hub;
            if hub.is_attached(&user) && !hub.is_subscribed(&user, conversation_id) {
                continue;
            }
            let user_id = user.clone();
            let event = if typing {
                SignalEvent::TypingStarted { conversation_id, user_id, version }
            } else {
                SignalEvent::TypingStopped { conversation_id, user_id, version }
            };
            router.signal(conversation_id, &user, &event);
        }
    }
}

async fn end_grace(presence: Arc<Presence>) {
    let mut ticks = interval(TICK);
    loop {
        let now = ticks.tick().await;
        presence.tick(now).await;
    }
}

async fn make_up(presence: Arc<Presence>) {
    let mut ticks = interval(MAKE_UP);
    loop {
        ticks.tick().await;
        presence.make_up().await;
    }
}

/// Renews the lease in time, and soon again where that did not work.
async fn renew_lease(presence: Arc<Presence>, period: Duration) {
    let mut pause = period;
    loop {
        tokio::time::sleep(pause).await;
        pause = match presence.renew().await {
            Ok(()) => period,
            Err(error) => {
                tracing::warn!(error = %causes(&error), "cannot renew the presence lease");
                RENEW_AGAIN.min(period)
            }
        };
    }
}

/// Lets go of subjects that nobody has asked for again.
async fn release(router: Arc<Router>) {
    let mut ticks = interval(RELEASE);
    loop {
        let now = ticks.tick().await;
        router.release(now);
    }
}

/// Compares with the store by the clock, and soon after the broker was away. Each time a little
/// earlier or later, so that nodes do not all ask at once.
async fn reconcile(router: Arc<Router>, period: Duration) {
    loop {
        let by_the_clock = async {
            tokio::time::sleep(jittered(period)).await;
            while !router.compares_by_the_clock() {
                tokio::time::sleep(jittered(period)).await;
            }
        };
        tokio::select! {
            () = by_the_clock => {}
            () = router.interrupted.notified() => {
                tokio::time::sleep(jittered(AFTER_INTERRUPTION.min(period))).await;
            }
        }
        if let Err(error) = router.reconcile().await
            && !error.is_refusal()
        {
            tracing::warn!(error = %causes(&error), "cannot compare with the store");
        }
    }
}

/// A time up to a quarter shorter or longer, by chance.
fn jittered(period: Duration) -> Duration {
    // Each state hashes by keys of its own.
    let chance = RandomState::new().hash_one(()) >> 32;
    let quarters = chance as f64 / f64::from(u32::MAX);
    period.mul_f64(0.75 + 0.5 * quarters)
}
