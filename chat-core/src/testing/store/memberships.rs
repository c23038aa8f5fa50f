//! Who is where, and who knows whom.

use std::collections::BTreeSet;

use chat_proto::{ConversationId, PresenceStatus, UserId};
use jiff::Timestamp;

use super::fixture::{direct, join, leave, room, user, user_id};
use crate::store::{Contact, Store};

/// Members are listed in the order of their ids, in pages that neither repeat nor skip.
pub async fn members_are_listed_by_user_id(store: &dyn Store) {
    let zoe = user(store, "zoe").await;
    let room = room(store, &zoe, "general").await;
    for name in ["bob", "Carl", "ada", "eve", "a.b", "left"] {
        join(store, room, &user(store, name).await).await;
    }
    leave(store, room, &user_id("left")).await;
    let mut listed: Vec<UserId> = Vec::new();
    loop {
        let page = store.members(room, listed.last(), 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        for profile in page {
            assert_eq!(profile.member.user_id, profile.user.id);
            let member = store.member(room, &profile.user.id).await.unwrap();
            assert_eq!(member, Some(profile.member));
            listed.push(profile.user.id);
        }
    }
    let names: Vec<_> = listed.iter().map(UserId::as_str).collect();
    assert_eq!(names, ["Carl", "a.b", "ada", "bob", "eve", "zoe"]);
    assert!(store.members(ConversationId::generate(), None, 9).await.unwrap().is_empty());
    assert!(store.members(room, None, 0).await.unwrap().is_empty());
}

/// Memberships that ended are not told; those in force are, with the change that made them.
pub async fn memberships_in_force_are_listed(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    let (one, two) = (room(store, &ada, "one").await, room(store, &ada, "two").await);
    join(store, one, &bob).await;
    join(store, two, &bob).await;
    leave(store, two, &bob).await;
    join(store, two, &eve).await;
    let wanted = [ada.clone(), bob.clone(), user_id("nobody"), bob.clone()];
    let found = store.memberships(&wanted).await.unwrap();
    let set: BTreeSet<_> =
        found.iter().map(|one| (&one.user_id, one.conversation_id, one.change_seq)).collect();
    assert_eq!(set, BTreeSet::from([(&ada, one, 1), (&ada, two, 1), (&bob, one, 2)]));
    assert_eq!(found.len(), 3);
    assert!(store.memberships(&[]).await.unwrap().is_empty());
}

/// Contacts are the other members of conversations that are small enough, each once.
pub async fn contacts_share_a_small_conversation(store: &dyn Store) {
    let names = ["ada", "bob", "carl", "dan", "eve", "fay"];
    let mut users = Vec::new();
    for name in names {
        users.push(user(store, name).await);
    }
    let [ada, bob, carl, dan, eve, fay] = &users[..] else { panic!("six users") };
    direct(store, ada, bob).await;
    let small = room(store, bob, "small").await;
    join(store, small, ada).await;
    join(store, small, carl).await;
    let large = room(store, dan, "large").await;
    for user in [ada, bob, fay] {
        join(store, large, user).await;
    }
    let former = room(store, eve, "former").await;
    join(store, former, ada).await;
    leave(store, former, eve).await;
    let contacts = async |user: &UserId, max_members, limit| -> BTreeSet<UserId> {
        let found = store.contacts(user, max_members, limit).await.unwrap();
        for Contact { user_id, conversation_id } in &found {
            for member in [user, user_id] {
                let shared = store.member(*conversation_id, member).await.unwrap();
                assert!(shared.is_some(), "{member} is no member of {conversation_id}");
            }
        }
        assert_eq!(store.contacts(user, max_members, limit).await.unwrap(), found);
        let set: BTreeSet<_> = found.iter().map(|contact| contact.user_id.clone()).collect();
        assert_eq!(set.len(), found.len(), "each once");
        set
    };
    let set = |users: &[&UserId]| users.iter().map(|&user| user.clone()).collect::<BTreeSet<_>>();
    assert_eq!(contacts(ada, 2, 10).await, set(&[bob]));
    assert_eq!(contacts(ada, 3, 10).await, set(&[bob, carl]));
    assert_eq!(contacts(ada, 4, 10).await, set(&[bob, carl, dan, fay]));
    assert_eq!(contacts(ada, 4, 2).await.len(), 2);
    assert_eq!(contacts(eve, 10, 10).await, set(&[]));
    assert_eq!(contacts(&user_id("nobody"), 10, 10).await, set(&[]));
}

/// The circles of several users are those of each, in their order, whoever is asked about twice.
pub async fn circles_are_those_of_each_user(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    direct(store, &ada, &bob).await;
    let (small, large) = (room(store, &bob, "small").await, room(store, &ada, "large").await);
    join(store, small, &ada).await;
    leave(store, small, &bob).await;
    for user in [&bob, &eve] {
        join(store, large, user).await;
    }
    let users = [eve, bob.clone(), user_id("nobody"), ada, bob];
    for (max_members, limit) in [(2, 10), (3, 10), (3, 1)] {
        let circles = store.circles(&users, max_members, limit).await.unwrap();
        assert_eq!(circles.len(), users.len());
        for (user, mut circle) in users.iter().zip(circles) {
            let mut memberships = store.memberships(std::slice::from_ref(user)).await.unwrap();
            circle.memberships.sort_by_key(|one| one.conversation_id);
            memberships.sort_by_key(|one| one.conversation_id);
            assert_eq!(circle.memberships, memberships, "{user}");
            let contacts = store.contacts(user, max_members, limit).await.unwrap();
            assert_eq!(circle.contacts, contacts, "{user}");
        }
    }
    assert_eq!(store.circles(&[], 10, 10).await.unwrap(), []);
}

/// How a user chose to be shown stays until another choice, whatever else happens to the user, and is
/// nobody else's.
pub async fn a_chosen_presence_is_kept(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let chosen = async || {
        let users = [ada.clone(), bob.clone(), user_id("nobody")];
        let circles = store.circles(&users, 10, 10).await.unwrap();
        circles.into_iter().map(|circle| circle.chosen).collect::<Vec<_>>()
    };
    use PresenceStatus::{Away, Invisible, Online};
    assert_eq!(chosen().await, [Online; 3]);
    store.choose_presence(&ada, Invisible).await.unwrap();
    assert_eq!(chosen().await, [Invisible, Online, Online]);
    store.choose_presence(&bob, Away).await.unwrap();
    store.choose_presence(&user_id("nobody"), Away).await.unwrap();
    store.record_last_seen(&ada, Timestamp::now()).await.unwrap();
    direct(store, &ada, &bob).await;
    assert_eq!(chosen().await, [Invisible, Away, Online]);
    store.choose_presence(&ada, Online).await.unwrap();
    assert_eq!(chosen().await, [Online, Away, Online]);
}
