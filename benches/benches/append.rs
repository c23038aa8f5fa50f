//! Storing messages in SQLite on disk, with and without group commit.

use std::sync::Arc;

use chat_benches::{Room, TEXT, runtime};
use chat_core::proto::{ClientId, MessageBody, MessageId};
use chat_core::store::{MessageDraft, MessageStore};
use chat_store::SqliteStore;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const MESSAGES: usize = 64;

fn append(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("chat.db");
    let store = runtime.block_on(async {
        let store = SqliteStore::open(file.to_str().expect("a path")).await.expect("a store");
        store.migrate().await.expect("migrated");
        Arc::new(store)
    });
    let room = runtime.block_on(Room::with_devices(store.clone(), 0));
    let draft = || MessageDraft {
        id: MessageId::generate(),
        conversation_id: room.id,
        sender_id: room.owner.user_id.clone(),
        client_id: ClientId::generate(),
        content: MessageBody::parse(TEXT, 4_000).expect("a text"),
        mentions: Vec::new(),
        created_at: jiff::Timestamp::now(),
    };

    let mut group = criterion.benchmark_group("append 64 messages");
    group.throughput(Throughput::Elements(MESSAGES as u64)).sample_size(20);
    group.bench_function("one by one", |b| {
        b.iter(|| {
            runtime.block_on(async {
                for _ in 0..MESSAGES {
                    store.append(vec![draft()]).await.expect("stored");
                }
            });
        });
    });
    group.bench_function("as one batch", |b| {
        b.iter(|| {
            let drafts = (0..MESSAGES).map(|_| draft()).collect();
            runtime.block_on(store.append(drafts)).expect("stored");
        });
    });
    group.bench_function("64 callers at once", |b| {
        b.iter(|| {
            runtime.block_on(futures::future::join_all((0..MESSAGES).map(|_| room.send())));
        });
    });
    group.finish();
}

criterion_group!(benches, append);
criterion_main!(benches);
