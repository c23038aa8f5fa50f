//! Two people without an endpoint, for connections that are looked at from the inside.

use std::sync::Arc;

use chat_core::auth::Identity;
use chat_core::proto::{ConversationId, LoginSessionId, MessageSend, PeerTarget};
use chat_core::{Actor, Chat, MemoryStore, Session};
use tokio::net::{TcpSocket, TcpStream};

use crate::server::{chat_config, soon};

/// Ada writes to Bo.
#[derive(Debug)]
pub(crate) struct Talk {
    chat: Chat,
    conversation_id: ConversationId,
    login: LoginSessionId,
}

impl Talk {
    pub(crate) async fn begin() -> Self {
        let chat = Chat::builder(Arc::new(MemoryStore::new())).config(chat_config()).build();
        for user in ["ada", "bo"] {
            chat.admit(&Identity::of(user.parse().unwrap()).claims).await.unwrap();
        }
        let bo = PeerTarget { user_id: Some("bo".parse().unwrap()), username: None };
        let conversation_id = chat.open_direct(&ada(), &bo).await.unwrap().conversation.id;
        Self { chat, conversation_id, login: LoginSessionId::generate() }
    }

    /// A device of Bo's.
    pub(crate) async fn attach(&self) -> Session {
        let login = Some(self.login);
        let identity = Identity { login, ..Identity::of("bo".parse().unwrap()) };
        soon(self.chat.attach(&identity)).await.unwrap()
    }

    pub(crate) async fn ada_sends(&self, content: String) {
        let conversation_id = self.conversation_id;
        let message = MessageSend { conversation_id, client_id: None, content };
        soon(self.chat.send(&ada(), message)).await.unwrap();
    }

    pub(crate) fn bo_is_logged_out(&self) {
        self.chat.end_logins(&"bo".parse().unwrap(), &[self.login]);
    }
}

fn ada() -> Actor {
    Actor::user("ada".parse().unwrap())
}

/// Two ends of a connection with small buffers.
pub(crate) async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpSocket::new_v4().unwrap();
    listener.set_send_buffer_size(16 * 1024).unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(1).unwrap();
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(16 * 1024).unwrap();
    let client = soon(client.connect(listener.local_addr().unwrap())).await.unwrap();
    (client, soon(listener.accept()).await.unwrap().0)
}
