use std::time::Duration;

use bytes::Bytes;
use chat_core::limit::{LimitKey, Quota, Verdict};

use super::attempts::Attempts;
use super::bucket::{Bucket, Entry};
use super::clock::ServerClock;
use super::error::NatsError;

/// How long keys are kept: of limits that are soon as good as unknown, and of all others. A limit
/// that reaches further than the latter forgets what lies before.
pub(super) const SHORT: Duration = Duration::from_secs(10 * 60);
pub(super) const LONG: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Limits that all nodes count together: for each key the moment at which it is free next, by the
/// server's clock, changed on the condition that nobody else changed it meanwhile.
///
/// A key goes away by itself when it has not been written for as long as it can matter.
#[derive(Debug)]
pub(super) struct Limits {
    short: Bucket,
    long: Bucket,
    clock: ServerClock,
}

impl Limits {
    pub(super) fn new(short: Bucket, long: Bucket) -> Self {
        Self { short, long, clock: ServerClock::new() }
    }

    /// Counts one event of a key.
    pub(super) async fn count(&self, key: &LimitKey, quota: &Quota) -> Result<Verdict, NatsError> {
        let furthest = quota.tolerance() + quota.interval();
        let bucket = if furthest <= SHORT { &self.short } else { &self.long };
        let name = key.to_string();
        let mut attempts = Attempts::default();
        loop {
            let entry = bucket.read(&name, attempts.next().await?).await?;
            let mut now = self.clock.now(&self.short).await?;
            let (mut ahead, mut revision) = (Duration::ZERO, 0);
            if let Some(entry) = entry {
                // The clock is followed from behind, and has shown this already.
                now = now.max(entry.written);
                revision = entry.revision;
                // After the server's clock was set back it must not take longer than ever.
                ahead = until(now, free(&entry)?).min(furthest);
            }
            let ahead = match quota.check_ahead(ahead) {
                Ok(ahead) => ahead,
                Err(wait) => return Ok(Verdict::Wait(wait)),
            };
            let free = now.saturating_add(nanos(ahead)).to_string();
            if bucket.replace(&name, revision, Bytes::from(free)).await?.is_some() {
                return Ok(Verdict::Allowed);
            }
        }
    }
}

/// When a key is free next.
fn free(entry: &Entry) -> Result<i128, NatsError> {
    let text = std::str::from_utf8(&entry.value).map_err(NatsError::damaged)?;
    text.parse().map_err(NatsError::damaged)
}

/// How long it is until a moment, or nothing if it has passed.
fn until(now: i128, moment: i128) -> Duration {
    let nanos = moment.saturating_sub(now).max(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}
