use std::time::Duration;

use async_trait::async_trait;
use chat_core::broker::{Broker, BrokerError, BrokerMessage, Received, Subject};

use super::error::CallError;
use super::request::Request;
use super::slot::Slot;
use super::{Member, RedisCluster};

/// How long a probe may be away before another is sent: what is sent while a connection is made anew
/// may be lost.
const AGAIN: Duration = Duration::from_millis(500);

#[async_trait]
impl Broker for RedisCluster {
    async fn publish(&self, messages: Vec<BrokerMessage>) -> Result<(), BrokerError> {
        let member = &*self.member;
        member.is_open()?;
        let requests = messages.into_iter().map(|BrokerMessage { subject, payload }| {
            member.news(&member.names.channel(&subject), &payload)
        });
        let publishing = member.servers.ask_all(requests.collect());
        let answers = member.publishing.track_future(publishing).await;
        let failed = answers.into_iter().find_map(Result::err);
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn subscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        let member = &*self.member;
        member.is_open()?;
        let mut channels = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let channel = member.names.channel(&subject);
            member.wanted.add(channel.clone(), subject);
            channels.push(channel);
        }
        Ok(member.listening.subscribe(channels).await?)
    }

    async fn unsubscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        let member = &*self.member;
        member.is_open()?;
        let channels = subjects.iter().map(|subject| member.names.channel(subject));
        let channels: Vec<_> = channels.collect();
        channels.iter().for_each(|channel| member.wanted.remove(channel));
        Ok(member.listening.unsubscribe(channels).await?)
    }

    async fn receive(&self) -> Result<Received, BrokerError> {
        Ok(self.member.wanted.inbox.next().await?)
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        let timeout = self.member.timeout;
        let probed = tokio::time::timeout(timeout, self.member.probe()).await;
        Ok(probed.unwrap_or(Err(CallError::TimedOut(timeout)))?)
    }

    async fn close(&self) {
        self.member.close().await;
    }
}

impl Member {
    /// What is published on a channel.
    fn news(&self, channel: &str, payload: &[u8]) -> Request {
        let verb = if self.servers.layout().is_cluster() { "SPUBLISH" } else { "PUBLISH" };
        Request::new(verb, channel, self.tag.put_before(payload))
    }

    /// Sends something to this node itself until it has come back. Waits for connections that are
    /// being made.
    async fn probe(&self) -> Result<(), CallError> {
        let channel = self.wanted.probes.channel();
        let mut probe = self.wanted.probes.begin();
        loop {
            self.listening.up(channel).await?;
            self.servers.up(Slot::of(channel)).await?;
            // What was not sent does not come back.
            let _ = self.servers.ask(self.news(channel, &probe.payload())).await;
            tokio::select! {
                // The sender is gone only after it has told.
                _ = &mut probe.came_back => return Ok(()),
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }
}
