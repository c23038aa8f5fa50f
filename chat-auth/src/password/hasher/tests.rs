use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::ExposeSecret as _;

use super::*;

const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

fn one_place(cost: HashCost) -> Place {
    PasswordHasher::new(cost, 1, 4).unwrap().place(Priority::Unknown).unwrap()
}

#[tokio::test]
async fn a_hash_knows_its_password_and_no_other() {
    let place = one_place(CHEAP);
    let hash = place.hash(secret("correct horse")).await.unwrap();
    assert!(hash.expose_secret().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
    assert!(place.verify(secret("correct horse"), Some(hash.clone())).await.unwrap());
    assert!(!place.verify(secret("correct house"), Some(hash.clone())).await.unwrap());
    let again = place.hash(secret("correct horse")).await.unwrap();
    assert_ne!(again.expose_secret(), hash.expose_secret(), "a new salt every time");
}

#[tokio::test]
async fn hashes_of_any_cost_kind_and_maker_are_checked_in_the_same_memory() {
    let place = one_place(HashCost { memory_kib: 32, passes: 1 });
    for (algorithm, version, memory_kib, passes, lanes) in [
        (Algorithm::Argon2id, Version::V0x13, 32, 1, 1),
        (Algorithm::Argon2id, Version::V0x13, 256, 3, 4),
        (Algorithm::Argon2id, Version::V0x13, 8, 1, 1),
        (Algorithm::Argon2i, Version::V0x10, 64, 2, 2),
        (Algorithm::Argon2d, Version::V0x13, 16, 1, 1),
    ] {
        let params = Params::new(memory_kib, passes, lanes, None).unwrap();
        let made = Argon2::new(algorithm, version, params).hash_password(b"correct horse");
        let made = secret(&made.unwrap().to_string());
        assert!(place.verify(secret("correct horse"), Some(made.clone())).await.unwrap());
        assert!(!place.verify(secret("wrong horse"), Some(made.clone())).await.unwrap());
    }
}

#[tokio::test]
async fn without_a_hash_the_same_work_is_done_for_nothing() {
    assert!(!one_place(CHEAP).verify(secret("correct horse"), None).await.unwrap());
    let decoy = argon::decoy(HashCost::default());
    let parsed = argon2::PasswordHash::new(decoy.expose_secret()).unwrap();
    assert_eq!(parsed.params.to_string(), "m=19456,t=2,p=1");
}

#[tokio::test]
async fn a_damaged_hash_is_a_fault_and_not_a_wrong_password() {
    let decoy = argon::decoy(CHEAP);
    let (unfinished, _) = decoy.expose_secret().rsplit_once('$').unwrap();
    let too_costly = decoy.expose_secret().replace("m=8,", "m=4194304,");
    for damaged in ["plain", "", unfinished, &too_costly, "$scrypt$ln=1$AAAAAAAAAAA$AAAAAAAAAAA"] {
        let result = one_place(CHEAP).verify(secret("correct horse"), Some(secret(damaged))).await;
        assert!(matches!(result, Err(AccountError::Store(StoreError::Failed(_)))), "{damaged}");
    }
}

#[test]
fn callers_beyond_the_places_are_sent_away_line_by_line() {
    let hasher = PasswordHasher::new(CHEAP, 1, 4).unwrap();
    let mut taken = Vec::new();
    for (priority, places) in [(Priority::Unknown, 5), (Priority::Known, 2)] {
        for _ in 0..places {
            taken.push(hasher.place(priority).unwrap());
        }
        assert!(matches!(hasher.place(priority), Err(AccountError::Busy)));
    }
    taken.clear();
    assert!(hasher.place(Priority::Unknown).is_ok());
}

#[tokio::test]
async fn both_lines_are_served_in_turn_and_nobody_waits_for_those_who_went_away() {
    let hasher = PasswordHasher::new(CHEAP, 1, 8).unwrap();
    // Keeps the only thread until all others wait.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (start, started) = oneshot::channel();
    let first = hasher.place(Priority::Unknown).unwrap();
    let blocked = first.run(move |_| {
        let _ = start.send(());
        let _ = released.recv();
        Ok(())
    });
    let mut blocked = Box::pin(blocked);
    assert!(futures_poll(blocked.as_mut()).await);
    started.await.unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for (name, priority) in [
        ("u1", Priority::Unknown),
        ("u2", Priority::Unknown),
        ("u3", Priority::Unknown),
        ("gone", Priority::Unknown),
        ("k1", Priority::Known),
        ("k2", Priority::Known),
    ] {
        let (place, order) = (hasher.place(priority).unwrap(), Arc::clone(&order));
        let mut job = Box::pin(async move {
            let note = move |_: &mut HashMemory| {
                order.lock().unwrap().push(name);
                Ok(())
            };
            place.run(note).await
        });
        assert!(futures_poll(job.as_mut()).await);
        if name != "gone" {
            waiting.push(job);
        }
    }
    release.send(()).unwrap();
    blocked.await.unwrap();
    for job in waiting {
        job.await.unwrap();
    }
    let order = order.lock().unwrap().join(" ");
    assert!(matches!(&*order, "k1 u1 k2 u2 u3" | "u1 k1 u2 k2 u3"), "{order}");
}

#[tokio::test]
async fn a_thread_that_panics_goes_on() {
    let place = one_place(CHEAP);
    let panicked = place.run::<()>(|_| panic!("on purpose")).await;
    assert!(matches!(panicked, Err(AccountError::Store(StoreError::Failed(_)))));
    assert!(place.hash(secret("correct horse")).await.is_ok());
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
