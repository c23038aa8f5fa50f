//! What goes through a proxy is never changed, and fails as it is told to.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use chat_test_servers::{Direction, TcpProxy};

/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(60);
/// Long enough to notice what should not come.
const MOMENT: Duration = Duration::from_millis(50);

/// A server that says everything again, until it hears the end.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            thread::spawn(move || {
                // A proxy that is cut is an error here, too.
                drop(std::io::copy(&mut &stream, &mut &stream));
                drop(stream.shutdown(Shutdown::Write));
            });
        }
    });
    address
}

fn proxy() -> TcpProxy {
    TcpProxy::start(echo()).unwrap()
}

fn connect(proxy: &TcpProxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.addr()).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn say(mut stream: &TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

fn hear(mut stream: &TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

fn hear_nothing(mut stream: &TcpStream) {
    stream.set_read_timeout(Some(MOMENT)).unwrap();
    let heard = stream.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(heard, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{heard}");
    stream.set_read_timeout(Some(BOUND)).unwrap();
}

/// Closing may show as an end or as an error.
fn hear_the_end(mut stream: &TcpStream) {
    let heard = stream.read(&mut [0]);
    assert!(!matches!(heard, Ok(1..)), "{heard:?}");
    let kind = heard.map_or_else(|error| error.kind(), |_| ErrorKind::UnexpectedEof);
    assert!(!matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut), "it is still open");
}

#[test]
fn whoever_has_said_all_still_hears_the_answer() {
    let proxy = proxy();
    let stream = connect(&proxy);
    say(&stream, "hello");
    stream.shutdown(Shutdown::Write).unwrap();
    let mut heard = String::new();
    (&stream).read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "hello");
}

#[test]
fn many_small_messages_come_in_order() {
    const MESSAGES: usize = 20_000;
    let proxy = proxy();
    thread::scope(|scope| {
        for connection in 0..8 {
            let stream = connect(&proxy);
            scope.spawn(move || {
                let message = |n: usize| format!("{connection} says number {n:08}\n");
                thread::scope(|scope| {
                    scope.spawn(|| (0..MESSAGES).for_each(|n| say(&stream, &message(n))));
                    (0..MESSAGES).for_each(|n| hear(&stream, &message(n)));
                });
            });
        }
    });
}

#[test]
fn what_is_delayed_comes_later_in_order() {
    let proxy = proxy();
    let stream = connect(&proxy);
    for direction in [Direction::ToServer, Direction::FromServer] {
        proxy.delay(direction, MOMENT);
        let start = Instant::now();
        for n in 0..100 {
            say(&stream, &format!("{n:02}"));
        }
        hear(&stream, "00");
        assert!(start.elapsed() >= MOMENT);
        for n in 1..100 {
            hear(&stream, &format!("{n:02}"));
        }
        proxy.pass().unwrap();
    }
    proxy.delay(Direction::ToServer, BOUND * 2);
    say(&stream, "late");
    hear_nothing(&stream);
    proxy.pass().unwrap();
    hear(&stream, "late");
}

#[test]
fn more_than_fits_on_the_way_waits() {
    let proxy = proxy();
    let stream = connect(&proxy);
    proxy.delay(Direction::FromServer, BOUND * 2);
    let much = "0123456789abcdef".repeat(2 << 20);
    thread::scope(|scope| {
        scope.spawn(|| say(&stream, &much));
        hear_nothing(&stream);
        proxy.pass().unwrap();
        hear(&stream, &much);
    });
}

#[test]
fn what_is_cut_ends_and_nothing_connects_until_it_passes() {
    let proxy = proxy();
    let streams = [connect(&proxy), connect(&proxy)];
    for stream in &streams {
        say(stream, "hello");
        hear(stream, "hello");
    }
    for _ in 0..3 {
        proxy.cut();
        proxy.cut();
        streams.iter().for_each(hear_the_end);
        let refused = TcpStream::connect(proxy.addr()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        proxy.pass().unwrap();
        let stream = connect(&proxy);
        say(&stream, "again");
        hear(&stream, "again");
    }
}

#[test]
fn nothing_comes_out_of_a_black_hole_before_it_ends() {
    let proxy = proxy();
    let old = connect(&proxy);
    say(&old, "before");
    hear(&old, "before");
    proxy.blackhole().unwrap();
    let new = connect(&proxy);
    for stream in [&old, &new] {
        say(stream, "within");
        hear_nothing(stream);
    }
    proxy.pass().unwrap();
    for stream in [&old, &new] {
        hear(stream, "within");
    }
    proxy.blackhole().unwrap();
    proxy.cut();
    for stream in [&old, &new] {
        hear_the_end(stream);
    }
    proxy.blackhole().unwrap();
    let stream = connect(&proxy);
    say(&stream, "hello");
    hear_nothing(&stream);
    drop(proxy);
    hear_the_end(&stream);
}

#[test]
fn where_the_server_refuses_connections_end() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = TcpProxy::start(server).unwrap();
    hear_the_end(&connect(&proxy));
}

#[test]
fn a_url_leads_through_the_proxy() {
    let proxy = proxy();
    let expected = format!("postgres://me:word@{}/chat?sslmode=disable", proxy.addr());
    assert_eq!(proxy.url("postgres://me:word@127.0.0.1:5432/chat?sslmode=disable"), expected);
}
