//! Accounts: users who log in with a password.

use chat_proto::UserId;
use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};

use super::fixture::{named_user, new_user, user, user_id};
use crate::store::{Account, AccountStore, CreateAccount, NewAccount, NewUser, UserStore};

fn new_account(user: NewUser, hash: &str) -> NewAccount {
    NewAccount { user, password_hash: hash.into() }
}

/// An account as a pair that can be compared.
fn plain(account: Option<Account>) -> Option<(UserId, String)> {
    account.map(|one| (one.user.id, one.password_hash.expose_secret().to_owned()))
}

/// An account is found by its user's name and id, and its user is a user like others.
pub async fn an_account_is_a_user_with_a_password<S: AccountStore + UserStore>(store: &S) {
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA";
    let new = new_account(named_user("u1", "Ada", "Ada Lovelace"), hash);
    let CreateAccount::Created(ada) = store.create_account(new).await.unwrap() else {
        panic!("a free name is given");
    };
    assert_eq!((ada.username.as_str(), ada.display_name.as_str()), ("Ada", "Ada Lovelace"));
    let expected = Some((ada.id.clone(), hash.to_owned()));
    let found = store.account_by_name("ada").await.unwrap();
    assert_eq!(found.as_ref().map(|one| &one.user), Some(&ada));
    assert_eq!(plain(found), expected);
    assert_eq!(plain(store.account(&ada.id).await.unwrap()), expected);
    assert_eq!(store.user(&ada.id).await.unwrap(), Some(ada.clone()));
    let other = user(store, "bob").await;
    assert_eq!(plain(store.account(&other).await.unwrap()), None);
    assert_eq!(plain(store.account_by_name("bob").await.unwrap()), None);
    assert_eq!(plain(store.account(&user_id("nobody")).await.unwrap()), None);
    assert_eq!(plain(store.account_by_name("nobody").await.unwrap()), None);
    assert!(!store.set_password(&other, "x".into()).await.unwrap());
    assert_eq!(plain(store.account(&other).await.unwrap()), None);
}

/// Names of accounts and of other users are one set.
pub async fn an_account_needs_a_free_name<S: AccountStore + UserStore>(store: &S) {
    user(store, "paypal").await;
    for name in ["paypal", "PayPal", "paypaI"] {
        let new = new_account(named_user("u1", name, "Pay"), "hash");
        assert_eq!(store.create_account(new).await.unwrap(), CreateAccount::UsernameTaken);
    }
    assert_eq!(store.user(&user_id("u1")).await.unwrap(), None);
    assert_eq!(plain(store.account_by_name("paypal").await.unwrap()), None);
    let new = new_account(named_user("u1", "free", "Free"), "hash");
    assert!(matches!(store.create_account(new).await.unwrap(), CreateAccount::Created(_)));
}

/// Nobody can put a password on a user who is there already.
pub async fn an_account_needs_a_new_user<S: AccountStore + UserStore>(store: &S) {
    let ada = user(store, "ada").await;
    let new = new_account(named_user("ada", "other", "Other"), "hash");
    assert!(store.create_account(new).await.is_err());
    assert_eq!(plain(store.account(&ada).await.unwrap()), None);
    assert_eq!(store.user_by_name("other").await.unwrap(), None);
    assert_eq!(store.user(&ada).await.unwrap().unwrap().username.as_str(), "ada");
}

/// Of registrations of one name at the same moment, one succeeds.
pub async fn accounts_of_one_name_at_once_are_one<S: AccountStore>(store: &S) {
    let calls = (0..10).map(|n| {
        let user = named_user(&format!("user-{n}"), "ada", "Ada");
        store.create_account(new_account(user, &format!("hash {n}")))
    });
    let outcomes: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let created: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            CreateAccount::Created(user) => Some(&user.id),
            CreateAccount::UsernameTaken | CreateAccount::DisplayNameTaken => None,
        })
        .collect();
    assert_eq!(created.len(), 1);
    let account = store.account_by_name("ada").await.unwrap().unwrap();
    assert_eq!(account.user.id, *created[0]);
}

/// A new password replaces the old one, for that account only.
pub async fn a_password_is_replaced<S: AccountStore>(store: &S) {
    for name in ["ada", "bob"] {
        store.create_account(new_account(new_user(name), "old")).await.unwrap();
    }
    assert!(store.set_password(&user_id("ada"), SecretString::from("new")).await.unwrap());
    for (name, hash) in [("ada", "new"), ("bob", "old")] {
        let account = store.account(&user_id(name)).await.unwrap();
        assert_eq!(plain(account), Some((user_id(name), hash.to_owned())));
    }
    assert!(!store.set_password(&user_id("nobody"), "x".into()).await.unwrap());
}

/// Of registrations of one user at the same moment, one succeeds, and its password is the one.
pub async fn accounts_of_one_user_at_once_are_one<S: AccountStore>(store: &S) {
    let calls = (0..8).map(async |n| {
        let user = named_user("u1", &format!("name{n}"), "Ada");
        (n, store.create_account(new_account(user, &format!("hash {n}"))).await)
    });
    let outcomes = join_all(calls).await;
    let created: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(created.len(), 1);
    let (n, outcome) = created[0];
    assert!(matches!(outcome, Ok(CreateAccount::Created(_))));
    let account = store.account_by_name(&format!("name{n}")).await.unwrap();
    assert_eq!(plain(account), Some((user_id("u1"), format!("hash {n}"))));
    for other in (0..8).filter(|other| other != n) {
        assert_eq!(plain(store.account_by_name(&format!("name{other}")).await.unwrap()), None);
    }
}
