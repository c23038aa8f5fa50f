use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::bucket::{Bucket, Reading};
use super::error::NatsError;
use super::random;

/// How long a reading of the server's clock is used. In this time the clock of a machine drifts by
/// less than a message takes.
const USED: Duration = Duration::from_secs(30);

/// The server's clock, which all nodes go by: read by writing something and looking when that was,
/// and followed from then on by how much time passes here.
///
/// It is never ahead of the server's, and behind by as long as an answer takes at most.
#[derive(Debug)]
pub(super) struct ServerClock {
    /// A key that is this node's alone.
    key: String,
    /// The last reading; the lock is held for one look.
    reading: Mutex<Option<ClockReading>>,
}

#[derive(Debug, Clone, Copy)]
struct ClockReading {
    /// Nanoseconds since 1970 by the server's clock.
    server: i128,
    /// The latest moment at which that can have been.
    here: Instant,
    /// By which connection, since another server may have another clock.
    connection: u64,
}

impl ServerClock {
    pub(super) fn new() -> Self {
        let key = format!("clock.{:016x}", random::number());
        Self { key, reading: Mutex::new(None) }
    }

    /// What the server's clock shows, in nanoseconds since 1970, read through this bucket if need
    /// be.
    pub(super) async fn now(&self, bucket: &Bucket) -> Result<i128, NatsError> {
        let connection = bucket.jetstream().connection().times_made();
        let fresh = |reading: &ClockReading| {
            reading.here.elapsed() < USED && reading.connection == connection
        };
        let known = *self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = match known.filter(fresh) {
            Some(reading) => reading,
            None => self.read(bucket, connection).await?,
        };
        let passed = i128::try_from(reading.here.elapsed().as_nanos()).unwrap_or(i128::MAX);
        Ok(reading.server.saturating_add(passed))
    }

    async fn read(&self, bucket: &Bucket, connection: u64) -> Result<ClockReading, NatsError> {
        bucket.write(&self.key, Bytes::new()).await?;
        let here = Instant::now();
        let written = bucket.read(&self.key, Reading::Certain).await?;
        let server = written.ok_or(NatsError::Missing)?.written;
        let reading = ClockReading { server, here, connection };
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        Ok(reading)
    }
}
