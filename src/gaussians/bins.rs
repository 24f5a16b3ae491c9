//! Centres in the order of the tiles: a stable counting sort by home cell.
//!
//! Every centre has a home cell, a cube of 8 voxels or more around its nearest voxel (outside a clipped grid: the
//! nearest voxel of the grid; on a periodic axis: its image in the grid). A tile finds its Gaussians in the
//! cells within the largest reach of a class, and tests each (see `classes.rs` and `candidates.rs`). Neighbours in the
//! sorted order are neighbours in space, which is what makes packs of Gaussians dense.
//!
//! The sort runs in chunks on all threads; its result does not depend on their number.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::isa::Isa;
use crate::scratch::reserve;
use crate::simd;
use crate::threads::{Reporter, Tasks};

use super::Normalization;
use super::batch::{LEAST_EXPONENT, WIDEST_REACH};
use super::cells::{Cells, Histogram};
use super::classes::{Class, classes};
use super::corners::Corners;
use super::input::Gaussians;
use super::mass;
use super::sort::{Chunk, LEVELS, Passes, SMALL_COUNT, Sort, Sorted, get, starts, zeros};
use super::support::{Axis, Rules};

/// Centres checked between two reports.
const CHECKED: usize = 1 << 20;

/// The reaches of all supports, in voxels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Widths {
    pub most: [f64; 3],
    pub least: [f64; 3],
    pub count: usize,
}

impl Widths {
    /// Whether some samples may be made relative to others, which the factors of `batch.rs` are not.
    pub(super) fn some_are_relative(&self, rules: &Rules) -> bool {
        self.least.into_iter().any(|reach| rules.may_have_unit_point(reach))
    }
}

pub(super) struct Bins<'a> {
    pub(super) sort: Sort<'a>,
    /// The centres, cell by cell, in the kernel's axis order. (Reading them out of order from the caller's
    /// array, through sorted row numbers, took two to three times as long over all.)
    pub(super) positions: Vec<[f64; 3]>,
    /// Their rows in the caller's arrays; only where sigmas differ.
    rows: Vec<usize>,
    /// Their A·N; only where these differ, else all are the peak.
    weights: Vec<f64>,
    shared_weight: f64,
    /// Where the centres of a cell begin; one more at the end.
    pub(super) starts: Vec<usize>,
    pub(super) classes: Vec<Class>,
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
    /// The same in whole blocks of `blocks.rs`.
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
        halo: impl FnOnce(Widths) -> Result<Option<Corners>, Error>,
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
        // So many that there is no memory for them are refused before they are all read.
        drop(reserve::<u32>(count, "the cells of the centres")?);
        let parts = if count < SMALL_COUNT { 1 } else { threads.min(count / (SMALL_COUNT / 2)) };
        let chunk = |i: usize| Mutex::new(Chunk::new(count * i / parts..count * (i + 1) / parts));
        let mut chunks: Vec<Mutex<Chunk>> = (0..parts).map(chunk).collect();
        let at = |part: f64| span[0] + part * (span[1] - span[0]);
        let mut passes = Passes { isa, threads, reporter };

        let good = AtomicBool::new(!sort.bad_shared_sigma());
        let pieces = parts.max(count.div_ceil(CHECKED));
        Tasks { threads, count: pieces, reporter: passes.reporter, span: [at(0.0), at(0.2)] }.run(
            || Ok(()),
            |(), i| {
                let of = |i: usize| (count as u128 * i as u128 / pieces as u128) as usize;
                if !sort.all_good(of(i)..of(i + 1)) {
                    good.store(false, Ordering::Relaxed);
                }
            },
        )?;
        if !good.into_inner() {
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
        if let Some(corners) = halo(widths)? {
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
        let isa = passes.isa;
        let middle = 0.5 * (span[0] + span[1]);
        let (mut classes, class_of) = match corners {
            Some(_) => (Vec::new(), [0; LEVELS]),
            None => classes(sort.axes, chunks),
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
        let is_mass = sort.rules.normalization == Normalization::Mass;
        let scattered = if is_mass { middle + 0.2 * (span[1] - middle) } else { span[1] };
        let Sorted { positions, rows, mut weights } =
            sort.write(chunks, total, passes, [middle, scattered])?;

        let shared_weight = get(chunks).find_map(|chunk| chunk.weight).unwrap_or(0.0);
        let (mut peak, mut farthest) = (0.0f64, 0.0f64);
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
            get(chunks).for_each(|chunk| chunk.cells = Vec::new());
            let sigma = |place: usize| sort.sigma(rows.get(place).copied().unwrap_or(0));
            let over = [scattered, span[1]];
            let bad = mass::divide(&sort, &positions, sigma, &mut weights, widths.most, passes, over)?;
            if let Some(place) = bad {
                return Err(sort.weight_overflow(sort.row_at(positions[place])));
            }
            peak = weights.iter().fold(0.0, |peak, weight| peak.max(weight.abs()));
        }
        for class in &mut classes {
            let cells = class.cells.iter().product::<usize>();
            class.count = starts[class.first_cell + cells] - starts[class.first_cell];
        }
        classes.retain(|class| class.count > 0);
        // The images of one Gaussian add up on a voxel. A few of them do not matter.
        let periodic = sort.axes.iter().zip(widths.most).filter(|(axis, _)| axis.periodic);
        let images = periodic.map(|(axis, reach)| reach * 2.0 * axis.inverse_period + 1.0).product::<f64>();
        peak *= (images / 65_536.0).max(1.0);
        let [updates, blocks] = updates(&classes, sort.axes);
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
            && !self.widths.some_are_relative(self.sort.rules)
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
}

/// Estimates of the grid updates to come: in voxels, and in whole blocks.
fn updates(classes: &[Class], axes: &[Axis; 3]) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for class in classes {
        let width = |j: usize| (2.0 * class.reach[j] + 1.0).min(axes[j].n as f64);
        sums[0] += class.count as f64 * width(0) * width(1) * width(2);
        // Blocks are of 2 planes, 8 rows and 16 voxels, or smaller.
        sums[1] += class.count as f64 * (width(0) + 1.0) * (width(1) + 7.0) * (width(2) + 15.0);
    }
    sums
}
