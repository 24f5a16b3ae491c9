//! The threads that help: one private pool per process, and the company that they are to one run.
//!
//! This is the only file that names rayon.

use std::alloc::{GlobalAlloc, Layout, System};
use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, ErrorKind};
use crate::process::{Process, stay_loaded};
use crate::signals;

/// Bytes that a new thread may ask for: a stack of 2 MiB, and some more.
const STACK: usize = (2 << 20) + (256 << 10);

/// Where the helpers of one run come in. Busy with another call, a helper may come late, or after the run: it then
/// finds the gate closed, and the run has not waited for it. (A scope of rayon would: a short call then took as long
/// as the longest beside it.)
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    left: Condvar,
}

#[derive(Default)]
struct GateState {
    closed: bool,
    inside: usize,
    panic: Option<Box<dyn Any + Send>>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `help` unless the gate is closed.
    fn pass(&self, help: Box<dyn FnOnce() + Send>) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        state.inside += 1;
        drop(state);
        let panic = catch_unwind(AssertUnwindSafe(help)).err();
        let mut state = self.state();
        state.inside -= 1;
        if panic.is_some() {
            state.panic = panic;
        }
        self.left.notify_all();
    }
}

/// A run's helpers, from whom it parts before it returns: also when the calling thread's own work panics.
pub(super) struct Company {
    process: Process,
    pool: ManuallyDrop<Arc<ThreadPool>>,
    gate: Arc<Gate>,
}

impl Company {
    pub(super) fn new(process: Process, helpers: usize) -> Result<Company, Error> {
        Ok(Company { process, pool: ManuallyDrop::new(pool(helpers)?), gate: Arc::new(Gate::default()) })
    }

    /// Has a thread run `help`, unless it comes too late.
    pub(super) fn ask(&self, help: Box<dyn FnOnce() + Send>) {
        let gate = Arc::clone(&self.gate);
        self.pool.spawn(move || gate.pass(help));
    }

    /// Parts, and answers with a helper's panic.
    pub(super) fn part(self) -> Option<Box<dyn Any + Send>> {
        let gate = Arc::clone(&self.gate);
        let process = self.process;
        drop(self);
        if Process::current() == process { gate.state().panic.take() } else { None }
    }
}

impl Drop for Company {
    /// Closes the gate and waits for those inside. Not in a forked child: there nobody would leave or unlock anything.
    fn drop(&mut self) {
        if Process::current() != self.process {
            return;
        }
        let mut state = self.gate.state();
        state.closed = true;
        while state.inside > 0 {
            state = self.gate.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        // SAFETY: never used again.
        unsafe { ManuallyDrop::drop(&mut self.pool) };
    }
}

/// The helpers of one process. A forked child inherits the pointer but none of the threads, and perhaps a
/// lock that was held: it sees the foreign process, makes its own, and leaks this one.
struct Helpers {
    process: Process,
    pool: Mutex<Option<Arc<ThreadPool>>>,
}

static HELPERS: AtomicPtr<Helpers> = AtomicPtr::new(std::ptr::null_mut());

fn pool(helpers: usize) -> Result<Arc<ThreadPool>, Error> {
    let process = Process::current();
    let mut current = HELPERS.load(Ordering::Acquire);
    loop {
        // SAFETY: a non-null pointer came from Box::into_raw below and is never freed.
        if let Some(known) = unsafe { current.as_ref() }
            && known.process == process
        {
            return known.at_least(helpers);
        }
        let fresh = Box::into_raw(Box::new(Helpers { process, pool: Mutex::new(None) }));
        match HELPERS.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => current = fresh,
            Err(winner) => {
                // SAFETY: nobody else has seen `fresh`.
                drop(unsafe { Box::from_raw(fresh) });
                current = winner;
            }
        }
    }
}

impl Helpers {
    /// A pool of at least this many threads. A larger one replaces a smaller, which ends once its last
    /// call has returned.
    fn at_least(&self, helpers: usize) -> Result<Arc<ThreadPool>, Error> {
        let mut slot = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = &*slot
            && pool.current_num_threads() >= helpers
        {
            return Ok(Arc::clone(pool));
        }
        expect_room(helpers)?;
        stay_loaded();
        let builder = ThreadPoolBuilder::new().num_threads(helpers).thread_name(|i| format!("voxlane-{i}"));
        let pool = signals::blocked(|| builder.build()).map_err(|error| {
            Error::new(ErrorKind::Thread, format!("could not start {helpers} helper threads: {error}"))
        })?;
        let pool = Arc::new(pool);
        *slot = Some(Arc::clone(&pool));
        Ok(pool)
    }
}

/// Makes sure that there is memory for new threads: what the system's code for them allocates it cannot do without, and
/// would end the process. Nothing of it is touched.
fn expect_room(helpers: usize) -> Result<(), Error> {
    let bytes = helpers.saturating_mul(STACK);
    let none = || Error::memory(bytes, &format!("the stacks of {helpers} helper threads"));
    let layout = Layout::from_size_align(bytes, 1).map_err(|_| none())?;
    // (Not by the program's allocator: it is not what stacks come from.)
    // SAFETY: there is at least one helper, so the size is not zero; what was had is given back at once.
    unsafe {
        let room = System.alloc(layout);
        if room.is_null() {
            return Err(none());
        }
        System.dealloc(std::hint::black_box(room), layout);
    }
    Ok(())
}
