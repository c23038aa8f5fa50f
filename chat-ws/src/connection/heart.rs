use std::time::Duration;

use tokio::time::Instant;

/// What a heart asks for when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing yet.
    Rest,
    /// Send a ping.
    Ping,
    /// The peer has not been heard since the last ping: it is gone.
    Stop,
}

/// Finds out whether a peer is alive: it sends a ping now and then, and wants to hear anything at
/// all within a while.
///
/// The first ping goes out at a random point of the interval, so that many clients that came back
/// at once do not answer at once for ever.
#[derive(Debug)]
pub(super) struct Heart {
    interval: Duration,
    timeout: Duration,
    ping_at: Instant,
    /// When a peer that stays silent counts as dead; none when it was heard since the last ping.
    stop_at: Option<Instant>,
}

impl Heart {
    /// `phase` of the interval, from 0 to 1, passes before the first ping.
    pub(super) fn new(interval: Duration, timeout: Duration, phase: f64, now: Instant) -> Self {
        Self { interval, timeout, ping_at: now + interval.mul_f64(phase), stop_at: None }
    }

    /// The peer sent something.
    pub(super) const fn heard(&mut self) {
        self.stop_at = None;
    }

    /// The peer was not listened to for a while, so its silence means nothing.
    pub(super) fn excuse(&mut self, deaf: Duration) {
        if let Some(stop_at) = &mut self.stop_at {
            *stop_at += deaf;
        }
    }

    /// When the heart wants to be asked again. A peer that is not listened to is not given up.
    pub(super) fn deadline(&self, is_listening: bool) -> Instant {
        match self.stop_at {
            Some(stop_at) if is_listening => stop_at.min(self.ping_at),
            _ => self.ping_at,
        }
    }

    /// What to do now.
    pub(super) fn beat(&mut self, is_listening: bool, now: Instant) -> Beat {
        if is_listening && self.stop_at.is_some_and(|stop_at| now >= stop_at) {
            return Beat::Stop;
        }
        if now < self.ping_at {
            return Beat::Rest;
        }
        self.ping_at = now + self.interval;
        self.stop_at.get_or_insert(now + self.timeout);
        Beat::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(25);
    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn a_silent_peer_is_given_up_and_one_that_speaks_is_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut heart = Heart::new(INTERVAL, TIMEOUT, 0.2, start);
        assert_eq!(heart.deadline(true), at(5));
        assert_eq!(heart.beat(true, at(4)), Beat::Rest);
        assert_eq!(heart.beat(true, at(5)), Beat::Ping);
        assert_eq!(heart.deadline(true), at(15));
        heart.heard();
        assert_eq!(heart.deadline(true), at(30));
        assert_eq!(heart.beat(true, at(30)), Beat::Ping);
        assert_eq!(heart.beat(true, at(39)), Beat::Rest);
        assert_eq!(heart.beat(true, at(40)), Beat::Stop);
    }

    #[test]
    fn silence_means_nothing_while_nobody_listens() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut heart = Heart::new(INTERVAL, TIMEOUT, 0.0, start);
        assert_eq!(heart.beat(true, start), Beat::Ping);
        assert_eq!(heart.deadline(false), at(25));
        assert_eq!(heart.beat(false, at(20)), Beat::Rest);
        heart.excuse(Duration::from_secs(15));
        assert_eq!(heart.beat(true, at(24)), Beat::Rest);
        assert_eq!(heart.beat(true, at(25)), Beat::Stop);
    }
}
