//! Threads: how many, the split of a call into tasks, helpers, progress and cancellation.
//!
//! A call is cut into tasks that each own a piece of the output, so the result cannot depend on who runs
//! which. The calling thread works too, and between two of its own tasks it reports progress.

mod helpers;
mod progress;
mod queue;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::environment::Variable;
use crate::error::{Error, ErrorKind};
use crate::process::Process;

pub use progress::Progress;
pub(crate) use progress::Reporter;
pub(crate) use queue::Turns;

use helpers::Company;
use queue::{Queue, StopOnDrop};

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

/// Tasks that are part of a call.
pub(crate) struct Tasks<'a, 'b> {
    /// At most so many threads run them, of which the calling one is the first.
    pub threads: usize,
    pub count: usize,
    /// Progress goes from `span[0]` to `span[1]`.
    pub reporter: &'a mut Reporter<'b>,
    pub span: [f64; 2],
}

impl Tasks<'_, '_> {
    /// Runs `task(scratch, i)` for every `i` below `count`, each once. `scratch` makes each thread's working memory,
    /// before anything runs.
    ///
    /// # Errors
    /// Cancellation, memory or threads that could not be had. No task is running any more on return. A child that was
    /// forked inside the callback and returns from it has none of the helpers, and gets a cancellation, too.
    pub(crate) fn run<S: Send>(
        self,
        scratch: impl Fn() -> Result<S, Error>,
        task: impl Fn(&mut S, usize) + Sync,
    ) -> Result<(), Error> {
        let Tasks { threads, count, reporter, span } = self;
        reporter.begin(span[0])?;
        let helpers = threads.min(count).saturating_sub(1).min(MOST_HELPERS);
        let process = Process::current();
        let mut own = scratch()?;
        let queue = Queue::new(count);
        let mut work_here = || -> Result<(), Error> {
            // Also on a panic in the callback or a task, the helpers must not run on.
            let stop_helpers = StopOnDrop(&queue);
            // (Where a helper panicked there is no next task; its panic is handed on below.)
            while let Some(i) = queue.next() {
                task(&mut own, i);
                let reported = reporter.tick(|| span[0] + (span[1] - span[0]) * (i as f64 / count as f64))?;
                if reported && helpers > 0 && Process::current() != process {
                    return Err(Error::new(
                        ErrorKind::Cancelled,
                        format!(
                            "cancelled: the progress callback returned in a forked child, process {}, where the call's \
                             helper threads do not exist",
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
            let company = Company::new(process, helpers)?;
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
                company.ask(help);
            }
            let result = work_here();
            if let Some(panic) = company.part() {
                resume_unwind(panic);
            }
            result?;
        }
        reporter.end(span[1])
    }

    /// As [`run`](Tasks::run), and before it `first(i)` for every `i` below `firsts`, all of which are over when the
    /// tasks begin. What can fail, memory and threads, is had before either.
    pub(crate) fn run_after<S: Send>(
        self,
        firsts: usize,
        first: impl Fn(usize) + Sync,
        scratch: impl Fn() -> Result<S, Error>,
        task: impl Fn(&mut S, usize) + Sync,
    ) -> Result<(), Error> {
        let turns = Turns::new(firsts)?;
        let over = AtomicBool::new(firsts == 0);
        Tasks { count: firsts + self.count, ..self }.run(scratch, |scratch, i| {
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
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::*;

    #[test]
    fn nobody_waits_for_a_task_that_panics() {
        let (done, finished) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for round in 0..4000 {
                let turns = Turns::new(64).unwrap();
                let all = AssertUnwindSafe(|| {
                    let mut reporter = Reporter::new(None);
                    let tasks = Tasks { threads: 8, count: 64, reporter: &mut reporter, span: [0.0, 1.0] };
                    tasks.run(
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
