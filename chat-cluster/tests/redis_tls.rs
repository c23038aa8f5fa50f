//! Redis over TLS.

#![cfg(feature = "redis")]

mod redis_support;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use chat_cluster::{ClusterConfig, ConnectError, RedisCluster};
use chat_core::broker::Broker;
use chat_test_servers::Redis;
use redis_support::{blocking, chain, refusal};

/// A server that speaks TLS, and the file of its certificate.
fn secured() -> (Redis, u16, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("redis-tls");
    std::fs::create_dir_all(&folder).expect("a folder");
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let everybody = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&key, everybody).expect("permissions");
    let free = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = free.local_addr().expect("a port").port();
    drop(free);
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    let redis = Redis::builder()
        .setting("tls-port", &port.to_string())
        .setting("tls-cert-file", &quoted(&certificate))
        .setting("tls-key-file", &quoted(&key))
        .setting("tls-ca-cert-file", &quoted(&certificate))
        .setting("tls-auth-clients", "no")
        .start()
        .expect("redis-server");
    (redis, port, certificate)
}

#[tokio::test]
async fn certificates_of_ones_own_are_trusted_if_they_are_named() {
    let (_redis, port, certificate) = blocking(secured).await;
    let mut config = ClusterConfig::new([format!("rediss://localhost:{port}")]);
    let error = refusal(config.clone()).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{}", chain(&error));
    config.ca_file = Some(certificate);
    let member = RedisCluster::connect(config).await.expect("connected");
    member.probe().await.expect("it works");
}
