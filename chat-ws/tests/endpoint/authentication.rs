use std::time::Duration;

use chat_ws::WsConfig;
use serde_json::json;

use crate::client::Client;
use crate::server::{Server, chat_config, ws_config};

/// The user that a handshake with these headers connects.
async fn user_of(server: &Server, path: &str, headers: &[(&'static str, &str)]) -> String {
    let mut client = Client::try_connect(server, path, headers).await.unwrap();
    let ready = client.frame().await;
    assert_eq!(ready["type"], "session.ready");
    ready["payload"]["user"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_handshake_says_who_connects_in_every_way_there_is() {
    let ws = WsConfig { allow_query_token: true, ..ws_config() };
    let server = Server::with(ws, chat_config()).await;
    let origin = format!("http://{}", server.address);
    let origin = ("origin", origin.as_str());
    let header = ("authorization", "Bearer ada");
    let protocol = ("sec-websocket-protocol", "chat.v1, bearer.bo");
    let cookie = ("cookie", "theme=dark; sid=cy");
    assert_eq!(user_of(&server, "/", &[header]).await, "ada");
    assert_eq!(user_of(&server, "/", &[protocol, origin]).await, "bo");
    assert_eq!(user_of(&server, "/", &[cookie, origin]).await, "cy");
    assert_eq!(user_of(&server, "/?token=di", &[]).await, "di");
    assert_eq!(user_of(&server, "/", &[cookie, origin, header]).await, "ada");
}

#[tokio::test]
async fn a_token_in_the_address_counts_only_where_it_is_turned_on() {
    let server = Server::start().await;
    let mut client = Client::try_connect(&server, "/?token=ada", &[]).await.unwrap();
    client.send(&json!({ "type": "session.authenticate", "payload": { "token": "bo" } })).await;
    assert_eq!(client.frame().await["payload"]["user"]["id"], "bo");
}

#[tokio::test]
async fn a_good_token_goes_before_a_stale_cookie() {
    let server = Server::start().await;
    let origin = format!("http://{}", server.address);
    let headers = [
        ("origin", origin.as_str()),
        ("cookie", "sid=old"),
        ("sec-websocket-protocol", "chat.v1, bearer.ada"),
    ];
    assert_eq!(user_of(&server, "/", &headers).await, "ada");
}

#[tokio::test]
async fn a_credential_that_is_not_accepted_is_refused_before_the_upgrade() {
    let timeout = Duration::from_millis(100);
    let ws = WsConfig { authentication_timeout: timeout, ..ws_config() };
    let server = Server::with(ws, chat_config()).await;
    let origin = format!("http://{}", server.address);
    for (token, status, code) in [
        ("wrong", 401, "unauthenticated"),
        ("old", 401, "token_expired"),
        ("unknowable", 503, "unavailable"),
        ("unanswered", 503, "unavailable"),
    ] {
        let (bearer, cookie) = (format!("Bearer {token}"), format!("sid={token}"));
        let protocol = format!("chat.v1, bearer.{token}");
        for headers in [
            [("authorization", bearer.as_str()), ("origin", &origin)],
            [("cookie", &cookie), ("origin", &origin)],
            [("sec-websocket-protocol", &protocol), ("origin", &origin)],
        ] {
            let refusal = Client::try_connect(&server, "/", &headers).await.unwrap_err();
            assert_eq!(refusal.code(), (status, code), "{headers:?}");
            assert_eq!(refusal.headers.contains_key("www-authenticate"), status == 401);
            assert!(!refusal.body.to_string().contains("directory"), "causes are not told");
        }
    }
    assert_eq!(server.endpoint.connections(), 0);
}

#[tokio::test]
async fn the_first_frame_may_say_who_connects() {
    let server = Server::start().await;
    let mut client = Client::connect_unknown(&server).await;
    let token = json!({ "token": "ada" });
    client.send(&json!({ "id": 7, "type": "session.authenticate", "payload": token })).await;
    // What follows at once waits for the check.
    client.send(&json!({ "id": 8, "type": "ping" })).await;
    let ready = client.frame().await;
    assert_eq!(ready["type"], "session.ready");
    assert_eq!(ready["payload"]["user"]["id"], "ada");
    assert_eq!(client.frame().await, json!({ "id": 7, "type": "reply", "payload": {} }));
    let pong = client.frame_of("reply").await;
    assert_eq!(pong["id"], 8);
}

#[tokio::test]
async fn a_first_frame_that_does_not_help_is_answered_and_closes() {
    // Long enough for any client to send its frame, and what the last case has to wait.
    let timeout = Duration::from_secs(3);
    let ws = WsConfig { authentication_timeout: timeout, ..ws_config() };
    let server = Server::with(ws, chat_config()).await;
    let authenticate =
        |token| json!({ "id": 1, "type": "session.authenticate", "payload": { "token": token } });
    for (frame, code, close) in [
        (authenticate("wrong"), "unauthenticated", 4500),
        (authenticate("old"), "token_expired", 4500),
        (authenticate("unknowable"), "unavailable", 4003),
        (json!({ "id": 1, "type": "ping" }), "unauthenticated", 4500),
        (json!({ "id": 1, "type": "session.authenticate" }), "invalid_payload", 4500),
        (json!({ "id": 1, "type": "sing" }), "unknown_type", 4500),
        (authenticate("unanswered"), "unavailable", 4003),
    ] {
        let mut client = Client::connect_unknown(&server).await;
        client.send(&frame).await;
        let answer = client.frame().await;
        assert_eq!(answer["type"], "error", "{frame}");
        assert_eq!(answer["id"], 1, "{frame}");
        assert_eq!(answer["payload"]["code"], code, "{frame}");
        assert_eq!(client.close_code().await, close, "{frame}");
    }
}

#[tokio::test]
async fn whoever_stays_unknown_is_closed() {
    let timeout = Duration::from_millis(100);
    let ws = WsConfig { authentication_timeout: timeout, ..ws_config() };
    let server = Server::with(ws, chat_config()).await;
    let mut client = Client::connect_unknown(&server).await;
    assert_eq!(client.close_code().await, 4500);
    client.finish().await;
    server.has_connections(0).await;
}

#[tokio::test]
async fn the_unknown_are_bounded_all_together() {
    let ws = WsConfig { unauthenticated_connections: 2, ..ws_config() };
    let server = Server::with(ws, chat_config()).await;
    let mut first = Client::connect_unknown(&server).await;
    let _second = Client::connect_unknown(&server).await;
    let refusal = Client::try_connect(&server, "/", &[]).await.unwrap_err();
    assert_eq!(refusal.code(), (503, "unavailable"));
    Client::connect(&server, "cy").await;
    first.send(&json!({ "type": "session.authenticate", "payload": { "token": "ada" } })).await;
    assert_eq!(first.frame().await["type"], "session.ready");
    Client::connect_unknown(&server).await;
}

#[tokio::test]
async fn a_user_with_too_many_connections_is_told_in_time() {
    let mut chat = chat_config();
    chat.limits.sessions_per_user = 1;
    let server = Server::with(ws_config(), chat).await;
    let _first = Client::connect(&server, "ada").await;
    let headers = [("authorization", "Bearer ada")];
    let refusal = Client::try_connect(&server, "/", &headers).await.unwrap_err();
    assert_eq!(refusal.code(), (429, "too_many"));
    let mut client = Client::connect_unknown(&server).await;
    client.send(&json!({ "type": "session.authenticate", "payload": { "token": "ada" } })).await;
    assert_eq!(client.frame().await["payload"]["code"], "too_many");
    assert_eq!(client.close_code().await, 4503);
}

#[tokio::test]
async fn a_session_does_not_outlive_an_upgrade_that_fails() {
    let mut chat = chat_config();
    chat.limits.sessions_per_user = 1;
    let server = Server::with(ws_config(), chat).await;
    // A request that no HTTP server is behind: its stream is never handed over.
    let request = http::Request::get("/")
        .header("host", "localhost")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("authorization", "Bearer ada")
        .body(())
        .unwrap();
    assert_eq!(server.endpoint.handle(request).await.status(), 101);
    server.has_connections(0).await;
    Client::connect(&server, "ada").await;
}
