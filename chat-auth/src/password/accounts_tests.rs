use std::net::IpAddr;
use std::time::Duration;

use chat_core::MemoryStore;
use chat_core::auth::{AuthError, Authenticator, Identity};
use chat_core::store::{Account, MockAccountStore, MockLoginSessionStore};

use super::*;
use crate::{HashCost, SESSION_TOKEN_PREFIX};

fn cheap() -> PasswordAccountsConfig {
    PasswordAccountsConfig {
        cost: HashCost { memory_kib: 8, passes: 1 },
        ..PasswordAccountsConfig::default()
    }
}

fn over_memory(config: &PasswordAccountsConfig) -> PasswordAccounts {
    let store = Arc::new(MemoryStore::new());
    PasswordAccounts::new(store.clone(), store, config).unwrap()
}

fn over(accounts: MockAccountStore, sessions: MockLoginSessionStore) -> PasswordAccounts {
    PasswordAccounts::new(Arc::new(accounts), Arc::new(sessions), &cheap()).unwrap()
}

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

fn ada() -> Registration {
    Registration {
        username: Username::parse("ada").unwrap(),
        password: secret("correct horse"),
        display_name: None,
    }
}

fn from(address: &str) -> ClientDetails {
    let address = Some(address.parse::<IpAddr>().unwrap());
    ClientDetails { address, ..ClientDetails::default() }
}

async fn login(
    accounts: &PasswordAccounts,
    name: &str,
    password: &str,
) -> Result<Login, AccountError> {
    accounts.login(name.into(), secret(password), ClientDetails::default()).await
}

async fn identify(accounts: &PasswordAccounts, login: &Login) -> Result<Identity, AuthError> {
    accounts.authenticate(&login.token).await
}

#[tokio::test]
async fn who_registers_is_recognised_by_the_token() {
    let accounts = over_memory(&cheap());
    let client = ClientDetails { user_agent: Some("x".repeat(300)), ..ClientDetails::default() };
    let registered = accounts.register(ada(), client).await.unwrap();
    assert_eq!(registered.user.display_name.as_str(), "ada");
    assert!(registered.token.expose_secret().starts_with(SESSION_TOKEN_PREFIX));
    assert_eq!(registered.session.user_agent.as_ref().unwrap().len(), 256);

    let identity = identify(&accounts, &registered).await.unwrap();
    assert_eq!(identity.claims.id, registered.user.id);
    assert_eq!(identity.login, Some(registered.session.id));
    assert_eq!(identity.expires_at, Some(registered.session.expires_at));

    let again = login(&accounts, "ADA", "correct horse").await.unwrap();
    assert_eq!(again.user, registered.user);
    assert_ne!(again.token.expose_secret(), registered.token.expose_secret());
    assert_eq!(accounts.sessions(&again.user.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_told_alike() {
    let accounts = over_memory(&cheap());
    accounts.register(ada(), ClientDetails::default()).await.unwrap();
    for (name, password) in [
        ("ada", "wrong horse"),
        ("ada", ""),
        ("nobody", "correct horse"),
        ("not a name", "correct horse"),
        ("", ""),
        (&"x".repeat(10_000), "correct horse"),
    ] {
        let refused = login(&accounts, name, password).await.unwrap_err();
        assert!(matches!(refused, AccountError::InvalidCredentials), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn short_passwords_and_taken_names_are_refused() {
    let accounts = over_memory(&cheap());
    let short = Registration { password: secret("1234567"), ..ada() };
    let refused = accounts.register(short, ClientDetails::default()).await.unwrap_err();
    assert!(matches!(refused, AccountError::PasswordLength { min: 8, max: 128, actual: 7 }));
    accounts.register(ada(), ClientDetails::default()).await.unwrap();
    let other = Registration { username: Username::parse("ADA").unwrap(), ..ada() };
    let refused = accounts.register(other, ClientDetails::default()).await.unwrap_err();
    assert!(matches!(refused, AccountError::UsernameTaken));
}

#[tokio::test]
async fn a_new_password_ends_all_sessions() {
    let accounts = over_memory(&cheap());
    let first = accounts.register(ada(), ClientDetails::default()).await.unwrap();
    let second = login(&accounts, "ada", "correct horse").await.unwrap();
    let change = |current: &str| PasswordChange {
        user: first.user.id.clone(),
        current: secret(current),
        new: secret("battery staple"),
    };
    let refused = accounts.change_password(change("wrong horse"), ClientDetails::default()).await;
    assert!(matches!(refused, Err(AccountError::InvalidCredentials)));
    assert!(identify(&accounts, &first).await.is_ok(), "nothing happened");

    let changed =
        accounts.change_password(change("correct horse"), ClientDetails::default()).await.unwrap();
    let mut ended = changed.ended.clone();
    ended.sort();
    let mut expected = vec![first.session.id, second.session.id];
    expected.sort();
    assert_eq!(ended, expected);
    for old in [&first, &second] {
        assert!(matches!(identify(&accounts, old).await, Err(AuthError::Invalid)));
    }
    assert!(identify(&accounts, &changed).await.is_ok());
    assert!(login(&accounts, "ada", "correct horse").await.is_err());
    assert!(login(&accounts, "ada", "battery staple").await.is_ok());
}

#[tokio::test]
async fn an_operator_can_give_another_password() {
    let accounts = over_memory(&cheap());
    let old = accounts.register(ada(), ClientDetails::default()).await.unwrap();
    let new = secret("battery staple");
    let ended = accounts.reset_password(&old.user.id, &new).await.unwrap().unwrap();
    assert_eq!(ended, [old.session.id]);
    assert!(login(&accounts, "ada", "correct horse").await.is_err());
    assert!(login(&accounts, "ada", "battery staple").await.is_ok());
    assert_eq!(accounts.reset_password(&"ben".parse().unwrap(), &new).await.unwrap(), None);
    let short = accounts.reset_password(&old.user.id, &secret("short")).await;
    assert!(matches!(short, Err(AccountError::PasswordLength { .. })));
}

#[tokio::test]
async fn one_session_too_many_ends_the_oldest() {
    let accounts = over_memory(&PasswordAccountsConfig { sessions_per_user: 2, ..cheap() });
    let first = accounts.register(ada(), ClientDetails::default()).await.unwrap();
    let second = login(&accounts, "ada", "correct horse").await.unwrap();
    let third = login(&accounts, "ada", "correct horse").await.unwrap();
    assert_eq!(third.ended, [first.session.id]);
    assert!(identify(&accounts, &first).await.is_err());
    assert!(identify(&accounts, &second).await.is_ok());
}

#[tokio::test]
async fn a_session_that_was_ended_is_not_accepted() {
    let accounts = over_memory(&cheap());
    let first = accounts.register(ada(), ClientDetails::default()).await.unwrap();
    let second = login(&accounts, "ada", "correct horse").await.unwrap();
    let user = &first.user.id;
    assert!(!accounts.end_session(&"ben".parse().unwrap(), first.session.id).await.unwrap());
    assert!(accounts.end_session(user, first.session.id).await.unwrap());
    assert!(!accounts.end_session(user, first.session.id).await.unwrap());
    assert!(matches!(identify(&accounts, &first).await, Err(AuthError::Invalid)));
    assert!(identify(&accounts, &second).await.is_ok());
    assert_eq!(accounts.end_sessions(user, None).await.unwrap(), [second.session.id]);
}

#[tokio::test]
async fn guessing_at_one_account_has_to_wait_and_asks_no_hash() {
    let accounts = over_memory(&cheap());
    accounts.register(ada(), ClientDetails::default()).await.unwrap();
    for _ in 0..5 {
        assert!(matches!(
            login(&accounts, "ada", "wrong horse").await,
            Err(AccountError::InvalidCredentials)
        ));
    }
    let Err(AccountError::RateLimited { retry_after }) =
        login(&accounts, "ada", "correct horse").await
    else {
        panic!("the sixth try must wait");
    };
    assert!(retry_after <= Duration::from_secs(12), "{retry_after:?}");
}

#[tokio::test]
async fn guesses_made_at_once_are_counted_as_if_made_in_turn() {
    let accounts = over_memory(&cheap());
    accounts.register(ada(), ClientDetails::default()).await.unwrap();
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let accounts = accounts.clone();
        guesses.spawn(async move { login(&accounts, "ada", "wrong horse").await.unwrap_err() });
    }
    let refusals = guesses.join_all().await;
    let checked =
        refusals.iter().filter(|error| matches!(error, AccountError::InvalidCredentials)).count();
    assert_eq!(checked, 5);
}

/// Somebody without a device that is known fails until there is no more to fail.
async fn guesses_until_refused(accounts: &PasswordAccounts, address: &str) {
    for _ in 0..100 {
        match accounts.login("ada".into(), secret("wrong horse"), from(address)).await {
            Err(AccountError::InvalidCredentials) => {}
            Err(AccountError::RateLimited { .. }) => return,
            other => panic!("{other:?}"),
        }
    }
    panic!("guessing is limited");
}

fn on(device: &Login, address: &str) -> ClientDetails {
    let device_token = device.device.as_ref().map(|device| device.token.clone());
    ClientDetails { device_token, ..from(address) }
}

async fn logs_in(
    accounts: &PasswordAccounts,
    client: ClientDetails,
) -> Result<Login, AccountError> {
    accounts.login("ada".into(), secret("correct horse"), client).await
}

#[tokio::test]
async fn who_has_logged_in_before_is_not_kept_out_by_others_who_guess() {
    let accounts = over_memory(&cheap());
    let first = accounts.register(ada(), from("192.0.2.1")).await.unwrap();
    guesses_until_refused(&accounts, "198.51.100.1").await;
    // Often enough that it would not go unnoticed if it gave the others more to fail.
    for _ in 0..7 {
        let again = logs_in(&accounts, on(&first, "203.0.113.1")).await;
        assert!(again.is_ok(), "the device, wherever it is: {again:?}");
        let again = logs_in(&accounts, from("192.0.2.1")).await;
        assert!(again.is_ok(), "the address, without the device: {again:?}");
        let refused =
            accounts.login("ada".into(), secret("wrong horse"), from("198.51.100.1")).await;
        assert!(matches!(refused, Err(AccountError::RateLimited { .. })), "{refused:?}");
    }
    let stranger = logs_in(&accounts, from("198.51.100.77")).await;
    assert!(matches!(stranger, Err(AccountError::RateLimited { .. })), "{stranger:?}");
    let change = PasswordChange {
        user: first.user.id,
        current: secret("correct horse"),
        new: secret("battery staple"),
    };
    assert!(accounts.change_password(change, from("203.0.113.9")).await.is_ok(), "is logged in");
}

#[tokio::test]
async fn what_fails_on_a_device_that_is_known_has_to_wait_as_well() {
    let accounts = over_memory(&cheap());
    let first = accounts.register(ada(), from("192.0.2.1")).await.unwrap();
    let fails = async || {
        let client = on(&first, "192.0.2.1");
        accounts.login("ada".into(), secret("wrong horse"), client).await.unwrap_err()
    };
    for _ in 0..5 {
        assert!(matches!(fails().await, AccountError::InvalidCredentials));
    }
    assert!(matches!(fails().await, AccountError::RateLimited { .. }));
    assert!(logs_in(&accounts, from("198.51.100.1")).await.is_ok(), "nobody else waits for it");
}

#[tokio::test]
async fn an_address_that_all_share_gives_nobody_the_allowance_of_a_device() {
    let accounts = over_memory(&cheap());
    let first = accounts.register(ada(), from("127.0.0.1")).await.unwrap();
    guesses_until_refused(&accounts, "127.0.0.1").await;
    guesses_until_refused(&accounts, "127.0.0.2").await;
    let shared = logs_in(&accounts, from("127.0.0.1")).await;
    assert!(matches!(shared, Err(AccountError::RateLimited { .. })), "{shared:?}");
    assert!(logs_in(&accounts, on(&first, "127.0.0.1")).await.is_ok());
}

#[tokio::test]
async fn a_device_is_known_to_every_server_with_the_same_key_and_to_no_other() {
    let store = Arc::new(MemoryStore::new());
    let server = |key: Option<&[u8; 32]>| {
        let accounts = PasswordAccounts::new(store.clone(), store.clone(), &cheap()).unwrap();
        match key {
            Some(key) => accounts.with_device_key(&HmacKey::new(key).unwrap()),
            None => accounts,
        }
    };
    let first = server(Some(&[7; 32])).register(ada(), from("192.0.2.1")).await.unwrap();
    for (key, is_known) in [(Some(&[7; 32]), true), (Some(&[8; 32]), false), (None, false)] {
        let server = server(key);
        guesses_until_refused(&server, "198.51.100.1").await;
        assert_eq!(logs_in(&server, on(&first, "203.0.113.1")).await.is_ok(), is_known);
    }
}

#[tokio::test]
async fn right_passwords_at_once_are_no_failures() {
    let accounts = over_memory(&cheap());
    let first = accounts.register(ada(), from("127.0.0.1")).await.unwrap();
    for client in [from("127.0.0.2"), from("127.0.0.1"), on(&first, "192.0.2.1")] {
        let mut logins = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let (accounts, client) = (accounts.clone(), client.clone());
            logins.spawn(async move { logs_in(&accounts, client).await });
        }
        for login in logins.join_all().await {
            login.unwrap();
        }
    }
}

#[tokio::test]
async fn who_is_told_that_there_is_no_room_has_tried_nothing() {
    let accounts = over_memory(&PasswordAccountsConfig { workers: 1, queue: 3, ..cheap() });
    let guess = async || {
        let client = from("198.51.100.1");
        accounts.login("ada".into(), secret("wrong horse"), client).await.unwrap_err()
    };
    let places: Vec<_> =
        (0..4).map(|_| accounts.hasher.place(Priority::Unknown).unwrap()).collect();
    for _ in 0..50 {
        assert!(matches!(guess().await, AccountError::Busy));
    }
    drop(places);
    for _ in 0..5 {
        assert!(matches!(guess().await, AccountError::InvalidCredentials));
    }
    assert!(matches!(guess().await, AccountError::RateLimited { .. }));
}

#[tokio::test]
async fn one_address_has_ten_tries_a_minute_unless_it_is_loopback() {
    let accounts = over_memory(&cheap());
    let tries = async |address: &str| {
        let mut refused = 0;
        for number in 0..12 {
            let name = format!("nobody{number}");
            let result = accounts.login(name, secret("wrong horse"), from(address)).await;
            refused += usize::from(matches!(result, Err(AccountError::RateLimited { .. })));
        }
        refused
    };
    assert_eq!(tries("192.0.2.7").await, 2);
    assert_eq!(tries("127.0.0.1").await, 0);
}

#[tokio::test]
async fn tokens_of_another_form_cost_no_look_into_the_store() {
    let accounts = over(MockAccountStore::new(), MockLoginSessionStore::new());
    for token in ["", "chs_", "eyJhbGciOiJIUzI1NiJ9.e30.x", "chs_short"] {
        let refused = accounts.authenticate(&secret(token)).await;
        assert!(matches!(refused, Err(AuthError::Invalid)), "{token}");
    }
}

/// A session that was last used some time ago, and ends some time after that.
fn session(used_ago: SignedDuration, lifetime: SignedDuration) -> LoginSession {
    let last_used_at = Timestamp::now() - used_ago;
    LoginSession {
        id: LoginSessionId::generate(),
        user_id: "ada".parse().unwrap(),
        token_hash: [0; 32],
        user_agent: None,
        created_at: last_used_at,
        last_used_at,
        expires_at: last_used_at + lifetime,
    }
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn authenticate_over(sessions: MockLoginSessionStore) -> Result<Identity, AuthError> {
    let token = SessionToken::generate().unwrap().into_secret();
    over(MockAccountStore::new(), sessions).authenticate(&token).await
}

#[tokio::test]
async fn a_use_moves_the_end_of_a_session_once_a_minute() {
    for (used_ago, touches) in [(59, 0), (61, 1)] {
        let session = session(SignedDuration::from_secs(used_ago), DAY * 2);
        let (id, end) = (session.id, session.expires_at);
        let mut sessions = MockLoginSessionStore::new();
        sessions.expect_login_session().returning(move |_| Ok(Some(session.clone())));
        sessions
            .expect_touch_login_session()
            .withf(move |touched, used, expires| *touched == id && *expires == *used + DAY * 30)
            .times(touches)
            .returning(|_, _, _| Ok(()));
        let identity = authenticate_over(sessions).await.unwrap();
        assert_eq!(identity.expires_at.unwrap() > end, touches == 1);
    }
}

#[tokio::test]
async fn a_session_that_has_expired_is_told_so() {
    let session = session(DAY * 31, DAY * 30);
    let mut sessions = MockLoginSessionStore::new();
    sessions.expect_login_session().returning(move |_| Ok(Some(session.clone())));
    assert!(matches!(authenticate_over(sessions).await, Err(AuthError::Expired)));
}

#[tokio::test]
async fn a_store_that_fails_is_no_wrong_token_and_no_wrong_password() {
    let mut sessions = MockLoginSessionStore::new();
    sessions.expect_login_session().returning(|_| Err(StoreError::unavailable("down")));
    assert!(matches!(authenticate_over(sessions).await, Err(AuthError::Unavailable(_))));

    let session = session(SignedDuration::from_secs(61), DAY);
    let mut sessions = MockLoginSessionStore::new();
    sessions.expect_login_session().returning(move |_| Ok(Some(session.clone())));
    sessions
        .expect_touch_login_session()
        .returning(|_, _, _| Err(StoreError::unavailable("read only")));
    assert!(authenticate_over(sessions).await.is_ok(), "a use that is not recorded is a use");

    let mut stored = MockAccountStore::new();
    stored.expect_account_by_name().returning(|_| Err(StoreError::unavailable("down")));
    let accounts = over(stored, MockLoginSessionStore::new());
    for _ in 0..20 {
        let refused = login(&accounts, "ada", "correct horse").await;
        assert!(matches!(refused, Err(AccountError::Store(_))), "and is not counted as a guess");
    }
}

#[tokio::test]
async fn a_login_that_overlaps_a_change_of_the_password_does_not_outlive_it() {
    let hasher = PasswordHasher::new(cheap().cost, 1, 1).unwrap();
    let hasher = hasher.place(Priority::Unknown).unwrap();
    let old = hasher.hash(secret("correct horse")).await.unwrap();
    let new = hasher.hash(secret("battery staple")).await.unwrap();
    let account = |password_hash: &SecretString| Account {
        user: User {
            id: "u-1".parse().unwrap(),
            username: Username::parse("ada").unwrap(),
            display_name: DisplayName::parse("Ada").unwrap(),
            created_at: Timestamp::now(),
            last_seen_at: None,
        },
        password_hash: password_hash.clone(),
    };
    let (before, after) = (account(&old), account(&new));
    let mut stored = MockAccountStore::new();
    stored.expect_account_by_name().returning(move |_| Ok(Some(before.clone())));
    stored.expect_account().returning(move |_| Ok(Some(after.clone())));
    let mut sessions = MockLoginSessionStore::new();
    sessions.expect_insert_login_session().times(1).returning(|_, _| Ok(Vec::new()));
    sessions.expect_end_login_session().times(1).returning(|_, _| Ok(true));
    let refused = login(&over(stored, sessions), "ada", "correct horse").await;
    assert!(matches!(refused, Err(AccountError::InvalidCredentials)));
}

#[tokio::test]
async fn a_login_that_is_refused_at_last_ends_no_other_session() {
    let store = Arc::new(MemoryStore::new());
    let real = PasswordAccounts::new(store.clone(), store.clone(), &cheap()).unwrap();
    let first = real.register(ada(), ClientDetails::default()).await.unwrap();
    let before = store.account(&first.user.id).await.unwrap().unwrap();
    let after = Account { password_hash: secret("another hash"), ..before.clone() };
    let mut stored = MockAccountStore::new();
    stored.expect_account_by_name().returning(move |_| Ok(Some(before.clone())));
    stored.expect_account().returning(move |_| Ok(Some(after.clone())));
    let one = PasswordAccountsConfig { sessions_per_user: 1, ..cheap() };
    let racing = PasswordAccounts::new(Arc::new(stored), store, &one).unwrap();
    let refused = login(&racing, "ada", "correct horse").await;
    assert!(matches!(refused, Err(AccountError::InvalidCredentials)));
    let left = real.sessions(&first.user.id).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, first.session.id, "nobody would be told that it ended");
}

#[tokio::test]
async fn diagnostics_show_no_secret() {
    let accounts = over_memory(&cheap());
    let login = accounts.register(ada(), ClientDetails::default()).await.unwrap();
    let shown = format!("{accounts:?} {login:?} {:?}", ada());
    assert!(!shown.contains(login.token.expose_secret()), "{shown}");
    assert!(!shown.contains("argon2") && !shown.contains("horse"), "{shown}");
}

#[test]
fn impossible_configurations_are_refused() {
    let store = Arc::new(MemoryStore::new());
    for config in [
        PasswordAccountsConfig { workers: 0, ..cheap() },
        PasswordAccountsConfig { sessions_per_user: 0, ..cheap() },
        PasswordAccountsConfig { session_lifetime: Duration::MAX, ..cheap() },
        PasswordAccountsConfig { cost: HashCost { memory_kib: 1, passes: 1 }, ..cheap() },
    ] {
        assert!(PasswordAccounts::new(store.clone(), store.clone(), &config).is_err());
    }
}
