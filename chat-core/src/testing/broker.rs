//! What any broker must do. A case takes two nodes of one broker that works.
//!
//! Nothing here asks for more than the engine relies on: a broker may lose messages, but one that
//! loses them all, or tells nodes what they did not ask for, fails.

use std::time::Duration;

use bytes::Bytes;
use chat_proto::{ConversationId, UserId};

use crate::broker::{Broker, BrokerMessage, Received, Subject};

/// How long a message may take. A case waits for events, so only a failing one takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tests that an implementation of [`Broker`] does what the engine relies on.
///
/// `broker_conformance!(maker)`, where `maker` is an `async fn() -> (A, B)` of two nodes that are
/// connected to each other.
#[doc(inline)]
pub use crate::__broker_conformance as broker_conformance;

#[doc(hidden)]
#[macro_export]
macro_rules! __broker_conformance {
    ($maker:expr) => {
        $crate::__broker_conformance! { @cases $maker;
            a_subscriber_is_told
            nobody_is_told_of_other_subjects
            an_unsubscribed_node_is_told_no_more
            a_second_subscription_changes_nothing
            subjects_of_users_with_any_id_are_apart
            payloads_arrive_byte_for_byte
            waiting_can_be_cancelled
        }
    };
    (@cases $maker:expr; $($case:ident)+) => { $(
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (a, b) = ($maker)().await;
            $crate::testing::broker::$case(&a, &b).await;
        }
    )+ };
}

/// The next message that arrives at a node.
async fn next(node: &impl Broker) -> BrokerMessage {
    loop {
        let received = tokio::time::timeout(PATIENCE, node.receive()).await;
        match received.expect("a message should have come").expect("the broker works") {
            Received::Message(message) => return message,
            Received::Reconnected => {}
        }
    }
}

/// Asserts that nothing but `marker` arrives, which is sent last.
async fn only(a: &impl Broker, b: &impl Broker, marker: &Subject) {
    a.publish(marker.clone(), Bytes::from_static(b"marker")).await.expect("published");
    let message = next(b).await;
    assert_eq!(message.subject, *marker, "something came that should not have: {message:?}");
}

/// What is published after a subscription reaches the subscriber.
pub async fn a_subscriber_is_told(a: &impl Broker, b: &impl Broker) {
    for subject in [
        Subject::Conversation(ConversationId::generate()),
        Subject::User(UserId::generate()),
        Subject::Presence,
    ] {
        b.subscribe(subject.clone()).await.expect("subscribed");
        let payload = Bytes::from_static(b"news");
        a.publish(subject.clone(), payload.clone()).await.expect("published");
        assert_eq!(next(b).await, BrokerMessage { subject, payload });
    }
}

/// A node hears only what it has subscribed to.
pub async fn nobody_is_told_of_other_subjects(a: &impl Broker, b: &impl Broker) {
    let marker = Subject::Conversation(ConversationId::generate());
    b.subscribe(marker.clone()).await.expect("subscribed");
    let other = Subject::Conversation(ConversationId::generate());
    a.publish(other, Bytes::from_static(b"secret")).await.expect("published");
    a.publish(Subject::Presence, Bytes::from_static(b"secret")).await.expect("published");
    only(a, b, &marker).await;
}

/// After an unsubscription nothing of that subject arrives.
pub async fn an_unsubscribed_node_is_told_no_more(a: &impl Broker, b: &impl Broker) {
    let marker = Subject::Presence;
    let subject = Subject::Conversation(ConversationId::generate());
    b.subscribe(marker.clone()).await.expect("subscribed");
    b.subscribe(subject.clone()).await.expect("subscribed");
    b.unsubscribe(subject.clone()).await.expect("unsubscribed");
    a.publish(subject, Bytes::from_static(b"late")).await.expect("published");
    only(a, b, &marker).await;
}

/// A subject that is subscribed to twice is told once, and ends at the first unsubscription.
pub async fn a_second_subscription_changes_nothing(a: &impl Broker, b: &impl Broker) {
    let subject = Subject::Conversation(ConversationId::generate());
    b.subscribe(Subject::Presence).await.expect("subscribed");
    b.subscribe(subject.clone()).await.expect("subscribed");
    b.subscribe(subject.clone()).await.expect("subscribed");
    a.publish(subject.clone(), Bytes::from_static(b"once")).await.expect("published");
    assert_eq!(next(b).await.subject, subject);
    only(a, b, &Subject::Presence).await;
    b.unsubscribe(subject.clone()).await.expect("unsubscribed");
    a.publish(subject, Bytes::from_static(b"late")).await.expect("published");
    only(a, b, &Subject::Presence).await;
}

/// User ids may hold dots and other characters that brokers give a meaning.
pub async fn subjects_of_users_with_any_id_are_apart(a: &impl Broker, b: &impl Broker) {
    let user = |id: &str| Subject::User(id.parse().expect("a user id"));
    b.subscribe(user("a.b")).await.expect("subscribed");
    for other in ["a.c", "a", "a.b.c", "A.B", "a~b"] {
        a.publish(user(other), Bytes::from_static(b"secret")).await.expect("published");
    }
    only(a, b, &user("a.b")).await;
}

/// Payloads are opaque: any bytes, up to the size of the largest frame.
pub async fn payloads_arrive_byte_for_byte(a: &impl Broker, b: &impl Broker) {
    b.subscribe(Subject::Presence).await.expect("subscribed");
    let every_byte: Vec<u8> = (0..=255).collect();
    for payload in [every_byte, vec![0; 128 * 1024], Vec::new()] {
        let payload = Bytes::from(payload);
        a.publish(Subject::Presence, payload.clone()).await.expect("published");
        assert_eq!(next(b).await.payload, payload);
    }
}

/// A receive that is given up loses nothing.
pub async fn waiting_can_be_cancelled(a: &impl Broker, b: &impl Broker) {
    b.subscribe(Subject::Presence).await.expect("subscribed");
    for _ in 0..20 {
        let given_up = tokio::time::timeout(Duration::from_millis(1), b.receive()).await;
        assert!(given_up.is_err(), "nothing was published");
    }
    only(a, b, &Subject::Presence).await;
}
