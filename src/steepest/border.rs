//! The padded line: one row of the image, converted, with one voxel more at either end.
//!
//! Faces, wraps, masks, strides, element types and the direction end here. What the kernels see is a line in which
//! every voxel has all its neighbours. One that does not exist is +∞ in an f32 line (no difference with it can win)
//! and the largest key in an i16 line; an f64 line has a line of marks beside it.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::simd::prefetch;
use crate::steepest::convert::{Content, Form, LineElement, Pixel, convert, single, with_pixel};
use crate::steepest::lines::PADDED;
use crate::steepest::rule::{Border, Direction};
use crate::volume::{ElementType, Volume};

/// The image as the lines see it.
pub(crate) struct Source<'a> {
    pub image: Volume<'a>,
    pub mask: Option<Volume<'a>>,
    pub border: [Border; 3],
    /// The first two axes are exchanged; see `Job::new`.
    pub along_y: bool,
    pub direction: Direction,
    /// Whether a line of f32 keeps −0 apart from +0: only the sign of a slope of zero depends on it, and the
    /// guard of `float.rs` takes their difference for a collision.
    pub signed_zeros: bool,
}

/// Marks in the line beside an f64 line.
pub(crate) const EXISTS: f64 = 1.0;
const MISSING: f64 = 0.0;

/// Index `i`, at most one step outside `0..n`, under the rule of its axis; `None` if nothing is there.
pub(crate) fn wrap(i: isize, n: usize, border: Border) -> Option<usize> {
    let inside = (0..n as isize).contains(&i);
    match border {
        _ if inside => Some(i as usize),
        // (A remainder is a division, in every line.)
        Border::Periodic => Some(if i < 0 { n - 1 } else { 0 }),
        _ => None,
    }
}

/// What is at one end of a block's lines: a voxel further than its range of x.
#[derive(Clone, Copy)]
enum End {
    /// The next voxel of the row.
    Adjacent,
    /// The row's other end, which is in the line, too.
    InLine(usize),
    /// The row's other end, which is not.
    Elsewhere(usize),
    Nothing,
}

/// Both ends of a block's lines.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    /// The first voxel along x that is read as it lies.
    first: usize,
    /// Where those lie in the line.
    middle: [usize; 2],
    ends: [End; 2],
}

impl Ends {
    pub fn new(source: &Source, x: [usize; 2]) -> Ends {
        let width = source.image.shape()[2];
        let (first, last) = (x[0].max(1) - 1, (x[1] + 1).min(width));
        // Voxel i of a line is voxel x0 − 1 + i of the row.
        let ends =
            [x[0] as isize - 1, x[1] as isize].map(|beyond| match wrap(beyond, width, source.border[2]) {
                Some(i) if i as isize == beyond => End::Adjacent,
                Some(i) if (first..last).contains(&i) => End::InLine(i + 1 - x[0]),
                Some(i) => End::Elsewhere(i),
                None => End::Nothing,
            });
        Ends { first, middle: [first + 1 - x[0], last + 1 - x[0]], ends }
    }

    /// The first element of a line that is copied from the row as it lies.
    pub fn start(&self) -> usize {
        self.middle[0]
    }
}

/// One padded line of a row to be filled.
pub(crate) struct Line<'a, L> {
    /// `values[i]` receives voxel `x0 − 1 + i` of the row.
    pub values: &'a mut [L],
    /// Empty, or as long as `values`: receives `EXISTS` or `MISSING`.
    pub marks: &'a mut [f64],
    pub form: Form,
}

impl<L> Line<'_, L> {
    #[inline(always)]
    fn part(&mut self, range: Range<usize>) -> Line<'_, L> {
        let marks = if self.marks.is_empty() { &mut [][..] } else { &mut self.marks[range.clone()] };
        Line { values: &mut self.values[range], marks, form: self.form }
    }
}

impl Source<'_> {
    pub fn exchange_axes(&mut self, a: usize, b: usize) {
        self.image.exchange_axes(a, b);
        if let Some(mask) = &mut self.mask {
            mask.exchange_axes(a, b);
        }
        self.border.swap(a, b);
    }

    /// Whether a voxel may have no neighbour at all among the faces, edges or corners: a mask can take all away, and so
    /// does an axis of one voxel. Else a voxel in a corner of the volume still has one of each.
    pub fn may_empty_a_class(&self) -> bool {
        let thin = |axis: usize| self.border[axis] == Border::Inside && self.image.shape()[axis] == 1;
        self.mask.is_some() || (0..3).any(thin)
    }

    /// Whether the lines of a block in plane z are rows of the image as they lie: with all voxels around the ranges of y
    /// and x in the image, side by side along x, as those of a mask.
    pub fn is_plain(&self, z: usize, y: [usize; 2], x: [usize; 2]) -> bool {
        z < self.image.shape()[0]
            && self.is_inside(y, x)
            && self.image.stride()[2] == 1
            && self.mask.as_ref().is_none_or(|mask| mask.stride()[2] == 1)
    }

    /// Whether all voxels around these ranges of y and x are in the image.
    pub fn is_inside(&self, y: [usize; 2], x: [usize; 2]) -> bool {
        let [_, rows, width] = self.image.shape();
        y[0] > 0 && y[1] < rows && x[0] > 0 && x[1] < width
    }

    /// Fills a line with row (z, y), which may lie one step outside the image. `turned` says where the row's voxels of
    /// the image and of the mask lie side by side from one before the block on, as far as there are any.
    #[inline(always)]
    pub fn fill<T: Pixel, L: LineElement>(
        &self,
        [z, y]: [isize; 2],
        ends: &Ends,
        line: Line<L>,
        turned: [Option<*const u8>; 2],
    ) -> Content {
        let Line { values, marks, form } = line;
        let shape = self.image.shape();
        marks.fill(EXISTS);
        let [Some(z), Some(y)] = [wrap(z, shape[0], self.border[0]), wrap(y, shape[1], self.border[1])]
        else {
            values.fill(L::NOTHING);
            marks.fill(MISSING);
            return Content { complete: false, ..Content::PLAIN };
        };
        let n = values.len();
        let Ends { first, middle: [start, end], ends } = *ends;
        let mut line = Line { values, marks, form };
        let sizes = [size_of::<T>(), 1];
        let turned = [0, 1].map(|i| turned[i].map(|row| row.wrapping_add(start * sizes[i])));
        let mut content = self.copy::<T, L>([z, y, first], line.part(start..end), turned);
        for (end, i) in ends.into_iter().zip([0, n - 1]) {
            match end {
                End::Adjacent => {}
                // (To read it once more, and look at it, cost bytes a twelfth of their time.)
                End::InLine(from) => {
                    line.values[i] = line.values[from];
                    if !line.marks.is_empty() {
                        line.marks[i] = line.marks[from];
                    }
                }
                End::Elsewhere(x) => {
                    content.and(self.end::<T, L>([z, y, x], line.part(i..i + 1)));
                }
                End::Nothing => {
                    line.values[i] = L::NOTHING;
                    if !line.marks.is_empty() {
                        line.marks[i] = MISSING;
                    }
                    content.complete &= self.border[2] == Border::Skip;
                }
            }
        }
        content
    }

    /// One voxel at an end of a line.
    #[inline(always)]
    fn end<T: Pixel, L: LineElement>(&self, at: [usize; 3], line: Line<L>) -> Content {
        // SAFETY: `fill` passes indices within the shape, and its caller the element type; masks are U8.
        let (pixel, kept) = unsafe {
            (*self.image.at::<T>(at), self.mask.as_ref().is_none_or(|mask| *mask.at::<u8>(at) != 0))
        };
        if let [mark] = line.marks {
            *mark = if kept { EXISTS } else { MISSING };
        }
        single(pixel, kept, &mut line.values[0], line.form)
    }

    /// Copies the voxels from `start` on along x, and takes out those that the mask removes. `turned` as for `fill`, from
    /// `start` on.
    #[inline(always)]
    fn copy<T: Pixel, L: LineElement>(
        &self,
        start: [usize; 3],
        line: Line<L>,
        [turned, turned_mask]: [Option<*const u8>; 2],
    ) -> Content {
        let Line { values, marks, form } = line;
        let n = values.len();
        let mut gathered = MaybeUninit::uninit();
        let mask = match (&self.mask, turned_mask) {
            // SAFETY: the caller's promise.
            (_, Some(row)) => unsafe { std::slice::from_raw_parts(row, n) },
            // SAFETY: the caller's promise, and masks are of U8.
            (Some(mask), None) => unsafe { mask.row(start, n, &mut gathered) },
            (None, None) => &[][..],
        };
        if let Some(mask) = self.mask.as_ref().filter(|mask| mask.stride()[2] == 1) {
            prefetch_row(mask.address_of([start[0] + 1, start[1], start[2]].map(|i| i as isize)), n);
        }
        let (from, step) = match turned {
            Some(row) => (row.cast::<T>(), 1),
            // SAFETY: `fill` passes indices within the shape, and its caller the element type.
            None => (unsafe { self.image.at::<T>(start) }.cast_const(), self.image.stride()[2]),
        };
        // Pixels that are not side by side are brought there, for the loops over them to be of vectors: f32 took three
        // times as long one by one.
        let mut pixels = MaybeUninit::uninit();
        // SAFETY: the row's elements from `start` on belong to the view.
        let row = unsafe { side_by_side(from, step, n, &mut pixels) };
        let content = convert(row, mask, values, form);
        for (mark, &kept) in marks.iter_mut().zip(mask) {
            *mark = if kept != 0 { EXISTS } else { MISSING };
        }
        content
    }

    /// The neighbourhood of a voxel, in plain values: what [`Rule::define`](super::rule::Rule::define) takes.
    pub fn neighborhood(&self, voxel: [usize; 3]) -> [Option<f64>; 27] {
        let shape = self.image.shape();
        std::array::from_fn(|i| {
            let offset = super::rule::neighbor_offset(i as u8);
            let mut index = [0; 3];
            for axis in 0..3 {
                let i = voxel[axis] as isize + offset[axis];
                index[axis] = wrap(i, shape[axis], self.border[axis])?;
            }
            // SAFETY: `wrap` gave indices within the shape, which is also the mask's; the mask is U8.
            let hidden = self.mask.as_ref().is_some_and(|mask| unsafe { *mask.at::<u8>(index) } == 0);
            // Whoever asks knows that the voxel itself exists.
            if hidden && i != usize::from(super::rule::LABEL_CENTER) {
                return None;
            }
            // SAFETY: as above, and `with_pixel!` gives the element type.
            with_pixel!(self.image.element_type(), T => Some(unsafe { *self.image.at::<T>(index) }.f64()))
        })
    }
}

/// Asks for the bytes of a row, which may lie anywhere.
#[inline(always)]
pub(crate) fn prefetch_row(start: *const u8, bytes: usize) {
    for line in (0..bytes).step_by(64) {
        prefetch(start.wrapping_add(line));
    }
}

impl Volume<'_> {
    /// The bytes of a mask from `start` on along x: as they lie, or gathered.
    ///
    /// # Safety
    /// The volume is of U8, and the `n` voxels lie within its shape.
    #[inline(always)]
    pub(crate) unsafe fn row<'r>(
        &'r self,
        start: [usize; 3],
        n: usize,
        gathered: &'r mut MaybeUninit<[u8; PADDED]>,
    ) -> &'r [u8] {
        // SAFETY: the caller's promise.
        let from = unsafe { self.at::<u8>(start) }.cast_const();
        // SAFETY: the row's elements belong to the view.
        unsafe { side_by_side(from, self.stride()[2], n, gathered) }
    }
}

/// `n` elements that are `step` apart: as they lie, or gathered.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn side_by_side<T: Copy>(
    from: *const T,
    step: isize,
    n: usize,
    gathered: &mut MaybeUninit<[T; PADDED]>,
) -> &[T] {
    if step == 1 {
        // SAFETY: the caller's promise.
        return unsafe { std::slice::from_raw_parts(from, n) };
    }
    assert!(n <= PADDED);
    let to = gathered.as_mut_ptr().cast::<T>();
    for i in 0..n {
        // SAFETY: the caller's promise, and there is room.
        unsafe { to.add(i).write(*from.offset(i as isize * step)) };
    }
    // SAFETY: so many have been written.
    unsafe { std::slice::from_raw_parts(to, n) }
}
