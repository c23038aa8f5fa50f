use std::time::Duration;

use super::ThrottleConfig;

/// What one password costs to check (Argon2id, RFC 9106, with one lane).
///
/// The more it costs, the fewer guesses an attacker has who stole the hashes, and the fewer logins
/// a second this server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB. Default 19,456 (19 MiB).
    pub memory_kib: u32,
    /// Passes over the memory. Default 2.
    pub passes: u32,
}

impl Default for HashCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// How [`PasswordAccounts`](crate::PasswordAccounts) behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordAccountsConfig {
    /// The cost of new hashes; older hashes are checked at the cost that they were made with.
    pub cost: HashCost,
    /// Passwords that are hashed at a time. Each takes one core and [`HashCost::memory_kib`], which is
    /// kept for the next. Default: one less than there are cores, and at least one, so that a flood of
    /// logins leaves a core to everybody else.
    pub workers: usize,
    /// Logins that wait for a worker; further ones are told to try again. A quarter as many again wait
    /// in a line of their own from devices and addresses that have logged in before. Default 256, which
    /// one core works off in about seven seconds.
    pub queue: usize,
    /// How long a session lives after its last use. Default 30 days.
    pub session_lifetime: Duration,
    /// Sessions of one user; one more ends the least recently used. Default 50.
    pub sessions_per_user: usize,
    /// How often logins may be tried.
    pub throttle: ThrottleConfig,
}

impl Default for PasswordAccountsConfig {
    fn default() -> Self {
        Self {
            cost: HashCost::default(),
            workers: default_workers(),
            queue: 256,
            session_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            sessions_per_user: 50,
            throttle: ThrottleConfig::default(),
        }
    }
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

/// Why a [`PasswordAccountsConfig`] is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAccountsConfig {
    /// Argon2 has no such cost.
    #[error("no hash can have this cost: at least 8 KiB of memory and 1 pass, not {0:?}")]
    Cost(HashCost),
    /// Nothing could ever be hashed, or no session could ever be kept.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// No date is that far away.
    #[error("a session lives for at most 10 years")]
    SessionLifetime,
    /// The system starts no thread for hashing.
    #[error("a thread to hash passwords cannot be started: {0}")]
    Thread(std::io::ErrorKind),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}
