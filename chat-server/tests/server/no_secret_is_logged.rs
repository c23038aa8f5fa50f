//! Canaries in every place that a secret can come from, and none of them in the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::support::{TestServer, WEBSOCKET};
use chat_server::config::LogConfig;
use chat_server::telemetry;
use tracing_subscriber::fmt::MakeWriter;

const CANARY: &str = "canary";

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_is_logged() {
    let captured = Captured::default();
    let everything = LogConfig { filter: "trace".into(), ..LogConfig::default() };
    let subscriber = telemetry::subscriber(&everything, captured.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let server = TestServer::start(|config| {
        config.jwt.secret = Some("canary-secret-canary-secret-canary-secret".to_owned().into());
        config.allow_query_token = true;
    })
    .await;
    let mut secrets = vec![CANARY.to_owned()];

    let register = "{\"username\": \"ada\", \"password\": \"canary-password\"}";
    let registered = server.post("/api/chat/auth/register", register).await;
    assert_eq!(registered.status, 201);
    let session = registered.json()["token"].as_str().unwrap().to_owned();
    for password in ["canary-password", "canary-wrong"] {
        let login = format!("{{\"username\": \"ada\", \"password\": \"{password}\"}}");
        server.post("/api/chat/auth/login", &login).await;
    }
    let jwt = server.token_for("u-1").await;

    for token in [session.as_str(), jwt.as_str(), "canary-token", "chs_canary"] {
        for head in [
            format!("GET /api/chat/auth/me HTTP/1.1\r\nauthorization: Bearer {token}"),
            format!("GET /api/chat/auth/me HTTP/1.1\r\ncookie: sid={token}"),
            format!("GET /api/chat/auth/me?token={token} HTTP/1.1"),
            format!("GET /{token}?token={token} HTTP/1.1"),
            format!("GET /api/chat/{token} HTTP/1.1"),
            format!("GET /api/chat/ws?token={token} HTTP/1.1\r\n{WEBSOCKET}"),
            format!("GET /api/chat/ws HTTP/1.1\r\n{WEBSOCKET}\r\nauthorization: Bearer {token}"),
        ] {
            server.request(&head, "").await;
        }
        secrets.push(token.to_owned());
    }
    let head = format!(
        "POST /api/chat/conversations HTTP/1.1\r\nauthorization: Bearer {session}\r\n\
         content-type: application/json"
    );
    let room = "{\"kind\": \"room\", \"name\": \"canary room\"}";
    let room = server.request(&head, room).await.json();
    let id = room["id"].as_str().unwrap().to_owned();
    let head = head.replace("conversations", &format!("conversations/{id}/messages"));
    let sent = server.request(&head, "{\"content\": \"canary text\"}").await;
    assert_eq!(sent.status, 201, "{sent:?}");
    server.stop().await;

    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
    assert!(log.contains("path=\"/api/chat/auth/me\"") || log.contains("path=/api/chat/auth/me"));
    assert!(log.contains("session=") && log.contains("user="), "connections say whose they are");
    assert!(log.contains("path=\"/api/chat/ws\"") || log.contains("path=/api/chat/ws"));
    assert!(log.lines().filter(|line| line.contains(" request_id=")).count() > 20);
    let of_user = |line: &&str| line.contains(" request_id=") && line.contains(" user=\"u-1\"");
    assert!(log.lines().filter(of_user).count() > 0, "requests say whose they are");
}
