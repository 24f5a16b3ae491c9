//! Borrowed 3-D views of the caller's memory, and all validation of that memory.
//!
//! A view is a pointer, a shape, strides in elements (any sign) and an element type. Whoever holds a
//! [`Volume`] may read every element, whoever holds a [`VolumeMut`] may also write every element, and
//! no two elements of a `VolumeMut` share memory: the constructors see to that, nothing below checks again.

use std::marker::PhantomData;

use ndarray::{ArrayBase, ArrayView3, ArrayViewMut3, Data, DataMut, Ix3};

use crate::error::{Error, ErrorKind};
use crate::overlap::{Term, reaches};

/// The element types a volume can have. The discriminants are the `VOXLANE_U8` … `VOXLANE_F64` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum ElementType {
    U8 = 1,
    I8 = 2,
    U16 = 3,
    I16 = 4,
    U32 = 5,
    I32 = 6,
    F32 = 7,
    F64 = 8,
}

impl ElementType {
    /// All element types.
    pub const ALL: [ElementType; 8] = [
        ElementType::U8,
        ElementType::I8,
        ElementType::U16,
        ElementType::I16,
        ElementType::U32,
        ElementType::I32,
        ElementType::F32,
        ElementType::F64,
    ];

    /// Size of an element, and its natural alignment, in bytes.
    pub const fn size(self) -> usize {
        match self {
            ElementType::U8 | ElementType::I8 => 1,
            ElementType::U16 | ElementType::I16 => 2,
            ElementType::U32 | ElementType::I32 | ElementType::F32 => 4,
            ElementType::F64 => 8,
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that is the element of a volume.
pub trait Element: Copy + Send + Sync + sealed::Sealed + 'static {
    /// Its element type.
    const TYPE: ElementType;
}

macro_rules! element {
    ($($t:ty => $e:ident),*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t { const TYPE: ElementType = ElementType::$e; }
    )*};
}
element!(u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, f32 => F32, f64 => F64);

/// Shape, element strides and element type: a volume without its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub shape: [usize; 3],
    pub stride: [isize; 3],
    pub dtype: ElementType,
}

impl Layout {
    /// Checks the shape, that every byte lies within the address space around `address`, and the
    /// alignment. `name` begins the error text.
    fn check(&self, address: usize, name: &str) -> Result<(), Error> {
        let Layout { shape, stride, dtype } = *self;
        if address == 0 {
            return Err(Error::new(ErrorKind::Null, format!("{name}: data is NULL")));
        }
        self.check_not_empty(name)?;
        // (No extent is 0 here.)
        let voxels = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if voxels.is_none_or(|voxels| voxels > isize::MAX as usize) {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("{name}: shape {shape:?} has more voxels than memory can address"),
            ));
        }
        let most = isize::MAX as i128;
        let (low, high) = self.span();
        // Elements first: their bytes might be too many for an i128.
        let addressable = -low <= most && high <= most && {
            let (low, high) = self.byte_span();
            let (first, last) = (address as i128 + low, address as i128 + high);
            high - low <= most && first >= 0 && last <= usize::MAX as i128
        };
        if !addressable {
            return Err(Error::new(
                ErrorKind::Stride,
                format!("{name}: strides {stride:?} with shape {shape:?} leave the address space"),
            ));
        }
        if !address.is_multiple_of(dtype.size()) {
            return Err(Error::new(
                ErrorKind::Align,
                format!("{name}: address {address:#x} is not a multiple of {} bytes", dtype.size()),
            ));
        }
        Ok(())
    }

    fn check_not_empty(&self, name: &str) -> Result<(), Error> {
        match self.shape.iter().position(|&n| n == 0) {
            None => Ok(()),
            Some(axis) => Err(Error::new(
                ErrorKind::Shape,
                format!("{name}: shape {:?} is empty along axis {axis}", self.shape),
            )),
        }
    }

    /// The first and the last element in memory, relative to element (0, 0, 0).
    fn span(&self) -> (i128, i128) {
        let (mut low, mut high) = (0i128, 0i128);
        for axis in 0..3 {
            // Of at most 2^63 voxels, so that the three have at most 2^63 steps together, of 2^63 elements: 2^126.
            let reach = (self.shape[axis] as i128 - 1) * self.stride[axis] as i128;
            low += reach.min(0);
            high += reach.max(0);
        }
        (low, high)
    }

    /// First byte, and one past the last byte, relative to element (0, 0, 0), of a layout that memory can hold.
    fn byte_span(&self) -> (i128, i128) {
        let size = self.dtype.size() as i128;
        let (low, high) = self.span();
        (low * size, (high + 1) * size)
    }

    /// Whether two different indices name the same element.
    fn has_repeated_elements(&self) -> bool {
        let mut axes: Vec<(i128, i128)> = (0..3)
            .filter(|&axis| self.shape[axis] > 1)
            .map(|axis| ((self.stride[axis] as i128).abs(), self.shape[axis] as i128 - 1))
            .collect();
        axes.sort_unstable();
        // Nested strides (every dense array, transposed or not): each step jumps over all the finer axes.
        let mut reach = 0;
        let nested = axes.iter().all(|&(stride, steps)| {
            let clear = stride > reach;
            reach += stride * steps;
            clear
        });
        if nested {
            return false;
        }
        // Otherwise look for a non-zero difference of indices whose offset is zero. Fix the axis of the
        // first non-zero difference and let it be positive; the others range over both signs.
        (0..axes.len()).any(|first| {
            let (stride, steps) = axes[first];
            let mut terms = vec![Term { step: stride, low: 1, high: steps }];
            terms.extend(axes[first + 1..].iter().map(|&(s, n)| Term { step: s, low: -n, high: n }));
            reaches(terms, 0, 0)
        })
    }
}

macro_rules! view {
    ($(#[$doc:meta])* $name:ident, $pointer:ty, $byte:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<'a> {
            pointer: $pointer,
            layout: Layout,
            memory: PhantomData<$byte>,
        }

        // SAFETY: a view is a borrow of plain numbers; the constructors' contract is that of `&[T]`
        // (or `&mut [T]`), which are Send and Sync.
        unsafe impl Send for $name<'_> {}
        // SAFETY: as above.
        unsafe impl Sync for $name<'_> {}

        impl $name<'_> {
            /// Voxels along each axis; axis 0 is the slowest in the usual memory order.
            pub fn shape(&self) -> [usize; 3] {
                self.layout.shape
            }

            /// Steps in memory along each axis, in elements.
            pub fn stride(&self) -> [isize; 3] {
                self.layout.stride
            }

            /// The element type.
            pub fn element_type(&self) -> ElementType {
                self.layout.dtype
            }

            pub(crate) fn exchange_axes(&mut self, a: usize, b: usize) {
                self.layout.shape.swap(a, b);
                self.layout.stride.swap(a, b);
            }

            /// Address of an element, typed.
            ///
            /// # Safety
            /// The index lies within the shape, and `T` is the element type.
            #[inline(always)]
            pub(crate) unsafe fn at<T: Element>(&self, index: [usize; 3]) -> *mut T {
                debug_assert!(T::TYPE == self.layout.dtype);
                debug_assert!((0..3).all(|axis| index[axis] < self.layout.shape[axis]));
                let stride = self.layout.stride;
                let offset = index[0] as isize * stride[0]
                    + index[1] as isize * stride[1]
                    + index[2] as isize * stride[2];
                // SAFETY: the constructor checked that the offsets of all indices within the shape stay
                // within one address range of at most isize::MAX bytes.
                unsafe { (self.pointer as *mut T).offset(offset) }
            }

            /// Where an element lies, or would lie if the strides went on beyond the faces: to be asked for
            /// ahead of its use, not to be read.
            #[inline(always)]
            pub(crate) fn address_of(&self, index: [isize; 3]) -> *const u8 {
                let stride = self.layout.stride;
                let offset = (0..3).fold(0isize, |sum, axis| {
                    sum.wrapping_add(index[axis].wrapping_mul(stride[axis]))
                });
                (self.pointer as *const u8).wrapping_offset(offset.wrapping_mul(self.layout.dtype.size() as isize))
            }

            /// An error if the volume has no voxel.
            pub(crate) fn expect_not_empty(&self, name: &str) -> Result<(), Error> {
                self.layout.check_not_empty(name)
            }

            /// An error unless the shape is `shape`, which belongs to `other`.
            pub(crate) fn expect_shape(
                &self,
                shape: [usize; 3],
                name: &str,
                other: &str,
            ) -> Result<(), Error> {
                if self.shape() == shape {
                    return Ok(());
                }
                Err(Error::new(
                    ErrorKind::Shape,
                    format!("{name}: shape {:?} differs from the {other}'s shape {shape:?}", self.shape()),
                ))
            }

            /// An error unless the element type is one of `types`.
            pub(crate) fn expect_type(&self, types: &[ElementType], name: &str) -> Result<(), Error> {
                let dtype = self.layout.dtype;
                if types.contains(&dtype) {
                    return Ok(());
                }
                Err(Error::new(
                    ErrorKind::Dtype,
                    format!("{name}: element type {dtype:?} ({}) is not one of {types:?}", dtype as i32),
                ))
            }
        }
    };
}

view!(
    /// A borrowed 3-D array that is only read: made from an `ndarray` view, or from raw parts.
    Volume,
    *const u8,
    &'a [u8]
);

view!(
    /// A borrowed 3-D array that is written: made from a mutable `ndarray` view, or from raw parts.
    VolumeMut,
    *mut u8,
    &'a mut [u8]
);

impl<'a> Volume<'a> {
    /// A view of memory that is described by a pointer to element (0, 0, 0).
    ///
    /// # Safety
    /// For `'a`, every element that shape and strides name is readable and not written by anyone else.
    ///
    /// # Errors
    /// [`ErrorKind::Null`], [`Shape`](ErrorKind::Shape), [`Stride`](ErrorKind::Stride) or
    /// [`Align`](ErrorKind::Align), the text beginning with `name`.
    pub unsafe fn from_raw_parts(
        data: *const u8,
        shape: [usize; 3],
        stride: [isize; 3],
        dtype: ElementType,
        name: &str,
    ) -> Result<Self, Error> {
        let layout = Layout { shape, stride, dtype };
        layout.check(data as usize, name)?;
        Ok(Volume { pointer: data, layout, memory: PhantomData })
    }
}

impl<'a> VolumeMut<'a> {
    /// A view of memory that is described by a pointer to element (0, 0, 0).
    ///
    /// # Safety
    /// For `'a`, every element that shape and strides name is readable, writable and used by nobody else.
    ///
    /// # Errors
    /// As [`Volume::from_raw_parts`]; and [`ErrorKind::Stride`] if two elements share memory.
    pub unsafe fn from_raw_parts(
        data: *mut u8,
        shape: [usize; 3],
        stride: [isize; 3],
        dtype: ElementType,
        name: &str,
    ) -> Result<Self, Error> {
        let layout = Layout { shape, stride, dtype };
        layout.check(data as usize, name)?;
        if layout.has_repeated_elements() {
            return Err(Error::new(
                ErrorKind::Stride,
                format!("{name}: strides {stride:?} with shape {shape:?} name an element twice"),
            ));
        }
        Ok(VolumeMut { pointer: data, layout, memory: PhantomData })
    }

    /// An error if an element of this output shares memory with an element of `other`.
    pub(crate) fn expect_apart<'b>(
        &self,
        other: &impl Memory<'b>,
        name: &str,
        other_name: &str,
    ) -> Result<(), Error> {
        let (other_address, other_layout) = other.memory();
        let (low, high) = self.layout.byte_span();
        let address = self.pointer as i128;
        let (low, high) = (address + low, address + high);
        let (other_low, other_high) = other_layout.byte_span();
        let (other_low, other_high) = (other_address as i128 + other_low, other_address as i128 + other_high);
        if high <= other_low || other_high <= low {
            return Ok(());
        }
        // The ranges meet; interleaved views (channels, halves of one array) may still be apart.
        let mut terms = Vec::with_capacity(6);
        for (layout, sign) in [(&self.layout, 1), (other_layout, -1)] {
            let size = layout.dtype.size() as i128;
            for axis in 0..3 {
                let steps = layout.shape[axis] as i128 - 1;
                let stride = layout.stride[axis] as i128 * size * sign;
                terms.push(if stride >= 0 {
                    Term { step: stride, low: 0, high: steps }
                } else {
                    Term { step: -stride, low: -steps, high: 0 }
                });
            }
        }
        // Elements meet where −size < (self + Σ) − (other + Σ) < other size.
        let apart = self.pointer as i128 - other_address as i128;
        let min = 1 - self.layout.dtype.size() as i128 - apart;
        let max = other_layout.dtype.size() as i128 - 1 - apart;
        if reaches(terms, min, max) {
            return Err(Error::new(
                ErrorKind::Overlap,
                format!(
                    "{name} ({low:#x} to {high:#x}) overlaps {other_name} ({other_low:#x} to {other_high:#x})"
                ),
            ));
        }
        Ok(())
    }
}

/// Either kind of view, for the overlap test.
pub(crate) trait Memory<'a> {
    fn memory(&self) -> (usize, &Layout);
}

impl<'a> Memory<'a> for Volume<'a> {
    fn memory(&self) -> (usize, &Layout) {
        (self.pointer as usize, &self.layout)
    }
}

impl<'a> Memory<'a> for VolumeMut<'a> {
    fn memory(&self) -> (usize, &Layout) {
        (self.pointer as usize, &self.layout)
    }
}

fn three<T: Copy>(values: &[T]) -> [T; 3] {
    [values[0], values[1], values[2]]
}

impl<'a, T: Element> From<ArrayView3<'a, T>> for Volume<'a> {
    fn from(view: ArrayView3<'a, T>) -> Self {
        let layout = Layout { shape: three(view.shape()), stride: three(view.strides()), dtype: T::TYPE };
        Volume { pointer: view.as_ptr().cast(), layout, memory: PhantomData }
    }
}

impl<'a, T: Element> From<ArrayViewMut3<'a, T>> for VolumeMut<'a> {
    fn from(mut view: ArrayViewMut3<'a, T>) -> Self {
        let layout = Layout { shape: three(view.shape()), stride: three(view.strides()), dtype: T::TYPE };
        VolumeMut { pointer: view.as_mut_ptr().cast(), layout, memory: PhantomData }
    }
}

impl<'a, T: Element, S: Data<Elem = T>> From<&'a ArrayBase<S, Ix3>> for Volume<'a> {
    fn from(array: &'a ArrayBase<S, Ix3>) -> Self {
        array.view().into()
    }
}

impl<'a, T: Element, S: DataMut<Elem = T>> From<&'a mut ArrayBase<S, Ix3>> for VolumeMut<'a> {
    fn from(array: &'a mut ArrayBase<S, Ix3>) -> Self {
        array.view_mut().into()
    }
}
