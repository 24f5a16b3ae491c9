//! The traversal: how the image goes through the kernels, and the labels to the caller's memory.
//!
//! A task owns a block of the labels: `ROWS` rows, a piece of x, a range of planes. It marches along z. For every
//! plane, the block's rows and one more on either side arrive (`lines.rs`): in place, or as padded copies, which stay
//! in L1. The kernel takes the plane in, and the rows of the plane before leave: straight into the caller's arrays
//! where their rows are contiguous and labels bytes, else over a row of scratch (`output.rs`, `turned.rs`). The rare
//! undecided voxel is redone by the definition (`redo.rs`). Blocks overlap by one voxel in what they read, never in
//! what they write.
//!
//! Tried and lost: filling lines, stepping and writing in one function (the loops competed for registers: f32 took
//! 1.4 times as long, bytes 3 times).

use std::sync::atomic::Ordering;

use crate::error::Error;
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use crate::steepest::definition;
use crate::steepest::exact::Exact;
use crate::steepest::float::Float;
use crate::steepest::integer::{Bytes, Words};
use crate::steepest::job::{Job, WIDEST, Way};
use crate::steepest::lines::{LINE, Lines, THREE_PLANES};
use crate::steepest::node::{ANYTHING, GAPS, PLAIN};
use crate::steepest::redo::{Faces, Own, Redo};
use crate::steepest::shared::{ROWS, RowOut, Seen, Shared, Step, Weights};
use crate::steepest::turned::Turned;
use crate::volume::ElementType;

/// A thread's working memory.
pub(crate) struct Workspace {
    /// Lines of three planes, as f32 or i16.
    single: Scratch<f32>,
    bytes: Scratch<i16>,
    /// Lines and marks in f64: of three planes, or, once one needs them, of one row of an f32 image. (Memory that
    /// is had and given back in every call costs small volumes on two threads a quarter of the time.)
    double: Scratch<f64>,
    marks: Scratch<f64>,
    nodes: [Scratch<f32>; 2],
    byte_nodes: [Scratch<i16>; 2],
    labels: Scratch<u8>,
    flags: Scratch<u32>,
    slopes: Scratch<f64>,
    turned: Turned,
}

impl Workspace {
    pub fn new(job: &Job) -> Result<Self, Error> {
        let (single, bytes, double, kept, byte_kept) = match job.way {
            Way::Bytes => (0, THREE_PLANES, 0, 0, Bytes::KEPT),
            Way::Words => (THREE_PLANES, 0, 0, Words::KEPT, 0),
            Way::Float => (THREE_PLANES, 0, 0, Float::<true, false, PLAIN>::KEPT, 0),
            Way::Anisotropic => (THREE_PLANES, 0, 0, Float::<false, false, PLAIN>::KEPT, 0),
            Way::Definition => (0, 0, THREE_PLANES, 0, 0),
        };
        let nodes = || Scratch::new(kept * ROWS * WIDEST);
        let byte_nodes = || Scratch::new(byte_kept * ROWS * WIDEST);
        Ok(Workspace {
            single: Scratch::new(single)?,
            bytes: Scratch::new(bytes)?,
            double: Scratch::new(double)?,
            marks: Scratch::new(double)?,
            nodes: [nodes()?, nodes()?],
            byte_nodes: [byte_nodes()?, byte_nodes()?],
            labels: Scratch::new(ROWS * LINE)?,
            flags: Scratch::new(ROWS * WIDEST)?,
            slopes: Scratch::new(ROWS * LINE)?,
            turned: Turned::new(job)?,
        })
    }
}

/// One task, as a kernel for the tier's shell.
pub(crate) struct Task<'a> {
    pub job: &'a Job<'a>,
    pub index: usize,
    pub workspace: &'a mut Workspace,
}

impl Kernel for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Task { job, index, workspace } = self;
        let block = job.block(index);
        let Workspace { single, bytes, double, marks, nodes, byte_nodes, .. } = workspace;
        let mut single =
            Memory { lines: single.as_mut_slice(), nodes: nodes.each_mut().map(|slot| slot.as_mut_slice()) };
        let mut bytes = Memory {
            lines: bytes.as_mut_slice(),
            nodes: byte_nodes.each_mut().map(|slot| slot.as_mut_slice()),
        };
        let mut rows = Rows {
            labels: workspace.labels.as_mut_slice(),
            flags: workspace.flags.as_mut_slice(),
            slopes: workspace.slopes.as_mut_slice(),
            turned: &mut workspace.turned,
            double,
            marks,
        };
        match (job.way, job.slope.is_some()) {
            (Way::Bytes, false) => {
                march::<S, Bytes, false>(job, block, &mut bytes, &mut rows);
            }
            (Way::Bytes, true) => {
                march::<S, Bytes, true>(job, block, &mut bytes, &mut rows);
            }
            (Way::Words, false) => {
                march::<S, Words, false>(job, block, &mut single, &mut rows);
            }
            (Way::Words, true) => {
                march::<S, Words, true>(job, block, &mut single, &mut rows);
            }
            (Way::Float, false) => float::<S, true, false>(job, block, single, rows),
            (Way::Float, true) => float::<S, true, true>(job, block, single, rows),
            (Way::Anisotropic, false) => float::<S, false, false>(job, block, single, rows),
            (Way::Anisotropic, true) => float::<S, false, true>(job, block, single, rows),
            (Way::Definition, _) => definition::block::<S>(job, block, rows),
        }
    }
}

/// A block by the kernels of f32: as if all differences were exact, as long as none is known not to be.
#[inline(always)]
fn float<S: Simd, const ISOTROPIC: bool, const SLOPE: bool>(
    job: &Job,
    block: [[usize; 2]; 3],
    mut memory: Memory<f32>,
    mut rows: Rows,
) {
    if job.exact.is_some() && !job.inexact.load(Ordering::Relaxed) {
        let exact = if ISOTROPIC {
            match job.care {
                PLAIN => march::<S, Float<true, true, PLAIN>, SLOPE>(job, block, &mut memory, &mut rows),
                GAPS => march::<S, Float<true, true, GAPS>, SLOPE>(job, block, &mut memory, &mut rows),
                _ => march::<S, Float<true, true, ANYTHING>, SLOPE>(job, block, &mut memory, &mut rows),
            }
        } else {
            // Seven classes take so long that a kernel without the care is not worth its code.
            march::<S, Float<false, true, ANYTHING>, SLOPE>(job, block, &mut memory, &mut rows)
        };
        if exact {
            return;
        }
        job.inexact.store(true, Ordering::Relaxed);
    }
    if job.source.mask.is_some() {
        march::<S, Float<ISOTROPIC, false, GAPS>, SLOPE>(job, block, &mut memory, &mut rows);
    } else {
        march::<S, Float<ISOTROPIC, false, PLAIN>, SLOPE>(job, block, &mut memory, &mut rows);
    }
}

/// The lines and nodes of a kernel.
struct Memory<'a, L> {
    lines: &'a mut [L],
    nodes: [&'a mut [L]; 2],
}

/// The rows of output on their way, and what it takes to make one of them by the definition.
pub(super) struct Rows<'a> {
    pub labels: &'a mut [u8],
    pub flags: &'a mut [u32],
    pub slopes: &'a mut [f64],
    pub turned: &'a mut Turned,
    pub double: &'a mut Scratch<f64>,
    pub marks: &'a mut Scratch<f64>,
}

/// A step of a kernel of shared minima, as a kernel of its own.
struct Advance<'a, K: Shared, const EMIT: bool, const SLOPE: bool> {
    weights: &'a Weights,
    step: &'a Step<'a, K::Line>,
}

impl<K: Shared, const EMIT: bool, const SLOPE: bool> Kernel for Advance<'_, K, EMIT, SLOPE> {
    type Output = Seen;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Seen {
        // SAFETY: `march` has laid the memory out as `Shared::step` wants it.
        unsafe { K::step::<S, EMIT, SLOPE>(simd, self.weights, self.step) }
    }
}

/// A block by a kernel of shared minima. Stops, and answers `false`, where the kernel needs exact differences and a value
/// is found that may not have them.
#[inline(always)]
fn march<S: Simd, K: Shared, const SLOPE: bool>(
    job: &Job,
    block: [[usize; 2]; 3],
    memory: &mut Memory<K::Line>,
    rows: &mut Rows,
) -> bool {
    let Some(weights) = &job.weights else { unreachable!("a way without weights") };
    let [z, y, full] = block;
    let lanes = K::lanes::<S>();
    let x = job.without_skipped(full, lanes);
    let n = x[1] - x[0];
    // The kernel writes to the caller's memory.
    let straight = job.labels.element_type() == ElementType::U8
        && [Some(&job.labels), job.slope.as_ref()].into_iter().flatten().all(|out| out.stride()[2] == 1)
        && n >= lanes;
    let Memory { lines, nodes } = memory;
    let own = Own::of(rows);
    let (inlets, mut outlets) = rows.turned.for_block(block);
    let exact = job.exact.filter(|_| K::EXACT);
    let mut lines = Lines::new(job, [z, y, x], lines, &mut [], K::KEY_SCALE, exact, inlets);
    let mut out: [RowOut; ROWS] = std::array::from_fn(|row| own.row(row));
    let mut ahead = job.ahead([z, y, x]);
    let rows_skipped = (y[0]..y[1]).any(|y| job.skipped(1, y));
    let faces = Faces::of(job, full, x[0]);
    let empty_classes = job.source.may_empty_a_class();
    let exact = job.exact.unwrap_or(Exact::INTEGERS);
    for t in 0..z[1] - z[0] + 2 {
        lines.arrive::<S>(t);
        ahead.advance();
        if K::EXACT && !lines.exact(t) {
            return false;
        }
        let emit = t >= 2;
        let z = (z[0] + t).wrapping_sub(2);
        if emit && straight {
            for (y, out) in (y[0]..y[1]).zip(&mut out) {
                // SAFETY: the voxel lies within the shape, and `straight` means U8.
                out.labels = unsafe { job.labels.at([z, y, x[0]]) };
                if let Some(slope) = &job.slope {
                    // SAFETY: the same voxel; slopes are F32 or F64.
                    out.slopes = unsafe { slope.slopes_at([z, y, x[0]]) };
                }
            }
        }
        let step = Step {
            lines: [lines.starts(t + 1), lines.starts(t + 2), lines.starts(t)],
            nodes: [t, t + 1].map(|t| nodes[t % 2].as_mut_ptr()),
            plane: t,
            width: n,
            gaps: empty_classes && !lines.complete(),
            exact: &exact,
            unseen: lines.in_place(t),
            rows: &out,
            ahead: &ahead,
        };
        if !emit {
            lines.note(t, dispatch(S::ISA, Advance::<K, false, false> { weights, step: &step }));
            if K::EXACT && !lines.exact(t) {
                return false;
            }
            continue;
        }
        let seen = dispatch(S::ISA, Advance::<K, true, SLOPE> { weights, step: &step });
        lines.note(t, seen);
        if K::EXACT && !lines.exact(t) {
            return false;
        }
        let decided = !seen.undecided && lines.moderate();
        let plane_skipped = job.skipped(0, z);
        if straight && decided && !plane_skipped && !rows_skipped {
            // As below, with as little to ask as most steps need.
            out[..y[1] - y[0]].iter().for_each(|out| faces.clear(out));
            continue;
        }
        dispatch(
            S::ISA,
            Redo {
                job,
                lines: &lines,
                t,
                z,
                y,
                x,
                full,
                lanes,
                straight,
                out: &out,
                own: &own,
                faces: &faces,
                memory: [&mut *rows.double, &mut *rows.marks],
                outlets: &mut outlets,
            },
        );
    }
    outlets.flush(job);
    true
}
