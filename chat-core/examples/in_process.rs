//! Chat inside one process: no socket, no database. Two people, one message, and what each is told.
//!
//! `cargo run -p chat-core --example in_process`

use std::sync::Arc;
use std::time::Duration;

use chat_core::auth::Identity;
use chat_core::{Chat, MemoryStore, Outgoing, Session};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let chat = Chat::builder(Arc::new(MemoryStore::new())).build();
    let mut ada = chat.attach(&Identity::of("ada".parse()?)).await?;
    let mut bo = chat.attach(&Identity::of("bo".parse()?)).await?;

    // A session speaks the protocol, so a transport only has to carry its frames.
    ada.receive(r#"{"id": 1, "type": "conversation.open", "payload": {"username": "bo"}}"#);
    let opened = show_until(&mut ada, "ada", "\"id\":1").await?;
    let opened: serde_json::Value = serde_json::from_str(&opened)?;
    let place = &opened["payload"]["conversation"]["conversationId"];

    let payload = serde_json::json!({"conversationId": place, "content": "hello, Bo"});
    let send = serde_json::json!({"id": 2, "type": "message.send", "payload": payload});
    ada.receive(&send.to_string());
    show_until(&mut ada, "ada", "\"id\":2").await?;
    show_until(&mut bo, "bo", "hello, Bo").await?;

    chat.drain(Duration::ZERO);
    while let Outgoing::Frames(_) = bo.next().await {}
    drop((ada, bo));
    chat.shutdown().await;
    Ok(())
}

/// Prints what a device is told, up to a frame that contains a text, and returns that frame.
async fn show_until(
    device: &mut Session,
    name: &str,
    wanted: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    loop {
        let Outgoing::Frames(frames) = device.next().await else {
            return Err("the connection has ended".into());
        };
        let mut found = None;
        for frame in frames {
            let frame = String::from_utf8(frame.into())?;
            println!("{name} <- {}", frame.chars().take(140).collect::<String>());
            if frame.contains(wanted) {
                found = Some(frame);
            }
        }
        if let Some(frame) = found {
            return Ok(frame);
        }
    }
}
