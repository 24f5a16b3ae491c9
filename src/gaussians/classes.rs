//! Classes of centres by the power of two of their reach, each with cells of its own, so that a few wide Gaussians do not
//! make the reach large for all.

use std::ops::Range;
use std::sync::Mutex;

use super::sort::{Chunk, LEVELS, MOST_CELLS, get};
use super::support::Axis;

/// Centres whose reach has the same power of two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Class {
    pub(super) first_cell: usize,
    pub(super) cells: [usize; 3],
    /// A cell has 2^shift voxels a side.
    pub(super) shift: u32,
    /// The largest reach along each axis, in voxels.
    pub(super) reach: [f64; 3],
    /// Centres, once sorted.
    pub(super) count: usize,
}

impl Class {
    /// The cells along axis j, one or two ranges, that have centres within reach of a tile.
    pub(super) fn near(&self, j: usize, axis: &Axis, start: usize, extent: usize) -> [Range<usize>; 2] {
        let cells = self.cells[j];
        // One voxel more on each side: homes are rounded.
        let low = (start as f64 - self.reach[j]).floor() - 1.0;
        let high = ((start + extent - 1) as f64 + self.reach[j]).ceil() + 1.0;
        let last = (axis.n - 1) as f64;
        if !axis.periodic {
            return [low.max(0.0) as usize >> self.shift..(high.min(last) as usize >> self.shift) + 1, 0..0];
        }
        if high - low >= last {
            return [0..cells, 0..0];
        }
        let n = axis.n as i64;
        let fold = |voxel: f64| (voxel as i64).rem_euclid(n) as usize;
        let (low, high, wrapped) = (fold(low), fold(high), fold(low) > fold(high));
        let (low, high) = (low >> self.shift, high >> self.shift);
        match wrapped {
            false => [low..high + 1, 0..0],
            true if high < low => [0..high + 1, low..cells],
            true => [0..cells, 0..0],
        }
    }
}

/// The classes that have centres, and for each level its class.
pub(super) fn classes(axes: &[Axis; 3], chunks: &mut [Mutex<Chunk>]) -> (Vec<Class>, [usize; LEVELS]) {
    let mut levels = [0usize; LEVELS];
    for chunk in get(chunks) {
        for (sum, count) in levels.iter_mut().zip(&chunk.levels) {
            *sum += count;
        }
    }
    let total: usize = levels.iter().sum();
    let (mut classes, mut class_of, mut first_cell) = (Vec::new(), [0; LEVELS], 0);
    for (level, &count) in levels.iter().enumerate().filter(|(_, count)| **count > 0) {
        class_of[level] = classes.len();
        // Half a cell a centre and a few for small numbers, of which each class has its share.
        let share = count as f64 / total as f64;
        let most = (count / 2).min((share * MOST_CELLS as f64) as usize) + 4096 / LEVELS;
        let most = if total == count { (count / 2 + 4096).min(MOST_CELLS) } else { most };
        let mut shift = 3;
        let cells = loop {
            let cells = [0, 1, 2].map(|j| ((axes[j].n - 1) >> shift) + 1);
            let product = cells.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
            if product.is_some_and(|product| product <= most) {
                break cells;
            }
            shift += 1;
        };
        classes.push(Class { first_cell, cells, shift, reach: [0.0; 3], count: 0 });
        first_cell += cells.iter().product::<usize>();
    }
    (classes, class_of)
}
