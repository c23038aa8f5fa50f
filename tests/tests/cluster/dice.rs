use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

/// Where all random numbers of a test run come from. A failing test shows it.
static SEED: LazyLock<u64> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = match std::env::var("CHAT_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from(now.subsec_nanos()) | 1,
    };
    println!("CHAT_TEST_SEED={seed}");
    seed
});

/// Random numbers (xorshift).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Those of one purpose; others have others from the same seed.
    pub(crate) fn of(purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(*SEED, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(17)
        });
        let mut dice = Self(mixed | 1);
        for _ in 0..8 {
            dice.throw(2);
        }
        dice
    }

    /// A number below `sides`.
    pub(crate) fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % sides as u64).unwrap()
    }

    /// A time between two numbers of milliseconds.
    pub(crate) fn millis(&mut self, from: usize, below: usize) -> Duration {
        Duration::from_millis((from + self.throw(below - from)) as u64)
    }
}
