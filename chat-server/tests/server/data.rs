//! The file that everything is in: whose it is, and what becomes of it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use chat_server::Server;
use chat_server::config::Config;
use tokio::time::timeout;

use crate::support::{PATIENCE, TestServer};

/// A server of its own folder, on a database file.
fn on(file: &Path, folder: &Path) -> Config {
    let url = format!("sqlite://{}", file.display());
    let mut config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: folder.to_owned(),
        ..Config::development()
    };
    config.store.url = Some(url.try_into().unwrap());
    config
}

/// All that is told of a server that does not start.
async fn refusal(config: Config) -> String {
    let refused = Server::bind(config).await.unwrap_err();
    let mut told = refused.to_string();
    let mut cause = std::error::Error::source(&refused);
    while let Some(error) = cause {
        told += &format!(": {error}");
        cause = error.source();
    }
    told
}

#[tokio::test]
async fn one_database_file_is_used_by_one_server_whatever_it_is_called() {
    let server = TestServer::start(|_| {}).await;
    let at = |name: &str| server.data.path().join(name);
    let file = at("chat/chat.db");
    symlink(&file, at("link.db")).unwrap();
    symlink(at("chat"), at("linked")).unwrap();
    for path in [file.clone(), at("chat/../chat/chat.db"), at("link.db"), at("linked/chat.db")] {
        let told = refusal(on(&path, &at("other"))).await;
        assert!(told.contains("is used by another process"), "{}: {told}", path.display());
    }
    fs::hard_link(&file, at("hard.db")).unwrap();
    let told = refusal(on(&at("hard.db"), &at("other"))).await;
    assert!(told.contains("used by another process") || told.contains("hard link"), "{told}");
    assert_eq!(server.get("/readyz").await.status, 200, "the first goes on");
    server.stop().await;
}

#[tokio::test]
async fn an_empty_database_beside_a_secret_is_no_new_world() {
    let server = TestServer::start(|config| config.dev = false).await;
    let data = server.stop().await;
    let at = |name: &str| data.path().join("chat").join(name);
    assert!(at("secret.key").exists());
    fs::remove_file(at("chat.db")).unwrap();
    fs::write(at("chat.db"), "").unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.path().join("chat"),
        ..Config::default()
    };
    let told = refusal(config.clone()).await;
    assert!(told.contains("is empty or missing") && told.contains("backup"), "{told}");
    assert!(told.contains("secret.key"), "{told}");
    assert_eq!(fs::metadata(at("chat.db")).unwrap().len(), 0, "it is left as it was");
    fs::remove_file(at("chat.db")).unwrap();
    Server::bind(config).await.expect("whoever takes it away begins anew");
}

#[tokio::test]
async fn a_server_on_a_damaged_file_is_not_ready() {
    let server = TestServer::start(|_| {}).await;
    let token = server.token_for("ada").await;
    assert_eq!(server.me(&token).await.status, 200);
    // Everything is in the file once the server has stopped.
    let server =
        TestServer::start_on(server.stop().await, |config| config.store.cache = false).await;
    assert_eq!(server.get("/readyz").await.status, 200);
    let path = server.data.path().join("chat/chat.db");
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.write_all_at(&vec![0xA5; length - 4096], 4096).unwrap();
    assert_eq!(server.me(&token).await.status, 500, "what people read is damaged");
    let red = async {
        // An answer holds for a second.
        while server.get("/readyz").await.status != 503 {}
    };
    timeout(PATIENCE, red).await.expect("not ready in time");
    let answer = server.get("/readyz").await.json();
    assert!(answer["reason"].as_str().unwrap().starts_with("store: the probe failed"), "{answer}");
}
