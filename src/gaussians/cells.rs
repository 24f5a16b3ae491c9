//! A pass of the sort: the cell of each centre, and how many centres a cell has.

use crate::simd::{Kernel, Simd};

use super::classes::Class;
use super::corners::Corners;
use super::limits;
use super::sort::{BLOCK, Block, Chunk, LEVELS, NOWHERE, Sort, blocks};
use super::support::Span;

/// How a centre finds its cell.
#[derive(Clone, Copy)]
pub(super) enum Cells<'s> {
    /// By the voxel nearest to it, in the cells of its class; for each level its class.
    Home(&'s [Class], &'s [usize; LEVELS]),
    /// By the lowest lattice point of its support.
    Corner(&'s Corners),
}

/// Pass 3 in the shell of a tier.
pub(super) struct Histogram<'s> {
    pub(super) sort: &'s Sort<'s>,
    pub(super) chunk: &'s mut Chunk,
    pub(super) cells: Cells<'s>,
}

impl Kernel for Histogram<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.sort.histogram(self.chunk, self.cells);
    }
}

impl Sort<'_> {
    /// Pass 3: the cell of each centre, and how many centres a cell has.
    #[inline(always)]
    fn histogram(&self, chunk: &mut Chunk, cells: Cells) {
        let mut block = Block::new();
        for rows in blocks(&chunk.rows) {
            let len = rows.len();
            self.read(&rows, &mut block);
            block.kept = [u32::MAX; BLOCK];
            let mut all_feasible = true;
            for j in 0..3 {
                let (axis, last) = (&self.axes[j], (self.axes[j].n - 1) as f64);
                let (middle, reach) = (&block.middle[j][..len], &block.reach[j][..len]);
                let (mut farthest, mut widest) = (0.0f64, 0.0f64);
                for i in 0..len {
                    // (Comparisons alone: f64::max keeps NaN in mind, and these are none.)
                    let far = middle[i].abs() + reach[i];
                    farthest = if far > farthest { far } else { farthest };
                    widest = if reach[i] > widest { reach[i] } else { widest };
                }
                all_feasible &= widest <= limits::SMALL && farthest <= limits::FARTHEST;
                chunk.farthest = chunk.farthest.max(farthest);
                if !axis.periodic {
                    for i in 0..len {
                        let meets = Span { middle: middle[i], reach: reach[i] }.meets(0.0, last);
                        block.kept[i] &= if meets { u32::MAX } else { 0 };
                    }
                }
            }
            match cells {
                Cells::Corner(corners) => self.corner_cells(&mut block, len, corners),
                Cells::Home(classes, _) if classes.len() == 1 => {
                    self.home_cells(chunk, &mut block, len, &classes[0]);
                }
                Cells::Home(classes, class_of) => {
                    for i in 0..len {
                        if block.kept[i] != 0 {
                            let index = class_of[self.level(&block.spans(i))];
                            block.cell[i] = self.home_cell(&block, i, &classes[index]);
                            for j in 0..3 {
                                chunk.reach[index][j] = chunk.reach[index][j].max(block.reach[j][i]);
                            }
                        }
                    }
                    self.note_reached(chunk, &block, len);
                }
            }
            for i in 0..len {
                if block.kept[i] != 0 {
                    chunk.cells[block.cell[i] as usize] += 1;
                    if !all_feasible && chunk.bad.is_none() {
                        let row = rows.start + i;
                        let center = [0, 1, 2].map(|j| block.center[j][i]);
                        if !self.rules.feasible(self.axes, &block.spans(i), center, self.sigma(row)) {
                            chunk.bad = Some(row);
                        }
                    }
                } else {
                    block.cell[i] = NOWHERE;
                }
            }
            chunk.cell_of.extend_from_slice(&block.cell[..len]);
        }
    }

    /// The cell of the voxel nearest to a centre.
    #[inline(always)]
    fn home_cell(&self, block: &Block, i: usize, class: &Class) -> u32 {
        let mut cell = 0;
        for j in 0..3 {
            let axis = &self.axes[j];
            let last = (axis.n - 1) as f64;
            let mut nearest = block.middle[j][i];
            if axis.periodic {
                nearest -= (nearest * axis.inverse_period).floor() * axis.n as f64;
            }
            let nearest = if nearest > 0.0 { nearest } else { 0.0 };
            let nearest = if nearest < last { nearest } else { last };
            // SAFETY: from 0 to n − 1.
            let home = unsafe { nearest.to_int_unchecked::<i64>() } as usize >> class.shift;
            cell = cell * class.cells[j] + home;
        }
        (class.first_cell + cell) as u32
    }

    /// The cells of a block of which all centres are of one class.
    #[inline(always)]
    fn home_cells(&self, chunk: &mut Chunk, block: &mut Block, len: usize, class: &Class) {
        for i in 0..len {
            block.cell[i] = self.home_cell(block, i, class);
        }
        for j in 0..3 {
            let mut most = chunk.reach[0][j];
            for i in 0..len {
                let reach = if block.kept[i] != 0 { block.reach[j][i] } else { 0.0 };
                most = if reach > most { reach } else { most };
            }
            chunk.reach[0][j] = most;
        }
        self.note_reached(chunk, block, len);
    }

    #[inline(always)]
    fn note_reached(&self, chunk: &mut Chunk, block: &Block, len: usize) {
        for j in 0..3 {
            let [mut lowest, mut highest] = [chunk.reached[0][j], chunk.reached[1][j]];
            if self.axes[j].periodic {
                (lowest, highest) = (f64::NEG_INFINITY, f64::INFINITY);
            }
            for i in 0..len {
                let (middle, reach) = (block.middle[j][i], block.reach[j][i]);
                let low = if block.kept[i] != 0 { middle - reach } else { f64::INFINITY };
                let high = if block.kept[i] != 0 { middle + reach } else { f64::NEG_INFINITY };
                lowest = if low < lowest { low } else { lowest };
                highest = if high > highest { high } else { highest };
            }
            (chunk.reached[0][j], chunk.reached[1][j]) = (lowest, highest);
        }
    }

    /// The cells of a block by the lowest lattice points of the supports.
    #[inline(always)]
    fn corner_cells(&self, block: &mut Block, len: usize, corners: &Corners) {
        block.cell[..len].fill(0);
        for j in 0..3 {
            let axis = &self.axes[j];
            let (n, table) = (axis.n as f64, &corners.numbers[j][..]);
            let (inverse, first) = (if axis.periodic { axis.inverse_period } else { 0.0 }, corners.first[j]);
            let last = (table.len() - 1) as f64;
            let mut entry = [0i32; BLOCK];
            for i in 0..len {
                let corner = (block.middle[j][i] - block.reach[j][i]).ceil();
                let folded = corner - (corner * inverse).floor() * n - first;
                // The fold may be off by one period where the corner is a multiple of it.
                let folded = if folded < 0.0 && inverse > 0.0 { folded + n } else { folded };
                let folded = if folded > last && inverse > 0.0 { folded - n } else { folded };
                let folded = if folded > 0.0 { folded } else { 0.0 };
                let folded = if folded < last { folded } else { last };
                // SAFETY: from 0 to the length of a table, which is below 2^31.
                entry[i] = unsafe { folded.to_int_unchecked::<i32>() };
            }
            for i in 0..len {
                // SAFETY: from 0 to the table's last entry.
                block.cell[i] += unsafe { *table.get_unchecked(entry[i] as usize) };
            }
        }
    }
}
