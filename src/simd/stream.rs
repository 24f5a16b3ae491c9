//! Stores past the caches: memory is written without being read first, in a third of the time.
//!
//! For whole cache lines of output that is too large for the caches and not read again soon.

use super::Vector;

/// A cache line, in bytes.
pub(crate) const LINE: usize = 64;

/// Sets adjacent elements to zero.
///
/// # Safety
/// They are writable, nobody else's, and aligned to their size.
#[inline(always)]
pub(crate) unsafe fn stream_zeros<V: Vector>(simd: V::Simd, zero: V::Elem, to: *mut V::Elem, count: usize) {
    let line = LINE / size_of::<V::Elem>();
    let zeros = V::splat(simd, zero);
    let mut i = to.align_offset(LINE).min(count);
    // (Not of no bytes: the system's function then still fetches the line, and the stores past the caches take six times
    // as long.)
    // SAFETY: the elements are the caller's; lines are written where they begin.
    unsafe {
        if i > 0 {
            to.write_bytes(0, i);
        }
        while i + line <= count {
            (0..line).step_by(V::LANES).for_each(|part| zeros.stream(to.add(i + part)));
            i += line;
        }
        if i < count {
            to.add(i).write_bytes(0, count - i);
        }
    }
}

/// Completes stores past the caches: whoever learns of what follows sees them.
pub(crate) fn drain() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}
