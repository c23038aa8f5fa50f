//! A call that fails has changed nothing.

use chat_proto::Visibility;

use super::fixture::{
    draft, draft_as, head, history, new_direct, new_room, room, send, stored, user, user_id,
};
use crate::store::{AppendOutcome, MessageDraft, NewDirect, NewRoom, Store};

/// Of a batch with a message whose id is another's, nothing is stored, and no number is taken.
pub async fn a_batch_that_fails_stores_nothing(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let (one, two) = (room(store, &ada, "one").await, room(store, &ada, "two").await);
    let message = send(store, one, &ada, "first").await;
    let fails = MessageDraft { id: message.id, ..draft(two, &ada, "stolen id") };
    let batch = vec![draft(one, &ada, "a"), draft_as("b", two, &ada, "b @ada"), fails];
    assert!(store.append(batch).await.is_err());
    let twice = draft(one, &ada, "a");
    let fails = MessageDraft { id: twice.id, ..draft(one, &ada, "b") };
    assert!(store.append(vec![twice, fails]).await.is_err());
    for (room, count) in [(one, 1), (two, 0)] {
        let head = head(store, room).await;
        assert_eq!((head.last_seq, head.change_seq), (count, count + 1));
        assert_eq!(history(store, room).await.len() as u64, count);
    }
    assert_eq!(store.message(message.id).await.unwrap(), Some(message.clone()));
    let outcome = store.append(vec![draft_as("b", two, &ada, "again")]).await.unwrap().remove(0);
    assert_eq!(stored(outcome).seq, 1, "the client id was not used");
    // What is refused or repeats takes no id.
    let refused = MessageDraft { id: message.id, ..draft(two, &user_id("nobody"), "refused") };
    assert_eq!(store.append(vec![refused]).await.unwrap(), [AppendOutcome::NotMember]);
}

/// A conversation that cannot be made is not there, not even in part.
pub async fn a_conversation_that_fails_leaves_no_trace(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let nobody = user_id("nobody");
    for (opener, peer) in [(&ada, &nobody), (&nobody, &ada), (&ada, &ada)] {
        let new = new_direct(opener, peer);
        let id = new.id;
        assert!(store.open_direct(new).await.is_err());
        assert_eq!(store.conversation(id).await.unwrap(), None);
        assert_eq!(store.direct(opener, peer).await.unwrap(), None);
        assert!(store.heads(&[id]).await.unwrap().is_empty());
    }
    let new = new_room(&nobody, "general", Visibility::Public);
    assert!(store.create_room(new.clone()).await.is_err());
    assert!(store.find_or_create_room(new.clone()).await.is_err());
    assert_eq!(store.conversation(new.id).await.unwrap(), None);
    assert!(store.public_rooms(None, 10).await.unwrap().is_empty());
    assert!(store.overview(&ada, 10).await.unwrap().standings.is_empty());
    let taken = room(store, &ada, "taken").await;
    let before = store.conversation(taken).await.unwrap();
    let new = NewRoom { id: taken, ..new_room(&bob, "other", Visibility::Public) };
    assert!(store.create_room(new).await.is_err());
    let new = NewDirect { id: taken, ..new_direct(&bob, &ada) };
    assert!(store.open_direct(new).await.is_err());
    assert_eq!(store.conversation(taken).await.unwrap(), before);
    assert_eq!(store.room_by_name("other").await.unwrap(), None);
    assert_eq!(store.direct(&ada, &bob).await.unwrap(), None);
    assert!(store.memberships(&[bob]).await.unwrap().is_empty());
}
