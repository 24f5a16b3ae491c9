//! Status codes, the last error's text, and the guard around every call.

use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::floating_point::DefaultMode;
use crate::error::Error;

/// What every fallible function returns: 0 is success, negative values are errors and are never reused.
pub type voxlane_status = i32;

/// Success.
pub const VOXLANE_OK: voxlane_status = 0;
/// A required pointer is NULL.
pub const VOXLANE_ERR_NULL: voxlane_status = -1;
/// A shape is empty, too large, or differs from the shape it must equal.
pub const VOXLANE_ERR_SHAPE: voxlane_status = -2;
/// Strides leave the address space, or let two elements of an output share memory.
pub const VOXLANE_ERR_STRIDE: voxlane_status = -3;
/// Data is not aligned to its element type.
pub const VOXLANE_ERR_ALIGN: voxlane_status = -4;
/// An element type that is unknown, or that the function does not take.
pub const VOXLANE_ERR_DTYPE: voxlane_status = -5;
/// An output overlaps an input or another output.
pub const VOXLANE_ERR_OVERLAP: voxlane_status = -6;
/// An option is outside its range, or a combination has no meaning.
pub const VOXLANE_ERR_OPTION: voxlane_status = -7;
/// A number (coordinate, sigma, amplitude, spacing, weight) is outside its range.
pub const VOXLANE_ERR_VALUE: voxlane_status = -8;
/// An instruction set that is misspelt in VOXLANE_ISA, or that this machine lacks.
pub const VOXLANE_ERR_ISA: voxlane_status = -9;
/// Memory could not be allocated.
pub const VOXLANE_ERR_MEMORY: voxlane_status = -10;
/// Threads could not be started, or VOXLANE_THREADS is not a number.
pub const VOXLANE_ERR_THREAD: voxlane_status = -11;
/// The progress callback asked to stop. What the outputs hold is unspecified.
pub const VOXLANE_CANCELLED: voxlane_status = -12;
/// A bug in voxlane, caught before it could harm the caller's process. Please report it.
pub const VOXLANE_ERR_PANIC: voxlane_status = -100;

const TEXT: usize = 1024;

thread_local! {
    /// The last failure's text. No destructor, so that a thread's end needs nothing of this library.
    static LAST: UnsafeCell<[u8; TEXT]> = const { UnsafeCell::new([0; TEXT]) };
}

fn remember(message: &str) {
    let mut end = message.len().min(TEXT - 1);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    LAST.with(|last| {
        // SAFETY: the buffer is this thread's alone, and no reference to it outlives this closure.
        let last = unsafe { &mut *last.get() };
        last[..end].copy_from_slice(&message.as_bytes()[..end]);
        last[end] = 0;
    });
}

/// Runs a call: its error becomes the thread's last error and a status, a panic `VOXLANE_ERR_PANIC`.
pub(crate) fn guard(call: impl FnOnce() -> Result<(), Error>) -> voxlane_status {
    let _mode = DefaultMode::set();
    // The closures hold views of the caller's memory, which a panic leaves as unspecified as a cancellation.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => VOXLANE_OK,
        Ok(Err(error)) => {
            remember(&error.to_string());
            error.kind() as voxlane_status
        }
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no text");
            remember(&format!("internal error (a bug in voxlane): {text}"));
            VOXLANE_ERR_PANIC
        }
    }
}

/// A fixed English text for a status; "unknown status" for a number that is none. Never NULL, valid for
/// ever.
#[unsafe(no_mangle)]
pub extern "C" fn voxlane_status_string(status: voxlane_status) -> *const c_char {
    let text = match status {
        VOXLANE_OK => c"success",
        VOXLANE_ERR_NULL => c"a required pointer is NULL",
        VOXLANE_ERR_SHAPE => c"invalid or mismatched shape",
        VOXLANE_ERR_STRIDE => c"invalid strides",
        VOXLANE_ERR_ALIGN => c"data not aligned to its element type",
        VOXLANE_ERR_DTYPE => c"element type not supported here",
        VOXLANE_ERR_OVERLAP => c"input and output overlap",
        VOXLANE_ERR_OPTION => c"invalid option",
        VOXLANE_ERR_VALUE => c"value out of range",
        VOXLANE_ERR_ISA => c"instruction set unknown or not supported by this machine",
        VOXLANE_ERR_MEMORY => c"out of memory",
        VOXLANE_ERR_THREAD => c"threads could not be started",
        VOXLANE_CANCELLED => c"cancelled by the progress callback",
        VOXLANE_ERR_PANIC => c"internal error (a bug in voxlane)",
        _ => c"unknown status",
    };
    text.as_ptr()
}

/// The text of this thread's last failure, with the offending numbers: one line of UTF-8, empty if there was
/// none. Never NULL; valid until this thread's next failure or its end. Success does not change it.
#[unsafe(no_mangle)]
pub extern "C" fn voxlane_last_error() -> *const c_char {
    LAST.with(|last| last.get().cast_const().cast())
}
