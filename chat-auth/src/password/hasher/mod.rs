//! Hashing passwords with a bounded number of threads, a bounded queue and bounded memory.

mod argon;
mod memory;
mod queue;
mod worker;

use std::fmt;
use std::sync::Arc;

use argon::HashError;
use chat_core::auth::AccountError;
use chat_core::store::StoreError;
use memory::HashMemory;
use queue::JobQueue;
use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use worker::Workers;

use super::{HashCost, InvalidAccountsConfig};

/// Hashes and checks passwords on threads of its own.
///
/// Each thread owns one block of memory, which it uses for one hash after the other. So a flood of
/// logins holds as many blocks as there are threads, however many callers wait, and returns nothing
/// to an allocator that would keep it in pieces.
///
/// Callers wait in two lines, one for each [`Priority`], that are served in turn. Whoever floods one
/// line neither fills nor delays the other. Cheap to clone.
#[derive(Clone)]
pub(super) struct PasswordHasher {
    pool: Arc<Pool>,
}

/// Which line a caller waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    /// Devices and addresses that have logged in before, and users who are logged in.
    Known,
    /// Everybody else.
    Unknown,
}

struct Pool {
    cost: HashCost,
    queue: Arc<JobQueue>,
    known_places: Arc<Semaphore>,
    unknown_places: Arc<Semaphore>,
    /// Ends the threads when the last hasher is dropped.
    _workers: Workers,
}

/// The right to have passwords hashed, one after the other.
///
/// A place is taken before anything is counted or looked up, so that a caller for whom there is no
/// room leaves no trace. It is free again when it is dropped and its last job has ended.
pub(super) struct Place {
    pool: Arc<Pool>,
    priority: Priority,
    /// Shared with the job, which holds its place even when nobody waits for it any more.
    permit: Arc<OwnedSemaphorePermit>,
}

/// A thread ended in the middle of a hash; the log says why.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
struct Interrupted;

impl PasswordHasher {
    /// Starts `workers` threads. `queue` callers of unknown origin wait at most, and a quarter as
    /// many again of known origin.
    pub(super) fn new(
        cost: HashCost,
        workers: usize,
        queue: usize,
    ) -> Result<Self, InvalidAccountsConfig> {
        argon::parameters(cost).map_err(|_| InvalidAccountsConfig::Cost(cost))?;
        if workers == 0 {
            return Err(InvalidAccountsConfig::Zero("workers"));
        }
        let places = |queue: usize| {
            Arc::new(Semaphore::new(workers.saturating_add(queue).min(Semaphore::MAX_PERMITS)))
        };
        let jobs = Arc::new(JobQueue::default());
        Ok(Self {
            pool: Arc::new(Pool {
                cost,
                known_places: places(queue.div_ceil(4)),
                unknown_places: places(queue),
                _workers: Workers::start(workers, &jobs, cost)
                    .map_err(|error| InvalidAccountsConfig::Thread(error.kind()))?,
                queue: jobs,
            }),
        })
    }

    /// A place in line, or [`AccountError::Busy`] when there is none.
    pub(super) fn place(&self, priority: Priority) -> Result<Place, AccountError> {
        let places = match priority {
            Priority::Known => &self.pool.known_places,
            Priority::Unknown => &self.pool.unknown_places,
        };
        let permit = Arc::clone(places).try_acquire_owned().map_err(|_| AccountError::Busy)?;
        Ok(Place { pool: Arc::clone(&self.pool), priority, permit: Arc::new(permit) })
    }
}

impl Place {
    /// The hash of a password, in PHC string format, with a new salt.
    pub(super) async fn hash(&self, password: SecretString) -> Result<SecretString, AccountError> {
        let cost = self.pool.cost;
        self.run(move |memory| argon::hash(&password, cost, memory)).await
    }

    /// Whether the hash is that of the password. Without a hash it costs the same, and is not.
    pub(super) async fn verify(
        &self,
        password: SecretString,
        hash: Option<SecretString>,
    ) -> Result<bool, AccountError> {
        let real = hash.is_some();
        let hash = hash.unwrap_or_else(|| argon::decoy(self.pool.cost));
        let is_right = self.run(move |memory| argon::verify(&password, &hash, memory)).await?;
        Ok(is_right && real)
    }

    /// Has a thread do this. When the caller goes away before its turn, it is not done.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut HashMemory) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, AccountError> {
        let (answer, answered) = oneshot::channel();
        let permit = Arc::clone(&self.permit);
        let job = move |memory: &mut HashMemory| {
            if !answer.is_closed() {
                let done = work(memory);
                drop(permit);
                // Nobody waits any more, and nothing is lost.
                let _ = answer.send(done);
            }
        };
        self.pool.queue.push(self.priority, Box::new(job));
        let done = answered.await.map_err(|_| StoreError::failed(Interrupted))?;
        done.map_err(|error| StoreError::failed(error).into())
    }
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHasher")
            .field("free_known_places", &self.pool.known_places.available_permits())
            .field("free_unknown_places", &self.pool.unknown_places.available_permits())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
