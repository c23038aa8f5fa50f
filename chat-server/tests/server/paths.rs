//! What the server answers beside the API.

use crate::support::TestServer;

#[tokio::test]
async fn health_is_told() {
    let server = TestServer::start(|_| {}).await;
    let answer = server.get("/healthz").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), serde_json::json!({"status": "ok"}));
    server.stop().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_with_a_code() {
    let server = TestServer::start(|_| {}).await;
    for (head, status, code) in [
        ("GET /nothing HTTP/1.1", 404, "not_found"),
        ("GET /../Cargo.toml HTTP/1.1", 404, "not_found"),
        ("GET /api/chat/nothing HTTP/1.1", 404, "not_found"),
        ("POST / HTTP/1.1", 404, "not_found"),
        ("DELETE /healthz HTTP/1.1", 405, "method_not_allowed"),
        ("GET /api/chat/conversations HTTP/1.1", 401, "unauthenticated"),
        ("DELETE /api/chat/rooms HTTP/1.1", 405, "method_not_allowed"),
    ] {
        let answer = server.request(&format!("{head}\r\nx-request-id: test-1"), "").await;
        assert_eq!(answer.status, status, "{head}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{head}");
        assert_eq!(answer.header("x-request-id"), "test-1", "{head}");
        let problem = answer.json();
        assert_eq!((&problem["code"], &problem["requestId"]), (&code.into(), &"test-1".into()));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_is_named_like_any_request() {
    let server = TestServer::start(|_| {}).await;
    for (head, status) in [
        ("GET /api/chat/ws HTTP/1.1", 426),
        ("POST /api/chat/ws HTTP/1.1", 405),
        ("GET /api/chat/ws/ HTTP/1.1", 404),
    ] {
        let answer = server.request(&format!("{head}\r\nx-request-id: test-1"), "").await;
        assert_eq!(answer.status, status, "{head}");
        assert_eq!(answer.header("x-request-id"), "test-1", "{head}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_page_comes_with_its_policy_and_is_not_sent_twice() {
    let server = TestServer::start(|_| {}).await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.body.starts_with(b"<!doctype html>"));
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self';",
        "style-src 'self';",
        "connect-src 'self' ws://chat.test wss://chat.test;",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(part), "{part} is missing: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(page.header("cache-control"), "no-cache");

    let known = format!("GET / HTTP/1.1\r\nif-none-match: {}", page.header("etag"));
    let again = server.request(&known, "").await;
    assert_eq!((again.status, again.body.len()), (304, 0));

    let script = server.get("/app.js").await;
    assert_eq!(script.status, 200);
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert!(!script.header("content-security-policy").is_empty());
    server.stop().await;
}

#[tokio::test]
async fn development_hands_out_tokens_that_the_api_accepts() {
    let server = TestServer::start(|_| {}).await;
    let answer = server.dev_token("{\"userId\": \"u-1\", \"username\": \"ada\"}").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    let me = server.me(answer.json()["token"].as_str().unwrap()).await;
    assert_eq!(me.status, 200, "{me:?}");
    assert!(me.json().to_string().contains("\"u-1\""), "{me:?}");

    for (body, status, code) in [
        ("{\"userId\": \"a b\"}", 422, "invalid_payload"),
        ("{}", 422, "invalid_payload"),
        ("{\"userId\": \"u-1\", \"expiresInSeconds\": 2592001}", 422, "invalid_payload"),
        ("nonsense", 400, "malformed_json"),
        (&"x".repeat(5_000), 413, "payload_too_large"),
    ] {
        let refused = server.dev_token(body).await;
        assert_eq!((refused.status, &refused.json()["code"]), (status, &code.into()));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_page_of_another_name_gets_no_token() {
    let body = "{\"userId\": \"u-1\"}";
    let server = TestServer::start(|_| {}).await;
    let refused = server.request("POST /dev/token HTTP/1.1\r\nhost: evil.test:8080", body).await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &"forbidden".into()));
    for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
        let head = format!("POST /dev/token HTTP/1.1\r\nhost: {host}");
        assert_eq!(server.request(&head, body).await.status, 200, "{host}");
    }
    server.stop().await;

    let server = TestServer::start(|config| config.dev_allow_remote = true).await;
    let answer = server.request("POST /dev/token HTTP/1.1\r\nhost: my-machine.test", body).await;
    assert_eq!(answer.status, 200, "told to be open to others");
    server.stop().await;
}

#[tokio::test]
async fn a_token_of_development_is_worth_nothing_afterwards() {
    let server = TestServer::start(|_| {}).await;
    let token = server.token_for("admin").await;
    assert_eq!(server.me(&token).await.status, 200);
    let server = TestServer::start_on(server.stop().await, |config| config.dev = false).await;
    assert_eq!(server.me(&token).await.status, 401);
    server.stop().await;
}

#[tokio::test]
async fn without_development_there_are_no_tokens_and_no_demo_logins() {
    let demo = "{\"username\": \"demo-ada\", \"password\": \"demo-ada-1815\"}";
    let server = TestServer::start(|_| {}).await;
    assert_eq!(server.post("/api/chat/auth/login", demo).await.status, 200);
    let data = server.stop().await;

    let server = TestServer::start_on(data, |config| config.dev = false).await;
    let answer = server.dev_token("{\"userId\": \"u-1\"}").await;
    assert_eq!((answer.status, &answer.json()["code"]), (404, &"not_found".into()));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let login = server.post("/api/chat/auth/login", demo).await;
    assert_eq!((login.status, &login.json()["code"]), (401, &"invalid_credentials".into()));
    let data = server.stop().await;

    let server = TestServer::start_on(data, |_| {}).await;
    assert_eq!(server.post("/api/chat/auth/login", demo).await.status, 200, "and back again");
    server.stop().await;
}

#[tokio::test]
async fn the_api_moves_with_its_base_path() {
    let server = TestServer::start(|config| config.base_path = "/talk".into()).await;
    assert_eq!(server.get("/talk/conversations").await.status, 401);
    assert_eq!(server.get("/api/chat/conversations").await.status, 404);
    assert_eq!(server.get("/talk/ws").await.status, 426);
    server.stop().await;
}

#[tokio::test]
async fn a_page_without_tls_is_another_origin_unless_cookies_need_none() {
    let register = "{\"username\": \"ada\", \"password\": \"correct horse\"}";
    let head = "POST /api/chat/auth/register HTTP/1.1\r\norigin: http://chat.test\r\n\
                content-type: application/json";
    for (secure, status) in [(true, 403), (false, 201)] {
        let server = TestServer::start(|config| config.cookie.secure = secure).await;
        assert_eq!(server.request(head, register).await.status, status);
        server.stop().await;
    }
}

#[tokio::test]
async fn cookies_need_tls_outside_development() {
    let register = "{\"username\": \"ada\", \"password\": \"correct horse\"}";
    for (secure, name) in [(false, "sid="), (true, "__Host-sid=")] {
        let server = TestServer::start(|config| config.cookie.secure = secure).await;
        let answer = server.post("/api/chat/auth/register", register).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let cookies: Vec<_> = answer.header("set-cookie").lines().collect();
        assert!(cookies.iter().any(|cookie| cookie.starts_with(name)), "{cookies:?}");
        assert!(cookies.iter().all(|cookie| cookie.contains("Secure") == secure), "{cookies:?}");
        server.stop().await;
    }
}
