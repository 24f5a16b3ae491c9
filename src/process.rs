//! Which process this is, to notice a fork.
//!
//! A child of `fork()` has its parent's memory, but of its threads only the one that forked. What belongs to
//! threads (the pool, a call that others help with) is therefore marked with its process, and left alone by any other.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Forks between the process that registered the count and this one.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// Equal in one process, and different in its forked children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    /// Tells a child in a process namespace of its own, where it can have the number of its parent.
    forks: usize,
    /// Tells a child that was made past libc, so that the count did not run.
    id: u32,
}

impl Process {
    /// This process. Its children can be told from it if it has been asked for before they were born.
    pub fn current() -> Self {
        count_forks();
        Process { forks: FORKS.load(Ordering::Relaxed), id: std::process::id() }
    }
}

/// Has libc count forks, from the first call on.
#[cfg(unix)]
fn count_forks() {
    use std::ffi::c_int;
    use std::sync::atomic::AtomicBool;

    type Handler = Option<unsafe extern "C" fn()>;
    unsafe extern "C" {
        fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int;
    }
    // Between fork() and the child's next instruction of its own: nothing but an atomic would be safe.
    extern "C" fn in_the_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    // No lock, which a forked child might find taken. Two threads may both register: each fork then counts twice,
    // which is different, too.
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.load(Ordering::Acquire) {
        // SAFETY: the handler is a function of this library, which is never unloaded (build.rs); from a plugin with
        // the static library in it, libc takes the handler out together with the plugin.
        let refused = unsafe { pthread_atfork(None, None, Some(in_the_child)) };
        // Refused for want of memory: the process number has to do, and the next call tries again.
        REGISTERED.store(refused == 0, Ordering::Release);
    }
}

#[cfg(not(unix))]
fn count_forks() {}

/// Keeps this library loaded until the process ends, as threads are about to sleep in its code. (Where linkers can say
/// so, build.rs has them.)
#[cfg(windows)]
pub(crate) fn stay_loaded() {
    use std::ffi::c_void;

    unsafe extern "system" {
        fn GetModuleHandleExW(flags: u32, address: *const c_void, module: *mut *mut c_void) -> i32;
    }
    const PIN: u32 = 1;
    const FROM_ADDRESS: u32 = 4;
    let mut module = std::ptr::null_mut();
    // SAFETY: the address of a function of this library; the handle is written to `module`.
    unsafe {
        GetModuleHandleExW(PIN | FROM_ADDRESS, stay_loaded as fn() as *const c_void, &raw mut module);
    }
}

#[cfg(not(windows))]
pub(crate) fn stay_loaded() {}
