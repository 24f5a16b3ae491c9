//! The passes of the sort: what each thread does with its chunk of the centres.
//!
//! Centres are read in blocks, column by column, so that all but the counting itself is arithmetic on short arrays
//! of f64, which the compiler turns into the tier's vectors.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::isa::Isa;
use crate::scratch::reserve;
use crate::simd::{self, Kernel, Simd, prefetch};
use crate::threads::{Reporter, Tasks};

use super::factors::exponent;
use super::input::Column;
use super::support::{Axis, Rules, Span};
use super::{Normalization, Sampling};

/// Reaches up to 16 voxels are one class.
const SMALL_REACH: i32 = 3;
pub(super) const LEVELS: usize = 52;
/// The cell of a centre that does not reach the grid.
pub(super) const NOWHERE: u32 = u32::MAX;
/// A chunk of the sort keeps a histogram of the cells: 4 MiB.
pub(super) const MOST_CELLS: usize = 1 << 19;
/// Fewer centres are sorted on one thread.
pub(super) const SMALL_COUNT: usize = 8192;
/// How many centres ahead memory is asked for.
const AHEAD: usize = 16;
/// Centres read at a time.
pub(super) const BLOCK: usize = 128;

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
    pub(super) levels: [usize; LEVELS],
    /// Per class the largest reach.
    pub(super) reach: Vec<[f64; 3]>,
    /// Where sigmas differ: the largest and the least reach of all.
    pub(super) most: [f64; 3],
    pub(super) least: [f64; 3],
    pub(super) reached: [[f64; 3]; 2],
    /// The largest |middle| + reach, in voxels.
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

pub(super) fn zeros(count: usize, what: &str) -> Result<Vec<usize>, Error> {
    let mut vec = reserve(count, what)?;
    vec.resize(count, 0);
    Ok(vec)
}

/// Runs the passes of the sort.
pub(super) struct Passes<'a, 'b> {
    pub isa: Isa,
    pub threads: usize,
    pub reporter: &'a mut Reporter<'b>,
}

impl Passes<'_, '_> {
    pub fn run(
        &mut self,
        chunks: &[Mutex<Chunk>],
        span: [f64; 2],
        work: &(dyn Fn(&mut Chunk) + Sync),
    ) -> Result<(), Error> {
        Tasks { threads: self.threads, count: chunks.len(), reporter: self.reporter, span }.run(
            || Ok(()),
            |(), i| {
                work(&mut chunks[i].lock().unwrap_or_else(PoisonError::into_inner));
            },
        )
    }
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

/// The centres in their order.
pub(super) struct Sorted {
    pub positions: Vec<[f64; 3]>,
    /// Their numbers, and their weights; empty where all have one sigma or one weight.
    pub rows: Vec<usize>,
    pub weights: Vec<f64>,
}

/// Where the sort writes.
struct Places {
    positions: *mut [f64; 3],
    rows: Option<*mut usize>,
    weights: Option<*mut f64>,
}

// SAFETY: every chunk writes places of its own, which its histogram counted.
unsafe impl Sync for Places {}

impl Sort<'_> {
    /// Writes the centres of all chunks to their places, of which there are `total`.
    pub(super) fn write(
        &self,
        chunks: &mut [Mutex<Chunk>],
        total: usize,
        passes: &mut Passes,
        span: [f64; 2],
    ) -> Result<Sorted, Error> {
        let isa = passes.isa;
        let rows_count = if self.sigmas.is_err() { total } else { 0 };
        let weights_count = if self.weights_differ() { total } else { 0 };
        let mut positions = reserve(total, "the sorted centres")?;
        let mut rows = reserve(rows_count, "the centres' numbers")?;
        let mut weights = reserve(weights_count, "the weights")?;
        let places = Places {
            positions: positions.as_mut_ptr(),
            rows: self.sigmas.is_err().then_some(rows.as_mut_ptr()),
            weights: self.weights_differ().then_some(weights.as_mut_ptr()),
        };
        passes.run(chunks, span, &|chunk| {
            simd::dispatch(isa, Scatter { sort: self, chunk, places: &places });
            chunk.cell_of = Vec::new();
        })?;
        // SAFETY: the chunks wrote every one of the `total` places that their histograms counted.
        unsafe {
            positions.set_len(total);
            rows.set_len(rows_count);
            weights.set_len(weights_count);
        }
        match get(chunks).find_map(|chunk| chunk.bad) {
            Some(index) => Err(self.weight_overflow(index)),
            None => Ok(Sorted { positions, rows, weights }),
        }
    }
}

/// Pass 4 in the shell of a tier.
struct Scatter<'s> {
    sort: &'s Sort<'s>,
    chunk: &'s mut Chunk,
    places: &'s Places,
}

impl Kernel for Scatter<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.sort.scatter(self.chunk, self.places);
    }
}

/// The centres of a block along the three axes.
pub(super) struct Block {
    pub(super) center: [[f64; BLOCK]; 3],
    pub(super) middle: [[f64; BLOCK]; 3],
    pub(super) reach: [[f64; BLOCK]; 3],
    /// All ones for a centre that reaches the grid, else 0.
    pub(super) kept: [u32; BLOCK],
    pub(super) cell: [u32; BLOCK],
}

impl Block {
    pub(super) fn new() -> Block {
        let zeros = [[0.0; BLOCK]; 3];
        Block { center: zeros, middle: zeros, reach: zeros, kept: [0; BLOCK], cell: [0; BLOCK] }
    }

    pub(super) fn spans(&self, i: usize) -> [Span; 3] {
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
    pub(super) fn level(&self, spans: &[Span; 3]) -> usize {
        if self.sigmas.is_ok() {
            return 0;
        }
        let reach = spans.iter().fold(0.0f64, |most, span| most.max(span.reach));
        ((exponent(reach) - SMALL_REACH).max(0) as usize).min(LEVELS - 1)
    }

    /// The spans of some centres.
    #[inline(always)]
    pub(super) fn read(&self, rows: &Range<usize>, block: &mut Block) {
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
                let place = chunk.cells[cell as usize];
                chunk.cells[cell as usize] += 1;
                // SAFETY: histogram() counted this centre in this chunk and cell, so the place is this chunk's
                // own and lies below the reserved total.
                unsafe {
                    // (One by one: an array was put together in memory and read from there too early, which took as
                    // long as the rest.)
                    let to = places.positions.add(place).cast::<f64>();
                    (0..3).for_each(|j| to.add(j).write(block.center[j][i]));
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
                        let center = [block.center[0][i], block.center[1][i], block.center[2][i]];
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
pub(super) fn blocks(rows: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = rows.end;
    rows.clone().step_by(BLOCK).map(move |from| from..end.min(from + BLOCK))
}
