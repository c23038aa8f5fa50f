//! Users, their names, and the search for them.

use chat_proto::{DisplayName, UserId, Username, fold};
use futures::future::join_all;

use super::fixture::{at, named_user, new_user, user, user_id};
use crate::store::{EnsureUser, NewUser, Store, user_named};

/// The first record of a user stays; a second call finds it unchanged, even under another name.
pub async fn a_user_is_recorded_once(store: &dyn Store) {
    let new = named_user("u1", "Ada", "Ada Lovelace");
    let EnsureUser::Created(ada) = store.ensure_user(new.clone()).await.unwrap() else {
        panic!("a new user is created");
    };
    assert_eq!((ada.id.as_str(), ada.username.as_str()), ("u1", "Ada"));
    assert_eq!(ada.display_name.as_str(), "Ada Lovelace");
    assert_eq!((ada.created_at, ada.last_seen_at), (at(0), None));
    for again in [new, named_user("u1", "Grace", "Grace Hopper")] {
        let again = store.ensure_user(again).await.unwrap();
        assert_eq!(again, EnsureUser::Existing(ada.clone()));
    }
    assert_eq!(store.user(&ada.id).await.unwrap(), Some(ada.clone()));
    assert_eq!(store.user_by_name("ada").await.unwrap(), Some(ada));
    assert_eq!(store.user_by_name("grace").await.unwrap(), None);
    assert_eq!(store.user(&user_id("u2")).await.unwrap(), None);
}

/// No name can pass for another: neither by its case nor by characters that look alike.
pub async fn a_name_is_taken_by_its_case_and_by_its_look(store: &dyn Store) {
    for name in ["paypal", "сосо"] {
        store.ensure_user(named_user(&format!("{}", name.len()), name, name)).await.unwrap();
    }
    for (n, taken) in ["PayPal", "paypaI", "coco"].into_iter().enumerate() {
        let new = named_user(&format!("other-{n}"), taken, "Other");
        let outcome = store.ensure_user(new.clone()).await.unwrap();
        assert_eq!(outcome, EnsureUser::UsernameTaken, "{taken}");
        assert_eq!(store.user(&new.id).await.unwrap(), None, "{taken}");
    }
}

/// Which of two look-alikes came first makes no difference, nor does their case.
pub async fn look_alikes_are_refused_in_either_order_and_case(store: &dyn Store) {
    for (n, (first, second)) in
        [("BILL", "bi11"), ("ki11", "KILL"), ("Hill", "HI11"), ("wi11", "wiIl"), ("user0", "USERO")]
            .into_iter()
            .enumerate()
    {
        store.ensure_user(named_user(&format!("first-{n}"), first, "First")).await.unwrap();
        let new = named_user(&format!("second-{n}"), second, "Second");
        let outcome = store.ensure_user(new).await.unwrap();
        assert_eq!(outcome, EnsureUser::UsernameTaken, "{first}, then {second}");
        assert_eq!(store.user_by_name(&fold(second)).await.unwrap(), None, "{second}");
    }
    // A name that is refused takes nothing: neither its key nor what it looks like.
    user(store, "wlll").await;
    user(store, "kal").await;
    user(store, "kai").await;
}

/// A user is found, and a name is taken, whatever its case and its normal form.
pub async fn a_name_is_one_in_every_form(store: &dyn Store) {
    for (n, forms) in [
        ["zo\u{eb}", "zoe\u{308}", "ZOE\u{308}"],
        ["οδός", "ΟΔΌΣ", "οδο\u{301}σ"],
        ["straße", "STRASSE", "strasse"],
        ["김각", "\u{1100}\u{1175}\u{11B7}\u{1100}\u{1161}\u{11A8}", "김\u{1100}\u{1161}\u{11A8}"],
    ]
    .into_iter()
    .enumerate()
    {
        let new = named_user(&format!("u{n}"), forms[0], &format!("shown {}", forms[0]));
        let EnsureUser::Created(created) = store.ensure_user(new).await.unwrap() else {
            panic!("{} is free", forms[0]);
        };
        for form in forms {
            let name = Username::parse(form).unwrap();
            let found = user_named(store, &name).await.unwrap();
            assert_eq!(found.as_ref(), Some(&created), "{form}");
            for query in [form.to_owned(), format!("Shown {form}")] {
                let found = store.search_users(&fold(&query), 9).await.unwrap();
                assert_eq!(found, std::slice::from_ref(&created), "{query}");
            }
            let again = store.ensure_user(named_user("other", form, "Other")).await.unwrap();
            assert_eq!(again, EnsureUser::UsernameTaken, "{form}");
        }
    }
}

/// A name to be shown is nobody else's unique name, nor looks like it; it may be one's own.
pub async fn a_name_to_be_shown_is_nobody_elses_name(store: &dyn Store) {
    user(store, "paypal").await;
    store.ensure_user(named_user("z0", "zo\u{eb}", "Zoë")).await.unwrap();
    for (n, shown) in ["paypal", "PayPal", "paypaI", "PAYPA1", "ZOE\u{308}"].into_iter().enumerate()
    {
        let new = named_user(&format!("u{n}"), &format!("name{n}"), shown);
        let outcome = store.ensure_user(new.clone()).await.unwrap();
        assert_eq!(outcome, EnsureUser::DisplayNameTaken, "{shown}");
        assert_eq!(store.user(&new.id).await.unwrap(), None, "{shown}");
        let display_name = DisplayName::from(&new.username);
        let own = store.ensure_user(NewUser { display_name, ..new }).await.unwrap();
        assert!(matches!(own, EnsureUser::Created(_)), "{shown}");
    }
    for (id, username, shown) in
        [("bob", "bob", "BOB"), ("cy", "cy", "Pay Pal"), ("dan", "dan", "Zoe")]
    {
        let outcome = store.ensure_user(named_user(id, username, shown)).await.unwrap();
        assert!(matches!(outcome, EnsureUser::Created(_)), "{shown}");
    }
    // Whoever is shown by a name has no right to it as a unique one.
    let later = store.ensure_user(named_user("z", "zoe", "Someone")).await.unwrap();
    assert!(matches!(later, EnsureUser::Created(_)));
}

/// Of users with look-alike names who come at once, one gets the name.
pub async fn look_alike_names_at_once_make_one_user(store: &dyn Store) {
    let names = ["paypal", "PayPal", "paypaI", "PAYPAL", "pAYPAL"];
    let calls = (0..20).map(|n| {
        store.ensure_user(named_user(&format!("user-{n}"), names[n % names.len()], "Pay Pal"))
    });
    let outcomes: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let created = outcomes.iter().filter(|outcome| matches!(outcome, EnsureUser::Created(_)));
    let taken = outcomes.iter().filter(|outcome| **outcome == EnsureUser::UsernameTaken);
    assert_eq!((created.count(), taken.count()), (1, 19));
}

/// Of calls for one user at once, one records the user, and all tell of the same.
pub async fn one_id_at_once_makes_one_user(store: &dyn Store) {
    let calls = (0..20).map(|n| store.ensure_user(named_user("u1", &format!("name{n}"), "Ada")));
    let outcomes: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let users: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            EnsureUser::Existing(user) | EnsureUser::Created(user) => user,
            EnsureUser::UsernameTaken | EnsureUser::DisplayNameTaken => {
                panic!("the names differ")
            }
        })
        .collect();
    assert!(users.iter().all(|user| *user == users[0]));
    let created = outcomes.iter().filter(|outcome| matches!(outcome, EnsureUser::Created(_)));
    assert_eq!(created.count(), 1);
}

/// Names are texts of any script; times are kept to the microsecond.
pub async fn names_of_every_script_come_back_unchanged(store: &dyn Store) {
    let names = [
        ("Зоя", "Зоя 🦊"),
        ("赵敏", "👩‍👩‍👧 赵敏"),
        ("नीता", "नीता \"'`;--"),
        ("ひなた漢字", "ひなた \u{1F338}"),
        ("zoë", "Z\u{323}\u{307}oe\\%_"),
    ];
    for (n, (username, display_name)) in names.into_iter().enumerate() {
        let created_at = at(0) + jiff::SignedDuration::from_nanos(123_456_789);
        let new = NewUser { created_at, ..named_user(&format!("u{n}"), username, display_name) };
        let EnsureUser::Created(created) = store.ensure_user(new).await.unwrap() else {
            panic!("{username} is free");
        };
        assert_eq!(created.username.as_str(), username);
        assert_eq!(created.display_name, DisplayName::parse(display_name).unwrap());
        assert_eq!(created.created_at.as_nanosecond() % 1_000_000_000, 123_456_000);
        assert_eq!(store.user(&created.id).await.unwrap(), Some(created.clone()));
        let key = created.username.key();
        assert_eq!(store.user_by_name(&key).await.unwrap(), Some(created));
    }
}

/// Known users are told once each, unknown ones not at all.
pub async fn users_are_found_by_their_ids(store: &dyn Store) {
    let ids = [user(store, "ada").await, user(store, "bob").await];
    user(store, "eve").await;
    let wanted = [ids[1].clone(), user_id("nobody"), ids[0].clone(), ids[1].clone()];
    let mut found: Vec<UserId> =
        store.users(&wanted).await.unwrap().into_iter().map(|user| user.id).collect();
    found.sort();
    assert_eq!(found, ids);
    assert_eq!(store.users(&[]).await.unwrap(), []);
}

/// What a search finds, as names in its order.
async fn search(store: &dyn Store, prefix: &str, limit: usize) -> Vec<String> {
    let found = store.search_users(prefix, limit).await.unwrap();
    found.into_iter().map(|user| user.username.into()).collect()
}

/// A search finds users by the beginning of either name, each once, in the order of the unique
/// names, up to the limit.
pub async fn a_search_finds_both_names_by_their_beginning(store: &dyn Store) {
    for (username, display_name) in
        [("bob", "Adam"), ("ada", "Ada"), ("carl", "Carl"), ("Adele", "Zelda"), ("dan", "Bada")]
    {
        store.ensure_user(named_user(username, username, display_name)).await.unwrap();
    }
    assert_eq!(search(store, "ad", 10).await, ["ada", "Adele", "bob"]);
    assert_eq!(search(store, "ad", 2).await, ["ada", "Adele"]);
    assert_eq!(search(store, "adam", 10).await, ["bob"]);
    assert_eq!(search(store, "", 10).await, ["ada", "Adele", "bob", "carl", "dan"]);
    assert_eq!(search(store, "", 3).await, ["ada", "Adele", "bob"]);
    assert!(search(store, "x", 10).await.is_empty());
    assert!(search(store, "", 0).await.is_empty());
}

/// What means something in a pattern of SQL means nothing here.
pub async fn a_search_takes_every_character_for_itself(store: &dyn Store) {
    for (username, display_name) in [
        ("a_b", "100% Ada"),
        ("axb", "1000 Bob"),
        ("c", "\\Carl"),
        ("d", "_Dan"),
        ("e", "*Eve"),
        ("f", "'Fay'"),
        ("g", "[Gus]"),
        ("h", "\u{10FFFF}Hal"),
    ] {
        store.ensure_user(named_user(username, username, display_name)).await.unwrap();
    }
    for (prefix, found) in [
        ("a_", "a_b"),
        ("100%", "a_b"),
        ("1000", "axb"),
        ("\\", "c"),
        ("_", "d"),
        ("*", "e"),
        ("'", "f"),
        ("[", "g"),
        ("\u{10FFFF}", "h"),
    ] {
        assert_eq!(search(store, prefix, 10).await, [found], "{prefix}");
    }
    for prefix in ["%", "?", "a%", "a\\_b", "\0", "\u{10FFFF}\u{10FFFF}"] {
        assert!(search(store, prefix, 10).await.is_empty(), "{prefix}");
    }
}

/// Lower case is that of Unicode, not that of ASCII.
pub async fn a_search_ignores_case_in_every_script(store: &dyn Store) {
    store.ensure_user(named_user("u1", "Зоя", "ΩMEGA")).await.unwrap();
    store.ensure_user(named_user("u2", "ZOË", "Ägypten")).await.unwrap();
    assert_eq!(search(store, "зо", 10).await, ["Зоя"]);
    assert_eq!(search(store, "ωm", 10).await, ["Зоя"]);
    assert_eq!(search(store, "zoë", 10).await, ["ZOË"]);
    assert_eq!(search(store, "äg", 10).await, ["ZOË"]);
}

/// The time when a user was last seen never moves back.
pub async fn last_seen_moves_forward_only(store: &dyn Store) {
    let ada = user(store, "ada").await;
    for (second, expected) in [(5, 5), (3, 5), (7, 7)] {
        store.record_last_seen(&ada, at(second)).await.unwrap();
        let user = store.user(&ada).await.unwrap().unwrap();
        assert_eq!(user.last_seen_at, Some(at(expected)));
    }
    store.record_last_seen(&user_id("nobody"), at(1)).await.unwrap();
    let EnsureUser::Existing(again) = store.ensure_user(new_user("ada")).await.unwrap() else {
        panic!("ada is recorded");
    };
    assert_eq!(again.last_seen_at, Some(at(7)));
}

/// Who is recorded is found, even under a name that somebody else has.
pub async fn who_is_known_needs_no_free_name(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let again = store.ensure_user(named_user("bob", "ADA", "Impostor")).await.unwrap();
    let EnsureUser::Existing(found) = again else { panic!("{again:?}") };
    assert_eq!((&found.id, found.username.as_str()), (&bob, "bob"));
    assert_eq!(store.user_by_name("ada").await.unwrap().unwrap().id, ada);
    assert_eq!(store.user_by_name("ADA").await.unwrap(), None, "that is no key");
    assert_eq!(store.user_by_name("").await.unwrap(), None);
}

/// What is found goes by the bytes of the unique names, and the limit counts in that order,
/// whichever name was found.
pub async fn a_search_has_one_order(store: &dyn Store) {
    let names = ["z", "a_b", "B", "a.b", "é", "ab", "a-b", "a~b", "a1", "x"];
    for name in names {
        let display_name = if name.starts_with('a') { name } else { "A" };
        store
            .ensure_user(named_user(&UserId::generate().to_string(), name, display_name))
            .await
            .unwrap();
    }
    let expected = ["a-b", "a.b", "a1", "a_b", "ab", "a~b", "B", "x", "z", "é"];
    for limit in 0..=names.len() + 1 {
        let found = &expected[..limit.min(expected.len())];
        assert_eq!(search(store, "a", limit).await, found);
        assert_eq!(search(store, "", limit).await, found);
    }
}

/// Users who are seen for the first time together are recorded together, each with an answer of its own:
/// a name that is taken refuses its own user alone, within one call as well.
pub async fn users_seen_together_are_recorded_together(store: &dyn Store) {
    let known = user(store, "known").await;
    let all = vec![
        new_user("ada"),
        named_user("known", "other", "Other"),
        named_user("bob", "KNOWN", "Bob"),
        new_user("cy"),
        named_user("cy2", "CY", "Cy"),
        new_user("ada"),
        named_user("dan", "dan", "Dan"),
    ];
    let outcomes = store.ensure_users(all.clone()).await.unwrap();
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            EnsureUser::Created(user) => format!("+{}", user.id),
            EnsureUser::Existing(user) => format!("={}", user.id),
            EnsureUser::UsernameTaken | EnsureUser::DisplayNameTaken => "taken".to_owned(),
        })
        .collect();
    assert_eq!(told, ["+ada", "=known", "taken", "+cy", "taken", "=ada", "+dan"]);
    assert_eq!(store.user(&known).await.unwrap().unwrap().username.as_str(), "known");
    for id in ["bob", "cy2"] {
        assert_eq!(store.user(&user_id(id)).await.unwrap(), None);
    }
    let EnsureUser::Created(cy) = &outcomes[3] else { panic!("{outcomes:?}") };
    assert_eq!(store.user(&cy.id).await.unwrap().as_ref(), Some(cy));
    assert_eq!(store.ensure_users(Vec::new()).await.unwrap(), []);
    let calls = (0..8).map(|n| {
        let mut users: Vec<_> = (0..6).map(|n| new_user(&format!("crowd{n}"))).collect();
        users.rotate_left(n % 6);
        if n % 2 == 1 {
            users.reverse();
        }
        store.ensure_users(users)
    });
    let outcomes: Vec<_> = join_all(calls).await.into_iter().flat_map(Result::unwrap).collect();
    let made = outcomes.iter().filter(|one| matches!(one, EnsureUser::Created(_))).count();
    let known = outcomes.iter().filter(|one| matches!(one, EnsureUser::Existing(_))).count();
    assert_eq!((made, known), (6, 42));
}
