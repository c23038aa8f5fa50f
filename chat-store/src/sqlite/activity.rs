use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection, SqlitePool};

use crate::failure::Failure;
use crate::value::integer;

/// The numbers of activity that conversations take, by which lists are sorted.
///
/// A hybrid logical clock: a number is the time in microseconds, or one more than the last where that is
/// higher. So it grows whatever the clock does, and continues after what was stored before; and other
/// processes that write into the file take numbers of the same kind.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    readers: SqlitePool,
    /// The last number taken; [`UNKNOWN`] until what is stored was asked for the first time.
    last: Arc<AtomicI64>,
}

const UNKNOWN: i64 = -1;

const LAST: &str = "SELECT coalesce(max(activity), 0) AS last FROM chat_head";

impl Activity {
    pub(super) fn new(readers: SqlitePool) -> Self {
        Self { readers, last: Arc::new(AtomicI64::new(UNKNOWN)) }
    }

    /// Begins after what is stored, so that the first write need not look.
    pub(super) async fn begin(&self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let column = "SELECT 1 FROM pragma_table_info('chat_head') WHERE name = 'activity'";
        let last = match sqlx::query(column).fetch_optional(&mut *connection).await? {
            Some(_) => sqlx::query(LAST).fetch_one(connection).await?.try_get("last")?,
            None => 0,
        };
        self.last.fetch_max(last, Ordering::Relaxed);
        Ok(())
    }

    /// Takes so many numbers that follow one another; returns the first.
    pub(super) async fn next(&self, count: usize) -> Result<i64, Failure> {
        if self.last.load(Ordering::Relaxed) == UNKNOWN {
            let row = sqlx::query(LAST).fetch_one(&self.readers).await?;
            self.last.fetch_max(row.try_get("last")?, Ordering::Relaxed);
        }
        Ok(self.take(Timestamp::now().as_microsecond(), integer(count)))
    }

    fn take(&self, now: i64, count: i64) -> i64 {
        let after = |last: i64| last.saturating_add(1).max(now);
        let end = |last| Some(after(last).saturating_add(count - 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, end);
        let (Ok(last) | Err(last)) = last;
        after(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn numbers_grow_whatever_the_clock_does() {
        let activity = Activity::new(SqlitePool::connect_lazy("sqlite::memory:").unwrap());
        assert_eq!(activity.take(1_000, 1), 1_000);
        assert_eq!(activity.take(400, 3), 1_001, "the clock went back");
        assert_eq!(activity.take(1_002, 1), 1_004);
        assert_eq!(activity.take(5_000, 1), 5_000);
    }
}
