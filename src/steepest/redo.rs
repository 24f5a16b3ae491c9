//! What the kernels of shared minima leave to do in a plane: skipped rows, undecided voxels, what lies around NaN and
//! infinity, and the way out of rows that are not written straight.

use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use crate::steepest::convert::LineElement;
use crate::steepest::definition;
use crate::steepest::job::{Job, WIDEST};
use crate::steepest::lines::{LINE, Lines};
use crate::steepest::odd::{By, Parts};
use crate::steepest::output::Finish;
use crate::steepest::shared::{ROWS, RowOut, position};
use crate::steepest::slopes::Slopes;
use crate::steepest::sweep::Rows;
use crate::steepest::turned::Outlets;

/// A row with more than one undecided voxel in so many is redone whole, in vectors: one costs as much as 30 of those.
const REDO: usize = 32;

/// A task's own rows, by address as the kernels write to them. While it is used, nothing else borrows them.
pub(super) struct Own {
    labels: *mut u8,
    flags: *mut u32,
    slopes: *mut f64,
}

impl Own {
    pub fn of(rows: &mut Rows) -> Self {
        assert!(rows.labels.len() >= ROWS * LINE && rows.slopes.len() >= ROWS * LINE);
        assert!(rows.flags.len() >= ROWS * WIDEST);
        Own {
            labels: rows.labels.as_mut_ptr(),
            flags: rows.flags.as_mut_ptr(),
            slopes: rows.slopes.as_mut_ptr(),
        }
    }

    pub fn row(&self, row: usize) -> RowOut {
        RowOut {
            labels: self.labels.wrapping_add(row * LINE),
            flags: self.flags.wrapping_add(row * WIDEST),
            slopes: Slopes::Double(self.slopes.wrapping_add(row * LINE)),
        }
    }

    fn flags(&self, row: usize, vectors: usize) -> &[u32] {
        assert!(row < ROWS && vectors <= WIDEST);
        // SAFETY: a row of flags, which only the kernels write.
        unsafe { std::slice::from_raw_parts(self.flags.add(row * WIDEST), vectors) }
    }

    /// # Safety
    /// Nobody else uses the row meanwhile.
    #[allow(clippy::mut_from_ref)]
    unsafe fn slopes(&self, row: usize) -> &mut [f64] {
        assert!(row < ROWS);
        // SAFETY: `of` has checked the length; and the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.slopes.add(row * LINE), LINE) }
    }
}

/// Where the skipped faces of axis 2 are in a row that begins at voxel x.
pub(super) struct Faces {
    at: [Option<isize>; 2],
    slopes: bool,
}

impl Faces {
    pub fn of(job: &Job, full: [usize; 2], x: usize) -> Self {
        let at = [full[0], full[1] - 1].map(|at| job.skipped(2, at).then_some(at as isize - x as isize));
        Faces { at, slopes: job.slope.is_some() }
    }

    /// Clears them in a row of the caller's memory.
    #[inline(always)]
    pub fn clear(&self, out: &RowOut) {
        for at in self.at.into_iter().flatten() {
            // SAFETY: a voxel of the row, whose labels and slopes lie side by side.
            unsafe {
                *out.labels.offset(at) = 0;
                if self.slopes {
                    out.slopes.set(at, 0.0);
                }
            }
        }
    }
}

/// The rows of a plane, once a kernel has made them. A kernel of its own, as most planes need none of it.
pub(super) struct Redo<'r, 'l, 'j, 'o, L> {
    pub job: &'r Job<'j>,
    pub lines: &'r Lines<'l, 'j, L>,
    /// The last plane of the march that has arrived; `z` is that of the rows.
    pub t: usize,
    pub z: usize,
    pub y: [usize; 2],
    /// The voxels that the kernel has made, and the whole piece.
    pub x: [usize; 2],
    pub full: [usize; 2],
    /// Lanes of the kernel's vectors.
    pub lanes: usize,
    /// The kernel has written to the caller's memory.
    pub straight: bool,
    pub out: &'r [RowOut; ROWS],
    pub own: &'r Own,
    pub faces: &'r Faces,
    /// Values and marks of a row in f64.
    pub memory: [&'r mut Scratch<f64>; 2],
    pub outlets: &'r mut Outlets<'o>,
}

impl<L: LineElement> Kernel for Redo<'_, '_, '_, '_, L> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Redo { job, lines, t, z, y, x, full, lanes, straight, out, own, faces, mut memory, outlets } =
            self;
        let n = x[1] - x[0];
        for (row, y) in (y[0]..y[1]).enumerate() {
            if job.skipped(0, z) || job.skipped(1, y) {
                job.write_zeros([z, y], full, outlets);
                continue;
            }
            if !straight {
                job.write_zeros([z, y], [full[0], x[0]], outlets);
                job.write_zeros([z, y], [x[1], full[1]], outlets);
            }
            // SAFETY: n labels of the caller's side by side, or a row of one's own; they are this task's alone.
            let labels = unsafe { std::slice::from_raw_parts_mut(out[row].labels, n) };
            let flags = own.flags(row, n.div_ceil(lanes));
            let moderate = lines.moderate_around(row);
            // (The definition writes whole vectors of slopes, so in parts only where those of the kernel are elsewhere.)
            let mut parts = match (moderate, straight) {
                (true, _) => Parts::all(By::Kernel, n),
                (false, true) => Parts::find(lines, t, row, n),
                (false, false) => Parts::all(By::Definition, n),
            };
            let mut undecided = 0;
            each_flag(flags, lanes, n, |i| undecided += usize::from(parts.is_kernels(i)));
            if undecided > n / REDO {
                parts = Parts::all(By::Definition, n);
            } else if undecided > 0 {
                each_flag(flags, lanes, n, |i| {
                    if parts.is_kernels(i) {
                        let (label, slope) = definition::voxel(job, [z, y, x[0] + i]);
                        labels[i] = label;
                        // SAFETY: a voxel of the row.
                        unsafe { out[row].slopes.set(i as isize, slope) };
                    }
                });
            }
            for (part, by) in parts.runs() {
                // SAFETY: nobody else is using them.
                let slopes = unsafe { own.slopes(row) };
                let (labels, x) = (&mut labels[part.clone()], [x[0] + part.start, x[0] + part.end]);
                match by {
                    By::Kernel if straight => continue,
                    By::Kernel => {}
                    By::Nan => {
                        let (label, slope) = job.rule.of_nan();
                        labels.fill(label);
                        slopes[..part.len()].fill(slope);
                    }
                    By::Definition => {
                        let memory = memory.each_mut().map(|memory| &mut **memory);
                        definition::row::<S>(job, [z, y], x, labels, slopes, memory);
                    }
                }
                let masked = by != By::Kernel;
                let outlets = &mut *outlets;
                dispatch(
                    S::ISA,
                    Finish { job, row: [z, y], x, labels, slopes, masked, written: straight, outlets },
                );
            }
            if straight {
                faces.clear(&out[row]);
            }
        }
    }
}

/// Calls `each` with every flagged voxel of a row of `n`.
#[inline(always)]
fn each_flag(flags: &[u32], lanes: usize, n: usize, mut each: impl FnMut(usize)) {
    for (vector, &flags) in flags.iter().enumerate() {
        let mut flags = flags;
        while flags != 0 {
            let i = position(vector, lanes, n) + flags.trailing_zeros() as usize;
            flags &= flags - 1;
            if i < n {
                each(i);
            }
        }
    }
}
