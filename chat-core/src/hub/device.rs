use std::hint::black_box;
use std::sync::Arc;

use chat_proto::{LoginSessionId, SessionId, UserId};

use super::Outbox;
use super::delivery::UserTag;
use crate::direct::Batch;

/// Of how many devices what a delivery needs is read ahead.
const READ_AHEAD: usize = 16;

/// One attached device, as the hub knows it.
///
/// What a delivery looks at comes first and lies together: in a large room each device is read from
/// memory for each delivery.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Device {
    tag: UserTag,
    pub(crate) outbox: Outbox,
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    /// The login by which it was attached, when that can be revoked.
    pub(crate) login: Option<LoginSessionId>,
}

impl Device {
    pub(crate) fn new(user: UserId, login: Option<LoginSessionId>) -> Self {
        let (tag, outbox) = (UserTag::of(&user), Outbox::default());
        Self { tag, outbox, id: SessionId::generate(), user, login }
    }

    /// Offers a delivery to all of these.
    ///
    /// What is needed of each lies in several places of memory, and each is where another says. Of
    /// some devices at a time it is read ahead, so that the processor waits once for all of them.
    pub(crate) fn deliver_to_all<'a>(
        devices: &'a [Arc<Self>],
        batch: &Batch<'_>,
        is_meant: impl Fn(&Self) -> bool + 'a,
    ) {
        for some in devices.chunks(READ_AHEAD) {
            for device in some {
                black_box(device.tag);
            }
            some.iter().for_each(|device| device.outbox.read_ahead());
            some.iter().filter(|device| is_meant(device)).for_each(|device| device.deliver(batch));
        }
    }

    /// Offers a delivery: written at once where that is possible, and otherwise to be taken.
    pub(crate) fn deliver(&self, batch: &Batch<'_>) {
        let gets_own = batch.delivery().differs_for(self.tag, &self.user);
        self.outbox.deliver(batch, gets_own);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use chat_proto::SignalEvent;

    use super::super::{Delivery, Floors};
    use super::*;
    use crate::direct::DirectWriter;
    use crate::sharded::lock;

    /// What was asked of writers, in order: to read ahead, or to write.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Asked {
        ReadAhead,
        Write,
    }

    #[derive(Debug)]
    struct Writer(Arc<Mutex<Vec<Asked>>>);

    impl DirectWriter for Writer {
        fn try_write(&self, _: &Batch<'_>) -> bool {
            lock(&self.0).push(Asked::Write);
            true
        }

        fn read_ahead(&self) {
            lock(&self.0).push(Asked::ReadAhead);
        }

        fn drop_unbegun(&self) {}
    }

    #[test]
    fn what_some_devices_need_is_read_ahead_before_the_first_of_them_is_written_to() {
        let asked = Arc::default();
        let device = || {
            let device = Device::new(UserId::generate(), None);
            device.outbox.write_by(Arc::new(Writer(Arc::clone(&asked))));
            device.outbox.lend(&mut Floors::default());
            Arc::new(device)
        };
        let devices: Vec<_> = std::iter::repeat_with(device).take(READ_AHEAD + 2).collect();
        let delivery = Delivery::signal(&SignalEvent::SessionRevoked {}, None);
        Device::deliver_to_all(&devices, &Batch::new(&delivery), |_| true);
        let runs: Vec<_> =
            lock(&asked).chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
        let some = READ_AHEAD;
        let expected = [
            (Asked::ReadAhead, some),
            (Asked::Write, some),
            (Asked::ReadAhead, 2),
            (Asked::Write, 2),
        ];
        assert_eq!(runs, expected);
    }
}
