//! The processor's floating-point mode around a call.
//!
//! Rust computes in the default mode: rounding to nearest, denormal numbers kept, no traps. A caller may have another,
//! as Fortran programs with traps and programs that flush denormals to zero do. So each call sets the default mode,
//! which threads that it starts inherit, and gives the caller's back, with the caller's exception flags. On processors
//! other than x86 and aarch64 it computes in the caller's.

/// The default mode until dropped, then the caller's again.
pub(super) struct DefaultMode {
    callers: Registers,
}

impl DefaultMode {
    pub fn set() -> Self {
        let callers = Registers::read();
        Registers::DEFAULT.write();
        DefaultMode { callers }
    }
}

impl Drop for DefaultMode {
    fn drop(&mut self) {
        self.callers.write();
    }
}

/// MXCSR, which has mode and flags.
#[cfg(any(target_arch = "x86_64", all(target_arch = "x86", target_feature = "sse")))]
struct Registers(u32);

#[cfg(any(target_arch = "x86_64", all(target_arch = "x86", target_feature = "sse")))]
impl Registers {
    /// Every exception masked, no flag set, rounding to nearest, denormals kept.
    const DEFAULT: Registers = Registers(0x1F80);

    fn read() -> Self {
        let mut value = 0u32;
        // SAFETY: writes four bytes, to `value`.
        unsafe {
            std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags));
        }
        Registers(value)
    }

    fn write(&self) {
        // SAFETY: the default, which is what Rust takes for granted, or what the caller had.
        unsafe {
            std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const self.0, options(nostack));
        }
    }
}

/// FPCR, the mode, and FPSR, the flags.
#[cfg(target_arch = "aarch64")]
struct Registers {
    mode: u64,
    flags: u64,
}

#[cfg(target_arch = "aarch64")]
impl Registers {
    const DEFAULT: Registers = Registers { mode: 0, flags: 0 };

    fn read() -> Self {
        let (mode, flags): (u64, u64);
        // SAFETY: reads two registers.
        unsafe {
            std::arch::asm!("mrs {}, fpcr", "mrs {}, fpsr", out(reg) mode, out(reg) flags, options(nostack, preserves_flags));
        }
        Registers { mode, flags }
    }

    fn write(&self) {
        // SAFETY: the default, which is what Rust takes for granted, or what the caller had.
        unsafe {
            std::arch::asm!("msr fpcr, {}", "msr fpsr, {}", in(reg) self.mode, in(reg) self.flags, options(nostack));
        }
    }
}

#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "x86", target_feature = "sse"),
    target_arch = "aarch64"
)))]
struct Registers;

#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "x86", target_feature = "sse"),
    target_arch = "aarch64"
)))]
impl Registers {
    const DEFAULT: Registers = Registers;

    fn read() -> Self {
        Registers
    }

    fn write(&self) {}
}
