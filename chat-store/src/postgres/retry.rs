use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a call is tried at most.
const ATTEMPTS: u32 = 6;
/// The pause before the second attempt is up to this long, and doubles with each one after it.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// When a call is tried again, and how often.
#[derive(Debug)]
pub(super) struct Retry {
    attempts: u32,
    give_up: Instant,
}

impl Retry {
    /// No attempt begins later than this.
    pub(super) fn within(time: Duration) -> Self {
        Self { attempts: 1, give_up: Instant::now() + time }
    }

    /// Waits for the moment of the next attempt; false when there is to be none.
    pub(super) async fn again(&mut self) -> bool {
        let pause = FIRST_PAUSE * 2_u32.pow(self.attempts - 1);
        let pause = pause.mul_f64(0.5 + 0.5 * chance());
        if self.attempts == ATTEMPTS || Instant::now() + pause >= self.give_up {
            return false;
        }
        self.attempts += 1;
        sleep(pause).await;
        true
    }
}

/// A number between 0 and 1, so that those who were in each other's way do not meet again.
fn chance() -> f64 {
    let random = RandomState::new().hash_one(0);
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_in_number_and_in_time() {
        let began = Instant::now();
        let mut retry = Retry::within(Duration::from_secs(60));
        let mut attempts = 1;
        while retry.again().await {
            attempts += 1;
        }
        assert_eq!(attempts, ATTEMPTS);
        assert!(began.elapsed() < Duration::from_secs(1));
        let mut retry = Retry::within(Duration::from_millis(1));
        assert!(!retry.again().await);
    }
}
