//! Login sessions: how long a login lasts.

use std::collections::BTreeSet;

use chat_proto::{LoginSessionId, UserId};
use futures::future::join_all;
use jiff::Timestamp;

use super::fixture::{at, new_user};
use crate::store::{AccountStore, CreateAccount, LoginSession, LoginSessionStore, NewAccount};

/// More sessions than any case needs.
const MANY: usize = 1_000;

async fn user(store: &impl AccountStore, name: &str) -> UserId {
    let account = NewAccount { user: new_user(name), password_hash: "hash".into() };
    match store.create_account(account).await.unwrap() {
        CreateAccount::Created(user) => user.id,
        CreateAccount::UsernameTaken | CreateAccount::DisplayNameTaken => {
            panic!("{name} is taken")
        }
    }
}

/// A session last used at that second, which ends 1,000 seconds later.
fn session(user: &UserId, second: i64) -> LoginSession {
    let id = LoginSessionId::generate();
    let mut token_hash = [0xFF; 32];
    token_hash[..16].copy_from_slice(id.as_uuid().as_bytes());
    LoginSession {
        id,
        user_id: user.clone(),
        token_hash,
        user_agent: None,
        created_at: at(0),
        last_used_at: at(second),
        expires_at: at(second + 1_000),
    }
}

async fn insert(store: &impl LoginSessionStore, user: &UserId, second: i64) -> LoginSession {
    let session = session(user, second);
    assert!(store.insert_login_session(session.clone(), MANY).await.unwrap().is_empty());
    session
}

/// A session comes back as it was recorded, for its token and for no other.
pub async fn a_login_session_is_found_by_its_token<S: AccountStore + LoginSessionStore>(store: &S) {
    let ada = user(store, "ada").await;
    for user_agent in [None, Some("Mozilla/5.0 (🦊; \"x\")".to_owned()), Some("y".repeat(256))] {
        let session = LoginSession { user_agent, ..session(&ada, 1) };
        store.insert_login_session(session.clone(), MANY).await.unwrap();
        let found = store.login_session(&session.token_hash).await.unwrap();
        assert_eq!(found, Some(session));
    }
    let expired = LoginSession { expires_at: at(-1_000_000), ..session(&ada, 2) };
    store.insert_login_session(expired.clone(), MANY).await.unwrap();
    let found = store.login_session(&expired.token_hash).await.unwrap();
    assert_eq!(found, Some(expired), "whether it has expired is the caller's to say");
    assert_eq!(store.login_session(&[0; 32]).await.unwrap(), None);
}

/// A use moves the end of a session; a use of no session is nothing.
pub async fn a_login_session_lives_on_by_use<S: AccountStore + LoginSessionStore>(store: &S) {
    let ada = user(store, "ada").await;
    let (one, two) = (insert(store, &ada, 1).await, insert(store, &ada, 2).await);
    store.touch_login_session(one.id, at(5), at(2_000)).await.unwrap();
    store.touch_login_session(LoginSessionId::generate(), at(5), at(2_000)).await.unwrap();
    let expected = LoginSession { last_used_at: at(5), expires_at: at(2_000), ..one };
    assert_eq!(store.login_session(&expected.token_hash).await.unwrap(), Some(expected));
    assert_eq!(store.login_session(&two.token_hash).await.unwrap(), Some(two));
}

/// Of many sessions, those are named that have not ended.
pub async fn existing_login_sessions_are_told_from_others<S: AccountStore + LoginSessionStore>(
    store: &S,
) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let (one, two) = (insert(store, &ada, 1).await, insert(store, &bob, 2).await);
    let ended = insert(store, &ada, 3).await;
    assert!(store.end_login_session(&ada, ended.id).await.unwrap());
    let expired = LoginSession { expires_at: at(-1_000_000), ..session(&ada, 4) };
    store.insert_login_session(expired.clone(), MANY).await.unwrap();
    let asked = [one.id, LoginSessionId::generate(), ended.id, two.id, expired.id];
    let found = store.existing_login_sessions(&asked).await.unwrap();
    assert_eq!(BTreeSet::from_iter(found), BTreeSet::from([one.id, two.id, expired.id]));
    assert!(store.existing_login_sessions(&[]).await.unwrap().is_empty());
}

/// A user sees the user's own sessions, the last used first.
pub async fn login_sessions_are_listed_by_use<S: AccountStore + LoginSessionStore>(store: &S) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let (one, two, three) =
        (insert(store, &ada, 2).await, insert(store, &ada, 3).await, insert(store, &ada, 1).await);
    insert(store, &bob, 4).await;
    let listed = store.login_sessions(&ada).await.unwrap();
    assert_eq!(listed, [two.clone(), one.clone(), three.clone()]);
    store.touch_login_session(three.id, at(9), at(1_001)).await.unwrap();
    let listed: Vec<_> =
        store.login_sessions(&ada).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(listed, [three.id, two.id, one.id]);
    assert!(store.login_sessions(&"nobody".parse().unwrap()).await.unwrap().is_empty());
}

/// One login too many ends the session that was not used for longest, never the new one.
pub async fn the_least_recently_used_login_sessions_end<S: AccountStore + LoginSessionStore>(
    store: &S,
) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let bobs = insert(store, &bob, 0).await;
    let (one, two, three) =
        (insert(store, &ada, 5).await, insert(store, &ada, 3).await, insert(store, &ada, 4).await);
    let four = session(&ada, 1);
    assert_eq!(store.insert_login_session(four.clone(), 3).await.unwrap(), [two.id]);
    assert_eq!(store.login_session(&two.token_hash).await.unwrap(), None);
    let five = session(&ada, 6);
    let ended = store.insert_login_session(five.clone(), 2).await.unwrap();
    assert_eq!(BTreeSet::from_iter(ended), BTreeSet::from([three.id, four.id]));
    assert_eq!(store.login_sessions(&ada).await.unwrap(), [five, one]);
    let six = session(&ada, 0);
    assert_eq!(store.insert_login_session(six.clone(), 1).await.unwrap().len(), 2);
    assert_eq!(store.login_sessions(&ada).await.unwrap(), [six]);
    assert_eq!(store.login_sessions(&bob).await.unwrap(), [bobs]);
}

/// The limit holds for logins at the same moment, too.
pub async fn logins_at_once_keep_to_the_limit<S: AccountStore + LoginSessionStore>(store: &S) {
    let ada = user(store, "ada").await;
    let logins = (0..20).map(|n| store.insert_login_session(session(&ada, n), 5));
    let ended: Vec<_> = join_all(logins).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(ended.len(), 15);
    assert_eq!(BTreeSet::from_iter(ended).len(), 15, "each ends once");
    assert_eq!(store.login_sessions(&ada).await.unwrap().len(), 5);
}

/// Nobody ends the session of somebody else, and nobody ends one twice.
pub async fn a_login_session_is_ended_by_its_user<S: AccountStore + LoginSessionStore>(store: &S) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let (one, two) = (insert(store, &ada, 1).await, insert(store, &ada, 2).await);
    assert!(!store.end_login_session(&bob, one.id).await.unwrap());
    assert!(store.login_session(&one.token_hash).await.unwrap().is_some());
    assert!(store.end_login_session(&ada, one.id).await.unwrap());
    assert!(!store.end_login_session(&ada, one.id).await.unwrap());
    assert_eq!(store.login_session(&one.token_hash).await.unwrap(), None);
    assert_eq!(store.login_sessions(&ada).await.unwrap(), [two]);
}

/// Logging out everywhere ends all sessions of the user, or all but the present one.
pub async fn all_other_login_sessions_end<S: AccountStore + LoginSessionStore>(store: &S) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let bobs = insert(store, &bob, 1).await;
    let (one, two, three) =
        (insert(store, &ada, 1).await, insert(store, &ada, 2).await, insert(store, &ada, 3).await);
    let ended = store.end_login_sessions(&ada, Some(two.id)).await.unwrap();
    assert_eq!(BTreeSet::from_iter(ended), BTreeSet::from([one.id, three.id]));
    assert_eq!(store.login_sessions(&ada).await.unwrap(), std::slice::from_ref(&two));
    let ended = store.end_login_sessions(&ada, Some(bobs.id)).await.unwrap();
    assert_eq!(ended, [two.id], "the session of another user is no exception");
    insert(store, &ada, 4).await;
    assert_eq!(store.end_login_sessions(&ada, None).await.unwrap().len(), 1);
    assert!(store.end_login_sessions(&ada, None).await.unwrap().is_empty());
    assert_eq!(store.login_sessions(&bob).await.unwrap(), [bobs]);
}

/// What expired before now is forgotten; what ends now or later is not.
pub async fn expired_login_sessions_are_removed<S: AccountStore + LoginSessionStore>(store: &S) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    insert(store, &ada, 1).await;
    insert(store, &bob, 2).await;
    let (three, four) = (insert(store, &ada, 3).await, insert(store, &bob, 4).await);
    assert_eq!(store.remove_expired_login_sessions(at(1_003)).await.unwrap(), 2);
    assert_eq!(store.remove_expired_login_sessions(at(1_003)).await.unwrap(), 0);
    assert_eq!(store.login_sessions(&ada).await.unwrap(), [three]);
    assert_eq!(store.login_sessions(&bob).await.unwrap(), [four]);
}

/// A login that cannot be recorded ends no other: neither one of nobody, nor one whose token or id
/// is there already.
pub async fn a_login_that_fails_ends_nothing<S: AccountStore + LoginSessionStore>(store: &S) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let (one, two) = (insert(store, &ada, 1).await, insert(store, &ada, 2).await);
    let bobs = insert(store, &bob, 3).await;
    for fails in [
        session(&"nobody".parse().unwrap(), 4),
        LoginSession { token_hash: bobs.token_hash, ..session(&ada, 4) },
        LoginSession { id: bobs.id, ..session(&ada, 4) },
    ] {
        assert!(store.insert_login_session(fails, 1).await.is_err());
    }
    assert_eq!(store.login_sessions(&ada).await.unwrap(), [two, one]);
    assert_eq!(store.login_session(&bobs.token_hash).await.unwrap(), Some(bobs));
}

/// Even where none is allowed the new one stays: it is the others that end.
pub async fn a_new_login_session_never_ends_itself<S: AccountStore + LoginSessionStore>(store: &S) {
    let ada = user(store, "ada").await;
    let one = insert(store, &ada, 9).await;
    let two = session(&ada, 1);
    assert_eq!(store.insert_login_session(two.clone(), 0).await.unwrap(), [one.id]);
    let three = session(&ada, 0);
    assert_eq!(store.insert_login_session(three.clone(), usize::MAX).await.unwrap(), []);
    assert_eq!(store.login_sessions(&ada).await.unwrap(), [two, three]);
}

/// Of calls at once that end a session, one is told.
pub async fn a_login_session_ends_once<S: AccountStore + LoginSessionStore>(store: &S) {
    let ada = user(store, "ada").await;
    let one = insert(store, &ada, 1).await;
    let ends = join_all((0..8).map(|_| store.end_login_session(&ada, one.id))).await;
    assert_eq!(ends.into_iter().map(Result::unwrap).filter(|ended| *ended).count(), 1);
    for second in 0..6 {
        insert(store, &ada, second).await;
    }
    let ends = join_all((0..4).map(|_| store.end_login_sessions(&ada, None))).await;
    let ended: Vec<_> = ends.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!((ended.len(), BTreeSet::from_iter(ended).len()), (6, 6));
}

/// The first time and the last are times like others, and a text of 256 characters is kept
/// whatever they take.
pub async fn login_sessions_reach_over_all_of_time<S: AccountStore + LoginSessionStore>(store: &S) {
    let ada = user(store, "ada").await;
    let edges = [Timestamp::MIN, Timestamp::from_second(Timestamp::MAX.as_second()).unwrap()];
    for time in edges {
        let new = LoginSession {
            created_at: time,
            last_used_at: time,
            expires_at: time,
            user_agent: Some("🦊".repeat(256)),
            ..session(&ada, 0)
        };
        store.insert_login_session(new.clone(), MANY).await.unwrap();
        assert_eq!(store.login_session(&new.token_hash).await.unwrap(), Some(new));
    }
    let used = store.login_sessions(&ada).await.unwrap().into_iter().map(|one| one.last_used_at);
    assert_eq!(used.collect::<Vec<_>>(), [edges[1], edges[0]]);
    assert_eq!(store.remove_expired_login_sessions(edges[0]).await.unwrap(), 0);
    assert_eq!(store.remove_expired_login_sessions(edges[1]).await.unwrap(), 1);
    assert_eq!(store.login_sessions(&ada).await.unwrap().len(), 1);
}
