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

use crate::error::Error;
use crate::isa::Isa;
use crate::simd;
use crate::threads::{self, Reporter};

use super::Normalization;
use super::batch::{LEAST_EXPONENT, WIDEST_REACH};
use super::corners::Corners;
use super::input::Gaussians;
use super::mass;
use super::sort::{
    Cells, Chunk, Histogram, LEVELS, MOST_CELLS, Places, SMALL_COUNT, Scatter, Sort, get, reserve, starts,
    zeros,
};
use super::support::{Axis, Rules};

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

/// The reaches of all supports, in voxels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Widths {
    pub most: [f64; 3],
    pub least: [f64; 3],
    pub count: usize,
}

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
    /// The tiles that own them, if they are sorted by their lower corners.
    pub corners: Option<Corners>,
    widths: Widths,
    /// The largest distance from the grid's origin that a support reaches, in voxels.
    farthest: f64,
    /// The largest |A·N|.
    pub peak: f64,
    /// Lowest and highest lattice point that is reached, in the grid.
    pub reached: [[f64; 3]; 2],
    /// An estimate of the grid updates to come.
    pub updates: f64,
    /// The same in whole blocks of `tile.rs`.
    pub blocks: f64,
}

impl<'a> Bins<'a> {
    /// Checks all values, then sorts. Nothing of the grid has been touched when this fails.
    ///
    /// The Gaussians are sorted by their lower corners if `halo` allows it, else by their homes.
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
        halo: impl FnOnce(Widths) -> Option<Corners>,
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
        let chunk = |i: usize| Mutex::new(Chunk::new(count * i / parts..count * (i + 1) / parts));
        let mut chunks: Vec<Mutex<Chunk>> = (0..parts).map(chunk).collect();
        let at = |part: f64| span[0] + part * (span[1] - span[0]);
        let mut passes = Passes { isa, threads, reporter };

        passes.run(&chunks, [at(0.0), at(0.2)], &|chunk| sort.check(chunk))?;
        if get(&mut chunks).any(|chunk| !chunk.good) || sort.bad_shared_sigma() {
            return Err(sort.first_bad_value());
        }
        let mut widths = Widths { most: [0.0; 3], least: [f64::INFINITY; 3], count };
        if let Ok(sigma) = sort.sigmas {
            widths.most = [0, 1, 2].map(|j| rules.span(&axes[j], axes[j].origin, sigma[j]).reach);
            widths.least = widths.most;
            get(&mut chunks).for_each(|chunk| chunk.levels[0] = chunk.rows.len());
        } else {
            passes.run(&chunks, [at(0.2), at(0.3)], &|chunk| sort.measure(chunk))?;
            for chunk in get(&mut chunks) {
                for j in 0..3 {
                    widths.most[j] = widths.most[j].max(chunk.most[j]);
                    widths.least[j] = widths.least[j].min(chunk.least[j]);
                }
            }
        }
        let mut rest = [at(0.3), at(1.0)];
        if let Some(corners) = halo(widths) {
            let bins = Self::sorted(sort, &mut chunks, Some(corners), widths, &mut passes, rest)?;
            rest = [at(1.0); 2];
            if bins.halo_can_serve() {
                return Ok(bins);
            }
            for (i, place) in chunks.iter_mut().enumerate() {
                let levels = place.get_mut().unwrap_or_else(PoisonError::into_inner).levels;
                *place = chunk(i);
                place.get_mut().unwrap_or_else(PoisonError::into_inner).levels = levels;
            }
        }
        Self::sorted(sort, &mut chunks, None, widths, &mut passes, rest)
    }

    fn sorted(
        sort: Sort<'a>,
        chunks: &mut [Mutex<Chunk>],
        corners: Option<Corners>,
        widths: Widths,
        passes: &mut Passes,
        span: [f64; 2],
    ) -> Result<Bins<'a>, Error> {
        let (axes, isa) = (sort.axes, passes.isa);
        let middle = 0.5 * (span[0] + span[1]);
        let (mut classes, class_of) = match corners {
            Some(_) => (Vec::new(), [0; LEVELS]),
            None => classes(axes, chunks),
        };
        let cells = match &corners {
            Some(corners) => corners.cells(),
            None => {
                classes.last().map_or(0, |class| class.first_cell + class.cells.iter().product::<usize>())
            }
        };
        for chunk in get(chunks) {
            chunk.cells = zeros(cells, "a histogram of the centres")?;
            chunk.cell_of = reserve(chunk.rows.len(), "the cells of the centres")?;
            chunk.reach = vec![[0.0; 3]; classes.len()];
        }
        let found = corners.as_ref().map_or(Cells::Home(&classes, &class_of), Cells::Corner);
        passes.run(chunks, [span[0], middle], &|chunk| {
            simd::dispatch(isa, Histogram { sort: &sort, chunk, cells: found });
        })?;
        if let Some(index) = get(chunks).find_map(|chunk| chunk.bad) {
            return Err(sort.infeasible(index));
        }
        let (starts, total) = starts(chunks, cells)?;
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
        let is_mass = sort.rules.normalization == Normalization::Mass;
        let scattered = if is_mass { middle + 0.2 * (span[1] - middle) } else { span[1] };
        passes.run(chunks, [middle, scattered], &|chunk| {
            simd::dispatch(isa, Scatter { sort: &sort, chunk, places: &places });
            chunk.cell_of = Vec::new();
        })?;
        // SAFETY: the chunks wrote every one of the `total` places that their histograms counted.
        unsafe {
            positions.set_len(total);
            rows.set_len(if each_sigma { total } else { 0 });
            weights.set_len(if each_weight { total } else { 0 });
        }
        if let Some(index) = get(chunks).find_map(|chunk| chunk.bad) {
            return Err(sort.weight_overflow(index));
        }

        let shared_weight = get(chunks).find_map(|chunk| chunk.weight).unwrap_or(0.0);
        let (mut peak, mut updates, mut blocks, mut farthest) = (0.0f64, 0.0, 0.0, 0.0f64);
        let mut reached = [[f64::INFINITY; 3], [f64::NEG_INFINITY; 3]];
        for chunk in get(chunks) {
            peak = peak.max(chunk.peak);
            farthest = farthest.max(chunk.farthest);
            for (class, reach) in classes.iter_mut().zip(&chunk.reach) {
                class.reach = [0, 1, 2].map(|j| class.reach[j].max(reach[j]));
            }
            for j in 0..3 {
                reached[0][j] = reached[0][j].min(chunk.reached[0][j]);
                reached[1][j] = reached[1][j].max(chunk.reached[1][j]);
            }
        }
        if is_mass {
            let sigma = |place: usize| match &sort.sigmas {
                Ok(values) => *values,
                Err(_) => sort.sigma(rows[place]),
            };
            get(chunks).for_each(|chunk| chunk.cells = Vec::new());
            let over = [scattered, span[1]];
            let Passes { threads, reporter, .. } = passes;
            let bad = mass::divide(
                axes,
                sort.rules,
                &positions,
                sigma,
                &mut weights,
                widths.most,
                isa,
                *threads,
                reporter,
                over,
            )?;
            if let Some(place) = bad {
                return Err(sort.weight_overflow(sort.row_at(positions[place])));
            }
            peak = weights.iter().fold(0.0, |peak, weight| peak.max(weight.abs()));
        }
        for class in &mut classes {
            let cells = class.cells.iter().product::<usize>();
            class.count = starts[class.first_cell + cells] - starts[class.first_cell];
            let width = |j: usize| (2.0 * class.reach[j] + 1.0).min(axes[j].n as f64);
            updates += class.count as f64 * width(0) * width(1) * width(2);
            // Blocks are of 2 planes, 8 rows and 16 voxels, or smaller.
            blocks += class.count as f64 * (width(0) + 1.0) * (width(1) + 7.0) * (width(2) + 15.0);
        }
        // The images of one Gaussian add up on a voxel. A few of them do not matter.
        let periodic = (0..3).filter(|&j| axes[j].periodic);
        let images = periodic.map(|j| widths.most[j] * 2.0 * axes[j].inverse_period + 1.0).product::<f64>();
        peak *= (images / 65_536.0).max(1.0);
        classes.retain(|class| class.count > 0);
        Ok(Bins {
            sort,
            positions,
            rows,
            weights,
            shared_weight,
            starts,
            classes,
            corners,
            widths,
            farthest,
            peak,
            reached,
            updates,
            blocks,
        })
    }

    /// How many Gaussians reach the grid.
    pub(super) fn count(&self) -> usize {
        self.positions.len()
    }

    /// Whether weights are such that partial sums on the grid neither overflow nor lose digits, and positions exact
    /// enough for lines.
    fn halo_can_serve(&self) -> bool {
        let peak = self.peak == 0.0 || (2f64.powi(-80)..2f64.powi(60)).contains(&self.peak);
        peak && self.lines_are_exact()
    }

    /// Whether the factors of `batch.rs` can be used in tiles of packs.
    pub(super) fn lines_can_serve(&self, tile: [usize; 3]) -> bool {
        let one_image = (0..3).all(|j| {
            let axis = &self.sort.axes[j];
            let room = axis.n as f64 - tile[j].min(axis.n) as f64;
            !axis.periodic || 2.0 * self.widths.most[j] + 3.0 < room
        });
        let exponent = 0.5 * self.sort.rules.radius_squared * std::f64::consts::LOG2_E;
        one_image
            && self.widths.most.iter().all(|&reach| reach <= WIDEST_REACH)
            && exponent <= LEAST_EXPONENT
            && self.lines_are_exact()
    }

    /// Whether the roundings of positions, in sigmas, are below those of f32 factors.
    pub(super) fn lines_are_exact(&self) -> bool {
        (0..3).all(|j| {
            let axis = &self.sort.axes[j];
            let sigma = self.widths.least[j] / self.sort.rules.radius;
            (self.farthest + axis.offset + axis.n as f64) <= (1 << 22) as f64 * sigma
        })
    }

    /// The most voxels of a support along an axis, but where one more lies on its very edge.
    pub(super) fn width(&self) -> usize {
        self.widths
            .most
            .iter()
            .map(|reach| (2.0 * reach * (1.0 - 1e-4)).floor() as usize + 1)
            .max()
            .unwrap_or(0)
    }

    /// The sigmas, if all centres have the same.
    #[inline(always)]
    pub(super) fn shared_sigma(&self) -> Option<[f64; 3]> {
        self.sort.sigmas.ok()
    }

    /// The places of some cells.
    pub(super) fn places(&self, cells: Range<usize>) -> Range<usize> {
        self.starts[cells.start]..self.starts[cells.end]
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

/// Runs the passes of the sort.
struct Passes<'a, 'b> {
    isa: Isa,
    threads: usize,
    reporter: &'a mut Reporter<'b>,
}

impl Passes<'_, '_> {
    fn run(
        &mut self,
        chunks: &[Mutex<Chunk>],
        span: [f64; 2],
        work: &(dyn Fn(&mut Chunk) + Sync),
    ) -> Result<(), Error> {
        threads::run(
            self.threads,
            chunks.len(),
            self.reporter,
            span,
            || Ok(()),
            |(), i| {
                work(&mut chunks[i].lock().unwrap_or_else(PoisonError::into_inner));
            },
        )
    }
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
