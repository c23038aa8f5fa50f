//! Every way to say who one is.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::home::Home;
use crate::http;
use crate::person::{Person, handshake, refused};
use crate::server::Server;

const WS: &str = "/api/chat/ws";

pub(crate) async fn a_socket_opens_by_header_subprotocol_cookie_and_first_frame(home: Home) {
    let server = Server::start(&home).await;
    let host = server.host_token("ada").await;
    let body = json!({"username": "bo", "password": "correct horse battery"}).to_string();
    let registering =
        http::request(server.address, "POST", "/api/chat/auth/register", &[], Some(&body));
    let registered = registering.await;
    let cookie = registered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let own = format!("http://{}", server.address);

    let bearer = format!("Bearer {host}");
    let protocols = format!("chat.v1, bearer.{host}");
    for headers in [
        vec![("authorization", bearer.as_str())],
        vec![("sec-websocket-protocol", protocols.as_str())],
        vec![("cookie", cookie.as_str()), ("origin", own.as_str())],
    ] {
        let socket = handshake(&server, WS, &headers).await.unwrap();
        let person = Person::greeted(socket).await;
        assert!(person.ready["user"]["id"].is_string(), "{headers:?}");
    }

    let mut socket = handshake(&server, WS, &[]).await.unwrap();
    let frame = json!({"id": 1, "type": "session.authenticate", "payload": {"token": host}});
    futures::SinkExt::send(&mut socket, Message::text(frame.to_string())).await.unwrap();
    assert_eq!(Person::greeted(socket).await.ready["user"]["id"], "ada");
}

pub(crate) async fn what_is_not_good_enough_is_refused_before_the_upgrade(home: Home) {
    let server = Server::start(&home).await;
    let token = server.register("bo").await;
    let cookie = format!("sid={token}");
    let own = format!("http://{}", server.address);
    let neighbour = format!("http://127.0.0.1:{}", server.address.port() ^ 1);
    let bearer = format!("Bearer {token}");
    for (status, headers) in [
        (401, vec![("authorization", "Bearer nonsense")]),
        (401, vec![("cookie", "sid=nonsense"), ("origin", own.as_str())]),
        (403, vec![("cookie", cookie.as_str())]),
        (403, vec![("cookie", cookie.as_str()), ("origin", "https://evil.test")]),
        (403, vec![("cookie", cookie.as_str()), ("origin", neighbour.as_str())]),
        (403, vec![("authorization", bearer.as_str()), ("origin", "https://evil.test")]),
    ] {
        assert_eq!(refused(&server, WS, &headers).await, status, "{headers:?}");
    }
    // A token in the address counts only where the operator has turned that on.
    let path = format!("{WS}?token={token}");
    let socket = handshake(&server, &path, &[]).await.unwrap();
    drop(socket);
    server.stop().await;
    let server = Server::start_with(&home, &["--dev", "--set", "allow_query_token=true"]).await;
    Person::greeted(handshake(&server, &path, &[]).await.unwrap()).await;
}

pub(crate) async fn logging_out_ends_the_session_everywhere(home: Home) {
    let server = Server::start(&home).await;
    let token = server.register("bo").await;
    let mut bo = Person::connect(&server, &token).await;
    assert_eq!(server.request("POST", "/auth/logout", Some(&token), None).await.status, 204);
    bo.event("session.revoked").await;
    assert_eq!(bo.closed().await, Some(4501));
    assert_eq!(server.request("GET", "/auth/me", Some(&token), None).await.status, 401);
    let bearer = format!("Bearer {token}");
    assert_eq!(refused(&server, WS, &[("authorization", &bearer)]).await, 401);
}

pub(crate) async fn a_password_change_ends_all_other_sessions(home: Home) {
    let server = Server::start(&home).await;
    let first = server.register("bo").await;
    let login = json!({"username": "BO", "password": "correct horse battery"});
    let second = server.request("POST", "/auth/login", None, Some(login.clone())).await;
    assert_eq!(second.status, 200, "names are the same in any case: {}", second.body);
    let second = second.json()["token"].as_str().unwrap().to_owned();
    let sessions = server.get("/auth/sessions", &first).await;
    assert_eq!(sessions["data"].as_array().unwrap().len(), 2);
    let mut other = Person::connect(&server, &second).await;
    let change =
        json!({"currentPassword": "correct horse battery", "newPassword": "staple of gum"});
    let changed = server.request("POST", "/auth/password", Some(&first), Some(change)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(other.closed().await, Some(4501));
    let refused = server.request("POST", "/auth/login", None, Some(login)).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "invalid_credentials"));
    server.get("/auth/me", changed.json()["token"].as_str().unwrap()).await;
}

pub(crate) async fn development_ends_with_development(home: Home) {
    let server = Server::start_with(&home, &[]).await;
    let body = json!({"userId": "ada"}).to_string();
    let answer = http::request(server.address, "POST", "/dev/token", &[], Some(&body)).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    let body = json!({"username": "bo", "password": "correct horse battery"}).to_string();
    let registering =
        http::request(server.address, "POST", "/api/chat/auth/register", &[], Some(&body));
    let registered = registering.await;
    let cookie = registered.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-sid="), "{cookie}");
    for flag in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
}
