//! One message to many devices.

use std::sync::Arc;

use chat_benches::{Room, runtime};
use chat_core::MemoryStore;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn fan_out(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("fan_out");
    for count in [1, 10, 100, 1_000] {
        let mut room = runtime.block_on(Room::with_devices(Arc::new(MemoryStore::new()), count));
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("one message", count), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    room.send().await;
                    room.drain(1).await;
                });
            });
        });
        group.bench_function(BenchmarkId::new("a burst of 32", count), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    futures::future::join_all((0..32).map(|_| room.send())).await;
                    room.drain(32).await;
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
