//! What any broker must do. A case takes two nodes of one broker that works.
//!
//! Nothing here asks for more than the engine relies on: a broker may lose messages, but one that
//! loses them all, or tells nodes what they did not ask for, fails.

use std::time::Duration;

use bytes::Bytes;
use chat_proto::{ConversationId, UserId};

use crate::broker::{Broker, BrokerMessage, Received, Subject};

/// How long a message may take. A case waits for events, so only a failing one takes this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a message is sent that may be lost.
const AGAIN: Duration = Duration::from_millis(50);

/// Tests that an implementation of [`Broker`] does what the engine relies on.
///
/// `broker_conformance!(maker)`, where `maker` is an `async fn() -> (A, B)` of two nodes that are
/// connected to each other.
#[doc(inline)]
pub use crate::__broker_conformance as broker_conformance;

/// Tests that an implementation of [`Broker`] outlives its connections.
///
/// `broker_reconnect_conformance!(maker)`, where `maker` is an `async fn() -> (A, B, I)` of two nodes
/// and an `async Fn()` that breaks their connections, so that they have to be made anew, and returns
/// when that is possible.
#[doc(inline)]
pub use crate::__broker_reconnect_conformance as broker_reconnect_conformance;

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
            messages_of_one_subject_arrive_in_order
            many_subjects_are_subscribed_to_at_once
            a_probe_comes_back_to_whoever_sent_it
            a_slow_subscriber_is_told_what_it_lost
            a_closed_node_is_told_so
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

#[doc(hidden)]
#[macro_export]
macro_rules! __broker_reconnect_conformance {
    ($maker:expr) => {
        $crate::__broker_reconnect_conformance! { @cases $maker;
            subscriptions_outlive_a_connection
            an_interruption_is_told
            what_was_left_is_left_after_an_interruption
        }
    };
    (@cases $maker:expr; $($case:ident)+) => { $(
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (a, b, interrupt) = ($maker)().await;
            $crate::testing::broker::$case(&a, &b, interrupt).await;
        }
    )+ };
}

/// The next thing that happens to a node.
async fn event(node: &impl Broker) -> Received {
    let received = tokio::time::timeout(PATIENCE, node.receive()).await;
    received.expect("something should have come").expect("the broker works")
}

/// The next message that arrives at a node.
async fn next(node: &impl Broker) -> BrokerMessage {
    loop {
        if let Received::Message(message) = event(node).await {
            return message;
        }
    }
}

/// Publishes one message.
async fn publish(node: &impl Broker, subject: &Subject, payload: impl Into<Bytes>) {
    let message = BrokerMessage { subject: subject.clone(), payload: payload.into() };
    node.publish(vec![message]).await.expect("published");
}

async fn subscribe(node: &impl Broker, subject: &Subject) {
    node.subscribe(vec![subject.clone()]).await.expect("subscribed");
}

async fn unsubscribe(node: &impl Broker, subject: &Subject) {
    node.unsubscribe(vec![subject.clone()]).await.expect("unsubscribed");
}

fn conversation() -> Subject {
    Subject::Conversation(ConversationId::generate())
}

/// Asserts that nothing but `marker` arrives, which is sent last.
async fn only(a: &impl Broker, b: &impl Broker, marker: &Subject) {
    publish(a, marker, "marker").await;
    let message = next(b).await;
    assert_eq!(message.subject, *marker, "something came that should not have: {message:?}");
}

/// Publishes until it arrives, as what is sent while a connection is made anew may be lost. Returns
/// what came before, and lets go of repetitions that come after.
async fn until_it_arrives(a: &impl Broker, b: &impl Broker, marker: &Subject) -> Vec<Received> {
    let mut before = Vec::new();
    let mut again = tokio::time::interval(AGAIN);
    let arriving = async {
        loop {
            tokio::select! {
                // While the connection is away this may fail.
                _ = again.tick() => {
                    let payload = Bytes::from_static(b"marker");
                    let message = BrokerMessage { subject: marker.clone(), payload };
                    let _ = a.publish(vec![message]).await;
                }
                received = b.receive() => match received.expect("the broker is back") {
                    Received::Message(message) if message.subject == *marker => return before,
                    other => before.push(other),
                },
            }
        }
    };
    tokio::time::timeout(PATIENCE, arriving).await.expect("the nodes should have found each other")
}

/// What is published after a subscription reaches the subscriber.
pub async fn a_subscriber_is_told(a: &impl Broker, b: &impl Broker) {
    for subject in [conversation(), Subject::User(UserId::generate()), Subject::Presence] {
        subscribe(b, &subject).await;
        let payload = Bytes::from_static(b"news");
        publish(a, &subject, payload.clone()).await;
        assert_eq!(next(b).await, BrokerMessage { subject, payload });
    }
}

/// A node hears only what it has subscribed to.
pub async fn nobody_is_told_of_other_subjects(a: &impl Broker, b: &impl Broker) {
    let marker = conversation();
    subscribe(b, &marker).await;
    publish(a, &conversation(), "secret").await;
    publish(a, &Subject::Presence, "secret").await;
    only(a, b, &marker).await;
}

/// After an unsubscription nothing of that subject arrives.
pub async fn an_unsubscribed_node_is_told_no_more(a: &impl Broker, b: &impl Broker) {
    let (marker, subject) = (Subject::Presence, conversation());
    subscribe(b, &marker).await;
    subscribe(b, &subject).await;
    unsubscribe(b, &subject).await;
    unsubscribe(b, &conversation()).await;
    publish(a, &subject, "late").await;
    only(a, b, &marker).await;
}

/// A subject that is subscribed to twice is told once, and ends at the first unsubscription.
pub async fn a_second_subscription_changes_nothing(a: &impl Broker, b: &impl Broker) {
    let subject = conversation();
    subscribe(b, &Subject::Presence).await;
    subscribe(b, &subject).await;
    b.subscribe(vec![subject.clone(), subject.clone()]).await.expect("subscribed");
    publish(a, &subject, "once").await;
    assert_eq!(next(b).await.subject, subject);
    only(a, b, &Subject::Presence).await;
    unsubscribe(b, &subject).await;
    publish(a, &subject, "late").await;
    only(a, b, &Subject::Presence).await;
}

/// User ids may hold dots and other characters that brokers give a meaning.
pub async fn subjects_of_users_with_any_id_are_apart(a: &impl Broker, b: &impl Broker) {
    let user = |id: &str| Subject::User(id.parse().expect("a user id"));
    subscribe(b, &user("a.b")).await;
    for other in ["a.c", "a", "a.b.c", "A.B", "a~b"] {
        publish(a, &user(other), "secret").await;
    }
    only(a, b, &user("a.b")).await;
}

/// Payloads are opaque: any bytes, up to the size of the largest frame.
pub async fn payloads_arrive_byte_for_byte(a: &impl Broker, b: &impl Broker) {
    subscribe(b, &Subject::Presence).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    for payload in [every_byte, vec![0; 128 * 1024], Vec::new()] {
        let payload = Bytes::from(payload);
        publish(a, &Subject::Presence, payload.clone()).await;
        assert_eq!(next(b).await.payload, payload);
    }
}

/// Messages of one subject arrive in the order in which they were published, in one call or in
/// several.
pub async fn messages_of_one_subject_arrive_in_order(a: &impl Broker, b: &impl Broker) {
    let subject = conversation();
    subscribe(b, &subject).await;
    let message = |n: u32| BrokerMessage {
        subject: subject.clone(),
        payload: Bytes::copy_from_slice(&n.to_be_bytes()),
    };
    for hundred in 0..10 {
        let messages = (hundred * 100..(hundred + 1) * 100).map(message).collect();
        a.publish(messages).await.expect("published");
    }
    for n in 0..1_000 {
        assert_eq!(next(b).await, message(n));
    }
}

/// One call may name many subjects, of which each is heard, and another end them again.
pub async fn many_subjects_are_subscribed_to_at_once(a: &impl Broker, b: &impl Broker) {
    let mut subjects: Vec<_> = (0..300).map(|_| conversation()).collect();
    b.subscribe(subjects.clone()).await.expect("subscribed");
    for subject in &subjects {
        publish(a, subject, "news").await;
    }
    // Between subjects there is no order.
    let mut heard = Vec::new();
    for _ in &subjects {
        heard.push(next(b).await.subject);
    }
    subjects.iter().for_each(|subject| assert!(heard.contains(subject)));
    let last = subjects.split_off(299);
    b.unsubscribe(subjects.clone()).await.expect("unsubscribed");
    for subject in &subjects {
        publish(a, subject, "late").await;
    }
    only(a, b, &last[0]).await;
    b.subscribe(Vec::new()).await.expect("nothing is subscribed");
    b.unsubscribe(Vec::new()).await.expect("nothing is unsubscribed");
    b.publish(Vec::new()).await.expect("nothing is published");
}

/// A probe comes back, whether or not somebody receives, and is no message.
pub async fn a_probe_comes_back_to_whoever_sent_it(a: &impl Broker, b: &impl Broker) {
    subscribe(b, &Subject::Presence).await;
    for _ in 0..3 {
        a.probe().await.expect("the broker works");
        b.probe().await.expect("the broker works");
    }
    let (one, two) = futures::future::join(b.probe(), b.probe()).await;
    one.and(two).expect("the broker works");
    only(a, b, &Subject::Presence).await;
}

/// More than waits for a node that does not receive is lost to it, which it is told; it keeps no one
/// else waiting, and hears what comes after.
pub async fn a_slow_subscriber_is_told_what_it_lost(a: &impl Broker, b: &impl Broker) {
    const MANY: u32 = 100_000;
    let (subject, marker) = (conversation(), conversation());
    b.subscribe(vec![subject.clone(), marker.clone()]).await.expect("subscribed");
    let payload = Bytes::from(vec![7; 100]);
    for _ in 0..MANY / 500 {
        let message = BrokerMessage { subject: subject.clone(), payload: payload.clone() };
        let publishing = a.publish(vec![message; 500]);
        tokio::time::timeout(PATIENCE, publishing).await.expect("in time").expect("published");
    }
    let told = until_it_arrives(a, b, &marker).await;
    let arrived = told.iter().filter(|event| matches!(event, Received::Message(_))).count();
    let lost = arrived < MANY as usize;
    assert_eq!(told.contains(&Received::Reconnected), lost, "{arrived} of {MANY} arrived");
}

/// A node that is closed receives no more, and does nothing for anybody.
pub async fn a_closed_node_is_told_so(a: &impl Broker, b: &impl Broker) {
    let subject = conversation();
    subscribe(b, &subject).await;
    publish(b, &Subject::Presence, "last words").await;
    b.close().await;
    publish(a, &subject, "late").await;
    assert!(b.publish(vec![]).await.is_err());
    assert!(b.subscribe(vec![conversation()]).await.is_err());
    assert!(b.unsubscribe(vec![subject]).await.is_err());
    assert!(b.probe().await.is_err());
    // What had arrived before may still be there.
    let ended = async { while b.receive().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("a closed node does not wait");
    b.close().await;
    a.probe().await.expect("the other node goes on");
}

/// A receive that is given up loses nothing.
pub async fn waiting_can_be_cancelled(a: &impl Broker, b: &impl Broker) {
    subscribe(b, &Subject::Presence).await;
    for _ in 0..20 {
        let given_up = tokio::time::timeout(Duration::from_millis(1), b.receive()).await;
        assert!(given_up.is_err(), "nothing was published");
    }
    only(a, b, &Subject::Presence).await;
}

/// Whatever was subscribed to is heard again after the connection broke, without being asked for.
pub async fn subscriptions_outlive_a_connection(
    a: &impl Broker,
    b: &impl Broker,
    interrupt: impl AsyncFn(),
) {
    let subjects: Vec<_> = (0..300).map(|_| conversation()).collect();
    b.subscribe(subjects.clone()).await.expect("subscribed");
    for subject in [&subjects[0], &subjects[150], &subjects[299]] {
        interrupt().await;
        until_it_arrives(a, b, subject).await;
    }
    tokio::time::timeout(PATIENCE, a.probe()).await.expect("in time").expect("the broker is back");
    tokio::time::timeout(PATIENCE, b.probe()).await.expect("in time").expect("the broker is back");
}

/// After each interruption a node is told of it, by when it hears again what it has subscribed to.
pub async fn an_interruption_is_told(a: &impl Broker, b: &impl Broker, interrupt: impl AsyncFn()) {
    let subject = conversation();
    subscribe(b, &subject).await;
    until_it_arrives(a, b, &subject).await;
    for _ in 0..2 {
        interrupt().await;
        while event(b).await != Received::Reconnected {}
        until_it_arrives(a, b, &subject).await;
    }
}

/// A subscription that was ended does not come back.
pub async fn what_was_left_is_left_after_an_interruption(
    a: &impl Broker,
    b: &impl Broker,
    interrupt: impl AsyncFn(),
) {
    let (left, kept) = (conversation(), conversation());
    b.subscribe(vec![left.clone(), kept.clone()]).await.expect("subscribed");
    unsubscribe(b, &left).await;
    interrupt().await;
    until_it_arrives(a, b, &kept).await;
    publish(a, &left, "late").await;
    let last = conversation();
    subscribe(b, &last).await;
    let before = until_it_arrives(a, b, &last).await;
    let late = before.iter().any(|event| match event {
        Received::Message(message) => message.subject == left,
        Received::Reconnected => false,
    });
    assert!(!late, "{before:?}");
}
