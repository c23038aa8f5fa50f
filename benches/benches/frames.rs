//! Reading and writing frames.

use std::hint::black_box;

use chat_benches::TEXT;
use chat_core::proto::{
    ChangeEvent, ClientFrame, ClientId, ConversationId, Event, Message, MessageBody, MessageId,
    SessionId, UserId,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn frames(criterion: &mut Criterion) {
    let place = ConversationId::generate();
    let command = format!(
        r#"{{"id":7,"type":"message.send","payload":{{"conversationId":"{place}","clientId":"{}","content":"{TEXT}"}}}}"#,
        ClientId::generate()
    );
    let event: Event = ChangeEvent::MessageCreated {
        conversation_id: place,
        change_seq: 97,
        message: Message {
            id: MessageId::generate(),
            conversation_id: place,
            seq: 42,
            change_seq: 97,
            sender_id: UserId::generate(),
            client_id: ClientId::generate(),
            content: MessageBody::parse(TEXT, 4_000).expect("a text"),
            mentions: Vec::new(),
            created_at: jiff::Timestamp::now(),
        },
    }
    .into();
    let encoded = event.encode();
    let session = SessionId::generate();

    let mut group = criterion.benchmark_group("frames");
    group.bench_function("decode message.send", |b| {
        b.iter(|| ClientFrame::decode(black_box(&command)).expect("a frame"));
    });
    group.bench_function("encode message.created", |b| b.iter(|| black_box(&event).encode()));
    group.bench_function("add an origin", |b| {
        b.iter(|| Event::with_origin(black_box(&encoded), session));
    });
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
