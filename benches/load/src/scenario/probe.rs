use std::time::Duration;

use super::exchange::message;
use crate::Failure;
use crate::client::{Fleet, Happening, Kind};
use crate::target::{Lengths, Stage};

/// How long a server may take to greet one user and to tell another of a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// The lengths of the server's frames in a world, for a limit to send as many bytes. None when the
/// world has nobody.
pub(crate) fn probe(stage: &Stage) -> Result<Option<Lengths>, Failure> {
    let server = stage.start()?;
    let world = server.world;
    let rooms = world.rooms.iter().map(|room| (room.id, room.members.as_slice()));
    let directs = world.directs.iter().map(|direct| (direct.id, direct.pair.as_slice()));
    // Not the sender, whose own event says where it came from, too.
    let meeting = rooms.chain(directs).next();
    let (sender, receiver) = match meeting {
        Some((_, [sender, receiver, ..])) => (*sender, *receiver),
        _ if world.users > 0 => (0, 0),
        _ => return Ok(None),
    };
    let mut fleet = Fleet::new(server.address, PATIENCE)?;
    let mut lengths = Lengths::default();
    for user in [sender, receiver] {
        fleet.begin(&server.visit(user, 0))?;
        lengths.ready = length_of(&mut fleet, Kind::Ready)?;
    }
    if let Some((id, [_, _, ..])) = meeting {
        fleet.send(0, &crate::client::masked_text(&message(0, id)));
        lengths.event = length_of(&mut fleet, Kind::Message)?;
    }
    Ok(Some(lengths))
}

/// The length of the next frame of a kind that comes to the connection begun last.
fn length_of(fleet: &mut Fleet, wanted: Kind) -> Result<usize, Failure> {
    let mut arrivals = Vec::new();
    loop {
        fleet.turn(&mut arrivals)?;
        for arrival in arrivals.drain(..) {
            match arrival.what {
                Happening::Frame(kind, length)
                    if kind == wanted && arrival.connection + 1 == fleet.len() =>
                {
                    return Ok(length);
                }
                Happening::Refused(_) | Happening::Lost => return Err("a probe failed".into()),
                _ => {}
            }
        }
    }
}
