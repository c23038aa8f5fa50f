//! Reading and writing frames, and what other files here make of them.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

use chat_bench_room::TEXT;
use chat_core::proto::{
    ChangeEvent, ClientFrame, Event, Message, MessageBody, Reply, ServerFrame, SessionId,
};
use gungraun::{library_benchmark, library_benchmark_group};
use jiff::Timestamp;

pub(crate) const PLACE: &str = "0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b11";
pub(crate) const USER: &str = "0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b12";
const MESSAGE: &str = "0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b13";
const CLIENT: &str = "0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b14";
const SESSION: &str = "0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b15";
/// With as many digits as most moments have.
const MOMENT: &str = "2026-03-04T05:06:07.890123Z";

/// An id of any kind.
pub(crate) fn id<T: FromStr<Err: fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

fn message(number: u64) -> Message {
    Message {
        id: id(MESSAGE),
        conversation_id: id(PLACE),
        seq: number,
        change_seq: number,
        sender_id: id(USER),
        client_id: id(CLIENT),
        content: MessageBody::parse(TEXT, 4_000).expect("a text"),
        mentions: Vec::new(),
        created_at: MOMENT.parse::<Timestamp>().expect("a moment"),
    }
}

/// The change of this number: a message.
pub(crate) fn message_created(number: u64) -> ChangeEvent {
    let message = message(number);
    ChangeEvent::MessageCreated { conversation_id: id(PLACE), change_seq: number, message }
}

fn reply() -> ServerFrame {
    let reply = Reply::Sent { message: message(97), repeated: false, recipient_online: Some(true) };
    ServerFrame::Reply { id: Some(7), payload: Box::new(reply) }
}

fn message_send() -> String {
    format!(
        r#"{{"id":7,"type":"message.send","payload":{{"conversationId":"{PLACE}","clientId":"{CLIENT}","content":"{TEXT}"}}}}"#
    )
}

fn receipt_read() -> String {
    format!(r#"{{"id":7,"type":"receipt.read","payload":{{"conversationId":"{PLACE}","seq":97}}}}"#)
}

#[library_benchmark]
#[bench::message_send(message_send())]
#[bench::receipt_read(receipt_read())]
fn decode(frame: String) -> (String, ClientFrame) {
    let decoded = ClientFrame::decode(black_box(&frame)).expect("a frame");
    (frame, decoded)
}

#[library_benchmark]
#[bench::message_created(message_created(97))]
fn encode_event(event: ChangeEvent) -> (String, ChangeEvent) {
    (black_box(&event).encode(), event)
}

#[library_benchmark]
#[bench::sent(reply())]
fn encode_reply(reply: ServerFrame) -> (String, ServerFrame) {
    (black_box(&reply).encode(), reply)
}

#[library_benchmark]
#[bench::message_created(message_created(97).encode(), id(SESSION))]
fn add_origin(encoded: String, session: SessionId) -> (String, String) {
    (Event::with_origin(black_box(&encoded), session), encoded)
}

library_benchmark_group!(
    name = frames,
    benchmarks = [decode, encode_event, encode_reply, add_origin]
);
