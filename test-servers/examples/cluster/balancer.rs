use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::node::Node;

/// How long a server may take to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const NOBODY: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 25\r\n\
    connection: close\r\n\r\nno server can be reached\n";

/// Hands each connection to the next server that is ready, or when none is, as while the broker is
/// away, to the next that can be reached. Servers need nothing of a load balancer but that: whoever
/// comes back may come to any of them.
pub(crate) async fn serve(
    listener: &TcpListener,
    nodes: &[Arc<Node>],
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let next = Arc::new(AtomicUsize::new(0));
    loop {
        let (client, _) = listener.accept().await?;
        let (nodes, next) = (nodes.to_vec(), Arc::clone(&next));
        tokio::spawn(async move {
            // Whichever side ends it, or cannot be reached any more, the other learns of it.
            let _ = hand_over(client, &nodes, &next).await;
        });
    }
}

async fn hand_over(
    mut client: TcpStream,
    nodes: &[Arc<Node>],
    next: &AtomicUsize,
) -> std::io::Result<()> {
    let first = next.fetch_add(1, Ordering::Relaxed);
    let mut in_turn: Vec<&Node> =
        (0..nodes.len()).map(|n| &*nodes[first.wrapping_add(n) % nodes.len()]).collect();
    in_turn.sort_by_key(|node| !node.is_ready());
    for address in in_turn.into_iter().filter_map(Node::address) {
        if let Ok(Ok(mut server)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
    }
    client.write_all(NOBODY.as_bytes()).await
}
