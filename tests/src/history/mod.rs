//! A history of everything that clients did and saw, and what must hold of it, whatever happened to
//! servers, brokers, databases and networks meanwhile.
//!
//! Each client has a [`Recorder`], which notes what it sends, what is answered, and what is
//! delivered, in the order of arrival. At the end the [`Record`] is compared with the [`Truth`], which
//! is what the store holds, and every [`Violation`] is told:
//!
//! * no acknowledged message is lost, none is stored twice, and those of one sender are stored in the
//!   order in which they were sent;
//! * every client is told every change of its conversations once and in order, and is equal to the
//!   store at the end;
//! * nothing is told that the store does not have, and nothing to who is not a member;
//! * nobody stays online without a session, and nobody who has one goes offline.
//!
//! Everything is decided at the end and from the record alone, so a check never depends on when it
//! was made.

mod acknowledgements;
mod checks;
mod deliveries;
mod event;
mod presence;
mod record;
mod stored;
#[cfg(test)]
mod tests;
mod truth;
mod violation;

pub use self::checks::{Checks, PresenceRules};
pub use self::event::{Change, Event, Message};
pub use self::record::{Entry, History, Record, Recorder};
pub use self::truth::{Membership, Place, Truth};
pub use self::violation::Violation;
