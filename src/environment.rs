//! Environment variables that are read once.

use std::ffi::{OsStr, OsString};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A variable as it was at its first reading: what the process does to its environment later does not count.
pub(crate) struct Variable {
    name: &'static str,
    /// An atomic and not a lock, which a forked child might find taken.
    value: AtomicPtr<Option<OsString>>,
}

impl Variable {
    pub const fn new(name: &'static str) -> Self {
        Variable { name, value: AtomicPtr::new(ptr::null_mut()) }
    }

    /// `None` if it is not set.
    pub fn value(&'static self) -> Option<&'static OsStr> {
        let mut value = self.value.load(Ordering::Acquire);
        if value.is_null() {
            let fresh = Box::into_raw(Box::new(std::env::var_os(self.name)));
            match self.value.compare_exchange(value, fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => value = fresh,
                Err(winner) => {
                    // SAFETY: nobody else has seen `fresh`.
                    drop(unsafe { Box::from_raw(fresh) });
                    value = winner;
                }
            }
        }
        // SAFETY: it came from Box::into_raw above and is never freed or changed.
        unsafe { &*value }.as_deref()
    }
}
