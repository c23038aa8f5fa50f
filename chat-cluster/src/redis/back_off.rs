use std::time::Duration;

/// The first wait, at most.
const SHORTEST: Duration = Duration::from_millis(50);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(2);

/// How long to wait before trying again: twice as long each time, up to two seconds, of which a
/// random half is left out, so that nodes that lost a server together do not come back together.
#[derive(Debug)]
pub(super) struct BackOff {
    next: Duration,
}

impl BackOff {
    pub(super) const fn new() -> Self {
        Self { next: SHORTEST }
    }

    /// The next wait.
    pub(super) fn wait(&mut self) -> Duration {
        let longest = self.next;
        self.next = (longest * 2).min(LONGEST);
        // Without randomness the wait is merely the longest.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        longest / 2 + (longest / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// Begins again with the shortest.
    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        let mut back_off = BackOff::new();
        assert!((SHORTEST / 2..=SHORTEST).contains(&back_off.wait()));
        for _ in 0..20 {
            back_off.wait();
        }
        assert!((LONGEST / 2..=LONGEST).contains(&back_off.wait()));
        back_off.reset();
        assert!(back_off.wait() <= SHORTEST);
    }
}
