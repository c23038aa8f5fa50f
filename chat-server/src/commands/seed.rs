use std::collections::HashMap;

use chat_core::auth::{AccountError, Accounts, ClientDetails, Registration};
use chat_core::proto::{
    ClientId, Conversation, ConversationId, ConversationTarget, CreateRoom, DisplayName,
    MessageSend, PeerTarget, RoomName, Topic, UserId, Username,
};
use chat_core::{Actor, Chat};
use clap::Args;
use secrecy::SecretString;
use uuid::Uuid;

use super::{CommandError, Options, start};
use crate::Engine;

const USERS: [&str; 10] =
    ["Ada", "Ben", "Chiara", "Dmitri", "Emeka", "Farah", "Goro", "Hanna", "Ines", "Jonas"];
const ROOMS: [&str; 5] = ["general", "random", "engineering", "design", "lunch"];
const MESSAGES: usize = 1_000;
const WORDS: [&str; 8] = [
    "Good morning!",
    "Has anybody seen the new draft?",
    "I am on it, give me ten minutes.",
    "That works for me.",
    "Let us talk about it tomorrow.",
    "Here are the notes of today:\n- less is more\n- ship it",
    "Ha, nice one 😄",
    "Who takes the minutes?",
];

/// `chat-server seed`: ten users, a direct conversation for each pair, five rooms, and a thousand
/// messages. What it made already is left alone, so a second run changes nothing, and so is what
/// others made: a room of the same name is another room.
#[derive(Debug, Args)]
pub(super) struct Seed {
    /// The password of the users it makes (default: a random one, which is printed)
    #[arg(long)]
    password: Option<SecretString>,
}

/// What came of it.
#[derive(Debug, Default)]
struct Made {
    users: usize,
    conversations: usize,
    messages: usize,
}

impl Seed {
    pub(super) async fn run(self, options: &Options) -> Result<(), CommandError> {
        let mut config = start(&options.sources()?)?;
        // Limits are for people.
        config.limits = config.limits.without_rates();
        let engine = Engine::open(&config).await?;
        let random = self.password.is_none();
        let password = self.password.unwrap_or_else(|| Uuid::new_v4().to_string().into());
        let mut made = Made::default();
        let users = users(&engine, &password, &mut made).await?;
        let conversations = conversations(&engine.chat, &users, &mut made).await?;
        messages(&engine.chat, &conversations, &mut made).await?;
        engine.close().await;

        let Made { users, conversations, messages } = made;
        println!("made {users} users, {conversations} conversations, {messages} messages");
        if users > 0 {
            let names: Vec<String> = USERS.iter().map(|name| username(name)).collect();
            println!("users: {}", names.join(" "));
            if random {
                println!("password: {}", secrecy::ExposeSecret::expose_secret(&password));
            }
        }
        Ok(())
    }
}

fn username(name: &str) -> String {
    format!("seed-{}", name.to_lowercase())
}

async fn users(
    engine: &Engine,
    password: &SecretString,
    made: &mut Made,
) -> Result<Vec<UserId>, CommandError> {
    let mut users = Vec::with_capacity(USERS.len());
    for name in USERS {
        let mut registration = Registration {
            username: Username::parse(&username(name))?,
            password: password.clone(),
            display_name: Some(DisplayName::parse(name)?),
        };
        let register = |one| engine.accounts.register(one, ClientDetails::default());
        let mut registered = register(registration.clone()).await;
        if matches!(registered, Err(AccountError::DisplayNameTaken)) {
            // Somebody else is called so, and is not to be taken for a user who was made up.
            registration.display_name = None;
            registered = register(registration).await;
        }
        let user = match registered {
            Ok(login) => {
                engine.accounts.end_session(&login.user.id, login.session.id).await?;
                made.users += 1;
                login.user
            }
            Err(AccountError::UsernameTaken) => engine.chat.user_by_name(&username(name)).await?,
            Err(error) => return Err(error.into()),
        };
        users.push(user.id);
    }
    Ok(users)
}

/// Each conversation with the users who write in it.
async fn conversations(
    chat: &Chat,
    users: &[UserId],
    made: &mut Made,
) -> Result<Vec<(ConversationId, Vec<UserId>)>, CommandError> {
    let mut conversations = Vec::new();
    let known = known_conversations(chat, users).await?;
    let mut add = |id: ConversationId, members: Vec<UserId>, made: &mut Made| {
        made.conversations += usize::from(!known.contains_key(&id));
        conversations.push((id, members));
    };
    for (place, user) in users.iter().enumerate() {
        for peer in &users[place + 1..] {
            let target = PeerTarget { user_id: Some(peer.clone()), username: None };
            let direct = chat.open_direct(&Actor::user(user.clone()), &target).await?;
            add(direct.conversation_id, vec![user.clone(), peer.clone()], made);
        }
    }
    for (place, name) in ROOMS.iter().enumerate() {
        let owner = Actor::user(users[place].clone());
        let name = RoomName::parse(name)?;
        let own = known
            .values()
            .find(|room| room.created_by == owner.user_id && room.name.as_ref() == Some(&name));
        let id = match own {
            Some(room) => room.id,
            None => {
                let topic = Some(Topic::parse(&format!("All about {name}"))?);
                let room = CreateRoom { kind: None, name, visibility: None, topic };
                chat.create_room(&owner, room).await?.conversation_id
            }
        };
        let target = ConversationTarget { conversation_id: Some(id), name: None };
        for user in users {
            chat.join_room(&Actor::user(user.clone()), &target).await?;
        }
        add(id, users.to_vec(), made);
    }
    Ok(conversations)
}

async fn known_conversations(
    chat: &Chat,
    users: &[UserId],
) -> Result<HashMap<ConversationId, Conversation>, CommandError> {
    let mut known = HashMap::new();
    for user in users {
        let mut cursor = None;
        loop {
            let actor = Actor::user(user.clone());
            let page = chat.conversations(&actor, cursor.as_ref(), None).await?;
            known.extend(page.data.into_iter().map(|one| (one.conversation_id, one.conversation)));
            match page.meta.next_cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
    }
    Ok(known)
}

/// Spreads the messages over the conversations. Every message has its own client id, so that a
/// second run repeats it instead of sending another.
async fn messages(
    chat: &Chat,
    conversations: &[(ConversationId, Vec<UserId>)],
    made: &mut Made,
) -> Result<(), CommandError> {
    for number in 0..MESSAGES {
        let (conversation_id, members) = &conversations[number % conversations.len()];
        let round = number / conversations.len();
        let sender = &members[round % members.len()];
        let message = MessageSend {
            conversation_id: *conversation_id,
            client_id: Some(format!("seed-{number}").parse::<ClientId>()?),
            content: WORDS[(number * 7 + round) % WORDS.len()].to_owned(),
        };
        let sent = chat.send(&Actor::user(sender.clone()), message).await?;
        made.messages += usize::from(!sent.repeated);
    }
    Ok(())
}
