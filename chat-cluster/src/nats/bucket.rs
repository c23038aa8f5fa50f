use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Info, LastRawMessageErrorKind, StorageType,
};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::error::NatsError;
use super::jetstream::JetStream;

/// The number of no connection.
const NONE: u64 = 0;

/// Keys with values, kept in the memory of the NATS servers and shared by all nodes: a key-value
/// bucket as other clients know them, from which single revisions may also be deleted. That is how
/// keys go away without leaving a mark for ever.
///
/// It is made before its first use by each connection, since the servers may have lost their memory
/// when they lost the last, and again when it is missed. One
/// that exists is used as it is, such as with more replicas.
#[derive(Debug)]
pub(super) struct Bucket {
    jetstream: JetStream,
    /// `{namespace}_{name}`.
    name: String,
    /// What JetStream calls it.
    stream: String,
    /// How long a key lives without being written. Zero is for ever.
    max_age: Duration,
    /// By which connection it was found to exist, or none. Without that it is not read from: where
    /// it is not, nobody answers.
    found: AtomicU64,
    /// Of those that look for it, one does, and the others wait.
    looking: tokio::sync::Mutex<()>,
}

/// What a key holds.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: Bytes,
    /// The number of the change that wrote it, unique in the bucket.
    pub(super) revision: u64,
    /// When the server wrote it, in nanoseconds since 1970 by the server's clock.
    pub(super) written: i128,
}

/// Who answers what a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whoever is asked first. With several replicas the answer may be a little old.
    Near,
    /// The one who decides on changes.
    Certain,
}

#[derive(Deserialize)]
struct Written {
    seq: u64,
}

impl Bucket {
    /// A bucket of this name, which may not exist yet.
    pub(super) fn new(jetstream: JetStream, name: String, max_age: Duration) -> Self {
        let stream = format!("KV_{name}");
        let (found, looking) = (AtomicU64::new(NONE), tokio::sync::Mutex::new(()));
        Self { jetstream, name, stream, max_age, found, looking }
    }

    pub(super) const fn jetstream(&self) -> &JetStream {
        &self.jetstream
    }

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// The subject of a key, or of many by wildcards.
    pub(super) fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.name)
    }

    /// The key with this subject.
    pub(super) fn key<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix("$KV.")?.strip_prefix(&self.name)?.strip_prefix('.')
    }

    /// Makes the bucket, if it is not known to exist.
    ///
    /// # Errors
    ///
    /// When JetStream refuses, or has another stream of that name that cannot be used.
    pub(super) async fn ensure(&self) -> Result<(), NatsError> {
        let connection = self.jetstream.connection().times_made();
        if self.found.load(Ordering::Acquire) == connection {
            return Ok(());
        }
        let _looking = self.looking.lock().await;
        if self.found.load(Ordering::Acquire) != connection {
            self.make().await?;
            self.found.store(connection, Ordering::Release);
        }
        Ok(())
    }

    /// Notes that the bucket may not exist, when this is what somebody was answered by the lack of
    /// it.
    pub(super) fn doubt(&self, error: &NatsError) {
        if matches!(error, NatsError::Missing | NatsError::TimedOut) {
            self.found.store(NONE, Ordering::Release);
        }
    }

    async fn make(&self) -> Result<(), NatsError> {
        let config = Config {
            name: self.stream.clone(),
            subjects: vec![self.subject(">")],
            storage: StorageType::Memory,
            num_replicas: 1,
            max_messages_per_subject: 1,
            max_age: self.max_age,
            discard: DiscardPolicy::New,
            allow_direct: true,
            allow_rollup: true,
            ..Config::default()
        };
        let making = format!("STREAM.CREATE.{}", self.stream);
        match self.jetstream.api::<Info>(making, &config).await {
            Ok(_) => Ok(()),
            Err(NatsError::Refused(error))
                if error.error_code() == ErrorCode::STREAM_NAME_EXIST =>
            {
                let asking = format!("STREAM.INFO.{}", self.stream);
                let there: Info = self.jetstream.api(asking, &json!({})).await?;
                let fits = there.config.allow_direct && !there.config.deny_delete;
                if fits { Ok(()) } else { Err(NatsError::Refused(error)) }
            }
            Err(error) => Err(error),
        }
    }

    /// What a key holds.
    pub(super) async fn read(
        &self,
        key: &str,
        reading: Reading,
    ) -> Result<Option<Entry>, NatsError> {
        self.ensure().await?;
        let found = match reading {
            Reading::Near => self.read_near(key).await,
            Reading::Certain => self.read_certain(key).await,
        };
        found.map(|found| found.map(Entry::from)).inspect_err(|error| self.doubt(error))
    }

    /// Writes a key, whatever it holds. Returns the revision.
    pub(super) async fn write(&self, key: &str, value: Bytes) -> Result<u64, NatsError> {
        let written = self.write_with(key, HeaderMap::new(), value).await?;
        written.ok_or(NatsError::Contended)
    }

    /// Writes a key that holds this revision, or nothing if it is zero. Returns the new revision,
    /// or nothing if somebody else wrote before.
    pub(super) async fn replace(
        &self,
        key: &str,
        revision: u64,
        value: Bytes,
    ) -> Result<Option<u64>, NatsError> {
        let mut headers = HeaderMap::new();
        let expected = HeaderValue::from(revision);
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected);
        self.write_with(key, headers, value).await
    }

    /// Removes a revision, and with it the key, which leaves no trace. Returns whether it was still
    /// there: of several calls, one is told so.
    pub(super) async fn remove(&self, revision: u64) -> Result<bool, NatsError> {
        #[derive(Deserialize)]
        struct Deleted {
            success: bool,
        }
        let deleting = format!("STREAM.MSG.DELETE.{}", self.stream);
        match self.jetstream.api::<Deleted>(deleting, &json!({ "seq": revision })).await {
            Ok(deleted) => Ok(deleted.success),
            Err(NatsError::Refused(error)) if is_gone(&error) => Ok(false),
            Err(error) => {
                self.doubt(&error);
                Err(error)
            }
        }
    }

    async fn write_with(
        &self,
        key: &str,
        headers: HeaderMap,
        value: Bytes,
    ) -> Result<Option<u64>, NatsError> {
        self.ensure().await?;
        let asking = self.jetstream.ask(self.subject(key), headers.clone(), value.clone());
        let answer = match asking.await {
            Err(error @ NatsError::Missing) => {
                self.doubt(&error);
                self.ensure().await?;
                self.jetstream.ask(self.subject(key), headers, value).await
            }
            answer => answer,
        };
        let answer = answer.inspect_err(|error| self.doubt(error))?;
        match serde_json::from_slice(&answer.payload).map_err(NatsError::damaged)? {
            Response::Ok(Written { seq }) => Ok(Some(seq)),
            Response::Err { error }
                if error.error_code() == ErrorCode::STREAM_WRONG_LAST_SEQUENCE =>
            {
                Ok(None)
            }
            Response::Err { error } => Err(error.into()),
        }
    }

    async fn read_near(&self, key: &str) -> Result<Option<StreamMessage>, NatsError> {
        let asking = format!("$JS.API.DIRECT.GET.{}.{}", self.stream, self.subject(key));
        let answer = self.jetstream.ask(asking, HeaderMap::new(), Bytes::new()).await?;
        match answer.status {
            Some(StatusCode::NOT_FOUND) => Ok(None),
            Some(status) if status != StatusCode::OK => {
                Err(NatsError::damaged(format!("a read was answered with status {status}")))
            }
            _ => StreamMessage::try_from(answer).map(Some).map_err(NatsError::damaged),
        }
    }

    async fn read_certain(&self, key: &str) -> Result<Option<StreamMessage>, NatsError> {
        self.jetstream.connection().ready()?;
        let stream = self.jetstream.stream(&self.stream).await?;
        let builder = stream.raw_message_builder().last_by_subject(self.subject(key));
        let error = match builder.send().await {
            Ok(message) => return Ok(Some(message)),
            Err(error) => error,
        };
        match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(error) => Err(error.into()),
            _ => {
                let asked = error.source();
                let asked = asked
                    .and_then(|source| source.downcast_ref::<jetstream::context::RequestError>());
                Err(match asked.map(jetstream::context::RequestError::kind) {
                    Some(jetstream::context::RequestErrorKind::NoResponders) => NatsError::Missing,
                    Some(jetstream::context::RequestErrorKind::TimedOut) => NatsError::TimedOut,
                    _ => NatsError::client(error),
                })
            }
        }
    }
}

/// Whether a revision could not be deleted because it is not there.
fn is_gone(error: &jetstream::Error) -> bool {
    let code = error.error_code();
    code == ErrorCode::SEQUENCE_NOT_FOUND
        || code == ErrorCode::NO_MESSAGE_FOUND
        || code == ErrorCode::STREAM_MESSAGE_DELETE_FAILED
}

impl From<StreamMessage> for Entry {
    fn from(message: StreamMessage) -> Self {
        Self {
            value: message.payload,
            revision: message.sequence,
            written: message.time.unix_timestamp_nanos(),
        }
    }
}
