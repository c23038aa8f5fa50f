//! What a connection may cost.

use std::time::Instant;

use crate::support::TestServer;

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let server = TestServer::start(|config| config.http.header_timeout_ms = 100).await;
    for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: chat.test\r\nx-slow: "] {
        let mut client = server.connect().await;
        let began = Instant::now();
        client.send_raw(begun.as_bytes()).await;
        client.closed().await;
        assert!(began.elapsed().as_millis() >= 100, "not before its time");
    }
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = TestServer::start(|config| config.http.request_timeout_ms = 100).await;
    let mut client = server.connect().await;
    let head = "POST /api/chat/auth/login HTTP/1.1\r\nhost: chat.test\r\n\
                content-type: application/json\r\ncontent-length: 99\r\n\r\n{";
    client.send_raw(head.as_bytes()).await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, &answer.json()["code"]), (503, &"unavailable".into()));
    client.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn a_head_over_the_limit_is_answered_431() {
    let server = TestServer::start(|_| {}).await;
    let fits = format!("GET /healthz HTTP/1.1\r\nx-long: {}", "x".repeat(12_000));
    assert_eq!(server.request(&fits, "").await.status, 200);
    for name in ["x-long: ", "cookie: "] {
        let long = format!("GET /healthz HTTP/1.1\r\n{name}{}", "x".repeat(17_000));
        assert_eq!(server.request(&long, "").await.status, 431);
    }
    let many: String = (0..400).map(|n| format!("\r\nx-{n}: 1")).collect();
    assert_eq!(server.request(&format!("GET /healthz HTTP/1.1{many}"), "").await.status, 431);
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_answered_431() {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connect().await;
    client.send_raw(format!("GET /{} ", "x".repeat(20_000)).as_bytes()).await;
    let status = client.answer().await.unwrap().status;
    assert!(status == 431 || status == 414, "{status}");
    server.stop().await;
}

#[tokio::test]
async fn whoever_does_not_read_answers_loses_the_connection() {
    let server = TestServer::start(|config| {
        config.http.write_timeout_ms = 200;
        config.connections.total = 1;
    })
    .await;
    let mut silent = server.connect_to_place().await;
    let requests = "GET /app.js HTTP/1.1\r\nhost: chat.test\r\n\r\n".repeat(2_000);
    tokio::select! {
        () = silent.sends_and_never_reads(requests.as_bytes()) => {}
        _ = server.connect_to_place() => {}
    }
    server.stop().await;
}

#[tokio::test]
async fn an_address_has_its_share_of_connections() {
    let server = TestServer::start(|config| {
        config.connections.per_address = 2;
        config.connections.limit_loopback = true;
    })
    .await;
    let mut first = server.connect().await;
    first.send("GET /healthz HTTP/1.1", "").await;
    assert_eq!(first.answer().await.unwrap().status, 200);
    let mut second = server.connect().await;
    second.send("GET /healthz HTTP/1.1", "").await;
    assert_eq!(second.answer().await.unwrap().status, 200);

    let mut third = server.connect().await;
    let answer = third.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (429, "60"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["code"], "too_many");
    third.closed().await;

    // The place is free once the server has seen the end, which the client is not told of.
    second.send("GET /healthz HTTP/1.1\r\nconnection: close", "").await;
    second.closed().await;
    server.connect_to_place().await;
    server.stop().await;
}

#[tokio::test]
async fn a_websocket_keeps_its_place_among_the_connections() {
    let server = TestServer::start(|config| config.connections.total = 2).await;
    let _device = server.device("ada").await;
    let _second = server.connect_to_place().await;
    assert_eq!(server.connect().await.answer().await.unwrap().status, 503);
    server.stop().await;
}

#[tokio::test]
async fn the_server_has_a_total_of_connections() {
    let server = TestServer::start(|config| config.connections.total = 1).await;
    let mut first = server.connect().await;
    first.send("GET /healthz HTTP/1.1", "").await;
    assert_eq!(first.answer().await.unwrap().status, 200);
    let mut second = server.connect().await;
    let answer = second.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["code"], "unavailable");
    first.send("GET /healthz HTTP/1.1", "").await;
    assert_eq!(first.answer().await.unwrap().status, 200, "the first goes on");
    server.stop().await;
}
