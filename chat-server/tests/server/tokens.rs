//! Tokens of a host's own, at the door of the running server.

use std::time::Duration;

use chat_auth::{HmacKey, JwtIssuer, TokenSubject};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::support::{TestServer, WEBSOCKET};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A token that the host signed some time ago, good for a minute.
fn signed(ago: Duration) -> String {
    let key = HmacKey::new(SECRET.as_bytes()).unwrap();
    let host = JwtIssuer::hs256(&key, Some("https://host.test".into()), Some("chat".into()));
    let subject = TokenSubject::of("u-1".parse().unwrap());
    let token = host.issue(&subject, Timestamp::now() - ago, Duration::from_secs(60)).unwrap();
    token.expose_secret().to_owned()
}

async fn server() -> TestServer {
    TestServer::start(|config| {
        config.jwt.secret = Some(SECRET.to_owned().into());
        config.jwt.issuer = Some("https://host.test".into());
        config.jwt.audience = Some("chat".into());
    })
    .await
}

#[tokio::test]
async fn an_expired_token_is_told_so_at_every_door() {
    let server = server().await;
    let expired = signed(Duration::from_secs(120));
    let shake =
        format!("GET /api/chat/ws HTTP/1.1\r\n{WEBSOCKET}\r\nauthorization: Bearer {expired}");
    for answer in [server.me(&expired).await, server.request(&shake, "").await] {
        assert_eq!((answer.status, &answer.json()["code"]), (401, &"token_expired".into()));
    }
    assert_eq!(server.me(&signed(Duration::ZERO)).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn development_accepts_its_own_tokens_beside_those_of_the_host() {
    let server = server().await;
    assert_eq!(server.me(&server.token_for("u-2").await).await.status, 200);
    assert_eq!(server.me(&signed(Duration::ZERO)).await.status, 200);
    server.stop().await;
}
