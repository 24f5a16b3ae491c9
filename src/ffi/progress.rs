//! The progress callback.

use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;

/// Called with the fraction done, from 0 to 1, on the calling thread only: at the start, at the end, and in
/// between at most every 10 milliseconds. Any other answer than 0 cancels the call.
///
/// It must return: no longjmp, no C++ exception. It may call voxlane, and it may fork: the parent's call goes on. A child
/// that returns from the callback may get VOXLANE_CANCELLED, as it has none of the helper threads at work.
pub type voxlane_progress_fn = Option<unsafe extern "C" fn(user: *mut c_void, fraction: f64) -> c_int>;

/// The callback as the Rust API takes it.
pub(crate) fn progress_closure(
    progress: voxlane_progress_fn,
    user: *mut c_void,
) -> impl FnMut(f64) -> ControlFlow<()> {
    move |fraction| {
        let Some(call) = progress else { return ControlFlow::Continue(()) };
        // SAFETY: the caller of the C function promises a callable function, and `user` is its own.
        match unsafe { call(user, fraction) } {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}
