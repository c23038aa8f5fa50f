use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chat_core::auth::AccountError;
use chat_core::store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::{HashCost, InvalidAccountsConfig};

/// Hashes and checks passwords on a bounded number of threads, with a bounded number of callers
/// waiting: a flood of logins costs bounded memory and does not keep the engine from its work.
#[derive(Clone)]
pub(super) struct PasswordHasher {
    argon2: Argon2<'static>,
    /// Callers being served or waiting.
    places: Arc<Semaphore>,
    /// Callers being served.
    workers: Arc<Semaphore>,
    /// A hash that no password has, at the cost of a real one.
    decoy: SecretString,
}

/// The right to hash one password; held until the thread is done, even when nobody waits for it
/// any more.
struct Turn {
    _place: OwnedSemaphorePermit,
    _worker: OwnedSemaphorePermit,
}

impl PasswordHasher {
    pub(super) fn new(
        cost: HashCost,
        workers: usize,
        queue: usize,
    ) -> Result<Self, InvalidAccountsConfig> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None)
            .map_err(|_| InvalidAccountsConfig::Cost(cost))?;
        if workers == 0 {
            return Err(InvalidAccountsConfig::Zero("workers"));
        }
        let places = workers.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            places: Arc::new(Semaphore::new(places)),
            workers: Arc::new(Semaphore::new(workers.min(Semaphore::MAX_PERMITS))),
            decoy: decoy(cost),
        })
    }

    /// The hash of a password, in PHC string format, with a new salt.
    pub(super) async fn hash(&self, password: SecretString) -> Result<SecretString, AccountError> {
        let turn = self.turn().await?;
        let argon2 = self.argon2.clone();
        let hash = spawn_blocking(move || {
            let _turn = turn;
            let hash = argon2.hash_password(password.expose_secret().as_bytes())?;
            Ok::<_, argon2::password_hash::Error>(SecretString::from(hash.to_string()))
        });
        hash.await.map_err(StoreError::failed)?.map_err(|error| StoreError::failed(error).into())
    }

    /// Whether the hash is that of the password. Without a hash it costs the same, and is not.
    pub(super) async fn verify(
        &self,
        password: SecretString,
        hash: Option<SecretString>,
    ) -> Result<bool, AccountError> {
        let turn = self.turn().await?;
        let argon2 = self.argon2.clone();
        let real = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let verified = spawn_blocking(move || {
            let _turn = turn;
            let hash = PasswordHash::new(hash.expose_secret())?;
            match argon2.verify_password(password.expose_secret().as_bytes(), &hash) {
                Ok(()) => Ok(real),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error),
            }
        });
        verified
            .await
            .map_err(StoreError::failed)?
            .map_err(|error| StoreError::failed(error).into())
    }

    async fn turn(&self) -> Result<Turn, AccountError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| AccountError::Busy)?;
        let worker =
            Arc::clone(&self.workers).acquire_owned().await.map_err(|_| AccountError::Busy)?;
        Ok(Turn { _place: place, _worker: worker })
    }
}

/// A well-formed hash of nothing. It is written rather than computed, since it is only needed for
/// its cost.
fn decoy(HashCost { memory_kib, passes }: HashCost) -> SecretString {
    let (salt, output) = (STANDARD_NO_PAD.encode([0; 16]), STANDARD_NO_PAD.encode([0; 32]));
    format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${output}").into()
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHasher")
            .field("free_places", &self.places.available_permits())
            .field("free_workers", &self.workers.available_permits())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let hasher = PasswordHasher::new(CHEAP, 1, 4).unwrap();
        let hash = hasher.hash(secret("correct horse")).await.unwrap();
        assert!(hash.expose_secret().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert!(hasher.verify(secret("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(secret("correct house"), Some(hash.clone())).await.unwrap());
        let again = hasher.hash(secret("correct horse")).await.unwrap();
        assert_ne!(again.expose_secret(), hash.expose_secret(), "a new salt every time");
    }

    #[tokio::test]
    async fn without_a_hash_the_same_work_is_done_for_nothing() {
        let hasher = PasswordHasher::new(CHEAP, 1, 4).unwrap();
        assert!(!hasher.verify(secret("correct horse"), None).await.unwrap());
        let decoy = decoy(HashCost::default());
        let parsed = PasswordHash::new(decoy.expose_secret()).unwrap();
        assert_eq!(parsed.params.to_string(), "m=19456,t=2,p=1");
    }

    #[tokio::test]
    async fn a_damaged_hash_is_a_fault_and_not_a_wrong_password() {
        let hasher = PasswordHasher::new(CHEAP, 1, 4).unwrap();
        let result = hasher.verify(secret("correct horse"), Some(secret("plain"))).await;
        assert!(matches!(result, Err(AccountError::Store(StoreError::Failed(_)))));
    }

    #[tokio::test]
    async fn callers_beyond_the_queue_are_sent_away() {
        let hasher = PasswordHasher::new(CHEAP, 1, 1).unwrap();
        let served = hasher.turn().await.unwrap();
        let mut waiting = Box::pin(hasher.turn());
        assert!(futures_poll(waiting.as_mut()).await, "waits for the worker");
        assert!(matches!(hasher.turn().await, Err(AccountError::Busy)));
        drop(served);
        assert!(waiting.await.is_ok());
        assert!(hasher.turn().await.is_ok());
    }

    /// Polls once; whether the future is pending.
    async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(future.as_mut().poll(context).is_pending())
        })
        .await
    }

    #[test]
    fn impossible_costs_are_refused() {
        let cost = HashCost { memory_kib: 7, passes: 1 };
        assert_eq!(PasswordHasher::new(cost, 1, 1).unwrap_err(), InvalidAccountsConfig::Cost(cost));
        assert!(PasswordHasher::new(CHEAP, 0, 1).is_err());
    }
}
