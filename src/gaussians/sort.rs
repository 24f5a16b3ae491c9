//! The passes of the sort: what each thread does with its chunk of the centres.
//!
//! Centres are read in blocks, column by column, so that all but the counting itself is arithmetic on short arrays
//! of f64, which the compiler turns into the tier's vectors.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::simd::{Kernel, Simd, prefetch};

use super::bins::Class;
use super::corners::Corners;
use super::factors::exponent;
use super::input::Column;
use super::limits;
use super::support::{Axis, Rules, Span};
use super::{Normalization, Sampling};

/// Reaches up to 16 voxels are one class.
const SMALL_REACH: i32 = 3;
pub(super) const LEVELS: usize = 52;
/// The cell of a centre that does not reach the grid.
const NOWHERE: u32 = u32::MAX;
/// A chunk of the sort keeps a histogram of the cells: 4 MiB.
pub(super) const MOST_CELLS: usize = 1 << 19;
/// Fewer centres are sorted on one thread.
pub(super) const SMALL_COUNT: usize = 8192;
/// How many centres ahead memory is asked for.
const AHEAD: usize = 16;
/// Centres read at a time.
const BLOCK: usize = 128;

/// What the passes of the sort read.
#[derive(Clone, Copy)]
pub(super) struct Sort<'a> {
    pub(super) axes: &'a [Axis; 3],
    pub(super) rules: &'a Rules,
    /// The caller's axis that is the kernel's axis j.
    pub(super) order: [usize; 3],
    pub(super) count: usize,
    pub(super) centers: Column,
    pub(super) amplitudes: Option<Column>,
    pub(super) sigmas: Result<[f64; 3], Column>,
}

/// What one chunk of the centres contributes.
pub(super) struct Chunk {
    pub(super) rows: Range<usize>,
    pub(super) good: bool,
    pub(super) levels: [usize; LEVELS],
    /// Per class the largest reach.
    pub(super) reach: Vec<[f64; 3]>,
    /// Where sigmas differ: the largest and the least reach of all.
    pub(super) most: [f64; 3],
    pub(super) least: [f64; 3],
    pub(super) reached: [[f64; 3]; 2],
    /// The largest |middle| in voxels.
    pub(super) farthest: f64,
    /// Per centre its cell.
    pub(super) cell_of: Vec<u32>,
    /// Per cell the number of centres, and later the place of the next.
    pub(super) cells: Vec<usize>,
    pub(super) peak: f64,
    /// The last weight.
    pub(super) weight: Option<f64>,
    /// The first centre whose support has too many lattice points, or whose weight overflows.
    pub(super) bad: Option<usize>,
}

impl Chunk {
    pub(super) fn new(rows: Range<usize>) -> Self {
        Chunk {
            rows,
            good: true,
            levels: [0; LEVELS],
            reach: Vec::new(),
            most: [0.0; 3],
            least: [f64::INFINITY; 3],
            reached: [[f64::INFINITY; 3], [f64::NEG_INFINITY; 3]],
            farthest: 0.0,
            cell_of: Vec::new(),
            cells: Vec::new(),
            peak: 0.0,
            weight: None,
            bad: None,
        }
    }
}

pub(super) fn get(chunks: &mut [Mutex<Chunk>]) -> impl Iterator<Item = &mut Chunk> {
    chunks.iter_mut().map(|chunk| chunk.get_mut().unwrap_or_else(PoisonError::into_inner))
}

pub(super) fn reserve<E>(count: usize, what: &str) -> Result<Vec<E>, Error> {
    let mut vec = Vec::new();
    let bytes = count.saturating_mul(size_of::<E>());
    vec.try_reserve_exact(count).map_err(|_| Error::memory(bytes, what))?;
    Ok(vec)
}

pub(super) fn zeros(count: usize, what: &str) -> Result<Vec<usize>, Error> {
    let mut vec = reserve(count, what)?;
    vec.resize(count, 0);
    Ok(vec)
}

/// Turns the chunks' histograms into places, cell by cell and within a cell chunk by chunk, which makes the
/// sort stable. Returns where the cells start, and the number of records.
pub(super) fn starts(chunks: &mut [Mutex<Chunk>], cells: usize) -> Result<(Vec<usize>, usize), Error> {
    let mut starts = zeros(cells + 1, "the cells of the centres")?;
    let mut chunks: Vec<&mut Chunk> = get(chunks).collect();
    let mut place = 0;
    for (cell, start) in starts.iter_mut().take(cells).enumerate() {
        *start = place;
        for chunk in &mut chunks {
            let count = chunk.cells[cell];
            chunk.cells[cell] = place;
            place += count;
        }
    }
    starts[cells] = place;
    Ok((starts, place))
}

/// Where the sort writes.
pub(super) struct Places {
    pub(super) positions: *mut [f64; 3],
    pub(super) rows: Option<*mut usize>,
    pub(super) weights: Option<*mut f64>,
}

// SAFETY: every chunk writes places of its own, which its histogram counted.
unsafe impl Sync for Places {}

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

/// Pass 4, likewise.
pub(super) struct Scatter<'s> {
    pub(super) sort: &'s Sort<'s>,
    pub(super) chunk: &'s mut Chunk,
    pub(super) places: &'s Places,
}

impl Kernel for Scatter<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.sort.scatter(self.chunk, self.places);
    }
}

/// The centres of a block along the three axes.
struct Block {
    center: [[f64; BLOCK]; 3],
    middle: [[f64; BLOCK]; 3],
    reach: [[f64; BLOCK]; 3],
    /// All ones for a centre that reaches the grid, else 0.
    kept: [u32; BLOCK],
    cell: [u32; BLOCK],
}

impl Block {
    fn new() -> Block {
        let zeros = [[0.0; BLOCK]; 3];
        Block { center: zeros, middle: zeros, reach: zeros, kept: [0; BLOCK], cell: [0; BLOCK] }
    }

    fn spans(&self, i: usize) -> [Span; 3] {
        [0, 1, 2].map(|j| Span { middle: self.middle[j][i], reach: self.reach[j][i] })
    }
}

impl Sort<'_> {
    #[inline(always)]
    pub(super) fn sigma(&self, row: usize) -> [f64; 3] {
        match &self.sigmas {
            Ok(values) => *values,
            Err(table) => self.order.map(|axis| table.get(row, axis)),
        }
    }

    #[inline(always)]
    pub(super) fn center(&self, row: usize) -> [f64; 3] {
        self.order.map(|axis| self.centers.get(row, axis))
    }

    #[inline(always)]
    pub(super) fn amplitude(&self, row: usize) -> f64 {
        self.amplitudes.map_or(1.0, |table| table.get(row, 0))
    }

    pub(super) fn weights_differ(&self) -> bool {
        match self.rules.normalization {
            // Means have a unit that depends on sigma.
            Normalization::Peak if self.rules.sampling == Sampling::Point => self.amplitudes.is_some(),
            Normalization::Mass => true,
            _ => self.amplitudes.is_some() || self.sigmas.is_err(),
        }
    }

    /// The reach in voxels decides the class.
    #[inline(always)]
    fn level(&self, spans: &[Span; 3]) -> usize {
        if self.sigmas.is_ok() {
            return 0;
        }
        let reach = spans.iter().fold(0.0f64, |most, span| most.max(span.reach));
        ((exponent(reach) - SMALL_REACH).max(0) as usize).min(LEVELS - 1)
    }

    /// The spans of some centres.
    #[inline(always)]
    fn read(&self, rows: &Range<usize>, block: &mut Block) {
        let len = rows.len();
        for j in 0..3 {
            let axis = &self.axes[j];
            let (center, middle, reach) =
                (&mut block.center[j][..len], &mut block.middle[j][..len], &mut block.reach[j][..len]);
            self.centers.read_column(rows.start, self.order[j], center);
            match &self.sigmas {
                Ok(values) => reach.fill(values[j]),
                Err(table) => table.read_column(rows.start, self.order[j], reach),
            }
            for i in 0..len {
                let span = self.rules.span(axis, center[i], reach[i]);
                (middle[i], reach[i]) = (span.middle, span.reach);
            }
        }
    }

    /// Pass 2, only for sigmas that differ: how many centres a class has, and what they reach.
    pub(super) fn measure(&self, chunk: &mut Chunk) {
        let mut block = Block::new();
        for rows in blocks(&chunk.rows) {
            self.read(&rows, &mut block);
            for i in 0..rows.len() {
                let spans = block.spans(i);
                chunk.levels[self.level(&spans)] += 1;
                for j in 0..3 {
                    chunk.most[j] = chunk.most[j].max(spans[j].reach);
                    chunk.least[j] = chunk.least[j].min(spans[j].reach);
                }
            }
        }
    }

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

    /// Pass 4: the centres to their places.
    #[inline(always)]
    fn scatter(&self, chunk: &mut Chunk, places: &Places) {
        let mut block = Block::new();
        let each_weight = places.weights.is_some();
        let mut next = 0;
        for rows in blocks(&chunk.rows) {
            for j in 0..3 {
                self.centers.read_column(rows.start, self.order[j], &mut block.center[j][..rows.len()]);
            }
            for i in 0..rows.len() {
                let cell = chunk.cell_of[next];
                if let Some(&soon) = chunk.cell_of.get(next + AHEAD)
                    && soon != NOWHERE
                {
                    // Where it will be written, or a few places further on.
                    prefetch(places.positions.wrapping_add(chunk.cells[soon as usize]));
                }
                next += 1;
                if cell == NOWHERE {
                    continue;
                }
                let center = [block.center[0][i], block.center[1][i], block.center[2][i]];
                let place = chunk.cells[cell as usize];
                chunk.cells[cell as usize] += 1;
                // SAFETY: histogram() counted this centre in this chunk and cell, so the place is this chunk's
                // own and lies below the reserved total.
                unsafe {
                    places.positions.add(place).write(center);
                    if let Some(to) = places.rows {
                        to.add(place).write(rows.start + i);
                    }
                }
                // (A shared weight of zero may stand for one that overflows, with nothing kept so far.)
                if each_weight || chunk.weight.is_none_or(|weight| weight == 0.0) {
                    let row = rows.start + i;
                    let mut weight = self.rules.weight(self.amplitude(row), self.axes, self.sigma(row));
                    // What adds nothing must not set the scale for what does.
                    if !weight.is_finite() || each_weight && weight.abs() > chunk.peak {
                        if self.adds_nothing(center, self.sigma(row)) {
                            weight = 0.0;
                        } else if !weight.is_finite() && chunk.bad.is_none() {
                            chunk.bad = Some(row);
                        }
                    }
                    chunk.peak = chunk.peak.max(weight.abs());
                    chunk.weight = Some(weight);
                    if let Some(to) = places.weights {
                        // SAFETY: as above.
                        unsafe { to.add(place).write(weight) };
                    }
                }
            }
        }
    }
}

/// Rows in blocks.
fn blocks(rows: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = rows.end;
    rows.clone().step_by(BLOCK).map(move |from| from..end.min(from + BLOCK))
}
