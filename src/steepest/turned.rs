//! Volumes whose voxels lie side by side along the march and not along x, as Fortran, Julia and NumPy's order 'F' have
//! them.
//!
//! A row along x has one voxel of such a volume in every cache line, and planes of 2ⁿ voxels all of them in the same
//! place of the cache: each line would be fetched anew for every plane. So a block takes as many planes at once as a
//! cache line holds, and turns them round into rows that lie side by side. Labels and slopes leave in the same way.
//! (256³ on one thread, image alone or labels, too: f32 7.9 or 13.5 ns a voxel before, bytes 6.7 or 14.0.)

use crate::error::Error;
use crate::scratch::Scratch;
use crate::simd::prefetch;
use crate::steepest::border::{Source, wrap};
use crate::steepest::job::{Job, WIDEST};
use crate::steepest::lines::PADDED;
use crate::steepest::shared::{LINES, ROWS};
use crate::volume::{Element, ElementType, Volume, VolumeMut};

/// Bytes of a cache line.
const RUN: usize = 64;
/// Elements from row to row. (Not a power of two: the rows of a column are written one after the other.)
const PITCH: usize = PADDED + 6;
/// Bytes of memory for the lines of a run of planes, and for its rows of output.
const IN: usize = RUN * LINES * PITCH;
const OUT: usize = RUN * ROWS * PITCH;

/// Whether a volume of these strides is one.
pub(crate) fn is_turned([z, _, x]: [isize; 3]) -> bool {
    x != 1 && z == 1
}

/// A thread's memory for turned volumes: empty for all others.
pub(crate) struct Turned {
    image: Scratch<u8>,
    mask: Scratch<u8>,
    labels: Scratch<u8>,
    slopes: Scratch<u8>,
}

impl Turned {
    pub fn new(job: &Job) -> Result<Self, Error> {
        let bytes = |stride: Option<[isize; 3]>, bytes| if stride.is_some_and(is_turned) { bytes } else { 0 };
        Ok(Turned {
            image: Scratch::new(bytes(Some(job.source.image.stride()), IN))?,
            mask: Scratch::new(bytes(job.source.mask.as_ref().map(|mask| mask.stride()), IN))?,
            labels: Scratch::new(bytes(Some(job.labels.stride()), OUT))?,
            slopes: Scratch::new(bytes(job.slope.as_ref().map(|slope| slope.stride()), OUT))?,
        })
    }

    /// For a block.
    pub fn for_block(&mut self, [z, y, x]: [[usize; 2]; 3]) -> (Inlets<'_>, Outlets<'_>) {
        let inlet = |memory| Inlet { memory, first: 0, count: 0 };
        let outlet = |memory| Outlet {
            memory,
            start: [z[0], y[0], x[0]],
            rows: y[1] - y[0],
            width: x[1] - x[0],
            count: 0,
        };
        let Turned { image, mask, labels, slopes } = self;
        let inlets = Inlets { image: inlet(image.as_mut_slice()), mask: inlet(mask.as_mut_slice()) };
        (inlets, Outlets { labels: outlet(labels.as_mut_slice()), slopes: outlet(slopes.as_mut_slice()) })
    }
}

/// The lines of the image and of the mask around a block.
pub(crate) struct Inlets<'a> {
    image: Inlet<'a>,
    mask: Inlet<'a>,
}

impl Inlets<'_> {
    /// For lines that are read as they lie.
    pub fn none() -> Self {
        let inlet = || Inlet { memory: &mut [], first: 0, count: 0 };
        Inlets { image: inlet(), mask: inlet() }
    }

    /// Lets plane `t` of the march in, if it is not there yet, with those that share its cache lines.
    pub fn arrive(&mut self, source: &Source, block: [[usize; 2]; 3], t: usize) {
        self.image.arrive(&source.image, source, block, t);
        if let Some(mask) = &source.mask {
            self.mask.arrive(mask, source, block, t);
        }
    }

    /// Where line `row` of plane `t` lies, from one voxel before the block on; of the image, and of the mask.
    pub fn line(&self, source: &Source, t: usize, row: usize) -> [Option<*const u8>; 2] {
        [self.image.line(source.image.element_type(), t, row), self.mask.line(ElementType::U8, t, row)]
    }
}

/// The lines of a volume around a block, in a run of planes.
struct Inlet<'a> {
    /// Empty if the volume is not turned.
    memory: &'a mut [u8],
    /// The run, in planes of the march.
    first: usize,
    count: usize,
}

impl Inlet<'_> {
    #[inline]
    fn arrive(&mut self, volume: &Volume, source: &Source, block: [[usize; 2]; 3], t: usize) {
        if self.memory.is_empty() || (self.first..self.first + self.count).contains(&t) {
            return;
        }
        (self.first, self.count) = (t, 0);
        match volume.element_type().size() {
            1 => self.turn::<u8>(volume, source, block),
            2 => self.turn::<u16>(volume, source, block),
            4 => self.turn::<u32>(volume, source, block),
            _ => self.turn::<u64>(volume, source, block),
        }
    }

    /// Takes a run in; elements are bits of their size. Planes, rows and ends that lie outside of the volume are not
    /// there, even if they are its other end.
    #[inline(never)]
    fn turn<T: Copy>(&mut self, volume: &Volume, source: &Source, [z, y, x]: [[usize; 2]; 3]) {
        let planes = RUN / size_of::<T>();
        let shape = volume.shape();
        let Some(plane) = (z[0] + self.first).checked_sub(1).filter(|&plane| plane < shape[0]) else {
            return;
        };
        // The last plane of the march is z[1].
        let count = planes.min(shape[0].min(z[1] + 1) - plane);
        self.count = count;
        assert!(self.memory.len() >= planes * LINES * PITCH * size_of::<T>() && x[1] - x[0] + 2 <= PADDED);
        let to = self.memory.as_mut_ptr().cast::<T>();
        let rows: [Option<*const T>; LINES] = std::array::from_fn(|row| {
            let at = y[0] as isize - 1 + row as isize;
            // Lines past the one below the block are nobody's.
            let y = if at <= y[1] as isize { wrap(at, shape[1], source.border[1]) } else { None }?;
            Some(volume.address_of([plane as isize, y as isize, 0]).cast())
        });
        let step = volume.stride()[2];
        for x_in in x[0].max(1) - 1..(x[1] + 1).min(shape[2]) {
            let column = x_in + 1 - x[0];
            for (row, from) in rows.iter().enumerate() {
                let Some(from) = from.map(|from| from.wrapping_offset(x_in as isize * step)) else {
                    continue;
                };
                prefetch(from.wrapping_offset(AHEAD.wrapping_mul(step)));
                // SAFETY: voxel (plane, y, x_in) and the count − 1 that follow it along axis 0 lie in the volume, side by
                // side, and in memory their places, as the column is below PADDED.
                unsafe {
                    let to = to.add(row * PITCH + column);
                    if count == planes {
                        for k in 0..planes {
                            *to.add(k * LINES * PITCH) = *from.add(k);
                        }
                    } else {
                        for k in 0..count {
                            *to.add(k * LINES * PITCH) = *from.add(k);
                        }
                    }
                }
            }
        }
    }

    fn line(&self, dtype: ElementType, t: usize, row: usize) -> Option<*const u8> {
        let k = t.checked_sub(self.first).filter(|&k| k < self.count)?;
        Some(self.memory[(k * LINES + row) * PITCH * dtype.size()..].as_ptr())
    }
}

/// So many voxels along x are asked for ahead.
const AHEAD: isize = 8;

/// The rows of labels and slopes of a block.
pub(crate) struct Outlets<'a> {
    pub labels: Outlet<'a>,
    pub slopes: Outlet<'a>,
}

impl Outlets<'_> {
    /// Writes what is still here.
    pub fn flush(&mut self, job: &Job) {
        for (outlet, volume) in
            [(&mut self.labels, Some(&job.labels)), (&mut self.slopes, job.slope.as_ref())]
        {
            let Some(volume) = volume else { continue };
            match volume.element_type() {
                ElementType::F64 => outlet.flush::<f64>(volume),
                ElementType::F32 => outlet.flush::<f32>(volume),
                _ => outlet.flush::<u8>(volume),
            }
        }
    }
}

/// The rows of an output of a block, in a run of planes.
pub(crate) struct Outlet<'a> {
    /// Empty if the volume is not turned.
    memory: &'a mut [u8],
    /// The first voxel here.
    start: [usize; 3],
    rows: usize,
    width: usize,
    /// Planes that are here.
    count: usize,
}

impl Outlet<'_> {
    /// Writes values along x, from voxel `at` of the block on: to the volume, or here. Planes come in order.
    #[inline(always)]
    pub fn put<T: Element>(
        &mut self,
        volume: &VolumeMut,
        at: [usize; 3],
        values: impl ExactSizeIterator<Item = T>,
    ) {
        if self.memory.is_empty() {
            // SAFETY: a row of the block; the callers choose the type by the volume's.
            unsafe { volume.put(at, values) };
            return;
        }
        let planes = RUN / size_of::<T>();
        if at[0] >= self.start[0] + planes {
            self.flush::<T>(volume);
            self.start[0] = at[0];
        }
        let [k, row, column]: [usize; 3] = std::array::from_fn(|axis| at[axis] - self.start[axis]);
        self.count = k + 1;
        assert!(
            row < ROWS
                && column + values.len() <= WIDEST
                && self.memory.len() >= planes * ROWS * PITCH * size_of::<T>()
        );
        // SAFETY: within the memory, whose beginning is aligned for any element.
        let to = unsafe { self.memory.as_mut_ptr().cast::<T>().add((k * ROWS + row) * PITCH + column) };
        for (i, value) in values.enumerate() {
            // SAFETY: as above.
            unsafe { *to.add(i) = value };
        }
    }

    #[inline(never)]
    fn flush<T: Element>(&mut self, volume: &VolumeMut) {
        let planes = RUN / size_of::<T>();
        let count = std::mem::take(&mut self.count);
        let [z, y, x] = self.start;
        let from = self.memory.as_ptr().cast::<T>();
        let step = volume.stride()[2];
        for column in 0..if count > 0 { self.width } else { 0 } {
            for row in 0..self.rows {
                // SAFETY: voxels of the block, which follow each other along axis 0; `put` has put them in their places.
                unsafe {
                    let to = volume.at::<T>([z, y + row, x + column]);
                    prefetch(to.wrapping_offset(AHEAD.wrapping_mul(step)));
                    let from = from.add(row * PITCH + column);
                    if count == planes {
                        for k in 0..planes {
                            *to.add(k) = *from.add(k * ROWS * PITCH);
                        }
                    } else {
                        for k in 0..count {
                            *to.add(k) = *from.add(k * ROWS * PITCH);
                        }
                    }
                }
            }
        }
    }
}
