use std::time::Duration;

use super::bucket::Reading;
use super::error::NatsError;
use super::random;

/// How often a change is tried that others come before.
const MOST: u32 = 50;
/// How long to wait before the second try at most, and before the last.
const FIRST_WAIT: Duration = Duration::from_millis(2);
const LONGEST_WAIT: Duration = Duration::from_millis(64);

/// Tries of one change that is made on the condition that nobody else changes the same meanwhile.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    made: u32,
}

impl Attempts {
    /// Begins a try, after a wait that leaves room for others where it is not the first. Says how to
    /// read what is to be changed: the quick way at first, and the certain one after that has proved
    /// old, or has found nothing to change.
    ///
    /// # Errors
    ///
    /// When there were too many.
    pub(super) async fn next(&mut self) -> Result<Reading, NatsError> {
        if self.made == MOST {
            return Err(NatsError::Contended);
        }
        let reading = if self.made == 0 { Reading::Near } else { Reading::Certain };
        if self.made > 1 {
            let wait = FIRST_WAIT * (1 << (self.made - 2).min(8));
            tokio::time::sleep(random::around(wait.min(LONGEST_WAIT))).await;
        }
        self.made += 1;
        Ok(reading)
    }
}
