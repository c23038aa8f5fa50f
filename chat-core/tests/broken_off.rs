//! A replay that was broken off goes on with what its device has yet to be told, and with nothing else.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::proto::ConversationId;
use chat_core::store::StoreError;
use chat_core::testing::{Call, Watch, WatchedStore};
use chat_core::{Chat, MemoryStore};
use common::{Device, unlimited};
use serde_json::{Value, json};

/// What the store refuses to read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Refused {
    #[default]
    Nothing,
    Everything,
    /// Pages of changes, while everything else is read.
    Pages,
}

/// A store that refuses reads, and how many it has refused.
#[derive(Debug, Default)]
struct Reads(Mutex<(Refused, usize)>);

impl Reads {
    fn refuse(&self, refused: Refused) {
        *self.0.lock().unwrap() = (refused, 0);
    }

    fn refused(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

#[async_trait]
impl Watch for Reads {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        let (refused, count) = &mut *self.0.lock().unwrap();
        let answers = match refused {
            Refused::Nothing => true,
            Refused::Everything => call.writes,
            Refused::Pages => call.method != "changes",
        };
        if answers {
            return Ok(());
        }
        *count += 1;
        Err(StoreError::unavailable("connection refused"))
    }
}

/// Ada's room, which Bo has joined with a tablet while the store was away. His phone has been told at
/// last that the room is there, but its changes could not be read.
struct Place {
    reads: Arc<Reads>,
    ada: Device,
    phone: Device,
    tablet: Device,
    room: ConversationId,
    /// The change after which the phone has yet to be told: that Bo joined, and what follows.
    since: u64,
}

impl Place {
    async fn new() -> Self {
        let reads = Arc::new(Reads::default());
        let store = WatchedStore::new(Arc::new(MemoryStore::new()), reads.clone());
        let chat = Chat::builder(Arc::new(store)).config(unlimited()).build();
        let mut ada = Device::attach(&chat, "ada").await;
        let mut phone = Device::attach(&chat, "bo").await;
        let mut tablet = Device::attach(&chat, "bo").await;
        let room = ada.creates("general").await;
        ada.event("member.joined").await;
        tablet.joins(room).await;
        reads.refuse(Refused::Everything);
        phone.everything().await;
        assert!(reads.refused() > 0, "the phone is not yet told of the room");
        reads.refuse(Refused::Pages);
        passes(Duration::from_secs(1)).await;
        let told = phone.event("conversation.created").await;
        let since = told["conversation"]["changeSeq"].as_u64().unwrap();
        phone.everything().await;
        assert!(reads.refused() > 0, "nor of its changes");
        let mut place = Self { reads, ada, phone, tablet, room, since };
        place.sends("one").await;
        place.sends("two").await;
        assert_eq!(messages(&place.phone.everything().await), [""; 0], "they wait");
        place
    }

    /// Has Ada send a message, and waits until it is live.
    async fn sends(&mut self, text: &str) {
        self.ada.sends(self.room, text).await;
        self.ada.sees(text).await;
    }

    async fn leaves(&mut self) {
        self.tablet.does("conversation.leave", json!({"conversationId": self.room})).await;
    }

    fn resumes(&mut self) -> u64 {
        let cursors = json!({"cursors": {self.room.to_string(): self.since}});
        self.phone.begin("session.resume", cursors)
    }

    /// Lets the store answer again, and the phone go on.
    async fn goes_on(&mut self) -> Vec<Value> {
        self.reads.refuse(Refused::Nothing);
        passes(Duration::from_secs(10)).await;
        self.phone.everything().await
    }
}

/// Lets time pass, where time is paused.
async fn passes(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

fn messages(frames: &[Value]) -> Vec<&str> {
    let messages = frames.iter().filter(|frame| frame["type"] == "message.created");
    messages.map(|frame| frame["payload"]["message"]["content"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_is_told_once_it_can_be_and_then_what_is_live() {
    let mut place = Place::new().await;
    assert_eq!(messages(&place.goes_on().await), ["one", "two"]);
    place.sends("three").await;
    assert_eq!(messages(&place.phone.everything().await), ["three"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_device_asked_for_meanwhile_is_not_told_again() {
    let mut place = Place::new().await;
    let resume = place.resumes();
    assert_eq!(place.phone.answer(resume).await.unwrap()["replayed"], 3);
    assert_eq!(messages(&place.phone.everything().await), ["one", "two"]);
    assert_eq!(messages(&place.goes_on().await), [""; 0]);
    place.sends("three").await;
    assert_eq!(messages(&place.phone.everything().await), ["three"]);
}

#[tokio::test(start_paused = true)]
async fn who_left_meanwhile_is_told_so_and_nothing_that_came_after() {
    let mut place = Place::new().await;
    place.leaves().await;
    place.sends("not for bo").await;
    let told = place.goes_on().await;
    assert_eq!(messages(&told), ["one", "two"]);
    assert_eq!(told.last().unwrap()["type"], "member.left");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_between_two_pages_of_a_resume_is_told_nothing_that_came_after() {
    let mut place = Place::new().await;
    place.goes_on().await;
    for n in 0..100 {
        place.sends(&format!("early {n}")).await;
    }
    place.phone.everything().await;
    let resume = place.resumes();
    place.phone.sees("one").await;
    place.leaves().await;
    place.sends("not for bo").await;
    place.phone.answer(resume).await.unwrap();
    let told = place.phone.everything().await;
    assert_eq!(messages(&told).last(), Some(&"early 99"));
    assert_eq!(told.last().unwrap()["type"], "member.left");
}
