//! `/auth`: accounts, logins, passwords.

use std::time::Duration;

use chat_core::Outgoing;
use chat_core::auth::{Identity, UserClaims};
use chat_core::proto::CloseCode;
use chat_http::{CallerId, SessionCookie};
use serde_json::{Value, json};

use crate::support::{Answer, Api, Client};

fn account(username: &str, password: &str) -> Value {
    json!({"username": username, "password": password})
}

/// The cookie of an answer, as a browser sends it back: its name and value only.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

async fn registers(api: &Api, username: &str) -> (Client, Value) {
    let answer = api.anonymous().post("/auth/register", account(username, "correct horse")).await;
    let login = answer.ok(201);
    (api.bearer(login["token"].as_str().unwrap()), login)
}

#[tokio::test]
async fn registering_logs_in_by_token_and_by_cookie() {
    let api = Api::start();
    let mut ada = account("ada", "correct horse");
    ada["displayName"] = json!(" Ada L. ");
    let answer = api.anonymous().post("/auth/register", ada).await;
    let login = answer.ok(201);
    assert_eq!(login["user"]["username"], "ada");
    assert_eq!(login["user"]["displayName"], "Ada L.");
    assert!(login["user"]["id"].is_string() && login["expiresAt"].is_string());

    let cookie = cookie(&answer);
    assert!(cookie.starts_with("sid="), "{cookie}");
    for client in [
        api.bearer(login["token"].as_str().unwrap()),
        api.anonymous().with("cookie", &format!("theme=dark; {cookie}")),
    ] {
        let me = client.get("/auth/me").await.ok(200);
        assert_eq!(me["id"], login["user"]["id"]);
        assert_eq!(me["username"], "ada");
        assert_eq!(me["expiresAt"], login["expiresAt"]);
    }
}

#[tokio::test]
async fn a_secure_server_writes_secure_cookies_and_reads_no_others() {
    let api = Api::with(Default::default(), |config| config.session_cookie = SessionCookie::Secure);
    let answer = api.anonymous().post("/auth/register", account("ada", "correct horse")).await;
    let written = answer.header("set-cookie").unwrap();
    assert!(written.starts_with("__Host-sid="), "{written}");
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=8"] {
        assert!(written.contains(&format!("; {attribute}")), "{written}");
    }
    assert!(!written.contains("Domain"));
    api.anonymous().with("cookie", &cookie(&answer)).get("/auth/me").await.ok(200);
    api.browser("ada").get("/auth/me").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_login_is_another_session() {
    let api = Api::start();
    let (_, first) = registers(&api, "ada").await;
    let answer = api.anonymous().post("/auth/login", account("ada", "correct horse")).await;
    let second = answer.ok(200);
    assert_eq!(second["user"]["id"], first["user"]["id"]);
    assert_ne!(second["token"], first["token"]);
    api.anonymous().with("cookie", &cookie(&answer)).get("/auth/me").await.ok(200);
}

#[tokio::test]
async fn a_device_is_handed_its_token_and_sends_it_back_by_cookie_or_by_field() {
    let api = Api::start();
    let answer = api.anonymous().post("/auth/register", account("ada", "correct horse")).await;
    assert_eq!(answer.ok(201)["deviceToken"], "ada.");
    let written: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(written.len(), 2);
    let device = written[1].to_str().unwrap();
    assert!(
        device.starts_with("device=ada.; HttpOnly; SameSite=Lax; Path=/; Max-Age=172"),
        "{device}"
    );
    let browser = api.anonymous().with("cookie", "sid=old; device=x.");
    let login = browser.post("/auth/login", account("ada", "correct horse")).await.ok(200);
    assert_eq!(login["deviceToken"], "x.ada.");
    let mut program = account("ada", "correct horse");
    program["deviceToken"] = json!("y.");
    let login = browser.post("/auth/login", program).await.ok(200);
    assert_eq!(login["deviceToken"], "y.ada.", "what is sent on purpose counts");
    let token = login["token"].as_str().unwrap();
    let left = api.bearer(token).post_nothing("/auth/logout").await;
    assert_eq!(left.headers.get_all("set-cookie").iter().count(), 1, "the device stays known");
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_are_the_same() {
    let api = Api::start();
    registers(&api, "ada").await;
    let somebody = api.anonymous().with("x-request-id", "the-same");
    let wrong_password = somebody.post("/auth/login", account("ada", "wrong")).await;
    let wrong_name = somebody.post("/auth/login", account("nobody", "wrong")).await;
    wrong_password.problem(401, "invalid_credentials");
    assert_eq!(wrong_password, wrong_name);
    assert_eq!(wrong_password.header("set-cookie"), None);
}

#[tokio::test]
async fn what_is_wrong_with_a_registration_is_named() {
    let api = Api::start();
    registers(&api, "ada").await;
    for (form, status, code, field) in [
        (account("ada", "correct horse"), 409, "username_taken", "username"),
        (account("", "correct horse"), 422, "text_empty", "username"),
        (account("a b", "correct horse"), 422, "text_invalid", "username"),
        (account(&"x".repeat(65), "correct horse"), 422, "text_too_long", "username"),
        (account("bo", "short"), 422, "invalid_payload", "password"),
        (account("bo", &"x".repeat(129)), 422, "text_too_long", "password"),
        (json!({"username": "bo"}), 422, "invalid_payload", "password"),
        (json!({"password": "correct horse"}), 422, "invalid_payload", "username"),
        (json!({"username": 1, "password": "x"}), 422, "invalid_payload", "username"),
        (
            json!({"username": "bo", "password": "correct horse", "displayName": ""}),
            422,
            "text_empty",
            "displayName",
        ),
    ] {
        let problem = api.anonymous().post("/auth/register", form).await.problem(status, code);
        assert_eq!(problem["field"], field);
    }
}

#[tokio::test]
async fn a_password_is_never_repeated() {
    let api = Api::start();
    for form in [
        json!({"username": "ada", "password": 31_415_926}),
        json!({"username": "ada", "password": ["31415926"]}),
        json!({"username": "ada", "password": {"31415926": 1}}),
    ] {
        for path in ["/auth/register", "/auth/login"] {
            let answer = api.anonymous().post(path, form.clone()).await;
            assert_eq!(answer.problem(422, "invalid_payload")["field"], "password");
            assert!(!String::from_utf8_lossy(&answer.bytes).contains("31415926"));
        }
    }
}

#[tokio::test]
async fn limits_on_logins_are_told() {
    let api = Api::start();
    let flooded = api.anonymous().post("/auth/login", account("flooded", "x")).await;
    assert_eq!(flooded.problem(429, "rate_limited")["retryAfterMs"], 2_500);
    assert_eq!(flooded.header("retry-after"), Some("3"));
    let busy = api.anonymous().post("/auth/login", account("busy", "x")).await;
    busy.problem(503, "unavailable");
}

#[tokio::test]
async fn a_logout_ends_the_session() {
    let api = Api::start();
    let (ada, _) = registers(&api, "ada").await;
    let answer = ada.post_nothing("/auth/logout").await;
    answer.ok(204);
    assert!(answer.header("set-cookie").unwrap().starts_with("sid=; "));
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    ada.get("/auth/me").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn whoever_is_logged_out_already_loses_the_cookie_all_the_same() {
    let api = Api::start();
    for client in [api.browser("expired"), api.browser("forged"), api.bearer("expired")] {
        let answer = client.post_nothing("/auth/logout").await;
        answer.ok(204);
        assert!(answer.header("set-cookie").unwrap().starts_with("sid=; "));
        assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    }
    let evil = api.browser("expired").with("origin", "https://evil.example");
    let refused = evil.post_nothing("/auth/logout").await;
    refused.problem(403, "origin_not_allowed");
    assert_eq!(refused.header("set-cookie"), None);
    // It may still be good.
    let unlucky = api.browser("unlucky").post_nothing("/auth/logout").await;
    unlucky.problem(503, "unavailable");
    assert_eq!(unlucky.header("set-cookie"), None);
    api.anonymous().post_nothing("/auth/logout").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_cookie_lasts_as_long_as_its_session() {
    let api = Api::start();
    let answer = api.anonymous().post("/auth/register", account("ada", "correct horse")).await;
    let (token, cookie) = (answer.ok(201)["token"].clone(), cookie(&answer));
    let browser = api.anonymous().with("cookie", &cookie);
    let renewed = browser.get("/auth/me").await;
    renewed.ok(200);
    let renewed = renewed.header("set-cookie").unwrap();
    assert!(renewed.starts_with(&format!("{cookie}; HttpOnly; SameSite=Lax")), "{renewed}");
    // A day, but for the moment since.
    assert!(renewed.contains("; Max-Age=86"), "{renewed}");
    // What a program holds it keeps by itself, and a cookie of the host's own is the host's.
    let program = api.bearer(token.as_str().unwrap());
    assert_eq!(program.get("/auth/me").await.header("set-cookie"), None);
    assert_eq!(api.browser("bo").get("/auth/me").await.header("set-cookie"), None);
    assert_eq!(browser.get("/limits").await.header("set-cookie"), None);
}

#[tokio::test]
async fn the_host_is_told_who_asked() {
    let api = Api::start();
    let caller = |answer: &Answer| answer.caller.as_ref().map(|CallerId(id)| id.to_string());
    let ada = Some("ada".to_owned());
    assert_eq!(caller(&api.ada().get("/auth/me").await), ada);
    assert_eq!(caller(&api.browser("ada").get("/limits").await), ada);
    let missing = api.ada().get("/users/nobody").await;
    missing.problem(404, "not_found");
    assert_eq!(caller(&missing), ada);
    assert_eq!(caller(&api.bearer("forged").get("/auth/me").await), None);
    assert_eq!(caller(&api.anonymous().get("/auth/me").await), None);
    let answer = api.anonymous().post("/auth/register", account("bo", "correct horse")).await;
    assert_eq!(caller(&answer).as_deref(), answer.ok(201)["user"]["id"].as_str());
}

#[tokio::test]
async fn a_logout_without_a_session_still_takes_the_cookie() {
    let api = Api::start();
    let answer = api.browser("ada").post_nothing("/auth/logout").await;
    answer.ok(204);
    assert!(answer.header("set-cookie").is_some());
}

#[tokio::test]
async fn a_logout_ends_live_connections_of_the_same_session() {
    let api = Api::start();
    let (ada, _) = registers(&api, "ada").await;
    let me = ada.get("/auth/me").await.ok(200);
    let identity = Identity {
        claims: UserClaims::of(me["id"].as_str().unwrap().parse().unwrap()),
        login: Some(me["sessionId"].as_str().unwrap().parse().unwrap()),
        expires_at: None,
    };
    let mut session = api.chat.attach(&identity).await.unwrap();
    ada.post_nothing("/auth/logout").await.ok(204);
    let closed = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if let Outgoing::Close(code) = session.next().await {
                return code;
            }
        }
    });
    assert_eq!(closed.await.unwrap(), CloseCode::SessionRevoked);
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_but_the_new_one() {
    let api = Api::start();
    let (first, _) = registers(&api, "ada").await;
    let change = json!({"currentPassword": "correct horse", "newPassword": "battery staple"});
    let answer = first.post("/auth/password", change).await;
    let login = answer.ok(200);
    assert_eq!(login["user"]["username"], "ada");
    first.get("/auth/me").await.problem(401, "unauthenticated");
    api.bearer(login["token"].as_str().unwrap()).get("/auth/me").await.ok(200);
    api.anonymous().with("cookie", &cookie(&answer)).get("/auth/me").await.ok(200);
    let old = api.anonymous().post("/auth/login", account("ada", "correct horse")).await;
    old.problem(401, "invalid_credentials");
    api.anonymous().post("/auth/login", account("ada", "battery staple")).await.ok(200);
}

#[tokio::test]
async fn a_password_changes_only_for_who_knows_it() {
    let api = Api::start();
    let (ada, _) = registers(&api, "ada").await;
    let wrong = json!({"currentPassword": "wrong", "newPassword": "battery staple"});
    ada.post("/auth/password", wrong).await.problem(401, "invalid_credentials");
    let short = json!({"currentPassword": "correct horse", "newPassword": "x"});
    let problem = ada.post("/auth/password", short).await.problem(422, "invalid_payload");
    assert_eq!(problem["field"], "newPassword");
    ada.get("/auth/me").await.ok(200);
}

#[tokio::test]
async fn a_host_with_users_of_its_own_has_no_accounts() {
    let api = Api::with(Default::default(), |config| config.accounts = None);
    for path in ["register", "login", "logout", "password", "sessions", "sessions/x"] {
        let path = format!("/auth/{path}");
        api.ada().get(&path).await.problem(404, "not_found");
        let answer = api.ada().post(&path, account("ada", "correct horse")).await;
        answer.problem(404, "not_found");
    }
    assert_eq!(api.ada().appears().await["id"], "ada");
}

#[tokio::test]
async fn closed_registration_leaves_logins_open() {
    let api = Api::with(Default::default(), |config| config.registration = false);
    let ada = account("ada", "correct horse");
    api.anonymous().post("/auth/register", ada.clone()).await.problem(404, "not_found");
    api.anonymous().post("/auth/login", ada).await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn a_user_appears_at_first_sight() {
    let api = Api::start();
    api.ada().get("/users/bo").await.problem(404, "not_found");
    api.bo().get("/limits").await.ok(200);
    assert_eq!(api.ada().get("/users/bo").await.ok(200)["username"], "bo");
}
