//! One message to many devices, in two halves: to all outboxes, and from them.

use std::sync::Arc;

use chat_bench_room::{Room, take};
use chat_core::MemoryStore;
use gungraun::{library_benchmark, library_benchmark_group};
use tokio::runtime::{Builder, Runtime};

/// A room, and the one thread that everything in it runs on.
struct Hall {
    runtime: Runtime,
    room: Room,
}

impl Hall {
    fn with_devices(count: usize) -> Self {
        // The clock stands still, so that what is due now and then is never due while it counts.
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let room = runtime.block_on(Room::with_devices(Arc::new(MemoryStore::new()), count));
        let mut hall = Self { runtime, room };
        // Until every queue is as it is between any two messages. With the room's own message that
        // makes four: the fifth is none for which the store's maps must grow.
        for _ in 0..3 {
            hall.tell();
            hall.hear();
        }
        hall
    }

    /// The same, with a message on its way to every device.
    fn told(count: usize) -> Self {
        let mut hall = Self::with_devices(count);
        hall.tell();
        hall
    }

    /// Sends a message. It is in every outbox when one device has it: the hub stops nowhere between.
    fn tell(&mut self) {
        self.runtime.block_on(async {
            self.room.send().await;
            take(&mut self.room.devices[0], 1).await;
        });
    }

    /// Takes it out of the other outboxes.
    fn hear(&mut self) {
        self.runtime.block_on(async {
            for device in &mut self.room.devices[1..] {
                take(device, 1).await;
            }
        });
    }
}

#[library_benchmark]
#[bench::one_device(Hall::with_devices(1))]
#[bench::thousand_devices(Hall::with_devices(1_000))]
fn tell(mut hall: Hall) -> Hall {
    hall.tell();
    hall
}

#[library_benchmark]
#[bench::thousand_devices(Hall::told(1_000))]
fn hear(mut hall: Hall) -> Hall {
    hall.hear();
    hall
}

library_benchmark_group!(name = fan_out, benchmarks = [tell, hear]);
