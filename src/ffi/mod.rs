//! The C face: the functions and types of `include/voxlane.h`, one file per concept.
//!
//! No arithmetic here. Every function validates what only C can get wrong (NULL, alignment, unknown numbers,
//! struct sizes), makes the views and options that the Rust API takes, and calls it inside `status::guard`,
//! which turns errors into a status with a text and a panic into `VOXLANE_ERR_PANIC`, and sees to the
//! floating-point mode.
//!
//! cbindgen reads these files and does not expand macros: every item that belongs in the header is written out,
//! and the documentation comments here are the header's, for a reader of C.
#![allow(non_camel_case_types)]

pub mod array;
mod floating_point;
pub mod gaussians;
pub mod progress;
pub mod runtime;
pub mod status;
pub mod steepest;

use crate::error::{Error, ErrorKind};
use crate::isa::Isa;

fn option_error(message: String) -> Error {
    Error::new(ErrorKind::Option, message)
}

/// The value of `values` whose number is `number`.
fn known<T: Copy>(number: i32, values: &[(i32, T)], name: &str) -> Result<T, Error> {
    values.iter().find(|(n, _)| *n == number).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<i32> = values.iter().map(|(n, _)| *n).collect();
        option_error(format!("{name} is {number}, not one of {known:?}"))
    })
}

/// The same for the numbers of the three axes.
fn known_axes<T: Copy>(numbers: [i32; 3], values: &[(i32, T)], name: &str) -> Result<[T; 3], Error> {
    let [z, y, x] = numbers;
    Ok([
        known(z, values, &format!("{name}[0]"))?,
        known(y, values, &format!("{name}[1]"))?,
        known(x, values, &format!("{name}[2]"))?,
    ])
}

fn known_isa(number: i32) -> Result<Option<Isa>, Error> {
    let tiers = [
        (runtime::VOXLANE_ISA_AUTO, None),
        (runtime::VOXLANE_ISA_PORTABLE, Some(Isa::Portable)),
        (runtime::VOXLANE_ISA_AVX2, Some(Isa::Avx2)),
        (runtime::VOXLANE_ISA_AVX512, Some(Isa::Avx512)),
    ];
    known(number, &tiers, "isa")
}

fn known_threads(threads: i32) -> Result<usize, Error> {
    usize::try_from(threads).map_err(|_| option_error(format!("threads is {threads}, below 0")))
}

fn expect_reserved(reserved: i32) -> Result<(), Error> {
    if reserved == 0 { Ok(()) } else { Err(option_error(format!("reserved is {reserved}, not 0"))) }
}

/// A pointer that must not be NULL and must be aligned.
fn expect_pointer<T>(pointer: *const T, name: &str) -> Result<(), Error> {
    if pointer.is_null() {
        return Err(Error::new(ErrorKind::Null, format!("{name} is NULL")));
    }
    if !pointer.is_aligned() {
        return Err(Error::new(
            ErrorKind::Align,
            format!("{name} at {pointer:p} is not a multiple of {} bytes", align_of::<T>()),
        ));
    }
    Ok(())
}

/// An options struct that begins with its own size, as the caller's header had it.
///
/// A caller compiled against a later header may pass a longer one, whose extra bytes must be zero: then it asks
/// for nothing this library does not know. `first_version` is the end of the first version's last field.
///
/// # Safety
/// `options` is NULL or leads to as many readable bytes as its first field says. `T` consists of plain
/// numbers and pointers, for which zero bytes are a value, and begins with a `usize`, its size.
unsafe fn read_options<T: Copy>(
    options: *const T,
    first_version: usize,
    name: &str,
) -> Result<Option<T>, Error> {
    if options.is_null() {
        return Ok(None);
    }
    expect_pointer(options, name)?;
    // SAFETY: not NULL, aligned, and `T` begins with its size.
    let size = unsafe { *options.cast::<usize>() };
    // No later header can have grown this far: a larger number was never initialised.
    if size < first_version || size > 4096 {
        return Err(option_error(format!(
            "{name}.struct_size is {size}, not {first_version}: call voxlane_{name}_init first"
        )));
    }
    let known = size.min(size_of::<T>());
    // SAFETY: zero bytes are a value of `T`.
    let mut copy: T = unsafe { std::mem::zeroed() };
    // SAFETY: the caller promises `size` readable bytes, of which `known` fit the copy.
    unsafe {
        std::ptr::copy_nonoverlapping(options.cast::<u8>(), (&raw mut copy).cast::<u8>(), known);
        for i in known..size {
            let byte = *options.cast::<u8>().add(i);
            if byte != 0 {
                return Err(option_error(format!(
                    "{name}: byte {i} of {size} is {byte}, an option this version ({known} bytes) does not know"
                )));
            }
        }
    }
    Ok(Some(copy))
}
