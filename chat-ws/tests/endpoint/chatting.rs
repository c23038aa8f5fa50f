use serde_json::json;

use crate::client::Client;
use crate::server::Server;

#[tokio::test]
async fn two_clients_exchange_messages() {
    let server = Server::start().await;
    let mut ada = Client::connect(&server, "ada").await;
    let mut bo = Client::connect(&server, "bo").await;
    let opened = ada.ask("conversation.open", json!({ "username": "bo" })).await;
    let place = &opened["conversation"]["conversationId"];
    let hello = json!({ "conversationId": place, "clientId": "c1", "content": "hello, Bo" });
    let sent = ada.ask("message.send", hello).await;
    assert_eq!(sent["message"]["seq"], 1);
    let event = bo.frame_of("message.created").await;
    assert_eq!(event["payload"]["message"]["content"], "hello, Bo");
    let answer = json!({ "conversationId": place, "clientId": "c1", "content": "hello, Ada" });
    bo.ask("message.send", answer).await;
    loop {
        let event = ada.frame_of("message.created").await;
        if event["payload"]["message"]["seq"] == 2 {
            assert_eq!(event["payload"]["message"]["content"], "hello, Ada");
            break;
        }
    }
}

#[tokio::test]
async fn a_frame_that_is_no_command_is_answered_and_the_connection_stays() {
    let server = Server::start().await;
    let mut ada = Client::connect(&server, "ada").await;
    ada.send(&json!([1, 2, 3])).await;
    assert_eq!(ada.frame_of("error").await["payload"]["code"], "malformed_json");
    ada.send(&json!({ "id": 3, "type": "sing" })).await;
    let error = ada.frame_of("error").await;
    assert_eq!((&error["id"], &error["payload"]["code"]), (&json!(3), &json!("unknown_type")));
    assert!(ada.ask("ping", json!({})).await["serverTime"].is_string());
}
