//! Steepest neighbour: the public call.

mod best;
mod border;
mod byte;
mod convert;
mod definition;
mod direct;
mod exact;
mod float;
mod integer;
mod job;
mod lines;
mod masked;
mod node;
mod odd;
mod output;
mod redo;
mod rule;
mod shared;
mod slopes;
mod sweep;
mod thin;
mod turned;
mod word;

use crate::error::{Error, ErrorKind};
use crate::isa::Isa;
use crate::simd::dispatch;
use crate::threads::{self, Progress, Reporter, Tasks};
use crate::volume::{ElementType, Volume, VolumeMut};

pub use rule::{Border, Direction, LABEL_CENTER, LABEL_MASKED, Minima, neighbor_offset};

use border::Source;
use job::Job;
use rule::Rule;
use sweep::{Task, Workspace};
use thin::Exchange;

/// Labels every voxel of a volume with its steepest neighbour.
///
/// A value of this type holds the options; [`label`](Steepest::label) does the work.
///
/// Neighbour `i = 9(dz+1) + 3(dy+1) + (dx+1)` of a voxel lies at offset (dz, dy, dx), each −1, 0 or 1; 13 is the
/// voxel itself ([`neighbor_offset`] decodes a label). Its score is the difference of the two values times
/// 1 / distance. The label is the **lowest** index among the largest scores.
///
/// ```text
///   dz = −1             dz = 0              dz = +1
///    0   1   2           9  10  11          18  19  20        dx →
///    3   4   5          12 (13) 14          21  22  23      dy
///    6   7   8          15  16  17          24  25  26      ↓
/// ```
///
/// The arithmetic is fixed to the last bit: the difference is rounded once in f32 for U8, I8, U16, I16 and
/// F32 images and once in f64 for U32, I32 and F64 images, then multiplied in f64. Labels and slopes are the
/// same bits on every instruction set, for every number of threads, and for any split into planes.
///
/// Cost, a voxel and thread with AVX-512: about a nanosecond for F32 and 16-bit images, a third of one for 8-bit
/// images, two or three where not axis 2 is contiguous but axis 0; five to nine for F64, U32 and I32. Less than 1 MiB
/// of memory a thread.
///
/// ```
/// use voxlane::{Border, Direction, LABEL_CENTER, Minima, Steepest};
/// // A density with one peak, at (2, 3, 4), labelled uphill.
/// let density = ndarray::Array3::from_shape_fn((6, 6, 6), |(z, y, x)| {
///     let d = |a: usize, b: usize| (a as f32 - b as f32).powi(2);
///     (-(d(z, 2) + d(y, 3) + d(x, 4)) / 8.0).exp()
/// });
/// let mut labels = ndarray::Array3::<u8>::zeros((6, 6, 6));
/// Steepest::new()
///     .direction(Direction::Ascent)
///     .minima(Minima::Flat)
///     .border([Border::Inside; 3])
///     .label(&density, &mut labels)?;
/// assert_eq!(labels[[2, 3, 4]], LABEL_CENTER);
/// assert_eq!(labels.iter().filter(|&&label| label == LABEL_CENTER).count(), 1);
/// # Ok::<(), voxlane::Error>(())
/// ```
///
/// A CT whose slices are further apart than its pixels, without the air around the patient:
///
/// ```
/// # use voxlane::{Border, Minima, Steepest};
/// let ct = ndarray::Array3::from_shape_fn((9, 32, 32), |(z, y, x)| (z * 40 + y * 7 + x * x % 90) as i16 - 300);
/// let patient = ct.mapv(|hounsfield| u8::from(hounsfield > -200));
/// let mut labels = ndarray::Array3::<u8>::zeros(ct.dim());
/// Steepest::new()
///     .spacing([2.5, 0.7, 0.7])
///     .minima(Minima::Flat)
///     .border([Border::Inside; 3])
///     .mask(&patient)
///     .label(&ct, &mut labels)?;
/// # Ok::<(), voxlane::Error>(())
/// ```
///
/// The density of a crystal's cell, which repeats, with the slope to decide where to stop:
///
/// ```
/// # use voxlane::{Border, Direction, Minima, Steepest};
/// let density = ndarray::Array3::from_shape_fn((24, 24, 24), |(z, y, x)| {
///     let wave = |i: usize| (i as f64 * std::f64::consts::TAU / 24.0).cos();
///     wave(z) + wave(y) + wave(x)
/// });
/// let mut labels = ndarray::Array3::<u8>::zeros(density.dim());
/// let mut slope = ndarray::Array3::<f32>::zeros(density.dim());
/// Steepest::new()
///     .direction(Direction::Ascent)
///     .minima(Minima::Flat)
///     .border([Border::Periodic; 3])
///     .slope(&mut slope)
///     .label(&density, &mut labels)?;
/// assert_eq!(labels[[0, 0, 23]], 14); // across the face of the cell, to the peak at the origin
/// # Ok::<(), voxlane::Error>(())
/// ```
///
/// A volume that is larger than memory, in slabs with one plane of halo on either side:
///
/// ```
/// # use voxlane::Steepest;
/// # use ndarray::{Array3, s};
/// let whole = Array3::from_shape_fn((40, 8, 8), |(z, y, x)| ((z * 37 + y * 17 + x * 29) % 23) as f32);
/// let mut expected = Array3::<u8>::zeros(whole.dim());
/// Steepest::new().label(&whole, &mut expected)?;
///
/// let mut slab_labels = Array3::<u8>::zeros((12, 8, 8));
/// // Planes 9 to 20 are read, and 10 to 19 labelled: planes 1 to 10 of the slab.
/// Steepest::new().planes(1, 11).label(whole.slice(s![9..21, .., ..]), &mut slab_labels)?;
/// assert_eq!(slab_labels.slice(s![1..11, .., ..]), expected.slice(s![10..20, .., ..]));
/// # Ok::<(), voxlane::Error>(())
/// ```
#[must_use]
pub struct Steepest<'a> {
    direction: Direction,
    minima: Minima,
    border: [Border; 3],
    spacing: [f64; 3],
    weights: Option<[f64; 27]>,
    mask: Option<Volume<'a>>,
    slope: Option<VolumeMut<'a>>,
    planes: Option<[usize; 2]>,
    isa: Option<Isa>,
    threads: usize,
    progress: Option<Progress<'a>>,
}

impl Default for Steepest<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Steepest<'a> {
    /// The defaults: descent, [`Minima::Reference`], [`Border::Skip`] on all axes, cubic voxels, all planes.
    pub fn new() -> Self {
        Steepest {
            direction: Direction::Descent,
            minima: Minima::Reference,
            border: [Border::Skip; 3],
            spacing: [1.0; 3],
            weights: None,
            mask: None,
            slope: None,
            planes: None,
            isa: None,
            threads: 0,
            progress: None,
        }
    }

    /// Which way is steepest.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// What a voxel without a better neighbour is, and what NaN does.
    pub fn minima(mut self, minima: Minima) -> Self {
        self.minima = minima;
        self
    }

    /// What happens at the faces of each axis. A voxel on any skipped face is skipped.
    pub fn border(mut self, border: [Border; 3]) -> Self {
        self.border = border;
        self
    }

    /// Voxel size along each axis, in any one unit; finite and above 0.
    pub fn spacing(mut self, spacing: [f64; 3]) -> Self {
        self.spacing = spacing;
        self
    }

    /// Weights in place of 1 / distance, any finite numbers; the one of the centre is not looked at.
    pub fn weights(mut self, weights: [f64; 27]) -> Self {
        self.weights = Some(weights);
        self
    }

    /// A U8 volume of the image's shape: where it is 0, the voxel gets [`LABEL_MASKED`] and slope 0, and is
    /// nobody's neighbour. Skipped faces stay 0.
    pub fn mask(mut self, mask: impl Into<Volume<'a>>) -> Self {
        self.mask = Some(mask.into());
        self
    }

    /// An F32 or F64 volume of the image's shape that receives the largest score among the neighbours that
    /// took part: −∞ where none did, NaN where a NaN won under [`Minima::Reference`].
    pub fn slope(mut self, slope: impl Into<VolumeMut<'a>>) -> Self {
        self.slope = Some(slope.into());
        self
    }

    /// Computes planes `start..end` of axis 0 only: nothing else of the outputs is written, while
    /// neighbours outside the range are read. A slab with one plane of halo on either side so gets the
    /// labels it has in the whole volume. Where the volume ends there is none, and the range begins with
    /// the slab or ends with it; unless axis 0 is periodic: then the halo is the plane at the other end.
    pub fn planes(mut self, start: usize, end: usize) -> Self {
        self.planes = Some([start, end]);
        self
    }

    /// The highest instruction set to use.
    pub fn isa(mut self, isa: Isa) -> Self {
        self.isa = Some(isa);
        self
    }

    /// Threads to use at most: 0 is `VOXLANE_THREADS` or all, 1 the calling thread alone.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// A callback for progress and cancellation.
    pub fn progress(mut self, progress: Progress<'a>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Labels `image` into `labels`, a U8 or F32 volume of the same shape.
    ///
    /// # Errors
    /// Before anything is written: shapes that are empty or differ, element types that do not fit, an output
    /// that overlaps an input or the other output, options out of range, an instruction set that this machine
    /// lacks, threads or memory that cannot be had. Afterwards only [`ErrorKind::Cancelled`]; the outputs'
    /// contents are then unspecified.
    pub fn label<'i, 'l>(
        mut self,
        image: impl Into<Volume<'i>>,
        labels: impl Into<VolumeMut<'l>>,
    ) -> Result<(), Error> {
        let (image, mut labels) = (image.into(), labels.into());
        image.expect_not_empty("image")?;
        let shape = image.shape();
        labels.expect_shape(shape, "labels", "image")?;
        labels.expect_type(&[ElementType::U8, ElementType::F32], "labels")?;
        labels.expect_apart(&image, "labels", "image")?;
        if let Some(mask) = &self.mask {
            mask.expect_shape(shape, "mask", "image")?;
            mask.expect_type(&[ElementType::U8], "mask")?;
            labels.expect_apart(mask, "labels", "mask")?;
        }
        if let Some(slope) = &self.slope {
            slope.expect_shape(shape, "slope", "image")?;
            slope.expect_type(&[ElementType::F32, ElementType::F64], "slope")?;
            slope.expect_apart(&image, "slope", "image")?;
            slope.expect_apart(&labels, "slope", "labels")?;
            if let Some(mask) = &self.mask {
                slope.expect_apart(mask, "slope", "mask")?;
            }
        }
        let mut planes = self.planes.unwrap_or([0, shape[0]]);
        if planes[0] >= planes[1] || planes[1] > shape[0] {
            return Err(Error::new(
                ErrorKind::Option,
                format!(
                    "planes: {} to {} is not a range within the {} planes of axis 0",
                    planes[0], planes[1], shape[0]
                ),
            ));
        }
        if let Some(axis) = self.spacing.iter().position(|&s| !(s.is_finite() && s > 0.0)) {
            return Err(Error::new(
                ErrorKind::Value,
                format!("spacing of axis {axis} is {}, not a finite number above 0", self.spacing[axis]),
            ));
        }
        if let Some(weights) = &mut self.weights {
            // The centre's, which may be anything: 1 / distance is infinite there.
            weights[usize::from(LABEL_CENTER)] = 0.0;
            if let Some(i) = weights.iter().position(|w| !w.is_finite()) {
                return Err(Error::new(
                    ErrorKind::Value,
                    format!("weight {i} is {}, not a finite number", weights[i]),
                ));
            }
        }
        let isa = Isa::choose(self.isa)?;
        let threads = threads::count(self.threads)?;

        let single = !matches!(image.element_type(), ElementType::U32 | ElementType::I32 | ElementType::F64);
        let mut rule = Rule {
            direction: self.direction,
            minima: self.minima,
            weights: self.weights.unwrap_or_else(|| rule::distance_weights(self.spacing)),
            single,
        };
        let mut source = Source {
            image,
            mask: self.mask,
            border: self.border,
            along_y: false,
            direction: self.direction,
            signed_zeros: self.slope.is_some(),
        };
        let exchange = Exchange::of(shape, self.border, planes == [0, shape[0]]);
        if let Some(exchange) = exchange {
            source.exchange_axes(exchange.axis, 2);
            labels.exchange_axes(exchange.axis, 2);
            if let Some(slope) = &mut self.slope {
                slope.exchange_axes(exchange.axis, 2);
            }
            let weights = rule.weights;
            rule.weights = std::array::from_fn(|i| weights[exchange.label(i)]);
            if exchange.axis == 0 {
                planes = [0, 1];
            }
        }
        let job = Job::new(source, rule, labels, self.slope, planes, isa, threads);
        let mut reporter = Reporter::new(self.progress);
        Tasks { threads, count: job.tasks(), reporter: &mut reporter, span: [0.0, 1.0] }.run(
            || Workspace::new(&job),
            |workspace, index| {
                dispatch(isa, Task { job: &job, index, workspace });
                if let Some(exchange) = exchange {
                    exchange.rename(&job, index);
                }
            },
        )
    }
}
