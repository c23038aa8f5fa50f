//! How long a connection is kept between two requests (RFC 9112 §9.3).
//!
//! A proxy keeps connections in a pool and sends the next request over any of them. One that the
//! server closes at that very moment loses the request, so a connection is kept longer than common
//! proxies keep theirs, and each answer says how long. The head of a request that has begun has a
//! much shorter time of its own, since it costs nobody anything to send one byte now and then.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONNECTION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// How much longer a connection is kept than its answers say: a request that is sent at the last
/// moment is still on its way then.
const MARGIN: Duration = Duration::from_secs(1);

/// What holds for the kept connections of a server.
#[derive(Debug)]
pub(super) struct KeepAlive {
    /// How long a connection may be idle between two requests.
    pub(super) idle_timeout: Duration,
    /// The most connections that are kept.
    most: usize,
    /// Those that are kept now.
    kept: AtomicUsize,
    /// What answers say; none where no whole second is left to promise.
    promise: Option<HeaderValue>,
}

impl KeepAlive {
    pub(super) fn new(idle_timeout: Duration, most: usize) -> Self {
        let seconds = idle_timeout.saturating_sub(MARGIN).as_secs();
        let promise = (seconds > 0).then(|| {
            HeaderValue::try_from(format!("timeout={seconds}")).expect("digits are visible ASCII")
        });
        Self { idle_timeout, most, kept: AtomicUsize::new(0), promise }
    }

    /// Takes the place of one more kept connection; whether there is one.
    fn take_place(&self) -> bool {
        let more = |kept| (kept < self.most).then_some(kept + 1);
        self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_place_back(&self) {
        self.kept.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The rest of a request's head, or the whole of the first.
    Head,
    /// The answer, or the request's body.
    Answer,
    /// The first byte of the next request.
    Idle,
}

/// The exchanges of one connection, known to its stream and to whoever answers its requests.
#[derive(Debug)]
pub(super) struct Exchanges {
    keep_alive: Arc<KeepAlive>,
    /// When the connection was made.
    beginning: Instant,
    /// The phase in the lowest two bits, and above them when it began: microseconds after the beginning.
    state: AtomicU64,
    /// Whether the connection has the place of a kept one.
    has_place: AtomicBool,
}

impl Exchanges {
    pub(super) fn new(keep_alive: Arc<KeepAlive>) -> Self {
        Self {
            keep_alive,
            beginning: Instant::now(),
            state: AtomicU64::new(HEAD),
            has_place: AtomicBool::new(false),
        }
    }

    /// The phase, and when it began.
    pub(super) fn phase(&self) -> (Phase, Instant) {
        let state = self.state.load(Ordering::Relaxed);
        let phase = match state & PHASE {
            HEAD => Phase::Head,
            ANSWER => Phase::Answer,
            _ => Phase::Idle,
        };
        (phase, self.beginning + Duration::from_micros(state >> PHASE_BITS))
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        self.keep_alive.idle_timeout
    }

    /// The first byte of the next request is here.
    pub(super) fn begin_head(&self) {
        self.enter(HEAD);
    }

    /// A request is here.
    pub(super) fn begin_answer(&self) {
        self.enter(ANSWER);
        self.give_place_back();
    }

    /// Says to the client whether the connection is kept, and lets the idle time begin when the
    /// answer is written.
    pub(super) fn answer(
        self: &Arc<Self>,
        request: &RequestEnd,
        mut response: Response,
        leaving: bool,
    ) -> hyper::Response<AnswerBody> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            self.promise(request, response.headers_mut(), leaving);
        }
        response.map(|body| AnswerBody { body, exchanges: Arc::clone(self) })
    }

    fn promise(&self, request: &RequestEnd, headers: &mut HeaderMap, leaving: bool) {
        if !request.wants_more || headers.contains_key(CONNECTION) {
            return;
        }
        if leaving || !self.take_place() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        } else if let Some(promise) = &self.keep_alive.promise {
            headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
            headers.insert(KEEP_ALIVE, promise.clone());
        }
    }

    fn enter(&self, phase: u64) {
        let age = u64::try_from(self.beginning.elapsed().as_micros()).unwrap_or(u64::MAX);
        // Only the connection's one task does this.
        self.state.store(age << PHASE_BITS | phase, Ordering::Relaxed);
    }

    fn take_place(&self) -> bool {
        let taken = self.keep_alive.take_place();
        self.has_place.store(taken, Ordering::Relaxed);
        taken
    }

    fn give_place_back(&self) {
        if self.has_place.swap(false, Ordering::Relaxed) {
            self.keep_alive.give_place_back();
        }
    }
}

impl Drop for Exchanges {
    fn drop(&mut self) {
        self.give_place_back();
    }
}

const PHASE_BITS: u32 = 2;
const PHASE: u64 = (1 << PHASE_BITS) - 1;
const HEAD: u64 = 0;
const ANSWER: u64 = 1;
const IDLE: u64 = 2;

/// What a request says about the connection that it came over.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestEnd {
    /// Whether another request may follow (RFC 9112 §9.3).
    wants_more: bool,
}

impl RequestEnd {
    pub(super) fn of<B>(request: &hyper::Request<B>) -> Self {
        let says = |option: &str| {
            request.headers().get_all(CONNECTION).iter().any(|value| {
                let mut options = value.to_str().unwrap_or_default().split(',').map(str::trim);
                options.any(|one| one.eq_ignore_ascii_case(option))
            })
        };
        let keeps = request.version() >= Version::HTTP_11 || says("keep-alive");
        Self { wants_more: keeps && !says("close") }
    }
}

/// The body of an answer. Once all of it is written, the connection is idle.
#[derive(Debug)]
pub(super) struct AnswerBody {
    body: Body,
    exchanges: Arc<Exchanges>,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.exchanges.enter(IDLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchanges(keep_alive: &Arc<KeepAlive>) -> Arc<Exchanges> {
        Arc::new(Exchanges::new(Arc::clone(keep_alive)))
    }

    fn answered(exchanges: &Arc<Exchanges>, head: hyper::http::request::Builder) -> HeaderMap {
        let request = RequestEnd::of(&head.body(()).unwrap());
        exchanges.begin_answer();
        exchanges.answer(&request, Response::new(Body::empty()), false).headers().clone()
    }

    #[test]
    fn an_answer_says_how_long_the_connection_is_kept() {
        let keep_alive = Arc::new(KeepAlive::new(Duration::from_secs(75), 8));
        let exchanges = exchanges(&keep_alive);
        let headers = answered(&exchanges, hyper::Request::get("/"));
        assert_eq!(
            (&headers["connection"], &headers["keep-alive"]),
            (&HeaderValue::from_static("keep-alive"), &HeaderValue::from_static("timeout=74"),)
        );
        assert_eq!(exchanges.phase().0, Phase::Idle);
        let last = hyper::Request::get("/").header("connection", "te, Close");
        assert!(answered(&exchanges, last).is_empty(), "the client ends it");
        let old = || hyper::Request::get("/").version(Version::HTTP_10);
        assert!(answered(&exchanges, old()).is_empty());
        let kept = old().header("connection", "Keep-Alive");
        assert_eq!(answered(&exchanges, kept)["connection"], "keep-alive");
    }

    #[test]
    fn no_more_connections_are_kept_than_allowed() {
        let keep_alive = Arc::new(KeepAlive::new(Duration::from_secs(75), 1));
        let (first, second) = (exchanges(&keep_alive), exchanges(&keep_alive));
        for _ in 0..3 {
            assert_eq!(answered(&first, hyper::Request::get("/"))["connection"], "keep-alive");
        }
        assert_eq!(answered(&second, hyper::Request::get("/"))["connection"], "close");
        drop(first);
        assert_eq!(answered(&second, hyper::Request::get("/"))["connection"], "keep-alive");
        drop(second);
        assert_eq!(keep_alive.kept.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_phase_begins_when_it_is_entered() {
        let keep_alive = Arc::new(KeepAlive::new(Duration::from_secs(75), 1));
        let exchanges = exchanges(&keep_alive);
        let beginning = Instant::now();
        assert_eq!(exchanges.phase(), (Phase::Head, beginning));
        let second = Duration::from_secs(1);
        tokio::time::advance(second).await;
        let answer = answered(&exchanges, hyper::Request::get("/"));
        assert!(!answer.is_empty());
        assert_eq!(exchanges.phase(), (Phase::Idle, beginning + second));
        tokio::time::advance(second).await;
        assert_eq!(exchanges.phase(), (Phase::Idle, beginning + second));
        exchanges.begin_head();
        assert_eq!(exchanges.phase(), (Phase::Head, beginning + 2 * second));
    }
}
