//! What is done to a server. Each file in `scenarios/` names some work with its sizes, the sides that
//! do it in turns, and what is asked of the outcome.

mod connect;
mod crowd;
mod disturbed;
mod exchange;
mod flush;
mod idle;
mod messages;
mod paced;
mod probe;
mod ramp;
mod reconnect;
mod requests;
mod spec;
mod talkers;
mod work;

pub(crate) use probe::probe;
pub(crate) use spec::{Case, Scenario};
use work::Work;
