use std::error::Error;
use std::path::Path;
use std::process::Command;

use chat_cluster::{ClusterConfig, ConnectError, NatsCluster};
use chat_core::broker::Broker;
use chat_test_servers::Nats;

use crate::support::{blocking, config, connect, within};

/// All that an error says.
fn words(error: &ConnectError) -> String {
    let mut words = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        words += &format!(" {error} {error:?}");
        source = error.source();
    }
    words
}

async fn refused(config: ClusterConfig) -> ConnectError {
    let error = within(NatsCluster::connect(config)).await.unwrap_err();
    assert!(!words(&error).contains("canary"), "{error:?}");
    error
}

#[tokio::test]
async fn who_gives_the_right_password_is_let_in() {
    let password = "canary/@: %41";
    let nats = blocking(move || Nats::builder().user("ada", password).start().unwrap()).await;
    let right = config(&nats);
    let node = connect(&right).await;
    node.probe().await.unwrap();
    let shown = format!("{node:?} {right:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains(&format!("127.0.0.1:{}", nats.port())), "{shown}");

    for url in ["nats://ada:canary-wrong@", "nats://canary@", "nats://"] {
        let mut wrong = right.clone();
        wrong.urls = vec![format!("{url}127.0.0.1:{}", nats.port())];
        let error = refused(wrong).await;
        assert!(matches!(error, ConnectError::AccessDenied { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn where_nobody_is_there_is_nothing_to_connect_to() {
    let nats = Nats::start().unwrap();
    let mut config = config(&nats);
    let port = nats.port();
    drop(nats);
    config.urls = vec![format!("nats://ada:canary@127.0.0.1:{port}")];
    let error = refused(config.clone()).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    config.urls = Vec::new();
    assert!(matches!(refused(config).await, ConnectError::NoUrl));
}

#[tokio::test]
async fn any_of_several_servers_will_do() {
    let (gone, there) = (Nats::start().unwrap(), Nats::shared());
    let mut config = config(there);
    config.urls.insert(0, gone.url());
    drop(gone);
    connect(&config).await.probe().await.unwrap();
}

#[tokio::test]
async fn a_server_without_jetstream_is_not_enough() {
    let nats = Nats::builder().setting("jetstream", "disabled").start().unwrap();
    let error = refused(config(&nats)).await;
    assert!(matches!(error, ConnectError::Unsuitable { .. }), "{}", words(&error));
    assert!(error.to_string().contains("no JetStream"), "{}", words(&error));
}

/// A certificate for this machine, and its key.
fn certificate(folder: &Path) -> (String, String) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key", "-out", "certificate"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
    (read("certificate"), read("key"))
}

#[tokio::test]
async fn servers_are_known_by_their_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(folder.path());
    let nats = Nats::builder().tls(&certificate, &key).user("ada", "canary").start().unwrap();
    let mut config = config(&nats);
    config.ca_file = Some(folder.path().join("certificate"));
    connect(&config).await.probe().await.unwrap();

    config.ca_file = Some(folder.path().join("key"));
    assert!(matches!(refused(config.clone()).await, ConnectError::Certificates(_)));
    config.ca_file = Some(folder.path().join("nothing"));
    assert!(matches!(refused(config.clone()).await, ConnectError::Certificates(_)));
    config.ca_file = None;
    let error = refused(config).await;
    assert!(matches!(error, ConnectError::Certificates(_)), "{error:?}");
}
