//! The binary: its commands, its configuration, what it prints, and how it ends.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use chat_test_servers::Postgres;
use serde_json::Value;

use crate::support::{Answer, TestServer, request};

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
    let (good, _, told) = run(&["migrate", "--check"]);
    assert!(!good && told.contains("there is no data folder"), "{told}");
    assert_eq!(data.path().read_dir().unwrap().count(), 0, "looking makes nothing");
    let other = format!("store.url=sqlite://{}/other.db", data.path().display());
    let (good, printed, told) = run(&["--set", &other, "migrate", "--check"]);
    assert!(!good && printed.contains("1 initial") && told.contains("not up to date"), "{told}");
    assert_eq!(data.path().read_dir().unwrap().count(), 0, "looking makes nothing");
    let (good, printed, _) = run(&["migrate"]);
    assert!(good && printed.contains("up to date"), "{printed}");
    let (good, printed, _) = run(&["migrate", "--check"]);
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

#[test]
fn a_start_names_its_database_and_what_fails_of_it() {
    let data = tempfile::tempdir().unwrap();
    let postgres = Postgres::shared();
    let database = postgres.create_database().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = binary(&data, arguments);
        let url = format!("{}?password=s3cret", database.url);
        let output = command.env("DATABASE_URL", url).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (good, told) = run(&["migrate"]);
    assert!(good, "{told}");
    postgres.execute(&database.name, "DROP TABLE chat_account CASCADE").unwrap();
    let (good, told) = run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!good && told.contains("the database cannot be used"), "{told}");
    assert!(!told.contains("demo"), "there are no demo accounts: {told}");
    let named = format!("kind=postgres place=\"{}?password=[redacted]\"", database.url);
    assert!(told.contains(&named) && !told.contains("s3cret"), "{told}");
}

#[test]
fn an_empty_database_url_is_told() {
    let data = tempfile::tempdir().unwrap();
    let check = binary(&data, &["config", "check"]).env("DATABASE_URL", "").output().unwrap();
    let told = String::from_utf8(check.stderr).unwrap();
    assert!(check.status.success() && told.contains("DATABASE_URL is empty"), "{told}");
}

fn binary(data: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.arg("--data").arg(data.path().join("chat")).args(arguments);
    for (variable, _) in std::env::vars_os() {
        let variable_name = variable.to_string_lossy();
        if variable_name.starts_with("CHAT_")
            || ["DATABASE_URL", "CLUSTER_URL"].contains(&&*variable_name)
        {
            command.env_remove(&variable);
        }
    }
    command
}

/// `chat-server serve`, running on a free port. Killed when dropped.
struct Process {
    child: Child,
    address: SocketAddr,
    /// Kept open, since the server writes to it.
    _stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        stdout.read_line(&mut printed).unwrap();
        let address = printed.trim().rsplit("http://").next().unwrap().parse();
        let address = address.unwrap_or_else(|_| panic!("no address: {printed:?}"));
        Self { child, address, _stdout: stdout }
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        let head = format!("GET {path} HTTP/1.1\r\nauthorization: Bearer {token}");
        request(self.address, &head, "").await
    }

    /// The configured page, as the server tells it.
    async fn page(&self, token: &str) -> Value {
        self.get("/api/chat/limits", token).await.json()["page"].clone()
    }

    /// Stops it in order, and returns the lines of its log.
    fn stop(mut self) -> Vec<String> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        let log = BufReader::new(self.child.stderr.take().unwrap());
        let lines = log.lines().map(Result::unwrap).collect();
        assert!(self.child.wait().unwrap().success());
        lines
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_file_is_named_by_argument_or_variable_and_the_environment_is_stronger() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("chat.toml");
    std::fs::write(&file, "[limits]\npage = 7\n").unwrap();

    let mut by_argument = binary(&data, &["--config"]);
    by_argument.arg(&file);
    let server = Process::start(by_argument);
    let token = String::from_utf8(binary(&data, &["token", "u-1"]).output().unwrap().stdout);
    let token = token.unwrap().trim().to_owned();
    assert_eq!(server.page(&token).await, 7);
    server.stop();

    let mut by_variable = binary(&data, &[]);
    by_variable.env("CHAT_CONFIG", &file);
    let server = Process::start(by_variable);
    assert_eq!(server.page(&token).await, 7);
    server.stop();

    let mut both = binary(&data, &[]);
    both.env("CHAT_CONFIG", &file).env("CHAT_LIMITS__PAGE", "8");
    let server = Process::start(both);
    assert_eq!(server.page(&token).await, 8);
    server.stop();
}

#[tokio::test]
async fn a_token_of_the_command_line_is_accepted_by_a_running_server() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(binary(&data, &[]));
    let token = binary(&data, &["token", "u-1", "--name", "Ada"]).output().unwrap();
    let token = String::from_utf8(token.stdout).unwrap();
    let me = server.get("/api/chat/auth/me", token.trim()).await;
    assert_eq!(me.status, 200, "{me:?}");
    assert!(me.json().to_string().contains("\"Ada\""), "{me:?}");
    server.stop();
}

#[tokio::test]
async fn a_log_for_programs_says_whose_a_request_was() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(binary(&data, &["--set", "log.format=json"]));
    let token = binary(&data, &["token", "u-1"]).output().unwrap().stdout;
    let token = String::from_utf8(token).unwrap();
    assert_eq!(server.get("/api/chat/auth/me", token.trim()).await.status, 200);
    assert_eq!(server.get("/api/chat/auth/me", "wrong").await.status, 401);
    let lines: Vec<Value> =
        server.stop().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<&Value> = lines.iter().filter(|line| line["message"] == "request").collect();
    let [known, unknown] = requests[..] else { panic!("{lines:?}") };
    assert_eq!((&known["status"], &known["user"]), (&200.into(), &"u-1".into()));
    assert_eq!(known["path"], "/api/chat/auth/me");
    assert_eq!((&unknown["status"], unknown.get("user")), (&401.into(), None));
    assert!(known["request_id"].is_string() && known["duration_us"].is_u64(), "{known}");
}

#[test]
fn a_token_for_a_mistyped_folder_is_refused_unless_the_secret_is_known() {
    let data = tempfile::tempdir().unwrap();
    let refused = binary(&data, &["token", "u-1"]).output().unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && told.contains("--data"), "{told}");
    let secret = "0123456789abcdef0123456789abcdef";
    let token = binary(&data, &["token", "u-1"]).env("CHAT_JWT__SECRET", secret).output().unwrap();
    assert!(token.status.success());
    assert!(!data.path().join("chat").exists(), "nothing is made");
}

#[tokio::test]
async fn seed_leaves_the_rooms_of_others_alone() {
    let server = TestServer::start(|_| {}).await;
    let token = server.token_for("ada").await;
    let head = format!(
        "POST /api/chat/conversations HTTP/1.1\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json"
    );
    let room = server.request(&head, "{\"name\": \"general\"}").await.json();
    let room = room["id"].as_str().unwrap().to_owned();
    let data = server.stop().await;
    for made in ["made 10 users, 50 conversations", "made 0 users, 0 conversations"] {
        let seeded = binary(&data, &["seed"]).output().unwrap();
        let printed = String::from_utf8(seeded.stdout).unwrap();
        assert!(seeded.status.success() && printed.contains(made), "{printed}");
    }
    let server = TestServer::start_on(data, |_| {}).await;
    let head =
        format!("GET /api/chat/conversations/{room} HTTP/1.1\r\nauthorization: Bearer {token}");
    let seen = server.request(&head, "").await.json();
    assert_eq!((&seen["memberCount"], &seen["lastSeq"]), (&1.into(), &0.into()), "{seen}");
    server.stop().await;
}

#[test]
fn a_cluster_that_cannot_be_is_refused_before_anything_is_made() {
    let data = tempfile::tempdir().unwrap();
    let secret = "0123456789abcdef0123456789abcdef";
    let told = |arguments: &[&str], url: &str, database: &str| {
        let mut command = binary(&data, arguments);
        command.env("CLUSTER_URL", url).env("DATABASE_URL", database);
        let output = command.env("CHAT_JWT__SECRET", secret).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    for arguments in [&["config", "check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let refused = told(arguments, "nats://chat:s3cret@127.0.0.1:1", "");
        assert!(refused.contains("share a Postgres database"), "{refused}");
        assert!(refused.contains("nats://chat:[redacted]@127.0.0.1:1"), "{refused}");
        let refused = told(arguments, "kafka://chat:s3cret@127.0.0.1:1", "postgres://db/chat");
        assert!(refused.contains("CLUSTER_URL") && refused.contains("nats://"), "{refused}");
        assert!(!refused.contains("s3cret"), "{refused}");
    }
    assert!(!data.path().join("chat").exists(), "nothing is made");
}
