//! The progress of a call: reported to the caller, who may cancel.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

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
    pub(super) fn begin(&mut self, fraction: f64) -> Result<(), Error> {
        if self.last.is_none() { self.report(fraction) } else { self.tick(|| fraction).map(|_| ()) }
    }

    /// A run ends. The end of the call is reported.
    pub(super) fn end(&mut self, fraction: f64) -> Result<(), Error> {
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
    pub(super) fn tick(&mut self, fraction: impl FnOnce() -> f64) -> Result<bool, Error> {
        if self.callback.is_none() || self.last.is_some_and(|t| t.elapsed() < REPORT_INTERVAL) {
            return Ok(false);
        }
        self.report(fraction()).map(|()| true)
    }
}
