//! The padded line: one row of the image, converted, with one voxel more at either end.
//!
//! Faces, wraps, masks, strides, element types and the direction end here. What the kernels see is a line of
//! f32 or f64 in which every voxel has all its neighbours. One that does not exist is +∞ in an f32 line (no
//! difference with it can win); an f64 line has a line of marks beside it.

use crate::steepest::rule::{Border, Direction};
use crate::volume::{Element, ElementType, Volume};

/// The image as the lines see it.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub image: &'a Volume<'a>,
    pub mask: Option<&'a Volume<'a>>,
    pub border: [Border; 3],
    pub direction: Direction,
}

/// What a line holds, besides its numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    /// No NaN and no infinity among the voxels that exist.
    pub finite: bool,
    /// Every voxel that is somebody's neighbour exists. Those beyond a SKIP face are nobody's.
    pub complete: bool,
}

/// Marks in the line beside an f64 line.
pub(crate) const EXISTS: f64 = 1.0;
const MISSING: f64 = 0.0;

/// Index `i`, at most one step outside `0..n`, under the rule of its axis; `None` if nothing is there.
pub(crate) fn wrap(i: isize, n: usize, border: Border) -> Option<usize> {
    if border == Border::Periodic {
        return Some(i.rem_euclid(n as isize) as usize);
    }
    usize::try_from(i).ok().filter(|&i| i < n)
}

/// An element of an image.
pub(crate) trait Pixel: Element {
    fn f32(self) -> f32;
    fn f64(self) -> f64;
}

macro_rules! pixel {
    ($($t:ty)*) => {$(
        impl Pixel for $t {
            #[inline(always)]
            fn f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}
pixel!(u8 i8 u16 i16 u32 i32 f32 f64);

/// The number type of a line. An f32 line holds U8, I8, U16, I16 and F32 exactly.
pub(crate) trait LineElement: Copy + std::ops::Mul<Output = Self> + From<i8> {
    const INFINITY: Self;
    fn of<T: Pixel>(value: T) -> Self;
    fn finite(self) -> bool;
}

impl LineElement for f32 {
    const INFINITY: f32 = f32::INFINITY;
    #[inline(always)]
    fn of<T: Pixel>(value: T) -> f32 {
        value.f32()
    }
    #[inline(always)]
    fn finite(self) -> bool {
        self.abs() <= f32::MAX
    }
}

impl LineElement for f64 {
    const INFINITY: f64 = f64::INFINITY;
    #[inline(always)]
    fn of<T: Pixel>(value: T) -> f64 {
        value.f64()
    }
    #[inline(always)]
    fn finite(self) -> bool {
        true
    }
}

/// Calls `$function::<T, …>` with the type of the volume's elements.
macro_rules! with_pixel {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            ElementType::U8 => {
                type $t = u8;
                $body
            }
            ElementType::I8 => {
                type $t = i8;
                $body
            }
            ElementType::U16 => {
                type $t = u16;
                $body
            }
            ElementType::I16 => {
                type $t = i16;
                $body
            }
            ElementType::U32 => {
                type $t = u32;
                $body
            }
            ElementType::I32 => {
                type $t = i32;
                $body
            }
            ElementType::F32 => {
                type $t = f32;
                $body
            }
            ElementType::F64 => {
                type $t = f64;
                $body
            }
        }
    };
}

impl Source<'_> {
    /// Fills `line[i]` with voxel `x0 − 1 + i` of row (z, y), negated for ascent so that the steepest way is
    /// always down; missing voxels become +∞, and `MISSING` in `marks` where that is not empty.
    ///
    /// `z`, `y` and both ends of the line may lie one step outside the image.
    #[inline(always)]
    pub fn fill<L: LineElement>(
        &self,
        [z, y]: [isize; 2],
        x0: usize,
        line: &mut [L],
        marks: &mut [f64],
    ) -> Content {
        let shape = self.image.shape();
        marks.fill(EXISTS);
        let [Some(z), Some(y)] = [wrap(z, shape[0], self.border[0]), wrap(y, shape[1], self.border[1])]
        else {
            line.fill(L::INFINITY);
            marks.fill(MISSING);
            return Content { finite: true, complete: false };
        };
        let mut content = Content { finite: true, complete: true };
        let end = x0 + line.len() - 1;
        let (first, last) = (x0.max(1) - 1, end.min(shape[2]));
        let at = first + 1 - x0;
        content.finite &= self.copy([z, y, first], &mut line[at..at + last - first]);
        if self.mask.is_some() {
            let kept = if marks.is_empty() { &mut [][..] } else { &mut marks[at..at + last - first] };
            content = self.hide([z, y, first], &mut line[at..at + last - first], kept);
        }
        for (x, i) in [(x0 as isize - 1, 0), (end as isize - 1, line.len() - 1)] {
            if x >= 0 && (x as usize) < shape[2] {
                continue;
            }
            let one = &mut line[i..i + 1];
            let mark = if marks.is_empty() { &mut [][..] } else { &mut marks[i..i + 1] };
            if let Some(x) = wrap(x, shape[2], self.border[2]) {
                let mut other = Content { finite: self.copy([z, y, x], one), complete: true };
                if self.mask.is_some() {
                    other = self.hide([z, y, x], one, mark);
                }
                content.finite &= other.finite;
                content.complete &= other.complete;
            } else {
                one.fill(L::INFINITY);
                mark.fill(MISSING);
                content.complete &= self.border[2] == Border::Skip;
            }
        }
        content
    }

    /// Copies the voxels from `start` on along x; whether all were finite.
    #[inline(always)]
    fn copy<L: LineElement>(&self, start: [usize; 3], line: &mut [L]) -> bool {
        with_pixel!(self.image.element_type(), T => self.copy_from::<T, L>(start, line))
    }

    #[inline(always)]
    fn copy_from<T: Pixel, L: LineElement>(&self, start: [usize; 3], line: &mut [L]) -> bool {
        let sign = L::from(if self.direction == Direction::Ascent { -1 } else { 1 });
        let step = self.image.stride()[2];
        let mut finite = true;
        // SAFETY: `fill` passes indices within the shape, and `copy` the element type.
        let from = unsafe { self.image.at::<T>(start) }.cast_const();
        if step == 1 {
            // SAFETY: the row's elements from `start` on are adjacent, and belong to the view.
            let row = unsafe { std::slice::from_raw_parts(from, line.len()) };
            for (to, &value) in line.iter_mut().zip(row) {
                *to = L::of(value) * sign;
                finite &= to.finite();
            }
        } else {
            for (i, to) in line.iter_mut().enumerate() {
                // SAFETY: voxel `start` + i along x lies within the shape.
                *to = L::of(unsafe { *from.offset(i as isize * step) }) * sign;
                finite &= to.finite();
            }
        }
        finite
    }

    /// Takes the voxels that the mask removes out of a line that `copy` has filled from `start` on.
    #[inline(always)]
    fn hide<L: LineElement>(&self, start: [usize; 3], line: &mut [L], marks: &mut [f64]) -> Content {
        let mut content = Content { finite: true, complete: true };
        let Some(mask) = self.mask else { return content };
        let step = mask.stride()[2];
        // SAFETY: the mask has the image's shape and element type U8.
        let from = unsafe { mask.at::<u8>(start) }.cast_const();
        for (i, to) in line.iter_mut().enumerate() {
            // SAFETY: voxel `start` + i along x lies within the shape.
            let kept = unsafe { *from.offset(i as isize * step) } != 0;
            content.finite &= !kept || to.finite();
            content.complete &= kept;
            *to = if kept { *to } else { L::INFINITY };
            if let Some(mark) = marks.get_mut(i) {
                *mark = if kept { EXISTS } else { MISSING };
            }
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
            let hidden = self.mask.is_some_and(|mask| unsafe { *mask.at::<u8>(index) } == 0);
            // The voxel itself is never its own missing neighbour: whoever asks knows that it exists.
            if hidden && i != usize::from(super::rule::LABEL_CENTER) {
                return None;
            }
            // SAFETY: as above, and `with_pixel!` gives the element type.
            with_pixel!(self.image.element_type(), T => Some(unsafe { *self.image.at::<T>(index) }.f64()))
        })
    }
}
