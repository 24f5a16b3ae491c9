//! The sum of Gaussians on a grid: the public call.

// An axis or a row of a block indexes several arrays at once.
#![allow(clippy::needless_range_loop)]

mod ball;
mod batch;
mod bins;
mod blocks;
mod candidates;
mod cells;
mod classes;
mod corners;
mod factors;
mod filling;
mod halo;
mod halo_ball;
mod input;
mod lattice;
mod limits;
mod mass;
mod options;
mod output;
mod pack;
#[doc(hidden)]
pub mod reference;
mod sort;
mod stream;
mod support;
mod tile;
mod values;
mod voxel;

use crate::error::{Error, ErrorKind};
use crate::isa::Isa;
use crate::threads::{self, Progress, Reporter};
use crate::volume::{ElementType, VolumeMut};

pub use input::{Coordinate, Gaussians, Sigmas};
pub use options::{Normalization, Sampling, Support};

use bins::Bins;
use factors::Real;
use output::Job;
use support::{Axis, Rules};
use tile::sum_tiles;

/// A grid to be filled: voxel `[i, j, k]` lies at `origin + [i, j, k]·spacing`.
#[derive(Debug)]
pub struct Grid<'a> {
    values: VolumeMut<'a>,
    origin: [f64; 3],
    spacing: [f64; 3],
}

impl<'a> Grid<'a> {
    /// A grid of f32 or f64 `values`. Origin and spacing are in the unit of the centres, per axis.
    pub fn new(values: impl Into<VolumeMut<'a>>, origin: [f64; 3], spacing: [f64; 3]) -> Self {
        Grid { values: values.into(), origin, spacing }
    }
}

/// How to sum Gaussians; [`sum`](SumGaussians::sum) does it.
///
/// ```
/// use ndarray::{Array3, array};
/// use voxlane::{Gaussians, Grid, Sigmas, SumGaussians};
///
/// // A Gaussian of sigma 1 and height 2 in the middle of 9×9×9 voxels of side 0.5.
/// let centers = array![[2.0, 2.0, 2.0]];
/// let heights = array![2.0];
/// let gaussians = Gaussians::new(centers.view(), Sigmas::One(1.0))?.amplitudes(heights.view())?;
/// let mut density = Array3::<f32>::zeros((9, 9, 9));
/// SumGaussians::new().sum(&gaussians, Grid::new(&mut density, [0.0; 3], [0.5; 3]))?;
/// assert_eq!(density[[4, 4, 4]], 2.0);
/// assert!((density[[4, 4, 6]] - 2.0 * (-0.5f32).exp()).abs() < 1e-6);
/// # Ok::<(), voxlane::Error>(())
/// ```
///
/// # Which normalization
///
/// * Single molecules, photons, counts in voxels: [`Normalization::Mass`] with [`Sampling::Voxel`], each molecule
///   with its own error as its sigma on each axis.
/// * Atoms to electrons per volume: [`Normalization::Integral`], with [`Sampling::Voxel`] where the spacing is not
///   below half of the least sigma. If the electrons of the grid must add up exactly: [`Normalization::Mass`], divided
///   by a voxel's volume.
/// * Results to compare with code that sums `exp(−r²/2σ²)/√(2πσ²)`: [`Normalization::Reference`].
///
/// ```
/// use ndarray::{Array3, array};
/// use voxlane::{Gaussians, Grid, Normalization, Sampling, Sigmas, SumGaussians};
///
/// // Two molecules, localised to 40 nm along z and 15 and 10 nm across, in voxels of 25×10×10 nm.
/// let molecules = array![[300.0, 150.0, 150.0], [310.0, 163.0, 171.0]];
/// let errors = array![[40.0, 15.0, 15.0], [40.0, 10.0, 10.0]];
/// let gaussians = Gaussians::new(molecules.view(), Sigmas::PerCenterAndAxis(errors.view()))?;
/// let mut image = Array3::<f32>::zeros((24, 32, 32));
/// let sum = SumGaussians::new().normalization(Normalization::Mass).sampling(Sampling::Voxel);
/// sum.sum(&gaussians, Grid::new(&mut image, [0.0; 3], [25.0, 10.0, 10.0]))?;
/// assert!((image.sum() - 2.0).abs() < 1e-5);
///
/// // A crystal's cell of 5 Å that repeats: one atom of 11 electrons in its corner, and one of 17.
/// let (atoms, electrons) = (array![[0.0, 0.0, 0.0], [2.5, 2.5, 2.5]], array![11.0, 17.0]);
/// let gaussians = Gaussians::new(atoms.view(), Sigmas::One(0.4))?.amplitudes(electrons.view())?;
/// let mut density = Array3::<f64>::zeros((25, 25, 25));
/// let sum = SumGaussians::new().normalization(Normalization::Integral).periodic([true; 3]);
/// sum.eps(1e-9).sum(&gaussians, Grid::new(&mut density, [0.0; 3], [0.2; 3]))?;
/// assert!((density.sum() * 0.2f64.powi(3) - 28.0).abs() < 1e-6);
/// # Ok::<(), voxlane::Error>(())
/// ```
///
/// # Error bound, and how to choose eps
///
/// Against the exact sum of the untruncated Gaussians, an f32 grid is within `eps·Σ|A·N| + (6e-6 + 6e-8·K)·Σ|A·N·g|`
/// and an f64 grid within `eps·Σ|A·N| + (3e-14 + 1.2e-16·K)·Σ|A·N·g|`. The first sum runs over all centres, the second
/// over the `K` centres that reach the voxel, with `g` the Gaussian there; on a periodic axis every image is a centre.
/// (With [`Normalization::Mass`] it holds against the truncated, rescaled Gaussians. What a voxel held before, where sums
/// are added to it, is one more term of the second sum.)
///
/// The first term is the cutoff: each centre loses less than eps of its peak, and only on voxels that it does not
/// reach. The second is rounding: relative to the values themselves, and to their magnitudes where signs cancel.
/// An f32 grid holds nothing below 1e-38 of the largest `|A·N|`, however small eps is.
///
/// Supports have 2R voxels for each voxel of sigma, and cost R³:
///
/// | eps | R | for |
/// |---|---|---|
/// | 1e-3 | 3.7 | pictures |
/// | 1e-4 | 4.3 | counts, with the mass normalization |
/// | 1e-6 | 5.3 | f32 grids: both terms are alike, and a smaller eps gains little |
/// | 1e-12 | 7.4 | f64 grids |
/// | 0 | 5.6, 8.5 | the element type's epsilon: 1.2e-7, 2.2e-16 |
///
/// # Limits
///
/// Supports may be wider than the grid and than its period: a box costs no more for it. A periodic ball is summed
/// image by image, up to 2^20 of them; the mass of a ball is counted row by row, up to 2^27 rows of at most 2^15
/// voxels. Beyond these, and beyond 2^50 voxels of reach (2^31 on a periodic axis), the call is refused.
///
/// # Cost
///
/// Proportional to the voxels within reach of the centres, plus one pass over the grid (unless accumulating).
/// Averages over voxels cost about twice as much as point samples, and the mass of a ball up to three times its sum.
/// Memory: under 48 bytes a centre and 8 MiB a thread, whatever the grid: that of 1024³ voxels takes none of its own.
pub struct SumGaussians<'a> {
    normalization: Normalization,
    support: Support,
    sampling: Sampling,
    periodic: [bool; 3],
    accumulate: bool,
    eps: f64,
    isa: Option<Isa>,
    threads: usize,
    progress: Option<Progress<'a>>,
}

impl Default for SumGaussians<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> SumGaussians<'a> {
    /// Peak heights, box supports, point samples, eps 1e-6, clipped at the grid's edge, overwriting.
    pub fn new() -> Self {
        SumGaussians {
            normalization: Normalization::Peak,
            support: Support::Box,
            sampling: Sampling::Point,
            periodic: [false; 3],
            accumulate: false,
            eps: 1e-6,
            isa: None,
            threads: 0,
            progress: None,
        }
    }

    /// What an amplitude means.
    pub fn normalization(mut self, normalization: Normalization) -> Self {
        self.normalization = normalization;
        self
    }

    /// Where Gaussians are cut off.
    pub fn support(mut self, support: Support) -> Self {
        self.support = support;
        self
    }

    /// What a voxel holds.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Per axis: whether images repeat with the grid's period, voxels times spacing. Otherwise what lies
    /// outside is lost.
    pub fn periodic(mut self, periodic: [bool; 3]) -> Self {
        self.periodic = periodic;
        self
    }

    /// Whether to add to the grid, not overwrite it.
    pub fn accumulate(mut self, accumulate: bool) -> Self {
        self.accumulate = accumulate;
        self
    }

    /// What may be dropped of each Gaussian, relative to its peak: 0 < eps < 1; 0 stands for the machine
    /// epsilon of the grid's element type.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// An instruction-set tier that this machine supports; `VOXLANE_ISA` may still lower it.
    pub fn isa(mut self, isa: Isa) -> Self {
        self.isa = Some(isa);
        self
    }

    /// The number of threads, of which the calling one is the first; 0: `VOXLANE_THREADS` or all.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// A callback that is told the fraction done and may cancel.
    pub fn progress(mut self, progress: Progress<'a>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Sums `gaussians` on `grid`. The bits of the result do not depend on the number of threads.
    ///
    /// # Errors
    /// All but [`ErrorKind::Cancelled`] leave the grid untouched.
    /// - [`ErrorKind::Dtype`], [`Shape`](ErrorKind::Shape): the grid is not F32 or F64, or is empty.
    /// - [`ErrorKind::Overlap`]: the grid shares memory with centres, amplitudes or sigmas.
    /// - [`ErrorKind::Option`]: eps outside its range; the reference normalization with sigmas that differ
    ///   between the axes.
    /// - [`ErrorKind::Value`]: a centre or amplitude that is not finite, a sigma or spacing not finite and
    ///   above zero, an origin not finite, an amplitude that overflows once it is normalised (unless no voxel is kept
    ///   of it), a support beyond the limits, or positions 2^50 voxels and more from zero (voxels) or from the grid
    ///   (centres, on a periodic axis or with the mass normalization), where f64 cannot tell voxels apart.
    /// - [`ErrorKind::Isa`], [`Memory`](ErrorKind::Memory), [`Thread`](ErrorKind::Thread),
    ///   [`Cancelled`](ErrorKind::Cancelled).
    pub fn sum(self, gaussians: &Gaussians, grid: Grid) -> Result<(), Error> {
        let values = &grid.values;
        values.expect_type(&[ElementType::F32, ElementType::F64], "grid")?;
        values.expect_not_empty("grid")?;
        for axis in 0..3 {
            check_axis(axis, grid.origin[axis], grid.spacing[axis], values.shape()[axis])?;
        }
        let eps = match (self.eps, values.element_type()) {
            (0.0, ElementType::F32) => f64::from(f32::EPSILON),
            (0.0, _) => f64::EPSILON,
            (eps, _) if eps > 0.0 && eps < 1.0 => eps,
            (eps, _) => {
                let text = format!("eps is {eps:?}, not from 0 to below 1");
                return Err(Error::new(ErrorKind::Option, text));
            }
        };
        for (memory, name) in gaussians.memory() {
            values.expect_apart(memory, "grid", name)?;
        }
        let isa = Isa::choose(self.isa)?;
        let threads = threads::count(self.threads)?;
        match values.element_type() {
            ElementType::F32 => self.sum_typed::<f32>(gaussians, &grid, eps, isa, threads),
            _ => self.sum_typed::<f64>(gaussians, &grid, eps, isa, threads),
        }
    }

    fn sum_typed<T: Real>(
        self,
        gaussians: &Gaussians,
        grid: &Grid,
        eps: f64,
        isa: Isa,
        threads: usize,
    ) -> Result<(), Error> {
        let (shape, stride) = (grid.values.shape(), grid.values.stride());
        // A Gaussian's axes can be exchanged, so that rows always run along the smallest stride. (Those of axes of one
        // voxel mean nothing.)
        let mut order = [0, 1, 2];
        order
            .sort_by_key(|&axis| (shape[axis] > 1).then_some(std::cmp::Reverse(stride[axis].unsigned_abs())));
        let axes = order
            .map(|axis| Axis::new(shape[axis], grid.origin[axis], grid.spacing[axis], self.periodic[axis]));
        let rules = Rules::new(self.normalization, self.support, self.sampling, eps);
        let mut reporter = Reporter::new(self.progress);
        let voxels = axes.iter().map(|axis| axis.n as f64).product::<f64>();
        let large = voxels * size_of::<T>() as f64 > LARGE_GRID;
        let bins =
            Bins::new(gaussians, &axes, &rules, order, isa, threads, &mut reporter, [0.0, 0.1], |widths| {
                halo::plan::<T>(&axes, &rules, widths, large)
            })?;

        let mut job = Job {
            axes,
            rules,
            bins: &bins,
            // SAFETY: the grid is not empty, and T is its element type.
            out: unsafe { grid.values.at::<T>([0; 3]) },
            stride: order.map(|axis| stride[axis]),
            accumulate: self.accumulate,
            cleared: false,
            large,
            shift: None,
            lines: false,
            scale: T::scale(bins.peak),
        };
        if let Some(corners) = &bins.corners {
            return halo::sum(&job, corners, isa, threads, &mut reporter, [0.1, 1.0]);
        }
        job.shift = job.find_shift(bins.updates / voxels);
        let touched = bins.blocks / voxels;
        let cuts = job.cuts();
        // Where most of the grid stays zero, it is cleared in one go, and then only the rest is written.
        job.cleared = !self.accumulate && touched < cuts.cleared_below;
        // Where the grid lies in memory must not decide how factors are made, as that may change their last bits.
        job.lines =
            T::TYPE == ElementType::F32 && self.sampling == Sampling::Point && bins.lines_can_serve(T::TILE);
        // (Balls are looked up in words, which long tiles have none of.)
        let long = !self.accumulate
            && !job.cleared
            && self.support == Support::Box
            && touched < cuts.long_below
            && (!job.lines || bins.lines_can_serve(T::LONG_TILE));
        let parts = self.accumulate || job.cleared;
        let written = if self.accumulate { 0.0 } else { voxels };
        let threads = if bins.updates + written < SMALL_WORK { 1 } else { threads };
        let span = [0.1, 1.0];
        let clear = if job.cleared {
            let bytes = voxels * size_of::<T>() as f64;
            ((bytes / CLEARED) as usize).max(threads).min(job.axes[0].n)
        } else {
            0
        };
        match (long, parts) {
            (true, _) => sum_tiles::<T, true, false>(&job, 0, isa, threads, &mut reporter, span),
            (false, true) => sum_tiles::<T, false, true>(&job, clear, isa, threads, &mut reporter, span),
            (false, false) => sum_tiles::<T, false, false>(&job, 0, isa, threads, &mut reporter, span),
        }
    }
}

/// Grid updates that take about as long as waking another thread.
const SMALL_WORK: f64 = 200_000.0;

/// Bytes cleared at a time.
const CLEARED: f64 = (4u64 << 20) as f64;

/// Grids of more bytes than this are not in the caches, so that the order in which they are written matters, and how.
const LARGE_GRID: f64 = (32u64 << 20) as f64;

fn check_axis(axis: usize, origin: f64, spacing: f64, n: usize) -> Result<(), Error> {
    let error = |text: String| Err(Error::new(ErrorKind::Value, text));
    if !origin.is_finite() {
        return error(format!("grid: origin of axis {axis} is {origin:?}, not finite"));
    }
    if !(spacing.is_finite() && spacing > 0.0) {
        return error(format!("grid: spacing of axis {axis} is {spacing:?}, not finite and above zero"));
    }
    // Beyond 2^50 spacings from zero, neighbouring voxels begin to have the same position in f64.
    let farthest = (origin / spacing).abs() + n as f64;
    if farthest >= (1u64 << 50) as f64 || !(1.0 / spacing).is_finite() {
        return error(format!(
            "grid: {n} voxels of spacing {spacing:?} from origin {origin:?} along axis {axis} cannot be told apart"
        ));
    }
    Ok(())
}
