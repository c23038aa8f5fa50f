//! Sessions end whose login has ended, with or without news of it.

use std::sync::Arc;
use std::time::Duration;

use chat_proto::{LoginSessionId, UserId};
use foldhash::{HashMap, HashMapExt, HashSet};
use tokio::time::Instant;

use crate::error::ChatError;
use crate::router::{Router, causes};
use crate::store::LoginSessionStore;
use crate::within::within;

/// How long after a session began its login is looked at: it may have ended between the check of the
/// credential and the subscription to such news, which is there by then.
const SOON: Duration = Duration::from_millis(500);
/// Logins asked for in one call of the store.
const CHUNK: usize = 500;

/// Looks at the logins behind this node's sessions: at those of new sessions soon, and at all of them
/// each `period`.
pub(super) async fn watch(
    router: Arc<Router>,
    logins: Arc<dyn LoginSessionStore>,
    timeout: Duration,
    period: Duration,
) {
    let mut all_at = Instant::now() + period;
    let mut ticks = tokio::time::interval(SOON.min(period));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        let fresh = now.checked_sub(SOON).map(|until| router.ended_logins.take_fresh(until));
        let fresh = fresh.unwrap_or_default();
        let all = (now >= all_at).then(|| {
            all_at = now + period;
            router.hub.logins()
        });
        let looked_at = all.as_ref().unwrap_or(&fresh);
        if let Err(error) = check(&router, &*logins, timeout, looked_at).await {
            if !error.is_refusal() {
                tracing::warn!(error = %causes(&error), "cannot look for logins that have ended");
            }
            for (user, login) in &fresh {
                router.ended_logins.note_fresh(user, *login);
            }
        }
    }
}

async fn check(
    router: &Router,
    logins: &dyn LoginSessionStore,
    timeout: Duration,
    looked_at: &[(UserId, LoginSessionId)],
) -> Result<(), ChatError> {
    for some in looked_at.chunks(CHUNK) {
        let ids: Vec<_> = some.iter().map(|(_, login)| *login).collect();
        let existing = within(timeout, logins.existing_login_sessions(&ids)).await?;
        let existing: HashSet<_> = existing.into_iter().collect();
        let mut ended: HashMap<&UserId, Vec<LoginSessionId>> = HashMap::new();
        for (user, login) in some.iter().filter(|(_, login)| !existing.contains(login)) {
            ended.entry(user).or_default().push(*login);
        }
        for (user, logins) in ended {
            router.end_logins_here(user, &logins);
        }
    }
    Ok(())
}
