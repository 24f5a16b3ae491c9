//! Versions, instruction sets, struct sizes.

use std::ffi::c_char;

use super::array::{voxlane_array, voxlane_array_mut};
use super::gaussians::{voxlane_gaussian_options, voxlane_gaussians, voxlane_grid};
use super::status::{self, VOXLANE_OK};
use super::steepest::voxlane_steepest_options;
use crate::isa::Isa;

/// Instruction set: the highest this machine runs, or VOXLANE_ISA allows.
pub const VOXLANE_ISA_AUTO: i32 = 0;
/// Instruction set: what every processor of the architecture has (SSE2 on x86-64).
pub const VOXLANE_ISA_PORTABLE: i32 = 1;
/// Instruction set: AVX2 with FMA.
pub const VOXLANE_ISA_AVX2: i32 = 2;
/// Instruction set: AVX-512 F, BW, DQ, VL.
pub const VOXLANE_ISA_AVX512: i32 = 3;

const fn number(text: &str) -> u32 {
    let (bytes, mut i, mut n) = (text.as_bytes(), 0, 0);
    while i < bytes.len() {
        n = 10 * n + (bytes[i] - b'0') as u32;
        i += 1;
    }
    n
}

/// Version of the library that runs, as `major << 16 | minor << 8 | patch`; VOXLANE_VERSION is that of the
/// header.
#[unsafe(no_mangle)]
pub extern "C" fn voxlane_version() -> u32 {
    const VERSION: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | number(env!("CARGO_PKG_VERSION_PATCH"));
    VERSION
}

/// Version of the library that runs, as "major.minor.patch". Never NULL, valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn voxlane_version_string() -> *const c_char {
    const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    TEXT.as_ptr().cast()
}

/// The number in the shared library's SONAME. Programs and libraries with the same number fit each other.
#[unsafe(no_mangle)]
pub extern "C" fn voxlane_abi_version() -> u32 {
    const ABI: u32 = number(env!("VOXLANE_ABI"));
    ABI
}

/// The instruction set that a call with VOXLANE_ISA_AUTO takes: VOXLANE_ISA_PORTABLE, _AVX2 or _AVX512. Or
/// VOXLANE_ERR_ISA if the environment variable VOXLANE_ISA is misspelt or asks for too much.
#[unsafe(no_mangle)]
pub extern "C" fn voxlane_isa_active() -> i32 {
    let mut active = VOXLANE_ISA_AUTO;
    let status = status::guard(|| {
        active = Isa::active()? as i32;
        Ok(())
    });
    if status == VOXLANE_OK { active } else { status }
}

/// 1 if this machine runs an instruction set, 0 if it does not or the number is unknown. VOXLANE_ISA_AUTO is
/// always supported.
#[unsafe(no_mangle)]
pub extern "C" fn voxlane_isa_supported(isa: i32) -> i32 {
    i32::from(isa == VOXLANE_ISA_AUTO || Isa::supported().any(|known| known as i32 == isa))
}

/// "auto", "portable", "avx2" or "avx512", as the environment variable VOXLANE_ISA takes them (but for
/// auto); "unknown" for any other number. Never NULL, valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn voxlane_isa_name(isa: i32) -> *const c_char {
    match isa {
        VOXLANE_ISA_AUTO => c"auto",
        VOXLANE_ISA_PORTABLE => c"portable",
        VOXLANE_ISA_AVX2 => c"avx2",
        VOXLANE_ISA_AVX512 => c"avx512",
        _ => c"unknown",
    }
    .as_ptr()
}

/// The size in bytes of a struct as the library has it, for bindings that write the structs out themselves:
/// 1 voxlane_array, 2 voxlane_array_mut, 3 voxlane_steepest_options, 4 voxlane_gaussians, 5 voxlane_grid,
/// 6 voxlane_gaussian_options; 0 for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn voxlane_sizeof(which: i32) -> usize {
    match which {
        1 => size_of::<voxlane_array>(),
        2 => size_of::<voxlane_array_mut>(),
        3 => size_of::<voxlane_steepest_options>(),
        4 => size_of::<voxlane_gaussians>(),
        5 => size_of::<voxlane_grid>(),
        6 => size_of::<voxlane_gaussian_options>(),
        _ => 0,
    }
}
