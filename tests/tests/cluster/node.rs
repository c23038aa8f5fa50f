use std::fs;
use std::path::{Path, PathBuf};

use chat_test_servers::{Database, TcpProxy};
use tokio::process::Command;

use crate::broker::Broker;
use crate::home::Home;
use crate::server::Server;
use crate::soon;

/// What tokens are signed with on all nodes.
const SECRET: &str = "a secret that all nodes of these tests share";
/// Has a server write its log into a file: the first argument, before the server's own words.
const INTO_LOG: &str = r#"exec "$@" 2>>"$0""#;
/// Short times, so that rounds are short.
const QUICK: [&str; 16] = [
    "store.call_timeout_ms=1000",
    "store.statement_timeout_ms=600",
    "store.lock_timeout_ms=600",
    "store.max_connections=6",
    "presence.grace_ms=2000",
    "presence.lease_ms=3000",
    "heartbeat.ping_interval_ms=500",
    "limits.conversations_per_minute=1000",
    "limits.membership_changes_per_minute=100000",
    "limits.connects_per_minute=100000",
    "limits.reads_per_second=100000",
    "limits.signals_per_second=100000",
    "accounts.logins_per_minute=1000",
    "cluster.timeout_ms=1000",
    "drain_seconds=1",
    "log.filter=info",
];

/// One server of a cluster, a process of its own, which reaches the database and the broker through
/// networks of its own.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) number: usize,
    home: Home,
    pub(crate) to_store: TcpProxy,
    pub(crate) to_broker: Option<TcpProxy>,
    /// Where the broker is, as the node is told.
    cluster_url: Option<String>,
    settings: Vec<String>,
    /// None while it is down.
    server: Option<Server>,
}

impl Node {
    /// Starts a node.
    pub(crate) async fn start(
        number: usize,
        database: &Database,
        postgres: u16,
        broker: Option<&Broker>,
        settings: &[&str],
    ) -> Self {
        let to_store = TcpProxy::start(("127.0.0.1", postgres)).unwrap();
        let to_broker = broker.map(|b| TcpProxy::start(("127.0.0.1", b.port())).unwrap());
        let cluster_url =
            broker.zip(to_broker.as_ref()).map(|(broker, proxy)| proxy.url(&broker.url()));
        let database = Database { url: to_store.url(&database.url), name: database.name.clone() };
        let home = Home::on(database);
        // Where the command that signs tokens finds it.
        fs::write(home.folder().join("secret.key"), SECRET).unwrap();
        let settings = QUICK.iter().chain(settings).map(|setting| (*setting).to_owned()).collect();
        let mut node =
            Self { number, home, to_store, to_broker, cluster_url, settings, server: None };
        node.start_again().await;
        node
    }

    /// Starts the process, which is down.
    pub(crate) async fn start_again(&mut self) {
        let log = self.log();
        let log = log.to_str().unwrap();
        let url = self.cluster_url.as_ref().map(|url| format!("CLUSTER_URL={url}"));
        let secret = format!("CHAT_JWT__SECRET={SECRET}");
        let mut runner = vec!["env", &secret];
        runner.extend(url.as_deref());
        runner.extend(["sh", "-c", INTO_LOG, log]);
        let arguments: Vec<_> =
            self.settings.iter().flat_map(|setting| ["--set", setting.as_str()]).collect();
        self.server = Some(Server::start_under(&runner, &self.home, &arguments).await);
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("the node is up")
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self) {
        self.server.take().expect("the node is up").kill().await;
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn stop(&mut self) {
        self.server.take().expect("the node is up").stop().await;
    }

    /// Sends a signal such as `STOP`.
    pub(crate) async fn signal(&self, name: &str) {
        let process = self.server().process_id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &process]).status();
        assert!(soon("a signal", status).await.unwrap().success());
    }

    /// A token of a user, as a host would sign it.
    pub(crate) async fn token(&self, user: &str) -> String {
        let (good, printed) = Server::command(&self.home, &["token", user]).await;
        assert!(good, "{printed}");
        // What it logs is printed, too.
        let token = printed.lines().find(|line| line.starts_with("eyJ"));
        token.unwrap_or_else(|| panic!("{printed}")).to_owned()
    }

    /// Keeps its log when a test has failed.
    fn keep_log(&self) {
        let name = format!("cluster-{}-node-{}.log", std::process::id(), self.number);
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if fs::copy(self.log(), &kept).is_ok() {
            println!("the log of node {} is in {}", self.number, kept.display());
        }
    }

    /// Where it writes its log, over all its lives.
    fn log(&self) -> PathBuf {
        self.home.folder().join("log")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_log();
        }
    }
}
