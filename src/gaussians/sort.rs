//! The passes of the sort: what each thread does with its chunk of the centres.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::simd::{Kernel, Simd};

use super::bins::Class;
use super::factors::exponent;
use super::input::Column;
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
    pub(super) reach: Vec<[f64; 3]>,
    pub(super) reached: [[f64; 3]; 2],
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
            reached: [[f64::INFINITY; 3], [f64::NEG_INFINITY; 3]],
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

/// Pass 3 in the shell of a tier: no vectors, but the tier's rounding instructions in place of calls.
pub(super) struct Histogram<'s> {
    pub(super) sort: &'s Sort<'s>,
    pub(super) chunk: &'s mut Chunk,
    pub(super) classes: &'s [Class],
    pub(super) class_of: &'s [usize; LEVELS],
}

impl Kernel for Histogram<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.sort.histogram(self.chunk, self.classes, self.class_of);
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

    #[inline(always)]
    fn spans(&self, row: usize, center: [f64; 3]) -> [Span; 3] {
        let sigma = self.sigma(row);
        [0, 1, 2].map(|j| self.rules.span(&self.axes[j], center[j], sigma[j]))
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

    /// Pass 2, only for sigmas that differ: how many centres a class has.
    pub(super) fn measure(&self, chunk: &mut Chunk) {
        for row in chunk.rows.clone() {
            chunk.levels[self.level(&self.spans(row, self.center(row)))] += 1;
        }
    }

    /// The class and cell of a centre, none if it does not reach the grid.
    #[inline(always)]
    fn place(
        &self,
        spans: &[Span; 3],
        classes: &[Class],
        class_of: &[usize; LEVELS],
    ) -> Option<(usize, usize)> {
        let class_index = class_of[self.level(spans)];
        let class = &classes[class_index];
        let mut home = [0usize; 3];
        for j in 0..3 {
            let (axis, span) = (&self.axes[j], spans[j]);
            let last = (axis.n - 1) as f64;
            let mut nearest = span.middle;
            if axis.periodic {
                nearest -= (nearest * axis.inverse_period).floor() * axis.n as f64;
            } else if !span.meets(0.0, last) {
                return None;
            }
            home[j] = nearest.clamp(0.0, last) as usize >> class.shift;
        }
        Some((
            class_index,
            class.first_cell + (home[0] * class.cells[1] + home[1]) * class.cells[2] + home[2],
        ))
    }

    /// Pass 3: the cell of each centre, and how many centres a cell has.
    #[inline(always)]
    fn histogram(&self, chunk: &mut Chunk, classes: &[Class], class_of: &[usize; LEVELS]) {
        for row in chunk.rows.clone() {
            let center = self.center(row);
            let spans = self.spans(row, center);
            let Some((class, cell)) = self.place(&spans, classes, class_of) else {
                chunk.cell_of.push(NOWHERE);
                continue;
            };
            chunk.cell_of.push(cell as u32);
            if !self.rules.feasible(self.axes, &spans, center, self.sigma(row)) && chunk.bad.is_none() {
                chunk.bad = Some(row);
            }
            chunk.cells[cell] += 1;
            for j in 0..3 {
                let Span { middle, reach } = spans[j];
                chunk.reach[class][j] = chunk.reach[class][j].max(reach);
                let (low, high) = if self.axes[j].periodic {
                    (f64::NEG_INFINITY, f64::INFINITY)
                } else {
                    (middle - reach, middle + reach)
                };
                chunk.reached[0][j] = chunk.reached[0][j].min(low);
                chunk.reached[1][j] = chunk.reached[1][j].max(high);
            }
        }
    }

    /// Pass 4: the centres to their places.
    #[inline(always)]
    fn scatter(&self, chunk: &mut Chunk, places: &Places) {
        for (row, &cell) in chunk.rows.clone().zip(&chunk.cell_of) {
            if cell == NOWHERE {
                continue;
            }
            let (cell, center) = (cell as usize, self.center(row));
            let mut weight = self.rules.weight(self.amplitude(row), self.axes, self.sigma(row));
            if !weight.is_finite() {
                if self.adds_nothing(center, self.sigma(row)) {
                    weight = 0.0;
                } else if chunk.bad.is_none() {
                    chunk.bad = Some(row);
                }
            }
            chunk.peak = chunk.peak.max(weight.abs());
            chunk.weight = Some(weight);
            let place = chunk.cells[cell];
            // SAFETY: histogram() counted this centre in this chunk and cell, so the place is this chunk's
            // own and lies below the reserved total.
            unsafe {
                places.positions.add(place).write(center);
                if let Some(rows) = places.rows {
                    rows.add(place).write(row);
                }
                if let Some(weights) = places.weights {
                    weights.add(place).write(weight);
                }
            }
            chunk.cells[cell] += 1;
        }
    }
}
