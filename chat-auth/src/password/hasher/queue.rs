use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Priority;
use super::memory::HashMemory;

/// Work for a thread that hashes.
pub(super) type Job = Box<dyn FnOnce(&mut HashMemory) + Send>;

/// The lines in which jobs wait for a thread. How many there may be is the pusher's to bound.
#[derive(Default)]
pub(super) struct JobQueue {
    /// The lines; locked to put one job in or to take one out.
    lines: Mutex<Lines>,
    arrived: Condvar,
}

#[derive(Default)]
struct Lines {
    known: VecDeque<Job>,
    unknown: VecDeque<Job>,
    /// Whether the line of the unknown is next.
    unknown_is_next: bool,
    closed: bool,
}

impl JobQueue {
    /// Puts a job in line. In a queue that is closed it is dropped.
    pub(super) fn push(&self, priority: Priority, job: Job) {
        let mut lines = self.lock();
        if lines.closed {
            return;
        }
        match priority {
            Priority::Known => lines.known.push_back(job),
            Priority::Unknown => lines.unknown.push_back(job),
        }
        drop(lines);
        self.arrived.notify_one();
    }

    /// Waits for the next job; none when the queue is closed.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut lines = self.lock();
        loop {
            if lines.closed {
                return None;
            }
            if let Some(job) = lines.next() {
                return Some(job);
            }
            lines = self.arrived.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops the jobs that wait, and lets those go who wait for one.
    pub(super) fn close(&self) {
        *self.lock() = Lines { closed: true, ..Lines::default() };
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// One job of each line in turn, as long as both have some.
    fn next(&mut self) -> Option<Job> {
        let unknown_first = self.unknown_is_next;
        self.unknown_is_next = !unknown_first;
        let (first, second) = match unknown_first {
            true => (&mut self.unknown, &mut self.known),
            false => (&mut self.known, &mut self.unknown),
        };
        first.pop_front().or_else(|| second.pop_front())
    }
}
