//! Signals are the program's: its helpers' threads must not take them.
//!
//! A signal sent to the process goes to any thread that does not block it. A program that waits for one (`sigwait`, a
//! signalfd) blocks it in its own threads, and cannot block it in ours; and a handler may rely on running in a thread
//! that the program knows. New threads inherit the mask of the one that starts them.

/// Runs `start` with all signals blocked that are not the consequence of what a thread itself does.
#[cfg(unix)]
pub(crate) fn blocked<R>(start: impl FnOnce() -> R) -> R {
    use std::ffi::c_int;

    /// At least as large and as aligned as any system's.
    #[derive(Clone, Copy)]
    #[repr(C, align(16))]
    struct Set([u64; 32]);
    unsafe extern "C" {
        fn sigfillset(set: *mut Set) -> c_int;
        fn sigdelset(set: *mut Set, signal: c_int) -> c_int;
        fn pthread_sigmask(how: c_int, set: *const Set, old: *mut Set) -> c_int;
    }
    // (MIPS has the numbers of other systems.)
    const LINUX: bool = cfg!(all(
        any(target_os = "linux", target_os = "android"),
        not(any(target_arch = "mips", target_arch = "mips64"))
    ));
    // What the program blocks already stays blocked.
    const SIG_BLOCK: c_int = if LINUX { 0 } else { 1 };
    const SIG_SETMASK: c_int = if LINUX { 2 } else { 3 };
    // SIGILL, SIGFPE, SIGSEGV; SIGBUS and SIGSYS: of a thread that blocks them, no handler would learn.
    const OWN: [c_int; 5] = if LINUX { [4, 8, 11, 7, 31] } else { [4, 8, 11, 10, 12] };

    struct Restore(Set);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: a set that the system filled.
            unsafe { pthread_sigmask(SIG_SETMASK, &self.0, std::ptr::null_mut()) };
        }
    }

    let (mut all, mut old) = (Set([0; 32]), Set([0; 32]));
    // SAFETY: the sets have room for the system's.
    let refused = unsafe {
        sigfillset(&mut all);
        for signal in OWN {
            sigdelset(&mut all, signal);
        }
        pthread_sigmask(SIG_BLOCK, &all, &mut old)
    };
    let _restore = (refused == 0).then_some(Restore(old));
    start()
}

#[cfg(not(unix))]
pub(crate) fn blocked<R>(start: impl FnOnce() -> R) -> R {
    start()
}
