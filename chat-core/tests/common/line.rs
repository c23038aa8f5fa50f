use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use chat_core::direct::{Batch, DirectWriter, Framing};
use tokio::sync::Notify;

/// A connection that takes most of what is written to it directly, and refuses every third batch, so
/// that the same device is told of things in both ways.
#[derive(Debug, Default)]
pub struct Line {
    state: Mutex<(usize, VecDeque<Bytes>)>,
    written: Notify,
}

impl Line {
    /// Waits until something was written. Safe to cancel.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// Takes what was written.
    pub fn take(&self) -> Vec<Bytes> {
        let batches = std::mem::take(&mut self.state.lock().unwrap().1);
        let lines = batches.iter().flat_map(|batch| batch.split(|byte| *byte == b'\n'));
        lines.filter(|line| !line.is_empty()).map(Bytes::copy_from_slice).collect()
    }
}

impl DirectWriter for Line {
    fn try_write(&self, batch: &Batch<'_>) -> bool {
        let (count, batches) = &mut *self.state.lock().unwrap();
        *count += 1;
        if count.is_multiple_of(3) {
            return false;
        }
        batches.push_back(batch.encoded::<Lines>().into_owned());
        self.written.notify_one();
        true
    }

    /// All that is taken is written.
    fn drop_unbegun(&self) {}
}

/// Each frame on a line.
struct Lines;

impl Framing for Lines {
    fn encode<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Bytes {
        texts.flat_map(|text| text.iter().chain(b"\n")).copied().collect()
    }
}
