mod works {
    use chat_core::testing::broker_conformance;

    broker_conformance!(crate::support::pair);
}

mod outlives_its_connections {
    use std::sync::Arc;

    use chat_cluster::NatsCluster;
    use chat_core::testing::broker_reconnect_conformance;

    use crate::support::{blocking, config, connect, server};

    async fn interrupted() -> (NatsCluster, NatsCluster, impl AsyncFn()) {
        let nats = server().await;
        let config = config(&nats);
        let (a, b) = (connect(&config).await, connect(&config).await);
        let interrupt = async move || {
            let nats = Arc::clone(&nats);
            blocking(move || {
                nats.kill().unwrap();
                nats.start_again().unwrap();
            })
            .await;
        };
        (a, b, interrupt)
    }

    broker_reconnect_conformance!(interrupted);
}

use std::time::Duration;

use bytes::Bytes;
use chat_core::broker::{Broker, BrokerMessage, Received, Subject};
use chat_core::proto::{ConversationId, UserId};
use chat_test_servers::Nats;

use crate::support::{blocking, config, connect, pair, server, until_it_fails, within};

fn message(subject: &Subject, payload: impl Into<Bytes>) -> BrokerMessage {
    BrokerMessage { subject: subject.clone(), payload: payload.into() }
}

#[tokio::test]
async fn a_node_does_not_hear_itself_and_namespaces_are_apart() {
    let (a, b) = pair().await;
    let (other, _) = pair().await;
    for node in [&a, &b] {
        node.subscribe(vec![Subject::Presence]).await.unwrap();
    }
    other.publish(vec![message(&Subject::Presence, "other")]).await.unwrap();
    other.probe().await.unwrap();
    a.publish(vec![message(&Subject::Presence, "of a")]).await.unwrap();
    a.probe().await.unwrap();
    b.publish(vec![message(&Subject::Presence, "of b")]).await.unwrap();
    let heard = |payload| Received::Message(message(&Subject::Presence, payload));
    assert_eq!(within(b.receive()).await.unwrap(), heard("of a"));
    assert_eq!(within(a.receive()).await.unwrap(), heard("of b"));
}

#[tokio::test]
async fn what_is_too_large_keeps_nothing_else_from_arriving() {
    let nats = blocking(|| Nats::builder().setting("max_payload", "64KB").start().unwrap()).await;
    let config = config(&nats);
    let (a, b) = (connect(&config).await, connect(&config).await);
    let subject = Subject::Conversation(ConversationId::generate());
    b.subscribe(vec![subject.clone()]).await.unwrap();
    let fits = vec![b'x'; 64 * 1024];
    let payloads = [b"before".to_vec(), vec![0; 64 * 1024 + 1], fits.clone(), b"after".to_vec()];
    let messages = payloads.map(|payload| message(&subject, payload)).to_vec();
    let error = a.publish(messages).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("65537") && source.contains("65536"), "{source}");
    for expected in [b"before".to_vec(), fits, b"after".to_vec()] {
        let received = within(b.receive()).await.unwrap();
        assert_eq!(received, Received::Message(message(&subject, expected)));
    }
}

#[tokio::test]
async fn while_the_server_is_away_calls_fail_at_once() {
    let nats = server().await;
    let mut config = config(&nats);
    config.timeout = Duration::from_secs(1);
    let node = connect(&config).await;
    let subject = Subject::User(UserId::generate());
    nats.kill().unwrap();
    // Until the client has noticed.
    until_it_fails(async || node.publish(vec![message(&subject, "news")]).await).await;
    for _ in 0..10_000 {
        assert!(node.publish(vec![message(&subject, "news")]).await.is_err());
    }
    assert!(node.subscribe(vec![subject.clone()]).await.is_err());
    // A probe waits for the connection, but not for ever.
    assert!(within(node.probe()).await.is_err());
    node.unsubscribe(vec![subject]).await.unwrap();
    within(node.close()).await;
    assert!(within(node.receive()).await.is_err());
}
