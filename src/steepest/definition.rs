//! By the definition's arithmetic: blocks of images that have no other way, and of the others the rows and voxels that
//! the kernels of shared minima leave.

use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use crate::steepest::direct::{self, Neighborhood};
use crate::steepest::job::Job;
use crate::steepest::lines::{LINE, Lines, THREE_PLANES};
use crate::steepest::output::Finish;
use crate::steepest::rule::{Border, Rule};
use crate::steepest::sweep::Rows;
use crate::steepest::turned::Inlets;

/// A block by the definition's arithmetic in vectors.
#[inline(always)]
pub(super) fn block<S: Simd>(job: &Job, block: [[usize; 2]; 3], rows: Rows) {
    let [z, y, x] = block;
    let Rows { labels, slopes, turned, double: values, marks, .. } = rows;
    // Without gaps nobody looks at the marks.
    let gaps = job.source.mask.is_some() || job.source.border.contains(&Border::Inside);
    let marks = if gaps { marks.as_mut_slice() } else { &mut [] };
    let (inlets, mut outlets) = turned.for_block(block);
    let mut lines = Lines::new(job, block, values.as_mut_slice(), marks, None, None, inlets);
    for t in 0..z[1] - z[0] + 2 {
        lines.arrive::<S>(t);
        if t < 2 {
            continue;
        }
        let z = z[0] + t - 2;
        for (row, y) in (y[0]..y[1]).enumerate() {
            if job.skipped(0, z) || job.skipped(1, y) {
                job.write_zeros([z, y], x, &mut outlets);
                continue;
            }
            let around = lines.neighborhood(t, row);
            let width = x[1] - x[0];
            dispatch(S::ISA, Direct { rule: &job.rule, around, width, labels, slopes });
            dispatch(
                S::ISA,
                Finish {
                    job,
                    row: [z, y],
                    x,
                    labels: &mut labels[..width],
                    slopes,
                    masked: true,
                    written: false,
                    outlets: &mut outlets,
                },
            );
        }
    }
    outlets.flush(job);
}

/// One voxel by the definition.
#[inline(never)]
pub(super) fn voxel(job: &Job, voxel: [usize; 3]) -> (u8, f64) {
    let outcome = job.rule.define(&job.source.neighborhood(voxel));
    (outcome.label, outcome.slope)
}

/// One row of an f32 image in f64: for NaN and infinity.
pub(super) fn row<S: Simd>(
    job: &Job,
    [z, y]: [usize; 2],
    x: [usize; 2],
    labels: &mut [u8],
    slopes: &mut [f64],
    mut memory: [&mut Scratch<f64>; 2],
) {
    if let [Err(_), _] | [_, Err(_)] = memory.each_mut().map(|part| part.grow(THREE_PLANES)) {
        // It is too late to refuse the call, and one voxel at a time needs no memory.
        for i in 0..x[1] - x[0] {
            (labels[i], slopes[i]) = voxel(job, [z, y, x[0] + i]);
        }
        return;
    }
    let [values, marks] = memory.map(|part| part.as_mut_slice());
    // The rows above, at and below `y` of the planes before, at and after `z`, as a block of one row.
    let block = [[z, z + 1], [y, y + 1], x];
    let mut lines = Lines::new(job, block, values, marks, None, None, Inlets::none());
    for t in 0..3 {
        lines.arrive::<S>(t);
    }
    let mut row = [0; LINE];
    let around = lines.neighborhood(2, 0);
    let width = x[1] - x[0];
    dispatch(S::ISA, Direct { rule: &job.rule, around, width, labels: &mut row, slopes });
    labels.copy_from_slice(&row[..width]);
}

/// A row by the definition's arithmetic, as a kernel of its own.
struct Direct<'a> {
    rule: &'a Rule,
    around: Neighborhood,
    width: usize,
    /// Each with room for whole vectors.
    labels: &'a mut [u8],
    slopes: &'a mut [f64],
}

impl Kernel for Direct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Direct { rule, around, width, labels, slopes } = self;
        assert!(labels.len() >= width.next_multiple_of(16) && slopes.len() >= width.next_multiple_of(16));
        // SAFETY: lines and marks lie in places of LINE elements, which have room for the widest piece in whole
        // vectors; for labels and slopes it was just checked.
        unsafe { direct::row(simd, rule, &around, width, labels.as_mut_ptr(), slopes.as_mut_ptr()) };
    }
}
