//! This node's lease, and those of others.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;

use super::{AT_ONCE, Presence, view};
use crate::error::ChatError;
use crate::sharded::lock;
use crate::within::within;

impl Presence {
    /// Renews this node's lease, and finds users of nodes whose lease has run out. They are told of
    /// apart from this: that may take long, and the lease must not run out meanwhile.
    pub(crate) async fn renew(&self) -> Result<(), ChatError> {
        let timeout = self.config.call_timeout();
        let lease = self.config.presence_lease();
        let asked = Instant::now();
        if lock(&self.here).is_handed_over() {
            return Ok(());
        }
        let held = match within(timeout, self.store.renew(self.node, lease)).await {
            Ok(held) => held,
            Err(error) => {
                lock(&self.here).note_not_renewed(Instant::now());
                return Err(error);
            }
        };
        let settled = {
            let now = Instant::now();
            let mut here = lock(&self.here);
            here.note_renewed(held, asked, now, lease);
            here.is_settled(now)
        };
        if !settled {
            return Ok(());
        }
        let expired = within(timeout, self.store.expire()).await?;
        // Who was shown as offline has not been seen to be there, so there is nothing to tell.
        let seen = view::shown(expired, 0).into_iter().map(|entry| entry.user_id);
        lock(&self.here).expired.extend(seen);
        Ok(())
    }

    /// How long devices may take to come to another node without their users being missed.
    pub(crate) fn return_window(&self) -> Duration {
        if self.shared { self.config.presence_grace() * 4 / 5 } else { Duration::MAX }
    }

    /// Ends this node's part, within `limit`, since the lease ends anyway.
    ///
    /// Other nodes take its users over: who comes back to one of them within the grace time was never
    /// away, and of who does not, another node tells. A node that is alone tells of all at once.
    pub(crate) async fn close(&self, limit: Duration) {
        let ending = async {
            if self.shared {
                lock(&self.here).hand_over();
                let handing = self.store.renew(self.node, self.config.presence_grace());
                if let Err(error) = within(self.config.call_timeout(), handing).await {
                    tracing::warn!(%error, "other nodes will see by the lease who was here");
                }
            } else {
                self.leave_all().await;
            }
        };
        if tokio::time::timeout(limit, ending).await.is_err() {
            tracing::warn!("other nodes will see by the lease who was here");
        }
    }

    async fn leave_all(&self) {
        let users = lock(&self.here).take_all();
        let leaving = futures::stream::iter(users).for_each_concurrent(AT_ONCE, async |user| {
            let seen = self.is_shown_online(&user).await;
            let leaving = self.store.leave(self.node, &user);
            if let Ok(true) = within(self.config.call_timeout(), leaving).await
                && seen
            {
                let told = self.router.hub.subscriptions(&user);
                let told: Vec<_> = told.into_iter().map(|(id, _)| id).collect();
                self.tell_offline(&user, &told).await;
            }
        });
        leaving.await;
    }
}
