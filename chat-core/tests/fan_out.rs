//! How what many are told reaches them past their sessions' tasks.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use chat_core::auth::Identity;
use chat_core::direct::{Batch, DirectWriter, Framing};
use chat_core::proto::{ConversationId, MessageSend};
use chat_core::testing::{Call, Watch, WatchedStore};
use chat_core::{Actor, Chat, MemoryStore, Outgoing};
use common::{Device, PATIENCE, chat_with, unlimited};
use serde_json::json;
use tokio::sync::Notify;

/// Each frame on a line.
struct Lines;

impl Framing for Lines {
    fn encode<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Bytes {
        texts.flat_map(|text| text.iter().chain(b"\n")).copied().collect()
    }
}

/// A connection that takes all that is written to it, and may hold up who writes.
#[derive(Debug, Default)]
struct Ear {
    /// What was written at once, as often as something was.
    batches: Mutex<Vec<Bytes>>,
    /// Holds the next write up, until something is sent.
    hold: Mutex<Option<mpsc::Receiver<()>>>,
    is_held: AtomicBool,
    heard: Notify,
}

impl Ear {
    /// How many frames came at once with each write that had this text.
    fn frames_with(&self, text: &str) -> Vec<usize> {
        let batches = self.batches.lock().unwrap();
        let texts = batches.iter().map(|batch| std::str::from_utf8(batch).unwrap());
        texts.filter(|batch| batch.contains(text)).map(|batch| batch.lines().count()).collect()
    }
}

impl DirectWriter for Ear {
    fn try_write(&self, batch: &Batch<'_>) -> bool {
        self.batches.lock().unwrap().push(batch.encoded::<Lines>().into_owned());
        let hold = self.hold.lock().unwrap().take();
        if let Some(hold) = hold {
            self.is_held.store(true, Ordering::SeqCst);
            self.heard.notify_one();
            let _ = hold.recv_timeout(PATIENCE);
            self.is_held.store(false, Ordering::SeqCst);
        }
        self.heard.notify_one();
        true
    }

    fn drop_unbegun(&self) {}
}

/// Counts how often messages are stored.
#[derive(Debug, Default)]
struct Appends(AtomicUsize);

#[async_trait::async_trait]
impl Watch for Appends {
    async fn after(&self, call: Call) {
        if call.method == "append" {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Has a member of the room listen by an ear, and Ada talk until the ear was told of something past
/// the session's task.
async fn listen(chat: &Chat, member: &str, ada: &mut Device, room: ConversationId) -> Arc<Ear> {
    Device::attach(chat, member).await.joins(room).await;
    let ear = Arc::new(Ear::default());
    let mut session = chat.attach(&Identity::of(member.parse().unwrap())).await.unwrap();
    session.write_directly(Arc::clone(&ear) as _);
    let by_task = Arc::clone(&ear);
    tokio::spawn(async move {
        while let Outgoing::Frames(_) = session.next().await {
            by_task.heard.notify_one();
        }
    });
    while ear.frames_with("testing").is_empty() {
        ada.sends(room, "testing").await;
        tokio::time::timeout(PATIENCE, ear.heard.notified()).await.unwrap();
    }
    ear
}

/// One worker, which runs a task that was just woken before the others, as workers do.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_sent_at_the_same_moment_is_stored_and_written_at_once() {
    const SENDERS: usize = 8;
    const ROUNDS: usize = 5;
    let appends = Arc::new(Appends::default());
    let store = WatchedStore::new(Arc::new(MemoryStore::new()), Arc::clone(&appends) as _);
    let chat = Chat::builder(Arc::new(store)).config(unlimited()).build();
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let ear = listen(&chat, "bo", &mut ada, room).await;
    let mut senders = Vec::new();
    for n in 0..SENDERS {
        let user = format!("sender-{n}");
        Device::attach(&chat, &user).await.joins(room).await;
        senders.push(Actor::user(user.parse().unwrap()));
    }
    // The worker may look at its sockets in the very moment between two senders, so not each time.
    for round in 0..ROUNDS {
        let before = appends.0.load(Ordering::SeqCst);
        let all = {
            let (chat, senders) = (chat.clone(), senders.clone());
            tokio::spawn(async move {
                let sending = senders.into_iter().map(|sender| {
                    let (chat, content) = (chat.clone(), format!("at once {round}"));
                    let message = MessageSend { conversation_id: room, client_id: None, content };
                    tokio::spawn(async move { chat.send(&sender, message).await.unwrap() })
                });
                for sending in sending.collect::<Vec<_>>() {
                    sending.await.unwrap();
                }
            })
        };
        all.await.unwrap();
        let told = format!("at once {round}");
        while ear.frames_with(&told).iter().sum::<usize>() < SENDERS {
            tokio::time::timeout(PATIENCE, ear.heard.notified()).await.unwrap();
        }
        if appends.0.load(Ordering::SeqCst) - before == 1 {
            assert_eq!(ear.frames_with(&told), [SENDERS]);
            return;
        }
    }
    panic!("in none of {ROUNDS} rounds was all stored at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_comes_or_goes_waits_for_no_fan_out() {
    let chat = chat_with(unlimited());
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let ear = listen(&chat, "bo", &mut ada, room).await;
    // Nobody who is written to need be told that Cy comes or goes: the desk stays.
    let mut desk = Device::attach(&chat, "cy").await;
    desk.joins(room).await;
    let mut phone = Device::attach(&chat, "cy").await;
    phone.everything().await;

    let (go, hold) = mpsc::channel();
    *ear.hold.lock().unwrap() = Some(hold);
    // What comes out of the session is not held up.
    while !ear.is_held.load(Ordering::SeqCst) {
        ada.begin("message.send", json!({"conversationId": room, "content": "before"}));
        tokio::time::timeout(PATIENCE, ear.heard.notified()).await.unwrap();
    }
    drop(phone);
    let mut tablet = Device::attach(&chat, "cy").await;
    assert!(ear.is_held.load(Ordering::SeqCst), "they did not wait for who is written to");

    go.send(()).unwrap();
    ada.sends(room, "after").await;
    for device in [&mut desk, &mut tablet] {
        device.sees("after").await;
        let rest = device.everything().await;
        assert!(!rest.iter().any(|frame| frame["payload"]["message"]["content"] == "after"));
    }
}
