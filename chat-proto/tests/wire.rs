//! Every frame the server writes, as it looks on the wire. A change here is a change of the
//! protocol.

#![allow(clippy::unwrap_used, reason = "the samples are valid")]

use chat_proto::{
    ChangeEvent, Conversation, ConversationId, ConversationKind, ConversationSummary, Cursor,
    ErrorCode, ErrorPayload, Event, Heartbeat, HistoryMeta, HistoryPage, Limits, Member,
    MemberProfile, MemberRole, MemberState, Message, MessageBody, MessagePreview, Page, PageMeta,
    PresenceEntry, PresenceStatus, Ready, Reply, ServerFrame, SignalEvent, User, UserId,
    Visibility,
};
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_microsecond(1_767_225_600_000_000 + second * 1_000_000 + 250_000).unwrap()
}

fn place() -> ConversationId {
    "019b76da-a800-7000-8000-000000000001".parse().unwrap()
}

fn id(text: &str) -> UserId {
    text.parse().unwrap()
}

fn user(name: &str, display: &str) -> User {
    User {
        id: id(name),
        username: name.to_owned().try_into().unwrap(),
        display_name: display.to_owned().try_into().unwrap(),
        created_at: at(0),
        last_seen_at: None,
    }
}

fn message() -> Message {
    Message {
        id: "019b76da-a800-7000-8000-000000000002".parse().unwrap(),
        conversation_id: place(),
        seq: 42,
        change_seq: 97,
        sender_id: id("ada"),
        client_id: "c-1".parse().unwrap(),
        content: MessageBody::parse("hi @bo, \"quoted\" \u{1f44b}", 100).unwrap(),
        mentions: vec![id("bo")],
        created_at: at(1),
    }
}

fn room() -> Conversation {
    Conversation {
        id: place(),
        kind: ConversationKind::Room,
        visibility: Visibility::Public,
        name: Some("general".to_owned().try_into().unwrap()),
        topic: Some("anything".to_owned().try_into().unwrap()),
        created_by: id("ada"),
        created_at: at(0),
        member_count: 3,
    }
}

fn direct() -> ConversationSummary {
    ConversationSummary {
        conversation_id: place(),
        conversation: Conversation {
            kind: ConversationKind::Direct,
            visibility: Visibility::Private,
            name: None,
            topic: None,
            member_count: 2,
            ..room()
        },
        peer: Some(User { last_seen_at: Some(at(2)), ..user("ada", "Ada L.") }),
        last_seq: 42,
        change_seq: 97,
        read_seq: 40,
        delivered_seq: 42,
        peer_read_seq: Some(42),
        peer_delivered_seq: Some(42),
        unread: 2,
        unread_mentions: 1,
        preview: Some(MessagePreview::from(&message())),
        last_activity_at: at(1),
        activity: 7,
    }
}

fn member(state: MemberState) -> MemberProfile {
    let member = Member {
        conversation_id: place(),
        user_id: id("bo"),
        role: MemberRole::Member,
        state,
        change_seq: 98,
        joined_at: at(3),
    };
    MemberProfile { member, user: user("bo", "Bo") }
}

fn events() -> Vec<Event> {
    let (conversation_id, user_id, change_seq) = (place(), id("bo"), 98);
    let presence = |status, last_seen_at| {
        SignalEvent::PresenceChanged(PresenceEntry {
            user_id: id("bo"),
            status,
            last_seen_at,
            version: 1_767_608_400_000_000,
        })
    };
    vec![
        ChangeEvent::MessageCreated { conversation_id, change_seq: 97, message: message() }.into(),
        ChangeEvent::MemberJoined {
            conversation_id,
            change_seq,
            member: member(MemberState::Joined),
        }
        .into(),
        ChangeEvent::MemberUpdated {
            conversation_id,
            change_seq,
            member: member(MemberState::Joined),
        }
        .into(),
        ChangeEvent::MemberLeft { conversation_id, change_seq, member: member(MemberState::Left) }
            .into(),
        SignalEvent::ConversationCreated {
            conversation_id,
            conversation: Box::new(direct()),
            members: Page::from_overfull(vec![member(MemberState::Joined)], 1, |_| id("bo")),
        }
        .into(),
        SignalEvent::ReceiptRead { conversation_id, user_id: user_id.clone(), seq: 42 }.into(),
        SignalEvent::ReceiptDelivered { conversation_id, user_id: user_id.clone(), seq: 42 }.into(),
        SignalEvent::TypingStarted { conversation_id, user_id: user_id.clone(), version: 1 }.into(),
        SignalEvent::TypingStopped { conversation_id, user_id, version: 2 }.into(),
        presence(PresenceStatus::Away, None).into(),
        presence(PresenceStatus::Offline, Some(at(4))).into(),
        SignalEvent::UnreadChanged {
            conversation_id,
            read_seq: 42,
            through_seq: 42,
            unread: 0,
            unread_mentions: 0,
            total_unread: 7,
            total_through: 1_234,
        }
        .into(),
        SignalEvent::SessionRevoked {}.into(),
        SignalEvent::SessionDraining { reconnect_after_ms: [0, 5_000] }.into(),
    ]
}

#[test]
fn every_event_is_written_like_this_and_read_again() {
    let events = events();
    let frames: Vec<_> = events.iter().map(Event::encode).collect();
    insta::assert_snapshot!("events", frames.join("\n"));
    for (event, frame) in events.iter().zip(&frames) {
        assert_eq!(serde_json::from_str::<Event>(frame).unwrap(), *event);
    }
    let session = "019b76da-a800-7000-8000-000000000003".parse().unwrap();
    insta::assert_snapshot!("own_event", Event::with_origin(&frames[0], session));
}

#[test]
fn the_greeting_is_written_like_this() {
    let ready = Ready {
        session_id: "019b76da-a800-7000-8000-000000000003".parse().unwrap(),
        user: user("bo", "Bo"),
        server_time: at(5),
        limits: Limits::default(),
        heartbeat: Heartbeat::default(),
        conversations: vec![direct()],
        next_cursor: Some(Cursor::from_text("WzFd")),
        has_more: true,
        presence: vec![PresenceEntry {
            user_id: id("ada"),
            status: PresenceStatus::Online,
            last_seen_at: None,
            version: 1_767_608_400_000_000,
        }],
    };
    insta::assert_json_snapshot!("greeting", ServerFrame::Ready { payload: Box::new(ready) });
}

#[test]
fn every_reply_is_written_like_this() {
    let summary = ConversationSummary {
        conversation: room(),
        peer: None,
        peer_read_seq: None,
        peer_delivered_seq: None,
        preview: None,
        ..direct()
    };
    let next = PageMeta { next_cursor: Some(Cursor::from_text("WzFd")), has_more: true };
    let history = HistoryMeta {
        next_cursor: Some(Cursor::from_text("WzFd")),
        has_more: true,
        has_older: true,
        has_newer: false,
        last_seq: 42,
    };
    let replies = [
        Reply::Sent { message: message(), repeated: false, recipient_online: Some(true) },
        Reply::Sent { message: message(), repeated: true, recipient_online: None },
        Reply::History(HistoryPage { data: vec![message()], meta: history }),
        Reply::History(HistoryPage { data: Vec::new(), meta: HistoryMeta::default() }),
        Reply::Conversation { conversation: Box::new(summary) },
        Reply::Conversations(Page { data: Vec::new(), meta: PageMeta::default() }),
        Reply::Members(Page { data: vec![member(MemberState::Joined)], meta: next.clone() }),
        Reply::Rooms(Page { data: vec![room()], meta: next }),
        Reply::Receipt { read: 2, seq: 42, unread: 0, through_seq: 42 },
        Reply::Presence { presence: Vec::new() },
        Reply::Resumed { replayed: 3, reset: vec![place()] },
        Reply::Pong { server_time: at(6) },
        Reply::Done {},
    ];
    let frames = replies.into_iter().enumerate().map(|(n, reply)| {
        ServerFrame::Reply { id: Some(n as u64), payload: Box::new(reply) }.encode()
    });
    insta::assert_snapshot!("replies", frames.collect::<Vec<_>>().join("\n"));
}

#[test]
fn refusals_are_written_like_this() {
    let limited = ErrorPayload {
        retry_after_ms: Some(1_200),
        ..ErrorPayload::new(ErrorCode::RateLimited, "too many requests: try again in 1200 ms")
    };
    let wrong = ErrorPayload {
        field: Some("before".into()),
        ..ErrorPayload::new(ErrorCode::InvalidPayload, "the field \"before\" is wrong")
    };
    let unreadable = ErrorPayload::new(ErrorCode::MalformedJson, "not a frame");
    let frames = [
        ServerFrame::Error { id: Some(7), payload: limited }.encode(),
        ServerFrame::Error { id: Some(8), payload: wrong }.encode(),
        ServerFrame::Error { id: None, payload: unreadable }.encode(),
    ];
    insta::assert_snapshot!("refusals", frames.join("\n"));
}
