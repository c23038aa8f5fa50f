use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use super::Latencies;
use crate::Failure;

/// What SQLite writes for a page in its log.
const FRAME: [u8; 4_120] = [0x2a; 4_120];
/// After so many frames it writes from the beginning again, as a log that was merged.
const FRAMES: u64 = 1_000;

/// How long the disk takes to keep a page for certain: a write over what is there, and an
/// `fdatasync`, so many times.
pub(crate) fn flushes(folder: &Path, count: usize) -> Result<Latencies, Failure> {
    let file = tempfile::tempfile_in(folder)?;
    for frame in 0..FRAMES {
        file.write_all_at(&FRAME, frame * FRAME.len() as u64)?;
    }
    file.sync_all()?;
    let mut latencies = Latencies::new()?;
    for frame in (0..FRAMES).cycle().take(count) {
        let began = Instant::now();
        file.write_all_at(&FRAME, frame * FRAME.len() as u64)?;
        file.sync_data()?;
        latencies.record(began.elapsed());
    }
    Ok(latencies)
}
