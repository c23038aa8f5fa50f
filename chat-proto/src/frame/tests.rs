use super::*;
use crate::ErrorCode;

const ROOM: &str = "0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b11";

fn decode(json: &str) -> Result<ClientFrame, DecodeError> {
    ClientFrame::decode(json)
}

#[test]
fn a_send_is_decoded() {
    let frame = decode(&format!(
        r#"{{"id": 7, "type": "message.send", "future": 1,
            "payload": {{"conversationId": "{ROOM}", "clientId": "c1", "content": "h\u0069", "x": 2}}}}"#
    ))
    .unwrap();
    assert_eq!(frame.id, Some(7));
    let Command::MessageSend(send) = frame.command else { panic!("{frame:?}") };
    assert_eq!(send.content, "hi");
    assert_eq!(send.client_id.unwrap().as_str(), "c1");
}

#[test]
fn a_command_without_fields_needs_no_payload() {
    assert_eq!(decode(r#"{"type":"ping"}"#).unwrap().command, Command::Ping {});
    assert_eq!(decode(r#"{"type":"ping","payload":null}"#).unwrap().command, Command::Ping {});
}

#[test]
fn every_kind_of_bad_frame_has_its_code() {
    let code = |json: &str| decode(json).unwrap_err().code;
    assert_eq!(code("{"), ErrorCode::MalformedJson);
    assert_eq!(code("[]"), ErrorCode::MalformedJson);
    assert_eq!(code(r#"[1,"ping",{}]"#), ErrorCode::MalformedJson);
    assert_eq!(code(r#"{"type":"ping","payload":[]}"#), ErrorCode::InvalidPayload);
    assert_eq!(code(r#"{"id":1}"#), ErrorCode::MalformedJson);
    assert_eq!(code(r#"{"id":1,"type":"message.sing"}"#), ErrorCode::UnknownType);
    assert_eq!(code(r#"{"id":1,"type":"message.send","payload":{}}"#), ErrorCode::InvalidPayload);
    assert_eq!(
        code(r#"{"type":"typing.start","payload":{"conversationId":"x"}}"#),
        ErrorCode::InvalidPayload
    );
}

#[test]
fn the_field_that_is_wrong_is_named() {
    for (kind, payload, field) in [
        ("message.send", r#"{"content":"hi"}"#, Some("conversationId")),
        ("conversation.list", r#"{"limit":18446744073709551616}"#, Some("limit")),
        ("conversation.list", r#"{"limit":-1}"#, Some("limit")),
        ("conversation.list", r#"{"limit":1,"limit":2}"#, Some("limit")),
        ("typing.start", r#"{"conversationId":"x"}"#, Some("conversationId")),
        ("presence.set", r#"{"status":"asleep"}"#, Some("status")),
        ("ping", "[]", None),
        ("no.such", "{}", None),
    ] {
        let error = decode(&format!(r#"{{"type":"{kind}","payload":{payload}}}"#)).unwrap_err();
        assert_eq!(error.field.as_deref(), field, "{kind} {payload}: {error}");
    }
}

#[test]
fn a_bad_frame_is_answered_by_its_id() {
    let error = decode(r#"{"id":9,"type":"message.send","payload":{"content":1}}"#).unwrap_err();
    assert_eq!(error.id, Some(9));
}

#[test]
fn every_command_is_read_as_it_is_written() {
    let room: crate::ConversationId = ROOM.parse().unwrap();
    let commands = [
        Command::Authenticate { token: "t".to_owned().into() },
        Command::Resume { cursors: [(room, 4)].into() },
        Command::MessageSend(MessageSend {
            conversation_id: room,
            client_id: None,
            content: "hi".into(),
        }),
        Command::HistoryLoad(HistoryRequest { after: Some(3), ..HistoryRequest::latest(room) }),
        Command::TypingStart { conversation_id: room },
        Command::TypingStop { conversation_id: room },
        Command::ReceiptRead { conversation_id: room, seq: Some(2) },
        Command::ReceiptDelivered { conversation_id: room, seq: None },
        Command::ConversationShow { conversation_id: room },
        Command::ConversationOpen(PeerTarget { user_id: None, username: Some("bo".into()) }),
        Command::ConversationCreate(CreateRoom {
            kind: None,
            name: "general".to_owned().try_into().unwrap(),
            visibility: None,
            topic: None,
        }),
        Command::ConversationJoin(ConversationTarget { conversation_id: Some(room), name: None }),
        Command::ConversationLeave { conversation_id: room, confirm: false },
        Command::ConversationList { cursor: None, limit: Some(3) },
        Command::ConversationMembers { conversation_id: room, cursor: None, limit: None },
        Command::RoomList { cursor: None, limit: None },
        Command::PresenceSet { status: crate::PresenceStatus::Away },
        Command::PresenceList {},
        Command::Ping {},
    ];
    for command in commands {
        let json = serde_json::to_string(&command).unwrap();
        assert_eq!(decode(&json).unwrap().command, command, "{json}");
    }
}

#[test]
fn origin_is_put_into_a_frame_without_a_second_encoding() {
    let event = Event::Signal(SignalEvent::SessionRevoked {});
    let session = crate::SessionId::generate();
    let own = Event::with_origin(&event.encode(), session);
    let value: serde_json::Value = serde_json::from_str(&own).unwrap();
    assert_eq!(value["origin"], session.to_string());
    assert_eq!(value["type"], "session.revoked");
}
