//! SIGKILL in the middle of sends, again and again: what was acknowledged is there, once, in order.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::home::Home;
use crate::person::Person;
use crate::server::Server;

const KILLS: usize = 20;
const SENDERS: [&str; 3] = ["ada", "bo", "cy"];

/// What one sender knows.
struct Sender {
    token: String,
    /// Client ids and numbers of what was acknowledged, in the order of the acknowledgements.
    acknowledged: Vec<(String, u64)>,
    /// Messages sent.
    sent: usize,
    /// The message whose answer never came, to be sent again.
    open: Option<String>,
}

impl Sender {
    /// Sends one message after another until the connection ends, if there is one, beginning with the one that was
    /// left open.
    async fn send_until_killed(&mut self, name: &str, server: &Server, room: &str) {
        let Some(mut person) = Person::try_connect(server, &self.token).await else { return };
        loop {
            let client_id = self.open.take().unwrap_or_else(|| {
                self.sent += 1;
                format!("{name}-{}", self.sent)
            });
            let payload =
                json!({"conversationId": room, "clientId": client_id, "content": client_id});
            self.open = Some(client_id.clone());
            let Some(id) = person.begin("message.send", payload).await else { return };
            match person.answer(id).await {
                Some(Ok(reply)) => {
                    let seq = reply["message"]["seq"].as_u64().unwrap();
                    self.acknowledged.push((client_id, seq));
                    self.open = None;
                }
                Some(Err(error)) => panic!("refused: {error}"),
                None => return,
            }
        }
    }
}

pub(crate) async fn nothing_acknowledged_is_lost_or_doubled_by_sigkill(home: Home) {
    let unlimited = ["--dev", "--set", "limits.messages_per_second=100000"];
    let mut server = Server::start_with(&home, &unlimited).await;
    let mut senders = Vec::new();
    for name in SENDERS {
        let token = server.host_token(name).await;
        senders.push(Sender { token, acknowledged: Vec::new(), sent: 0, open: None });
    }
    let room = json!({"kind": "room", "name": "general"});
    let made = server.request("POST", "/conversations", Some(&senders[0].token), Some(room)).await;
    let room = made.json()["id"].as_str().unwrap().to_owned();
    for sender in &senders[1..] {
        let join = format!("/conversations/{room}/join");
        assert_eq!(server.request("POST", &join, Some(&sender.token), None).await.status, 200);
    }
    let mut watcher = Person::connect(&server, &senders[0].token).await;

    for kill in 1..=KILLS {
        let mut watched = 0;
        {
            let sending = senders
                .iter_mut()
                .zip(SENDERS)
                .map(|(sender, name)| sender.send_until_killed(name, &server, &room));
            let sending = futures::future::join_all(sending);
            // Some messages are under way when the watcher has seen a few, more each time.
            let watching = async {
                while watched < 5 + kill {
                    watcher.event("message.created").await;
                    watched += 1;
                }
            };
            tokio::pin!(sending);
            tokio::select! {
                () = watching => {}
                _ = &mut sending => panic!("all connections ended before the kill"),
            }
            server.kill_now();
            sending.await;
        }
        server.kill().await;
        server = Server::start_with(&home, &unlimited).await;
        let stored = server.history(&senders[0].token, &room).await;
        check(&stored, &senders, kill);
        watcher = Person::connect(&server, &senders[0].token).await;
    }
}

fn check(stored: &[Value], senders: &[Sender], kill: usize) {
    let seqs = stored.iter().map(|message| message["seq"].as_u64().unwrap());
    assert!(seqs.eq(1..=stored.len() as u64), "kill {kill}: numbers have no hole");
    let ids: Vec<_> = stored.iter().map(|m| m["clientId"].as_str().unwrap()).collect();
    let distinct: HashSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "kill {kill}: nothing is stored twice");
    for sender in senders {
        for (client_id, seq) in &sender.acknowledged {
            let place = usize::try_from(*seq).unwrap() - 1;
            assert_eq!(
                ids.get(place),
                Some(&client_id.as_str()),
                "kill {kill}: what was acknowledged is where it was said to be"
            );
        }
        assert!(
            sender.acknowledged.is_sorted_by_key(|(_, seq)| *seq),
            "kill {kill}: order is as acknowledged"
        );
        assert!(sender.acknowledged.len() >= kill, "kill {kill}: sends were under way");
    }
}
