use chat_core::auth::OriginPolicy;
use chat_ws::WsConfig;

use crate::client::{Client, request};
use crate::server::{Server, chat_config, ws_config};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

#[tokio::test]
async fn requests_that_are_no_handshake_get_their_status() {
    let server = Server::start().await;
    let good = format!("{UPGRADE}{VERSION}{KEY}");
    for (line, headers, status) in [
        ("GET / HTTP/1.1", good.clone(), 101),
        ("GET / HTTP/1.1", String::new(), 426),
        ("POST / HTTP/1.1", good.clone(), 405),
        ("GET / HTTP/1.0", good.clone(), 400),
        ("GET / HTTP/1.1", format!("{UPGRADE}Sec-WebSocket-Version: 12\r\n{KEY}"), 426),
        ("GET / HTTP/1.1", format!("{UPGRADE}{VERSION}"), 400),
        ("GET / HTTP/1.1", format!("{UPGRADE}{VERSION}Sec-WebSocket-Key: short\r\n"), 400),
        ("GET / HTTP/1.1", format!("Connection: Upgrade\r\n{VERSION}{KEY}"), 426),
        ("GET / HTTP/1.1", format!("Upgrade: websocket\r\n{VERSION}{KEY}"), 400),
    ] {
        let head = format!("{line}\r\nHost: {}\r\n{headers}\r\n", server.address);
        let (_stream, answer) = request(&server, &head).await;
        let answer = String::from_utf8_lossy(&answer);
        let version = if line.ends_with("1.0") { "HTTP/1.0" } else { "HTTP/1.1" };
        assert!(answer.starts_with(&format!("{version} {status} ")), "{head}{answer}");
        if status == 426 {
            assert!(
                answer.to_lowercase().contains("\r\nsec-websocket-version: 13\r\n"),
                "{answer}"
            );
        }
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_before_the_upgrade() {
    let ws = WsConfig { origins: OriginPolicy::new(["https://app.test".into()]), ..ws_config() };
    let server = Server::with(ws, chat_config()).await;
    let own = format!("http://{}", server.address);
    let other_port = "http://127.0.0.1:1";
    let cookie = ("cookie", "sid=ada");
    let bearer = ("authorization", "Bearer ada");
    let protocol = ("sec-websocket-protocol", "chat.v1, bearer.ada");
    for (origin, credential, allowed) in [
        (Some(own.as_str()), Some(cookie), true),
        (Some("https://app.test"), Some(cookie), true),
        (Some("https://evil.test"), Some(cookie), false),
        (Some(other_port), Some(cookie), false),
        (Some("null"), Some(cookie), false),
        (None, Some(cookie), false),
        (Some(own.as_str()), Some(bearer), true),
        (Some("https://evil.test"), Some(bearer), false),
        (None, Some(bearer), true),
        (Some("https://app.test"), Some(protocol), true),
        (Some("https://evil.test"), Some(protocol), false),
        (Some("https://evil.test"), None, false),
        (Some(own.as_str()), None, true),
        (None, None, true),
    ] {
        let origin = origin.map(|origin| ("origin", origin));
        let headers: Vec<_> = [origin, credential].into_iter().flatten().collect();
        match Client::try_connect(&server, "/", &headers).await {
            Ok(_) => assert!(allowed, "{headers:?}"),
            Err(refusal) => {
                assert!(!allowed, "{headers:?} {refusal:?}");
                assert_eq!(refusal.code(), (403, "origin_not_allowed"));
            }
        }
    }
}

#[tokio::test]
async fn the_subprotocol_is_selected_and_a_token_is_never_sent_back() {
    let server = Server::start().await;
    for (offered, selected) in
        [("chat.v1", "chat.v1"), ("bearer.ada, chat.v1", "chat.v1"), ("x, chat.v1", "chat.v1")]
    {
        let headers = [("sec-websocket-protocol", offered)];
        let client = Client::try_connect(&server, "/", &headers).await.unwrap();
        assert_eq!(client.subprotocol.as_deref(), Some(selected));
    }
}
