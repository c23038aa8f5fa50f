//! Starting, stopping, and what is kept in between.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{PATIENCE, TestServer};
use chat_server::config::Config;
use chat_server::{DataError, EngineError, Server, StartError};
use tokio::time::timeout;

fn config(data: &tempfile::TempDir) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.path().join("chat"),
        ..Config::development()
    }
}

#[tokio::test]
async fn the_secret_is_made_once_and_tokens_outlive_a_restart() {
    let server = TestServer::start(|_| {}).await;
    let secret = server.data.path().join("chat/secret.key");
    let made = std::fs::read_to_string(&secret).unwrap();
    assert!(made.trim().len() >= 43);
    assert_eq!(mode(&secret), 0o600);
    assert_eq!(mode(secret.parent().unwrap()), 0o700);
    assert_eq!(mode(&server.data.path().join("chat/dev.key")), 0o600);
    let token = server.token_for("u-1").await;

    let server = TestServer::start_on(server.stop().await, |_| {}).await;
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), made);
    assert_eq!(server.me(&token).await.status, 200);
    server.stop().await;
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_is_stored_is_for_its_owner_only() {
    let data = tempfile::tempdir().unwrap();
    // As a service manager may have made it.
    let folder = data.path().join("chat");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let server = TestServer::start_on(data, |_| {}).await;
    let files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("chat.db-wal")), "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn logins_outlive_a_restart() {
    let server = TestServer::start(|_| {}).await;
    let register = "{\"username\": \"ada\", \"password\": \"correct horse\"}";
    let answer = server.post("/api/chat/auth/register", register).await.json();
    let token = answer["token"].as_str().unwrap().to_owned();
    let server = TestServer::start_on(server.stop().await, |_| {}).await;
    let head = format!("GET /api/chat/auth/me HTTP/1.1\r\ncookie: sid={token}");
    assert_eq!(server.request(&head, "").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn two_servers_do_not_share_a_data_folder() {
    let server = TestServer::start(|_| {}).await;
    let other = Config { data: server.data.path().join("chat"), ..config(&server.data) };
    let refused = Server::bind(other).await.unwrap_err();
    assert!(
        matches!(&refused, StartError::Engine(EngineError::Data(DataError::InUse(_)))),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("--data"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn an_address_in_use_is_told_with_what_to_do() {
    let server = TestServer::start(|_| {}).await;
    let data = tempfile::tempdir().unwrap();
    let refused = Server::bind(Config { listen: server.address, ..config(&data) }).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, StartError::AddressInUse(_)), "{refused:?}");
    assert!(refused.to_string().contains("--listen"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn development_stays_on_this_machine_unless_told_otherwise() {
    let data = tempfile::tempdir().unwrap();
    let open = Config { listen: "0.0.0.0:0".parse().unwrap(), ..config(&data) };
    let refused = Server::bind(open.clone()).await.unwrap_err();
    assert!(matches!(refused, StartError::RemoteDevelopment(_)), "{refused:?}");
    assert!(refused.to_string().contains("--dev-allow-remote"), "{refused}");
    assert!(Server::bind(Config { dev_allow_remote: true, ..open }).await.is_ok());
}

#[tokio::test]
async fn a_weak_secret_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let mut weak = config(&data);
    weak.jwt.secret = Some("changeme".to_owned().into());
    let refused = Server::bind(weak).await.unwrap_err().to_string();
    assert!(refused.contains("jwt.secret") && refused.contains("32"), "{refused}");
    assert!(!refused.contains("changeme"), "{refused}");
}

#[tokio::test]
async fn a_stop_answers_the_request_at_hand_and_takes_no_more() {
    let server = TestServer::start(|config| config.drain_seconds = 30).await;
    let mut idle = server.connect().await;
    idle.send("GET /healthz HTTP/1.1", "").await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    let register = "{\"username\": \"ada\", \"password\": \"correct horse\"}";
    let mut busy = server.connect().await;
    let head = format!(
        "POST /api/chat/auth/register HTTP/1.1\r\nhost: chat.test\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        register.len()
    );
    busy.send_raw(head.as_bytes()).await;
    assert_eq!(busy.answer().await.unwrap().status, 100, "the request is being served");

    server.begin_stop();
    idle.closed().await;
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
    busy.send_raw(register.as_bytes()).await;
    assert_eq!(busy.answer().await.unwrap().status, 201);
    busy.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn a_stop_asks_devices_to_come_back() {
    let server = TestServer::start(|config| config.drain_seconds = 30).await;
    let mut ada = server.device("ada").await;
    let mut ben = server.device("ben").await;
    server.begin_stop();
    for device in [&mut ada, &mut ben] {
        let told = device.closed().await;
        let text = String::from_utf8_lossy(&told);
        assert!(text.contains("session.draining") && text.contains("30000"), "{text}");
        let close =
            [&[0x88][..], &[2 + u8::try_from(DRAINING.len()).unwrap()], &[0x0F, 0xA0]].concat();
        assert!(told.windows(4).any(|bytes| bytes == close), "closed with 4000: {text}");
        assert!(text.ends_with(DRAINING), "{text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_load_balancer_sees_that_a_server_stops_before_it_is_refused() {
    let server = TestServer::start(|config| config.drain_delay_ms = 600_000).await;
    let mut ada = server.device("ada").await;
    let mut kept = server.connect().await;
    server.begin_stop();
    let red = async {
        loop {
            kept.send("GET /readyz HTTP/1.1", "").await;
            let answer = kept.answer().await.expect("an answer on the same connection");
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let answer = timeout(PATIENCE, red).await.expect("not ready in time");
    assert_eq!(answer.json()["status"], "not ready");
    assert!(answer.json()["reason"].as_str().unwrap().contains("draining"), "{answer:?}");
    let new = server.get("/readyz").await;
    assert_eq!(new.status, 503, "connections are taken");
    assert_eq!(server.get("/healthz").await.status, 200);
    server.device("ben").await;
    ada.sends("{\"id\":1,\"type\":\"ping\",\"payload\":{}}").await;
    ada.reads("\"reply\"").await;
    // Dropped as by a second signal, since nobody has ten minutes.
}

#[tokio::test]
async fn a_server_that_waited_for_its_load_balancer_stops_as_any() {
    let server = TestServer::start(|config| config.drain_delay_ms = 50).await;
    let mut ada = server.device("ada").await;
    server.begin_stop();
    let told = ada.closed().await;
    assert!(String::from_utf8_lossy(&told).contains("session.draining"));
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
    server.stop().await;
}

const DRAINING: &str = chat_core::proto::CloseCode::Draining.reason();

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_when_the_time_is_over() {
    let server = TestServer::start(|config| config.drain_seconds = 0).await;
    let mut stuck = server.connect().await;
    stuck
        .send_raw(
            b"POST /api/chat/auth/login HTTP/1.1\r\nhost: chat.test\r\n\
              content-type: application/json\r\ncontent-length: 99\r\nexpect: 100-continue\r\n\r\n",
        )
        .await;
    assert_eq!(stuck.answer().await.unwrap().status, 100);
    server.stop().await;
    stuck.closed().await;
}
