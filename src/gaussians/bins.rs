//! Centres in the order of the tiles: a stable counting sort by home cell.
//!
//! Every centre has a home cell, a cube of 8 voxels or more around its nearest voxel (outside a clipped grid: the
//! nearest voxel of the grid; on a periodic axis: its image in the grid). A tile finds its Gaussians in the
//! cells within the largest reach, and tests each. So that a few wide Gaussians do not make that reach large
//! for all, centres are first divided into classes by the power of two of their reach, each with cells of its
//! own. Neighbours in the sorted order are neighbours in space, which is what makes packs of Gaussians dense.
//!
//! The sort runs in chunks on all threads; its result does not depend on their number.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind};
use crate::isa::Isa;
use crate::simd::{self, Kernel, Simd};
use crate::threads::{self, Reporter};

use super::Normalization;
use super::factors::exponent;
use super::input::{Column, Gaussians};
use super::support::{Axis, Rules, Span};

/// Centres whose reach has the same power of two.
#[derive(Debug, Clone, Copy)]
struct Class {
    first_cell: usize,
    cells: [usize; 3],
    /// A cell has 2^shift voxels a side.
    shift: u32,
    /// The largest reach along each axis, in voxels.
    reach: [f64; 3],
    /// Centres, once sorted.
    count: usize,
}

/// Reaches up to 16 voxels are one class.
const SMALL_REACH: i32 = 3;
const LEVELS: usize = 52;
/// The cell of a centre that does not reach the grid.
const NOWHERE: u32 = u32::MAX;
/// A chunk of the sort keeps a histogram of the cells: 4 MiB.
const MOST_CELLS: usize = 1 << 19;
/// Fewer centres are sorted on one thread.
const SMALL_COUNT: usize = 8192;
/// Lattice points beyond this are not all whole numbers in f64, with room for sums of a few.
const FARTHEST: f64 = (1u64 << 50) as f64;
/// The most lattice points along an axis that are enumerated one by one, for a mass or for images.
const LONGEST: f64 = (1u64 << 31) as f64;

pub(super) struct Bins<'a> {
    sort: Sort<'a>,
    /// The centres, cell by cell, in the kernel's axis order. (Reading them out of order from the caller's
    /// array, through sorted row numbers, took two to three times as long over all.)
    positions: Vec<[f64; 3]>,
    /// Their rows in the caller's arrays; only where sigmas differ.
    rows: Vec<usize>,
    /// Their A·N; only where these differ, else all are the peak.
    weights: Vec<f64>,
    shared_weight: f64,
    /// Where the centres of a cell begin; one more at the end.
    starts: Vec<usize>,
    classes: Vec<Class>,
    /// The largest |A·N|.
    pub peak: f64,
    /// Lowest and highest lattice point that is reached, in the grid.
    pub reached: [[f64; 3]; 2],
    /// An estimate of the grid updates to come.
    pub updates: f64,
}

/// What the passes of the sort read.
#[derive(Clone, Copy)]
struct Sort<'a> {
    axes: &'a [Axis; 3],
    rules: &'a Rules,
    /// The caller's axis that is the kernel's axis j.
    order: [usize; 3],
    count: usize,
    centers: Column,
    amplitudes: Option<Column>,
    sigmas: Result<[f64; 3], Column>,
}

/// What one chunk of the centres contributes.
struct Chunk {
    rows: Range<usize>,
    good: bool,
    levels: [usize; LEVELS],
    reach: Vec<[f64; 3]>,
    reached: [[f64; 3]; 2],
    /// Per centre its cell.
    cell_of: Vec<u32>,
    /// Per cell the number of centres, and later the place of the next.
    cells: Vec<usize>,
    peak: f64,
    /// The last weight.
    weight: Option<f64>,
    /// The first centre whose support has too many lattice points, or whose weight overflows.
    bad: Option<usize>,
}

impl<'a> Bins<'a> {
    /// Checks all values, then sorts. Nothing of the grid has been touched when this fails.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        gaussians: &Gaussians,
        axes: &'a [Axis; 3],
        rules: &'a Rules,
        order: [usize; 3],
        isa: Isa,
        threads: usize,
        reporter: &mut Reporter,
        span: [f64; 2],
    ) -> Result<Bins<'a>, Error> {
        let count = gaussians.count();
        let sort = Sort {
            axes,
            rules,
            order,
            count,
            centers: gaussians.center_table(),
            amplitudes: gaussians.amplitude_table(),
            sigmas: gaussians.sigma_table().map(|values| order.map(|axis| values[axis])),
        };
        let parts = if count < SMALL_COUNT { 1 } else { threads.min(count / (SMALL_COUNT / 2)) };
        let mut chunks: Vec<Mutex<Chunk>> =
            (0..parts).map(|i| Mutex::new(Chunk::new(count * i / parts..count * (i + 1) / parts))).collect();
        let at = |part: f64| span[0] + part * (span[1] - span[0]);
        let mut pass = |from: f64, to: f64, chunks: &[Mutex<Chunk>], work: &(dyn Fn(&mut Chunk) + Sync)| {
            let nothing = || Ok(());
            threads::run(threads, parts, reporter, [at(from), at(to)], nothing, |(), i| {
                work(&mut chunks[i].lock().unwrap_or_else(PoisonError::into_inner));
            })
        };

        pass(0.0, 0.2, &chunks, &|chunk| sort.check(chunk))?;
        if get(&mut chunks).any(|chunk| !chunk.good) || sort.bad_shared_sigma() {
            return Err(sort.first_bad_value());
        }
        if sort.sigmas.is_err() {
            pass(0.2, 0.3, &chunks, &|chunk| sort.measure(chunk))?;
        } else {
            get(&mut chunks).for_each(|chunk| chunk.levels[0] = chunk.rows.len());
        }
        let (mut classes, class_of) = classes(axes, &mut chunks);
        let cells =
            classes.last().map_or(0, |class| class.first_cell + class.cells.iter().product::<usize>());
        for chunk in get(&mut chunks) {
            chunk.cells = zeros(cells, "a histogram of the centres")?;
            chunk.cell_of = reserve(chunk.rows.len(), "the cells of the centres")?;
            chunk.reach = vec![[0.0; 3]; classes.len()];
        }
        pass(0.3, 0.6, &chunks, &|chunk| {
            simd::dispatch(isa, Histogram { sort: &sort, chunk, classes: &classes, class_of: &class_of });
        })?;
        if let Some(index) = get(&mut chunks).find_map(|chunk| chunk.bad) {
            return Err(sort.unreachable(index));
        }
        let (starts, total) = starts(&mut chunks, cells)?;
        let each_sigma = sort.sigmas.is_err();
        let each_weight = sort.weights_differ();
        let mut positions = reserve(total, "the sorted centres")?;
        let mut rows = reserve(if each_sigma { total } else { 0 }, "the centres' numbers")?;
        let mut weights = reserve(if each_weight { total } else { 0 }, "the weights")?;
        let places = Places {
            positions: positions.as_mut_ptr(),
            rows: each_sigma.then_some(rows.as_mut_ptr()),
            weights: each_weight.then_some(weights.as_mut_ptr()),
        };
        pass(0.6, 1.0, &chunks, &|chunk| {
            simd::dispatch(isa, Scatter { sort: &sort, chunk, places: &places });
            chunk.cell_of = Vec::new();
        })?;
        // SAFETY: the chunks wrote every one of the `total` places that their histograms counted.
        unsafe {
            positions.set_len(total);
            rows.set_len(if each_sigma { total } else { 0 });
            weights.set_len(if each_weight { total } else { 0 });
        }
        if let Some(index) = get(&mut chunks).find_map(|chunk| chunk.bad) {
            return Err(sort.weight_overflow(index));
        }

        let shared_weight = get(&mut chunks).find_map(|chunk| chunk.weight).unwrap_or(0.0);
        let (mut peak, mut updates) = (0.0f64, 0.0);
        let mut reached = [[f64::INFINITY; 3], [f64::NEG_INFINITY; 3]];
        for chunk in get(&mut chunks) {
            peak = peak.max(chunk.peak);
            for (class, reach) in classes.iter_mut().zip(&chunk.reach) {
                class.reach = [0, 1, 2].map(|j| class.reach[j].max(reach[j]));
            }
            for j in 0..3 {
                reached[0][j] = reached[0][j].min(chunk.reached[0][j]);
                reached[1][j] = reached[1][j].max(chunk.reached[1][j]);
            }
        }
        for class in &mut classes {
            let cells = class.cells.iter().product::<usize>();
            class.count = starts[class.first_cell + cells] - starts[class.first_cell];
            let width = |j: usize| (2.0 * class.reach[j] + 1.0).min(axes[j].n as f64);
            updates += class.count as f64 * width(0) * width(1) * width(2);
        }
        classes.retain(|class| class.count > 0);
        Ok(Bins { sort, positions, rows, weights, shared_weight, starts, classes, peak, reached, updates })
    }

    /// The centre at a place of the sorted order.
    #[inline(always)]
    pub(super) fn center(&self, place: usize) -> [f64; 3] {
        self.positions[place]
    }

    /// Its sigmas.
    #[inline(always)]
    pub(super) fn sigma(&self, place: usize) -> [f64; 3] {
        match &self.sort.sigmas {
            Ok(values) => *values,
            Err(_) => self.sort.sigma(self.rows[place]),
        }
    }

    /// Its `A·N`.
    #[inline(always)]
    pub(super) fn weight(&self, place: usize) -> f64 {
        if self.weights.is_empty() { self.shared_weight } else { self.weights[place] }
    }

    /// The most voxels of a support along an axis, and the number of centres.
    pub(super) fn widest(&self) -> (f64, usize) {
        let widest = self.classes.iter().flat_map(|class| class.reach).fold(0.0, f64::max);
        ((2.0 * widest).floor() + 1.0, self.positions.len())
    }

    /// The ranges of places that may reach the tile, in a fixed order.
    pub(super) fn runs(&self, axes: &[Axis; 3], start: [usize; 3], extent: [usize; 3], runs: &mut Vec<Run>) {
        runs.clear();
        for (class_index, class) in self.classes.iter().enumerate() {
            let near = [0, 1, 2].map(|j| class.near(j, &axes[j], start[j], extent[j]));
            for z in near[0].iter().flat_map(Range::clone) {
                for y in near[1].iter().flat_map(Range::clone) {
                    let row = class.first_cell + (z * class.cells[1] + y) * class.cells[2];
                    for x in near[2].iter().filter(|x| !x.is_empty()) {
                        let places = self.starts[row + x.start]..self.starts[row + x.end];
                        match runs.last_mut() {
                            Some(last) if last.places.end == places.start && last.class == class_index => {
                                last.places.end = places.end;
                            }
                            _ if !places.is_empty() => runs.push(Run { places, class: class_index }),
                            _ => {}
                        }
                    }
                }
            }
        }
    }
}

/// Neighbours in the sorted order, of one class.
#[derive(Debug, Clone)]
pub(super) struct Run {
    places: Range<usize>,
    class: usize,
}

/// The centres of some runs that may reach a tile, in their order.
///
/// The runs hold up to twice as many as reach the tile, in no order that a branch predictor could learn. So a
/// batch is sifted first, without branches and by the class's largest reach.
pub(super) struct Candidates<'b> {
    bins: &'b Bins<'b>,
    /// What is left of the runs, and how much of the first of them is done.
    runs: &'b [Run],
    sifted: usize,
    batch: [usize; BATCH],
    next: usize,
    len: usize,
    /// The middle of the tile, and half its extent, in voxels.
    middle: [f64; 3],
    half: [f64; 3],
}

const BATCH: usize = 256;

impl<'b> Candidates<'b> {
    pub(super) fn new(bins: &'b Bins<'b>, runs: &'b [Run], start: [usize; 3], extent: [usize; 3]) -> Self {
        let half = extent.map(|n| 0.5 * (n - 1) as f64);
        let middle = [0, 1, 2].map(|j| start[j] as f64 + half[j]);
        Candidates { bins, runs, sifted: 0, batch: [0; BATCH], next: 0, len: 0, middle, half }
    }

    /// The place of the next.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<usize> {
        while self.next == self.len {
            let (run, rest) = self.runs.split_first()?;
            let from = run.places.start + self.sifted;
            let places = from..run.places.end.min(from + BATCH);
            self.sifted += BATCH;
            if places.end == run.places.end {
                (self.runs, self.sifted) = (rest, 0);
            }
            self.sift(places, run.class);
        }
        self.next += 1;
        Some(self.batch[self.next - 1])
    }

    #[inline(always)]
    fn sift(&mut self, places: Range<usize>, class: usize) {
        let (axes, class) = (self.bins.sort.axes, &self.bins.classes[class]);
        // A little more than the largest reach, for what the fold loses.
        let limit = [0, 1, 2].map(|j| (self.half[j] + class.reach[j]) * (1.0 + 1e-12) + 1e-6);
        let period = [0, 1, 2].map(|j| if axes[j].periodic { axes[j].n as f64 } else { 0.0 });
        let inverse_period = [0, 1, 2].map(|j| if axes[j].periodic { axes[j].inverse_period } else { 0.0 });
        let positions = &self.bins.positions[places.clone()];
        (self.next, self.len) = (0, 0);
        for (place, position) in places.zip(positions) {
            let mut near = true;
            for j in 0..3 {
                let from_middle = axes[j].index(position[j]) - self.middle[j];
                // The nearest of the periodic images. Adding and taking away 1.5·2^52 rounds.
                let image =
                    (from_middle * inverse_period[j] + 6_755_399_441_055_744.0) - 6_755_399_441_055_744.0;
                near &= (from_middle - image * period[j]).abs() <= limit[j];
            }
            self.batch[self.len] = place;
            self.len += usize::from(near);
        }
    }
}

impl Class {
    /// The cells along axis j, one or two ranges, that have centres within reach of a tile.
    fn near(&self, j: usize, axis: &Axis, start: usize, extent: usize) -> [Range<usize>; 2] {
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

impl Chunk {
    fn new(rows: Range<usize>) -> Self {
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

fn get(chunks: &mut [Mutex<Chunk>]) -> impl Iterator<Item = &mut Chunk> {
    chunks.iter_mut().map(|chunk| chunk.get_mut().unwrap_or_else(PoisonError::into_inner))
}

fn reserve<E>(count: usize, what: &str) -> Result<Vec<E>, Error> {
    let mut vec = Vec::new();
    let bytes = count.saturating_mul(size_of::<E>());
    vec.try_reserve_exact(count).map_err(|_| Error::memory(bytes, what))?;
    Ok(vec)
}

fn zeros(count: usize, what: &str) -> Result<Vec<usize>, Error> {
    let mut vec = reserve(count, what)?;
    vec.resize(count, 0);
    Ok(vec)
}

/// The classes that have centres, and for each level its class.
fn classes(axes: &[Axis; 3], chunks: &mut [Mutex<Chunk>]) -> (Vec<Class>, [usize; LEVELS]) {
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

/// Turns the chunks' histograms into places, cell by cell and within a cell chunk by chunk, which makes the
/// sort stable. Returns where the cells start, and the number of records.
fn starts(chunks: &mut [Mutex<Chunk>], cells: usize) -> Result<(Vec<usize>, usize), Error> {
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
struct Places {
    positions: *mut [f64; 3],
    rows: Option<*mut usize>,
    weights: Option<*mut f64>,
}

// SAFETY: every chunk writes places of its own, which its histogram counted.
unsafe impl Sync for Places {}

/// Pass 3 in the shell of a tier: no vectors, but the tier's rounding instructions in place of calls.
struct Histogram<'s> {
    sort: &'s Sort<'s>,
    chunk: &'s mut Chunk,
    classes: &'s [Class],
    class_of: &'s [usize; LEVELS],
}

impl Kernel for Histogram<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.sort.histogram(self.chunk, self.classes, self.class_of);
    }
}

/// Pass 4, likewise.
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

impl Sort<'_> {
    #[inline(always)]
    fn sigma(&self, row: usize) -> [f64; 3] {
        match &self.sigmas {
            Ok(values) => *values,
            Err(table) => self.order.map(|axis| table.get(row, axis)),
        }
    }

    #[inline(always)]
    fn center(&self, row: usize) -> [f64; 3] {
        self.order.map(|axis| self.centers.get(row, axis))
    }

    #[inline(always)]
    fn amplitude(&self, row: usize) -> f64 {
        self.amplitudes.map_or(1.0, |table| table.get(row, 0))
    }

    fn weights_differ(&self) -> bool {
        match self.rules.normalization {
            Normalization::Peak => self.amplitudes.is_some(),
            Normalization::Mass => true,
            _ => self.amplitudes.is_some() || self.sigmas.is_err(),
        }
    }

    fn needs_isotropic(&self) -> bool {
        self.rules.normalization == Normalization::Reference
    }

    /// Pass 1: whether all values are in range.
    fn check(&self, chunk: &mut Chunk) {
        let rows = || chunk.rows.clone();
        chunk.good = self.centers.all_good(rows(), false)
            && self.amplitudes.is_none_or(|table| table.all_good(rows(), false));
        if let Err(table) = &self.sigmas {
            chunk.good &= table.all_good(rows(), true);
            if self.needs_isotropic() && table.columns == 3 {
                chunk.good &= rows().fold(true, |all, row| {
                    let [a, b, c] = [0, 1, 2].map(|axis| table.get(row, axis));
                    all & (a == b) & (b == c)
                });
            }
        }
    }

    fn bad_shared_sigma(&self) -> bool {
        let good = |values: &[f64; 3]| {
            values.iter().all(|sigma| sigma.is_finite() && *sigma > 0.0)
                && !(self.needs_isotropic() && values.iter().any(|sigma| *sigma != values[0]))
        };
        self.count > 0 && self.sigmas.is_ok_and(|values| !good(&values))
    }

    /// The error for the first value that did not pass.
    fn first_bad_value(&self) -> Error {
        let mut by_axis = [0; 3];
        self.order.iter().enumerate().for_each(|(j, &axis)| by_axis[axis] = j);
        for row in 0..self.count {
            let (center, sigma) = (self.center(row), self.sigma(row));
            for (axis, j) in by_axis.into_iter().enumerate() {
                let (c, s) = (center[j], sigma[j]);
                if !c.is_finite() {
                    let text = format!("centers: centre {row}, axis {axis} is {c:?}, not finite");
                    return Error::new(ErrorKind::Value, text);
                }
                if !(s.is_finite() && s > 0.0) {
                    let text =
                        format!("sigmas: centre {row}, axis {axis} is {s:?}, not finite and above zero");
                    return Error::new(ErrorKind::Value, text);
                }
            }
            let amplitude = self.amplitude(row);
            if !amplitude.is_finite() {
                let text = format!("amplitudes: centre {row} is {amplitude:?}, not finite");
                return Error::new(ErrorKind::Value, text);
            }
            if self.needs_isotropic() && sigma.iter().any(|s| *s != sigma[0]) {
                let sigma = by_axis.map(|j| sigma[j]);
                return Error::new(
                    ErrorKind::Option,
                    format!(
                        "the reference normalization needs one sigma for all axes; centre {row} has {sigma:?}"
                    ),
                );
            }
        }
        unreachable!("a bad value was seen")
    }

    fn unreachable(&self, row: usize) -> Error {
        let mut by_axis = [0; 3];
        self.order.iter().enumerate().for_each(|(j, &axis)| by_axis[axis] = j);
        let (center, sigma) = (self.center(row), self.sigma(row));
        Error::new(
            ErrorKind::Value,
            format!(
                "centre {row} at {:?} with sigmas {:?} covers, or lies away from the grid, more voxels than can be indexed",
                by_axis.map(|j| center[j]),
                by_axis.map(|j| sigma[j])
            ),
        )
    }

    fn weight_overflow(&self, row: usize) -> Error {
        let amplitude = self.amplitude(row);
        Error::new(
            ErrorKind::Value,
            format!("amplitudes: centre {row} is {amplitude:?}, which overflows once it is normalised"),
        )
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
    fn measure(&self, chunk: &mut Chunk) {
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

    /// Whether lattice points of the support can be numbered, and enumerated where they must be.
    #[inline(always)]
    fn countable(&self, spans: &[Span; 3]) -> bool {
        let enumerated = self.rules.normalization == Normalization::Mass;
        (0..3).fold(true, |all, j| {
            let Span { middle, reach } = spans[j];
            let periodic = self.axes[j].periodic;
            all & (reach <= FARTHEST || !(middle - reach < FARTHEST && middle + reach > -FARTHEST))
                & (!periodic | (middle.abs() <= FARTHEST))
                & (!(periodic | enumerated) | (reach <= LONGEST))
                & (!enumerated | (middle.abs() <= FARTHEST))
        })
    }

    /// Pass 3: the cell of each centre, and how many centres a cell has.
    #[inline(always)]
    fn histogram(&self, chunk: &mut Chunk, classes: &[Class], class_of: &[usize; LEVELS]) {
        for row in chunk.rows.clone() {
            let spans = self.spans(row, self.center(row));
            let Some((class, cell)) = self.place(&spans, classes, class_of) else {
                chunk.cell_of.push(NOWHERE);
                continue;
            };
            chunk.cell_of.push(cell as u32);
            if !self.countable(&spans) && chunk.bad.is_none() {
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
            let weight = self.rules.weight(self.amplitude(row), self.axes, center, self.sigma(row));
            if !weight.is_finite() && chunk.bad.is_none() {
                chunk.bad = Some(row);
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
