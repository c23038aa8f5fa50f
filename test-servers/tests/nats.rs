//! A NATS server does what it is told, and counts what passes through it.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use chat_test_servers::Nats;

/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(60);

/// A client that speaks the protocol by hand.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(nats: &Nats, options: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", nats.port())).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let mut client = Self(BufReader::new(stream));
        assert!(client.line().starts_with("INFO "));
        client.say(&format!("CONNECT {{\"verbose\":false,{options}}}"));
        client
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(format!("{text}\r\n").as_bytes()).unwrap();
    }

    fn publish(&mut self, subject: &str, text: &str) {
        self.say(&format!("PUB {subject} {}\r\n{text}", text.len()));
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits until the server has done everything, and returns what else it said.
    fn flush(&mut self) -> Vec<String> {
        self.say("PING");
        std::iter::from_fn(|| Some(self.line()).filter(|line| line != "PONG")).collect()
    }

    /// Asks for something and returns what is answered.
    fn ask(&mut self, subject: &str, text: &str) -> String {
        self.say("SUB answer 9");
        self.say(&format!("PUB {subject} answer {}\r\n{text}", text.len()));
        assert!(self.line().starts_with("MSG answer"), "nobody answers");
        let answer = self.line();
        self.say("UNSUB 9");
        answer
    }
}

const MAKE_STREAM: &str = r#"{"name":"KEPT","subjects":["kept.>"],"storage":"file"}"#;

fn streams(nats: &Nats) -> String {
    Client::connect(nats, r#""name":"names""#).ask("$JS.API.STREAM.NAMES", "")
}

#[test]
fn what_passes_is_counted_for_everybody() {
    let nats = Nats::start().unwrap();
    let mut hears = Client::connect(&nats, r#""name":"hears > \"all\"""#);
    hears.say("SUB chat.> 1");
    hears.say("SUB other 2");
    hears.flush();
    let mut says = Client::connect(&nats, r#""name":"says""#);
    for text in ["one", "two", "three"] {
        says.publish("chat.room", text);
    }
    says.publish("nobody.hears", "four");
    assert!(says.flush().is_empty());
    for text in ["one", "two", "three"] {
        assert_eq!(hears.line(), format!("MSG chat.room 1 {}", text.len()));
        assert_eq!(hears.line(), text);
    }
    let counted = nats.statistics().unwrap();
    assert_eq!((counted.in_msgs, counted.out_msgs), (4, 3));
    assert_eq!(counted.connections.len(), 2);
    let says = counted.named("says").next().unwrap();
    assert_eq!((says.in_msgs, says.out_msgs), (4, 0));
    let hears = counted.named("hears > \"all\"").next().unwrap();
    assert_eq!((hears.in_msgs, hears.out_msgs), (0, 3));
    let mut subscriptions = hears.subscriptions.clone();
    subscriptions.sort();
    assert_eq!(subscriptions, ["chat.>", "other"]);
}

#[test]
fn what_jetstream_stored_survives_until_the_server_starts_empty() {
    let nats = Nats::start().unwrap();
    let mut client = Client::connect(&nats, r#""name":"makes""#);
    let made = client.ask("$JS.API.STREAM.CREATE.KEPT", MAKE_STREAM);
    assert!(!made.contains("error"), "{made}");
    let url = nats.url();
    nats.kill().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", nats.port())).is_err());
    nats.start_again().unwrap();
    assert!(streams(&nats).contains("KEPT"));
    nats.restart().unwrap();
    assert!(streams(&nats).contains("KEPT"));
    nats.start_empty().unwrap();
    assert!(!streams(&nats).contains("KEPT"));
    nats.kill().unwrap();
    nats.start_empty().unwrap();
    assert_eq!(nats.url(), url);
}

#[test]
fn a_paused_server_answers_when_it_goes_on() {
    let nats = Nats::start().unwrap();
    let mut client = Client::connect(&nats, r#""name":"waits""#);
    client.flush();
    nats.pause().unwrap();
    thread::scope(|scope| {
        let flushed = scope.spawn(|| client.flush());
        assert!(TcpStream::connect(("127.0.0.1", nats.port())).is_ok());
        assert!(!flushed.is_finished());
        nats.resume().unwrap();
        flushed.join().unwrap();
    });
}

#[test]
fn a_password_is_asked_for_whatever_it_holds() {
    let nats = Nats::builder().user("me", "a:\"b\\ $c/@").start().unwrap();
    assert!(nats.url().starts_with("nats://me:a%3A%22b%5C%20%24c%2F%40@127.0.0.1:"));
    let mut client = Client::connect(&nats, r#""user":"me","pass":"a:\"b\\ $c/@""#);
    assert!(client.flush().is_empty());
    let mut stranger = Client::connect(&nats, r#""user":"me","pass":"wrong""#);
    assert_eq!(stranger.line(), "-ERR 'Authorization Violation'");
}

#[test]
fn a_server_with_tls_says_so_and_its_settings_hold() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-keyout", "key", "-out", "certificate"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let builder = Nats::builder().tls(&read("certificate"), &read("key"));
    let nats = builder.setting("max_payload", "64KB").start().unwrap();
    assert!(nats.url().starts_with("tls://127.0.0.1:"));
    let stream = TcpStream::connect(("127.0.0.1", nats.port())).unwrap();
    let mut greeting = String::new();
    BufReader::new(stream).read_line(&mut greeting).unwrap();
    assert!(greeting.contains("\"tls_required\":true"), "{greeting}");
    assert!(greeting.contains("\"max_payload\":65536"), "{greeting}");
    assert_eq!(nats.statistics().unwrap().in_msgs, 0);
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let refused = Nats::builder().setting("max_payload", "{").start().unwrap_err();
    assert!(refused.to_string().contains("Parse error"), "{refused}");
}
