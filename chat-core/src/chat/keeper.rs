//! What an engine does by the clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_proto::SignalEvent;
use tokio::time::{Instant, MissedTickBehavior};

use crate::broker::Subject;
use crate::config::ChatConfig;
use crate::presence::{MAKE_UP, Presence};
use crate::router::{Router, causes};
use crate::sharded::lock;
use crate::tasks::Tasks;
use crate::typing::TypingTable;

/// How exactly typing and the grace time end.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn start(
    tasks: &Tasks,
    config: &Arc<ChatConfig>,
    router: &Arc<Router>,
    presence: &Arc<Presence>,
    typing: &Arc<Mutex<TypingTable>>,
) {
    let (table, signals) = (Arc::clone(typing), Arc::clone(router));
    tasks.keep("typing", move || expire_typing(Arc::clone(&table), Arc::clone(&signals)));

    let grace = Arc::clone(presence);
    tasks.keep("presence.grace", move || end_grace(Arc::clone(&grace)));

    let owing = Arc::clone(presence);
    tasks.keep("presence.make_up", move || make_up(Arc::clone(&owing)));

    let lease = Arc::clone(presence);
    let renewal = config.presence_lease() / 3;
    tasks.keep("presence.lease", move || renew_lease(Arc::clone(&lease), renewal));

    let every = Duration::from_millis(config.reconcile_interval_ms.max(1));
    let checked = Arc::clone(router);
    tasks.keep("router.reconcile", move || reconcile(Arc::clone(&checked), every));

    let receiving = Arc::clone(router);
    tasks.keep("broker.inbound", move || {
        let router = Arc::clone(&receiving);
        async move {
            router.hear(Subject::Presence).await;
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
        let expired = lock(&typing).expire(now);
        for (conversation_id, user_id) in expired {
            let event = SignalEvent::TypingStopped { conversation_id, user_id: user_id.clone() };
            router.signal(conversation_id, &user_id, &event);
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

async fn renew_lease(presence: Arc<Presence>, period: Duration) {
    let mut ticks = interval(period);
    loop {
        ticks.tick().await;
        if let Err(error) = presence.renew().await {
            tracing::warn!(error = %causes(&error), "cannot renew the presence lease");
        }
    }
}

async fn reconcile(router: Arc<Router>, period: Duration) {
    let mut ticks = interval(period);
    loop {
        ticks.tick().await;
        if let Err(error) = router.reconcile().await
            && !error.is_refusal()
        {
            tracing::warn!(error = %causes(&error), "cannot compare with the store");
        }
    }
}
