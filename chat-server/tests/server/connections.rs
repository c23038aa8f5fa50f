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
async fn a_kept_connection_outlives_the_time_for_a_head() {
    let server = TestServer::start(|config| config.http.header_timeout_ms = 100).await;
    let mut kept = server.connect().await;
    kept.send("GET /healthz HTTP/1.1", "").await;
    let answer = kept.answer().await.unwrap();
    let told = (answer.header("connection"), answer.header("keep-alive"));
    assert_eq!(told, ("keep-alive", "timeout=74"));
    // Another connection runs out of the time that this one is idle for.
    let mut slow = server.connect().await;
    slow.send_raw(b"GET /").await;
    slow.closed().await;
    kept.send("GET /healthz HTTP/1.1", "").await;
    let answer = kept.answer().await.expect("the connection was kept");
    assert_eq!(answer.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_later_head_has_its_time_from_its_first_byte() {
    let server = TestServer::start(|config| {
        config.http.header_timeout_ms = 100;
        config.http.idle_timeout_ms = 3_600_000;
    })
    .await;
    let mut kept = server.connect().await;
    kept.send("GET /healthz HTTP/1.1", "").await;
    assert_eq!(kept.answer().await.unwrap().status, 200);
    let began = Instant::now();
    kept.send_raw(b"GET /healthz HT").await;
    assert_eq!(kept.closed().await, b"");
    assert!(began.elapsed().as_millis() >= 100, "not before its time");
    server.stop().await;
}

#[tokio::test]
async fn a_kept_connection_has_an_idle_time() {
    let server = TestServer::start(|config| config.http.idle_timeout_ms = 1_100).await;
    let mut kept = server.connect().await;
    let began = Instant::now();
    kept.send("GET /healthz HTTP/1.1", "").await;
    let answer = kept.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.header("keep-alive")),
        (200, ""),
        "there is no second to promise"
    );
    assert_eq!(kept.closed().await, b"");
    assert!(began.elapsed().as_millis() >= 1_100, "not before its time");
    server.stop().await;
}

#[tokio::test]
async fn no_more_connections_are_kept_than_configured() {
    let server = TestServer::start(|config| config.http.idle_connections = 1).await;
    let mut first = server.connect().await;
    for _ in 0..3 {
        first.send("GET /healthz HTTP/1.1", "").await;
        assert_eq!(first.answer().await.unwrap().header("connection"), "keep-alive");
    }
    let mut second = server.connect().await;
    second.send("GET /healthz HTTP/1.1", "").await;
    let answer = second.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    second.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn a_request_without_one_host_is_answered_400() {
    let server = TestServer::start(|_| {}).await;
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("GET /api/chat/ws HTTP/1.1\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a.test\r\nhost: a.test\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\nhost: a.test\r\nhost: b.test\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        ("GET http://a.test/healthz HTTP/1.1\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a.test:80\r\n\r\n", 200),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
    ] {
        let mut client = server.connect().await;
        client.send_raw(head.as_bytes()).await;
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.status, status, "{head}");
        if status == 400 {
            let expected = ("application/problem+json", "close");
            assert_eq!((answer.header("content-type"), answer.header("connection")), expected);
            assert_eq!(answer.json()["code"], "bad_request", "{head}");
            client.closed().await;
        }
    }
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
