//! From command to use case.

use chat_proto::{Command, Reply};
use jiff::Timestamp;

use crate::chat::{Actor, Chat, Receipt};
use crate::error::ChatError;

/// Carries out one command.
pub(super) async fn carry_out(
    chat: &Chat,
    actor: &Actor,
    command: Command,
) -> Result<Reply, ChatError> {
    Ok(match command {
        Command::MessageSend(message) => {
            let sent = chat.send(actor, message).await?;
            Reply::Sent {
                message: sent.message,
                repeated: sent.repeated,
                recipient_online: sent.recipient_online,
            }
        }
        Command::HistoryLoad(request) => Reply::History(chat.history(actor, &request).await?),
        Command::TypingStart { conversation_id } => {
            chat.start_typing(actor, conversation_id).await?;
            Reply::Done {}
        }
        Command::TypingStop { conversation_id } => {
            chat.stop_typing(actor, conversation_id).await?;
            Reply::Done {}
        }
        Command::ReceiptRead { conversation_id, seq } => {
            receipt(chat.mark_read(actor, conversation_id, seq).await?)
        }
        Command::ReceiptDelivered { conversation_id, seq } => {
            receipt(chat.mark_delivered(actor, conversation_id, seq).await?)
        }
        Command::ConversationShow { conversation_id } => {
            let conversation = chat.conversation(actor, conversation_id).await?;
            Reply::Conversation { conversation: Box::new(conversation) }
        }
        Command::ConversationOpen(peer) => {
            Reply::Conversation { conversation: Box::new(chat.open_direct(actor, &peer).await?) }
        }
        Command::ConversationCreate(room) => {
            Reply::Conversation { conversation: Box::new(chat.create_room(actor, room).await?) }
        }
        Command::ConversationJoin(target) => {
            Reply::Conversation { conversation: Box::new(chat.join_room(actor, &target).await?) }
        }
        Command::ConversationLeave { conversation_id, confirm } => {
            chat.leave_room(actor, conversation_id, confirm).await?;
            Reply::Done {}
        }
        Command::ConversationList { cursor, limit } => {
            Reply::Conversations(chat.conversations(actor, cursor.as_ref(), limit).await?)
        }
        Command::ConversationMembers { conversation_id, cursor, limit } => {
            Reply::Members(chat.members(actor, conversation_id, cursor.as_ref(), limit).await?)
        }
        Command::RoomList { cursor, limit } => {
            Reply::Rooms(chat.rooms(actor, cursor.as_ref(), limit).await?)
        }
        Command::PresenceSet { status } => {
            chat.set_presence(actor, status).await?;
            Reply::Done {}
        }
        Command::PresenceList {} => Reply::Presence { presence: chat.presence(actor).await? },
        Command::Ping {} => Reply::Pong { server_time: Timestamp::now() },
        Command::Authenticate { .. } => {
            return Err(ChatError::Conflict("this connection is authenticated already"));
        }
        // A resume is carried out by its session; and what a later version adds is not known here.
        _ => return Err(ChatError::Invalid("this command is not known here")),
    })
}

fn receipt(Receipt { read, seq, unread, through_seq }: Receipt) -> Reply {
    Reply::Receipt { read, seq, unread, through_seq }
}
