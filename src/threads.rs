//! Threads: a private pool, the split of a call into tasks, progress and cancellation.
//!
//! A call is cut into tasks that each own a piece of the output, so the result cannot depend on who runs
//! which. The calling thread works too, and between two of its own tasks it reports progress; helpers come
//! from one private pool per process. This is the only file that names rayon.

use std::alloc::{GlobalAlloc, Layout, System};
use std::any::Any;
use std::mem::ManuallyDrop;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::environment::Variable;
use crate::error::{Error, ErrorKind};
use crate::process::Process;
use crate::signals;

/// A progress callback: takes the fraction done (0 to 1), answers whether to go on. It is called on the
/// calling thread alone, at the start, at the end, and in between at most every few milliseconds. It may fork: a child
/// that returns from it may find its copy of the call cancelled, as the helpers at work are the parent's.
pub type Progress<'a> = &'a mut dyn FnMut(f64) -> ControlFlow<()>;

/// Reports come between two tasks, but not more often than this.
const REPORT_INTERVAL: Duration = Duration::from_millis(10);

/// The progress of one call, over one or more runs of tasks.
pub(crate) struct Reporter<'a> {
    callback: Option<Progress<'a>>,
    last: Option<Instant>,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(callback: Option<Progress<'a>>) -> Self {
        Reporter { callback, last: None }
    }

    /// A run begins. The first one is reported; another as what comes between.
    fn begin(&mut self, fraction: f64) -> Result<(), Error> {
        if self.last.is_none() { self.report(fraction) } else { self.tick(|| fraction).map(|_| ()) }
    }

    /// A run ends. The end of the call is reported.
    fn end(&mut self, fraction: f64) -> Result<(), Error> {
        if fraction == 1.0 { self.report(fraction) } else { self.tick(|| fraction).map(|_| ()) }
    }

    /// Reports `fraction` now.
    fn report(&mut self, fraction: f64) -> Result<(), Error> {
        let Some(callback) = &mut self.callback else {
            return Ok(());
        };
        self.last = Some(Instant::now());
        match callback(fraction) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::new(
                ErrorKind::Cancelled,
                format!("cancelled at {:.1} %: the progress callback stopped the call", 100.0 * fraction),
            )),
        }
    }

    /// Reports `fraction` if the last report is long enough ago, and answers whether it did.
    fn tick(&mut self, fraction: impl FnOnce() -> f64) -> Result<bool, Error> {
        if self.callback.is_none() || self.last.is_some_and(|t| t.elapsed() < REPORT_INTERVAL) {
            return Ok(false);
        }
        self.report(fraction()).map(|()| true)
    }
}

/// The number of threads that a call with the option `threads` uses at most: 0 means `VOXLANE_THREADS`
/// or, without it, all that the process may run on.
pub(crate) fn count(threads: usize) -> Result<usize, Error> {
    static VARIABLE: Variable = Variable::new("VOXLANE_THREADS");
    if threads > 0 {
        return Ok(threads);
    }
    let Some(text) = VARIABLE.value() else {
        return Ok(available());
    };
    let number = match text.to_str().map(str::trim) {
        Some("") => Some(0),
        Some(text) => text.parse().ok().filter(|&n: &usize| n <= i32::MAX as usize),
        None => None,
    };
    match number {
        Some(0) => Ok(available()),
        Some(n) => Ok(n),
        None => Err(Error::new(
            ErrorKind::Thread,
            format!("VOXLANE_THREADS is {text:?}, not a whole number from 0 to 2147483647"),
        )),
    }
}

/// The processors that the process may run on, asked for once: the answer takes some files to be read.
fn available() -> usize {
    static AVAILABLE: AtomicUsize = AtomicUsize::new(0);
    let mut available = AVAILABLE.load(Ordering::Relaxed);
    if available == 0 {
        available = std::thread::available_parallelism().map_or(1, |n| n.get());
        AVAILABLE.store(available, Ordering::Relaxed);
    }
    available
}

/// Helper threads beyond this would only wait for each other.
const MOST_HELPERS: usize = 1023;

/// Bytes that a new thread may ask for: a stack of 2 MiB, and some more.
const STACK: usize = (2 << 20) + (256 << 10);

/// Runs `task(scratch, i)` for every `i` below `tasks`, each once, on at most `threads` threads of which
/// the calling one is the first. `scratch` makes each thread's working memory, before anything runs.
/// Progress goes from `span[0]` to `span[1]`.
///
/// # Errors
/// Cancellation, memory or threads that could not be had. No task is running any more on return. A child that was
/// forked inside the callback and returns from it has none of the helpers, and gets a cancellation, too.
pub(crate) fn run<S: Send>(
    threads: usize,
    tasks: usize,
    reporter: &mut Reporter,
    span: [f64; 2],
    scratch: impl Fn() -> Result<S, Error>,
    task: impl Fn(&mut S, usize) + Sync,
) -> Result<(), Error> {
    reporter.begin(span[0])?;
    let helpers = threads.min(tasks).saturating_sub(1).min(MOST_HELPERS);
    let process = Process::current();
    let mut own = scratch()?;
    let queue = Queue::new(tasks);
    let mut work_here = || -> Result<(), Error> {
        // Also on a panic in the callback or a task, the helpers must not run on.
        let stop_helpers = StopOnDrop(&queue);
        // (Where a helper panicked there is no next task; its panic is handed on below.)
        while let Some(i) = queue.next() {
            task(&mut own, i);
            let reported = reporter.tick(|| span[0] + (span[1] - span[0]) * (i as f64 / tasks as f64))?;
            if reported && helpers > 0 && Process::current() != process {
                return Err(Error::new(
                    ErrorKind::Cancelled,
                    format!(
                        "cancelled: the progress callback returned in a forked child, process {}, where the call's helper \
                         threads do not exist",
                        std::process::id()
                    ),
                ));
            }
        }
        std::mem::forget(stop_helpers);
        Ok(())
    };
    if helpers == 0 {
        work_here()?;
    } else {
        let mut scratches = Vec::with_capacity(helpers);
        for _ in 0..helpers {
            scratches.push(scratch()?);
        }
        let company =
            Company { process, pool: ManuallyDrop::new(pool(helpers)?), gate: Arc::new(Gate::default()) };
        let (queue, task) = (&queue, &task);
        for scratch in &mut scratches {
            let help = move || {
                let stop_all = StopOnDrop(queue);
                while let Some(i) = queue.next() {
                    task(scratch, i);
                }
                std::mem::forget(stop_all);
            };
            let help: Box<dyn FnOnce() + Send + '_> = Box::new(help);
            // SAFETY: only the lifetime changes. What `help` borrows lives until `company` has parted, which
            // waits for all that have entered the gate; afterwards nobody enters, and dropping `help` uses
            // none of its borrows.
            let help: Box<dyn FnOnce() + Send> = unsafe { std::mem::transmute(help) };
            let gate = Arc::clone(&company.gate);
            company.pool.spawn(move || gate.pass(help));
        }
        let result = work_here();
        if let Some(panic) = company.part() {
            resume_unwind(panic);
        }
        result?;
    }
    reporter.end(span[1])
}

/// As [`run`], and before it `first(i)` for every `i` below `firsts`, all of which are over when the tasks begin. What can
/// fail, memory and threads, is had before either.
#[allow(clippy::too_many_arguments)]
pub(crate) fn run_after<S: Send>(
    firsts: usize,
    first: impl Fn(usize) + Sync,
    threads: usize,
    tasks: usize,
    reporter: &mut Reporter,
    span: [f64; 2],
    scratch: impl Fn() -> Result<S, Error>,
    task: impl Fn(&mut S, usize) + Sync,
) -> Result<(), Error> {
    let turns = Turns::new(firsts);
    let over = AtomicBool::new(firsts == 0);
    run(threads, firsts + tasks, reporter, span, scratch, |scratch, i| {
        if i < firsts {
            let _over = turns.over(i);
            first(i);
            return;
        }
        if !over.load(Ordering::Acquire) {
            (0..firsts).for_each(|i| turns.wait_for(i));
            over.store(true, Ordering::Release);
        }
        task(scratch, i - firsts);
    })
}

/// The tasks of a run, in the order of their numbers.
///
/// Whoever takes one runs it, even if the run is stopped meanwhile: others may wait for its turn to be over (see
/// [`Turns`]). So a stopped run gives out no number, and `next` is the only way to one.
struct Queue {
    next: AtomicUsize,
    tasks: usize,
    stopped: AtomicBool,
}

impl Queue {
    fn new(tasks: usize) -> Self {
        Queue { next: AtomicUsize::new(0), tasks, stopped: AtomicBool::new(false) }
    }

    fn next(&self) -> Option<usize> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        (i < self.tasks).then_some(i)
    }
}

/// Turns for tasks that may only finish one after the other: who comes first is fixed by their numbers, not by
/// who is faster.
pub(crate) struct Turns(Vec<AtomicBool>);

impl Turns {
    pub(crate) fn new(tasks: usize) -> Self {
        Turns((0..tasks).map(|_| AtomicBool::new(false)).collect())
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
struct Company {
    process: Process,
    pool: ManuallyDrop<Arc<ThreadPool>>,
    gate: Arc<Gate>,
}

impl Company {
    /// Parts, and answers with a helper's panic.
    fn part(self) -> Option<Box<dyn Any + Send>> {
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

/// Tells the other threads of a run to take no further task.
struct StopOnDrop<'a>(&'a Queue);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
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

    #[test]
    fn nobody_waits_for_a_task_that_panics() {
        let (done, finished) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for round in 0..4000 {
                let turns = Turns::new(64);
                let all = AssertUnwindSafe(|| {
                    run(
                        8,
                        64,
                        &mut Reporter::new(None),
                        [0.0, 1.0],
                        || Ok(()),
                        |(), i| {
                            let _over = turns.over(i);
                            (i.saturating_sub(9)..i).for_each(|earlier| turns.wait_for(earlier));
                            if i == round % 64 {
                                // (As `panic!`, but without a message for each.)
                                resume_unwind(Box::new(round));
                            }
                        },
                    )
                });
                assert!(catch_unwind(all).is_err());
            }
            done.send(()).expect("somebody waits");
        });
        let ended = finished.recv_timeout(Duration::from_secs(60));
        assert!(ended.is_ok(), "a thread waits for a task that was never run");
    }
}
