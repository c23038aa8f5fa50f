use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use futures::TryStreamExt;
use serde::Deserialize;
use serde_json::json;

use super::bucket::{Bucket, Entry};
use super::error::NatsError;

/// How long the server remembers a listing that was not finished.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// How long keys are waited for that were counted, but removed before they were sent.
const STALLED: Duration = Duration::from_secs(1);

/// What a bucket holds, in part.
impl Bucket {
    /// The keys of a small bucket, up to a hundred thousand, in one answer.
    pub(super) async fn keys(&self) -> Result<Vec<String>, NatsError> {
        #[derive(Deserialize)]
        struct Answer {
            state: State,
        }
        #[derive(Deserialize)]
        struct State {
            #[serde(default)]
            subjects: Option<HashMap<String, u64>>,
        }
        let asking = format!("STREAM.INFO.{}", self.stream());
        let question = json!({ "subjects_filter": self.subject(">") });
        self.ensure().await?;
        let answer = self.jetstream().api::<Answer>(asking, &question).await;
        let answer = answer.inspect_err(|error| self.doubt(error))?;
        let subjects = answer.state.subjects.unwrap_or_default().into_keys();
        Ok(subjects.filter_map(|name| self.key(&name).map(str::to_owned)).collect())
    }

    /// Up to `limit` keys that match, with what they hold, the longest unwritten first.
    ///
    /// Costs a reader on the server for as long as it takes, so it is for rare questions.
    pub(super) async fn first(
        &self,
        matching: &str,
        limit: usize,
    ) -> Result<Vec<(String, Entry)>, NatsError> {
        self.jetstream().connection().ready()?;
        self.ensure().await?;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            filter_subject: self.subject(matching),
            inactive_threshold: FORGOTTEN,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let stream = self.jetstream().stream(self.stream()).await?;
        let consumer = stream.create_consumer(config).await.map_err(refusal);
        let consumer = consumer.inspect_err(|error| self.doubt(error))?;
        let info = consumer.cached_info();
        // The server does not say when it has sent fewer than it was asked for.
        let count = usize::try_from(info.num_pending).unwrap_or(usize::MAX).min(limit);
        let mut found = Vec::with_capacity(count.min(10_000));
        if count > 0 {
            let batch = consumer.fetch().max_messages(count).expires(STALLED).messages().await;
            let mut batch = batch.map_err(NatsError::client)?;
            while let Some(message) = batch.try_next().await.map_err(NatsError::Client)? {
                let info = message.info().map_err(NatsError::Client)?;
                let (revision, written) =
                    (info.stream_sequence, info.published.unix_timestamp_nanos());
                if let Some(key) = self.key(&message.subject) {
                    let value = message.payload.clone();
                    found.push((key.to_owned(), Entry { value, revision, written }));
                }
            }
        }
        // It goes away by itself where this fails.
        let _ = stream.delete_consumer(&info.name).await;
        Ok(found)
    }
}

fn refusal(error: ConsumerError) -> NatsError {
    match error.kind() {
        ConsumerErrorKind::JetStream(error) => error.into(),
        ConsumerErrorKind::TimedOut => NatsError::TimedOut,
        _ => NatsError::client(error),
    }
}
