//! The tasks of a run: given out in the order of their numbers, and turns for those that must end in that order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::Error;
use crate::scratch::reserve;

/// The tasks of a run, in the order of their numbers.
///
/// Whoever takes one runs it, even if the run is stopped meanwhile: others may wait for its turn to be over (see
/// [`Turns`]). So a stopped run gives out no number, and `next` is the only way to one.
pub(super) struct Queue {
    next: AtomicUsize,
    tasks: usize,
    stopped: AtomicBool,
}

impl Queue {
    pub(super) fn new(tasks: usize) -> Self {
        Queue { next: AtomicUsize::new(0), tasks, stopped: AtomicBool::new(false) }
    }

    pub(super) fn next(&self) -> Option<usize> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        (i < self.tasks).then_some(i)
    }
}

/// Tells the other threads of a run to take no further task.
pub(super) struct StopOnDrop<'a>(pub(super) &'a Queue);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// Turns for tasks that may only finish one after the other: who comes first is fixed by their numbers, not by
/// who is faster.
pub(crate) struct Turns(Vec<AtomicBool>);

impl Turns {
    pub(crate) fn new(tasks: usize) -> Result<Self, Error> {
        let mut turns = reserve(tasks, "the turns of tasks")?;
        turns.extend((0..tasks).map(|_| AtomicBool::new(false)));
        Ok(Turns(turns))
    }

    /// Waits until `task`, which must have been started, is over. Tasks of `run` start in the order of their
    /// numbers, and those that have started end, if by a panic; so waiting for lower ones always ends where each task
    /// first asks for its `over`.
    pub(crate) fn wait_for(&self, task: usize) {
        let mut tries = 0u32;
        while !self.0[task].load(Ordering::Acquire) {
            tries += 1;
            if tries.is_multiple_of(64) {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    }

    /// Says that `task` is over, once the result is dropped; also when it panics.
    pub(crate) fn over(&self, task: usize) -> impl Drop + '_ {
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        Over(&self.0[task])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_run_gives_out_no_task() {
        let queue = Queue::new(3);
        assert_eq!(queue.next(), Some(0));
        drop(StopOnDrop(&queue));
        assert_eq!(queue.next(), None);
        // What was given out and not run, somebody would wait for.
        assert_eq!(queue.next.load(Ordering::Relaxed), 1);
    }
}
