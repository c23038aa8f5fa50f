use serde::Deserialize;

use super::connect::Connect;
use super::disturbed::Disturbed;
use super::flush::Flush;
use super::idle::Idle;
use super::messages::Messages;
use super::paced::Paced;
use super::ramp::Ramp;
use super::reconnect::Reconnect;
use super::requests::Requests;
use crate::Failure;
use crate::compare::Figures;
use crate::target::Running;
use crate::world::World;

/// What is done in a turn, by the name that files give it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "work", rename_all = "kebab-case")]
pub(crate) enum Work {
    Messages(Messages),
    Idle(Idle),
    Connect(Connect),
    Flush(Flush),
    Paced(Paced),
    Reconnect(Reconnect),
    Requests(Requests),
    Disturbed(Disturbed),
    Ramp(Ramp),
}

impl Work {
    /// Who must be there before.
    pub(crate) fn world(&self) -> World {
        match self {
            Self::Messages(work) => work.world(),
            Self::Idle(work) => work.world(),
            Self::Connect(work) => work.world(),
            Self::Flush(_) => World::default(),
            Self::Paced(work) => work.world(),
            Self::Reconnect(work) => work.world(),
            Self::Requests(work) => work.world(),
            Self::Disturbed(work) => work.world(),
            Self::Ramp(work) => work.world(),
        }
    }

    /// Does it to a server that has just started.
    pub(crate) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        match self {
            Self::Messages(work) => work.measure(server),
            Self::Idle(work) => work.measure(server),
            Self::Connect(work) => work.measure(server),
            Self::Paced(work) => work.measure(server),
            Self::Reconnect(work) => work.measure(server),
            Self::Requests(work) => work.measure(server),
            Self::Disturbed(work) => work.measure(server),
            Self::Ramp(work) => work.measure(server),
            Self::Flush(_) => Err("this is done to a disk".into()),
        }
    }

    /// Does it to a disk.
    pub(crate) fn measure_disk(&self, folder: &std::path::Path) -> Result<Figures, Failure> {
        match self {
            Self::Flush(work) => work.measure(folder),
            _ => Err("this is done to a server".into()),
        }
    }
}
