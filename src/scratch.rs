//! Working memory whose allocation can fail without ending the process.

use std::marker::PhantomData;

use crate::error::Error;
use crate::volume::Element;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([u8; 64]);

/// An empty `Vec` with room for `count` elements, of which the text of an error says `what` they are.
pub(crate) fn reserve<E>(count: usize, what: &str) -> Result<Vec<E>, Error> {
    let mut vec = Vec::new();
    let bytes = count.saturating_mul(size_of::<E>());
    vec.try_reserve_exact(count).map_err(|_| Error::memory(bytes, what))?;
    Ok(vec)
}

/// A fixed number of elements from a cache line on, zero at first.
pub(crate) struct Scratch<T> {
    lines: Vec<CacheLine>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Element> Scratch<T> {
    pub fn new(len: usize) -> Result<Self, Error> {
        let bytes =
            len.checked_mul(size_of::<T>()).ok_or_else(|| Error::memory(usize::MAX, "working memory"))?;
        let count = bytes.div_ceil(64);
        let mut lines = reserve(count, "working memory")?;
        lines.resize(count, CacheLine([0; 64]));
        Ok(Scratch { lines, len, element: PhantomData })
    }

    /// Makes the length at least `len`; what was in it is lost if that is more.
    pub fn grow(&mut self, len: usize) -> Result<(), Error> {
        if self.len < len {
            *self = Scratch::new(len)?;
        }
        Ok(())
    }

    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: the lines hold at least `len` elements of a plain number type, for which all bit patterns,
        // the zeros of `new` among them, are values; 64 is a multiple of its alignment.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
