//! Arrays: the caller's description of memory, and the views made of it.

use std::ffi::c_void;

use super::expect_pointer;
use crate::error::{Error, ErrorKind};
use crate::volume::{ElementType, Volume, VolumeMut};

/// Element type uint8_t.
pub const VOXLANE_U8: i32 = 1;
/// Element type int8_t.
pub const VOXLANE_I8: i32 = 2;
/// Element type uint16_t.
pub const VOXLANE_U16: i32 = 3;
/// Element type int16_t.
pub const VOXLANE_I16: i32 = 4;
/// Element type uint32_t.
pub const VOXLANE_U32: i32 = 5;
/// Element type int32_t.
pub const VOXLANE_I32: i32 = 6;
/// Element type float (IEEE 754 binary32).
pub const VOXLANE_F32: i32 = 7;
/// Element type double (IEEE 754 binary64).
pub const VOXLANE_F64: i32 = 8;

/// A 3-D array that is only read. A dense array of shape {nz, ny, nx} has strides {ny*nx, nx, 1}.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct voxlane_array {
    /// Element (0, 0, 0), aligned to the element type.
    pub data: *const c_void,
    /// Voxels along each axis, each at least 1.
    pub shape: [usize; 3],
    /// Elements from one voxel to the next along each axis; may be negative, or 0 to repeat a plane.
    pub stride: [isize; 3],
    /// Element type, VOXLANE_U8 to VOXLANE_F64.
    pub dtype: i32,
}

/// A 3-D array that is written. No two of its voxels may share memory.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct voxlane_array_mut {
    /// Element (0, 0, 0), aligned to the element type.
    pub data: *mut c_void,
    /// Voxels along each axis, each at least 1.
    pub shape: [usize; 3],
    /// Elements from one voxel to the next along each axis; may be negative.
    pub stride: [isize; 3],
    /// Element type, VOXLANE_U8 to VOXLANE_F64.
    pub dtype: i32,
}

pub(crate) fn element_type(dtype: i32, name: &str) -> Result<ElementType, Error> {
    ElementType::ALL.into_iter().find(|known| *known as i32 == dtype).ok_or_else(|| {
        Error::new(ErrorKind::Dtype, format!("{name}: dtype is {dtype}, not one of 1 (U8) to 8 (F64)"))
    })
}

/// # Safety
/// `array` is NULL or leads to a readable description, whose memory is readable for `'a`.
pub(crate) unsafe fn volume<'a>(array: *const voxlane_array, name: &str) -> Result<Volume<'a>, Error> {
    expect_pointer(array, name)?;
    // SAFETY: not NULL, aligned, and the caller's promise.
    let voxlane_array { data, shape, stride, dtype } = unsafe { *array };
    let dtype = element_type(dtype, name)?;
    // SAFETY: the caller's promise.
    unsafe { Volume::from_raw_parts(data.cast(), shape, stride, dtype, name) }
}

/// # Safety
/// `array` is NULL or leads to a readable description, whose memory is the callee's alone for `'a`.
pub(crate) unsafe fn volume_mut<'a>(
    array: *const voxlane_array_mut,
    name: &str,
) -> Result<VolumeMut<'a>, Error> {
    expect_pointer(array, name)?;
    // SAFETY: not NULL, aligned, and the caller's promise.
    let voxlane_array_mut { data, shape, stride, dtype } = unsafe { *array };
    let dtype = element_type(dtype, name)?;
    // SAFETY: the caller's promise.
    unsafe { VolumeMut::from_raw_parts(data.cast(), shape, stride, dtype, name) }
}

/// Strides of a dense array, or an error if its size overflows.
pub(crate) fn dense(shape: [usize; 3], name: &str) -> Result<[isize; 3], Error> {
    let overflow = || {
        Error::new(
            ErrorKind::Shape,
            format!("{name}: shape {shape:?} has more voxels than memory can address"),
        )
    };
    let row = isize::try_from(shape[2]).map_err(|_| overflow())?;
    let plane = isize::try_from(shape[1]).ok().and_then(|n| n.checked_mul(row)).ok_or_else(overflow)?;
    Ok([plane, row, 1])
}
