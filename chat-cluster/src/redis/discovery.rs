use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, PushInfo, cmd};

use super::access::{Access, Address};
use super::error::CallError;
use super::layout::Layout;
use crate::ConnectError;

/// Asks the servers that are named, one after the other, what there is. Returns how to get in, and
/// who has what.
pub(super) async fn discover(seeds: &[Access]) -> Result<(Access, Layout), ConnectError> {
    let mut failure = None;
    for seed in seeds {
        match ask(seed).await {
            Ok(layout) if layout.is_cluster() || seeds.len() == 1 => {
                return Ok((seed.clone(), layout));
            }
            Ok(_) => {
                return Err(ConnectError::Unsuitable {
                    servers: names(seeds),
                    lacks: "several URLs are for the servers of one Redis Cluster, and these are \
                            servers of their own: name one of them",
                    source: "cluster_enabled:0".into(),
                });
            }
            // That one does not let this node in says more than that another is not there.
            Err(error) if failure.as_ref().is_none_or(|_| error.is_denial()) => {
                failure = Some(error);
            }
            Err(_) => {}
        }
    }
    Err(failure.map_or(ConnectError::NoUrl, |error| explain(seeds, error)))
}

/// Asks the servers that are named for the layout of their cluster, where none is known any more.
pub(super) async fn rediscover(seeds: &[Access]) -> Option<Layout> {
    for seed in seeds {
        if let Ok(layout) = ask(seed).await {
            return Some(layout);
        }
    }
    None
}

/// What a failure means to whoever runs the server.
pub(super) fn explain(seeds: &[Access], error: CallError) -> ConnectError {
    let servers = names(seeds);
    let lacks = match root(&error) {
        error if error.is_denial() => {
            return ConnectError::AccessDenied { servers, source: error.clone().into() };
        }
        CallError::Redis(said) if said.kind() == ErrorKind::RESP3NotSupported => {
            "it does not speak RESP3: use Redis 6 or newer, and 7 for a Redis Cluster"
        }
        CallError::Redis(said) if said.to_string().contains("unknown command") => {
            "it does not know a command: use Redis 6 or newer, and 7 for a Redis Cluster"
        }
        _ => return ConnectError::Unreachable { servers, source: error.into() },
    };
    ConnectError::Unsuitable { servers, lacks, source: error.into() }
}

fn root(error: &CallError) -> &CallError {
    match error {
        CallError::Disconnected(Some(cause)) => root(cause),
        other => other,
    }
}

fn names(seeds: &[Access]) -> String {
    let names: Vec<_> = seeds.iter().map(|seed| seed.address().to_string()).collect();
    names.join(", ")
}

async fn ask(seed: &Access) -> Result<Layout, CallError> {
    let address = seed.address();
    let mut connection = seed.connect(&address, |_: PushInfo| Ok::<_, ()>(())).await?;
    let about: String = cmd("INFO").arg("cluster").query_async(&mut connection).await?;
    if about.lines().any(|line| line.trim() == "cluster_enabled:1") {
        layout_of(&mut connection, &address).await?.ok_or(CallError::NoServer)
    } else {
        Ok(Layout::single(address))
    }
}

/// What a server of a cluster says who has what. None if it does not know.
pub(super) async fn layout_of(
    connection: &mut MultiplexedConnection,
    server: &Address,
) -> Result<Option<Layout>, CallError> {
    let answer = cmd("CLUSTER").arg("SLOTS").query_async(connection).await?;
    Ok(Layout::read(answer, server))
}
