//! Starting, stopping, and what is kept in between.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::TestServer;
use chat_server::config::Config;
use chat_server::{DataError, EngineError, Server, StartError};

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
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let folder = std::fs::metadata(secret.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let token = server.post("/dev/token", "{\"userId\": \"u-1\"}").await.json();
    let token = token["token"].as_str().unwrap().to_owned();

    let server = TestServer::start_on(server.stop().await, |_| {}).await;
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), made);
    let head = format!("GET /api/chat/auth/me HTTP/1.1\r\nauthorization: Bearer {token}");
    assert_eq!(server.request(&head, "").await.status, 200);
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

/// The binary itself: what it prints, and how it ends.
#[test]
fn the_binary_prints_its_address_and_ends_in_order() {
    let data = tempfile::tempdir().unwrap();
    let mut server = binary(&data, &["serve", "--dev", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut banner = std::io::BufReader::new(server.stdout.take().unwrap());
    let mut printed = String::new();
    while !printed.contains("Ctrl-C") {
        assert!(std::io::BufRead::read_line(&mut banner, &mut printed).unwrap() > 0, "{printed}");
    }
    let address = printed.split("http://").nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"), "{printed}");
    assert!(printed.contains("demo-ada") && printed.contains("demo-ben"), "{printed}");
    assert!(std::net::TcpStream::connect(address).is_ok());

    let signalled = Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(signalled.success());
    let output = server.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("stopped"));
}

#[test]
fn the_commands_do_what_they_say() {
    let data = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = binary(&data, arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (good, printed, _) = run(&["migrate"]);
    assert!(good && printed.contains("up to date"), "{printed}");
    let (good, token, _) = run(&["token", "u-1", "--name", "Ada"]);
    assert!(good && token.trim().split('.').count() == 3, "{token}");
    let (good, _, told) = run(&["token", "a b"]);
    assert!(!good && told.contains("must not contain"), "{told}");
    let (good, printed, _) = run(&["config", "check"]);
    assert!(good && printed.contains("good"), "{printed}");
    let (good, _, told) = run(&["--set", "limits.page=0", "config", "check"]);
    assert!(!good && told.contains("limits.page is 0, but 1 to 100 is allowed"), "{told}");
    let (good, printed, _) = run(&["--set", "limits.page=7", "config", "print"]);
    assert!(good && printed.contains("limits.page = 7\n"), "{printed}");
    let (good, printed, _) = run(&["seed"]);
    assert!(good, "{printed}");
    assert!(printed.contains("made 10 users, 50 conversations, 1000 messages"), "{printed}");
    let (good, printed, _) = run(&["seed"]);
    assert!(good && printed.contains("made 0 users, 0 conversations, 0 messages"), "{printed}");
    let (good, _, told) = run(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert!(!good && told.contains("--dev-allow-remote"), "{told}");
}

fn binary(data: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.arg("--data").arg(data.path().join("chat")).args(arguments);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("CHAT_") {
            command.env_remove(variable);
        }
    }
    command
}
