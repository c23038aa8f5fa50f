use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::client::Client;
use crate::server::{Server, soon};

#[tokio::test]
async fn a_client_that_closes_is_answered_and_forgotten() {
    let server = Server::start().await;
    let mut ada = Client::connect(&server, "ada").await;
    let goodbye = CloseFrame { code: 1000.into(), reason: "bye".into() };
    soon(ada.socket.close(Some(goodbye))).await.unwrap();
    assert_eq!(ada.close_code().await, 1000);
    server.has_connections(0).await;
}

#[tokio::test]
async fn a_client_that_vanishes_is_forgotten() {
    let server = Server::start().await;
    drop(Client::connect(&server, "ada").await);
    server.has_connections(0).await;
}

#[tokio::test]
async fn a_binary_message_closes() {
    let server = Server::start().await;
    let mut ada = Client::connect(&server, "ada").await;
    ada.send_binary(b"\x01").await;
    assert_eq!(ada.close_code().await, 1003);
    let mut unknown = Client::connect_unknown(&server).await;
    unknown.send_binary(b"\x01").await;
    assert_eq!(unknown.close_code().await, 1003);
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let server = Server::start().await;
    let mut client = Client::connect(&server, "ends-soon").await;
    assert_eq!(client.close_code().await, 4502);
}

#[tokio::test]
async fn a_connection_ends_with_its_login() {
    let server = Server::start().await;
    let mut client = Client::connect(&server, "revocable").await;
    server.chat.end_logins(&"revocable".parse().unwrap(), &[server.login]);
    assert_eq!(client.close_code().await, 4501);
}

#[tokio::test]
async fn a_login_that_ends_while_its_handshake_is_answered_has_no_connection() {
    let server = Server::start().await;
    let headers = [("authorization", "Bearer ends-meanwhile")];
    let refusal = Client::try_connect(&server, "/", &headers).await.unwrap_err();
    assert_eq!(refusal.code(), (401, "unauthenticated"));
    server.has_connections(0).await;
}

#[tokio::test]
async fn a_login_that_ends_while_its_token_is_checked_has_no_session() {
    let server = Server::start().await;
    let mut client = Client::connect_unknown(&server).await;
    let token = json!({ "token": "ends-meanwhile" });
    client.send(&json!({ "id": 1, "type": "session.authenticate", "payload": token })).await;
    let error = client.frame().await;
    assert_eq!(error["payload"]["code"], "unauthenticated", "{error}");
    assert_eq!(client.close_code().await, 4500);
}

#[tokio::test]
async fn a_server_that_drains_asks_everybody_to_come_back() {
    let server = Server::start().await;
    let mut ada = Client::connect(&server, "ada").await;
    let mut unknown = Client::connect_unknown(&server).await;
    server.chat.drain(Duration::from_millis(100));
    let endpoint = server.endpoint.clone();
    let shutdown = tokio::spawn(async move { endpoint.shutdown(Duration::from_secs(20)).await });
    ada.frame_of("session.draining").await;
    assert_eq!(ada.close_code().await, 4000);
    ada.finish().await;
    assert_eq!(unknown.close_code().await, 4000);
    unknown.finish().await;
    soon(shutdown).await.unwrap();
    assert_eq!(server.endpoint.connections(), 0);
    let refusal = Client::try_connect(&server, "/", &[]).await.unwrap_err();
    assert_eq!(refusal.code(), (503, "unavailable"));
}

#[tokio::test]
async fn a_server_that_is_shut_down_cuts_who_stays() {
    let server = Server::start().await;
    let mut ada = Client::connect(&server, "ada").await;
    let endpoint = server.endpoint.clone();
    let shutdown = tokio::spawn(async move { endpoint.shutdown(Duration::from_millis(50)).await });
    assert_eq!(ada.close_code().await, 4000);
    ada.finish().await;
    soon(shutdown).await.unwrap();
    assert_eq!(server.endpoint.connections(), 0);
}

#[tokio::test]
async fn whoever_is_being_checked_when_the_engine_drains_is_asked_to_come_back() {
    let server = Server::start().await;
    let mut client = Client::connect_unknown(&server).await;
    server.chat.drain(Duration::from_millis(10));
    let token = json!({ "token": "ada" });
    client.send(&json!({ "id": 1, "type": "session.authenticate", "payload": token })).await;
    assert_eq!(client.frame_of("error").await["payload"]["code"], "unavailable");
    assert_eq!(client.close_code().await, 4000);
}
