//! What the kernels of shared minima have in common: the step of the march that `sweep.rs` makes, and the codes.
//!
//! A code names a voxel of the block by `9z + 3y + x`, z, y and x counted from a corner: the order within any
//! neighbourhood is the labels', and a label is a code minus the code of the neighbourhood's corner. So nothing
//! is added when a minimum changes its place from the plane below to the one above.

use crate::simd::{Simd, prefetch};
use crate::steepest::best::SCALE;
use crate::steepest::byte::byte_limit;
use crate::steepest::convert::LineElement;
use crate::steepest::exact::Exact;
use crate::steepest::rule::{Minima, REFERENCE_CENTER_SCORE, Rule, distance_weights};
use crate::steepest::slopes::{Slopes, SplitWeights};
use crate::steepest::word::word_limit;

/// Rows of output in a block. (8: bytes 4 % slower, 16-bit integers 4 % faster, f32 a tenth slower.)
pub(crate) const ROWS: usize = 4;
/// Rows of input that a block needs.
pub(crate) const LINES: usize = ROWS + 2;

/// A kernel of shared minima.
pub(crate) trait Shared {
    type Line: LineElement;
    /// Vectors kept of each row and position for the two planes that follow.
    const KEPT: usize;
    /// Whether the kernel relies on exact differences.
    const EXACT: bool;
    /// What lines hold: the values if `None`, else keys, which are this times the value plus the code of the voxel
    /// in the middle of a row's neighbourhood.
    const KEY_SCALE: Option<f32>;

    /// Lanes of a vector of lines.
    fn lanes<S: Simd>() -> usize;

    /// Takes plane p in and, with `EMIT`, plane p − 1 out; with `SLOPE` also its slopes.
    ///
    /// # Safety
    /// Every pointer of `step` leads to what its comment says, and nobody else uses what is written.
    unsafe fn step<S: Simd, const EMIT: bool, const SLOPE: bool>(
        simd: S,
        weights: &Weights,
        step: &Step<Self::Line>,
    ) -> Seen;
}

/// One step of the march along z: plane p of the lines arrives, plane p − 1 of labels leaves.
pub(crate) struct Step<'a, L> {
    /// Lines of planes p − 2, p − 1 and p: the width, or a vector if that is more, and 2 elements.
    pub lines: [&'a [*const L; LINES]; 3],
    /// Nodes of plane p − 2, to be overwritten by plane p's; and of plane p − 1: `ROWS · KEPT` vectors for each
    /// vector of a row.
    pub nodes: [*mut L; 2],
    /// p, as the codes count it.
    pub plane: usize,
    /// Voxels in a row. Its last vector is moved back to end with it; a row shorter than a vector has one.
    pub width: usize,
    /// Some voxels may have no neighbour at all in a class, or be taken out themselves: then their label is
    /// `LABEL_MASKED`.
    pub gaps: bool,
    pub exact: &'a Exact,
    /// Plane p is read in place: nobody has looked at its values yet.
    pub unseen: bool,
    /// Where the rows of output go.
    pub rows: &'a [RowOut; ROWS],
    pub ahead: &'a Ahead,
}

/// What the next step of the march will read and write, to be asked for ahead. All of it in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    pub lines: *const u8,
    pub row: isize,
    pub plane: isize,
    pub labels: *const u8,
    pub label_row: isize,
    pub label_plane: isize,
    pub slopes: *const u8,
    pub slope_row: isize,
    pub slope_plane: isize,
    /// An element of the image, and one of the slopes.
    pub size: usize,
    pub slope_size: usize,
}

impl Ahead {
    #[inline(always)]
    pub fn advance(&mut self) {
        self.lines = self.lines.wrapping_offset(self.plane);
        self.labels = self.labels.wrapping_offset(self.label_plane);
        self.slopes = self.slopes.wrapping_offset(self.slope_plane);
    }

    /// Asks for the cache lines that begin at voxel `x` of the block's rows.
    #[inline(always)]
    pub fn prefetch(&self, x: usize) {
        if (x * self.size).is_multiple_of(64) {
            let mut line = self.lines.wrapping_add(x * self.size);
            for _ in 0..LINES {
                prefetch(line);
                line = line.wrapping_offset(self.row);
            }
            let mut labels = self.labels.wrapping_add(x);
            for _ in 0..ROWS {
                prefetch(labels);
                labels = labels.wrapping_offset(self.label_row);
            }
        }
    }

    /// Asks for the slopes of voxels `x` to `x + n` of the block's rows, `n` elements being whole cache lines.
    #[inline(always)]
    pub fn prefetch_slopes(&self, x: usize, n: usize) {
        // The number of lines is known when this is compiled, but for whether slopes are f64: counted, it cost bytes a
        // fiftieth more.
        let mut slopes = self.slopes.wrapping_add(x * self.slope_size);
        for _ in 0..ROWS {
            for offset in (0..n * size_of::<f32>()).step_by(64) {
                prefetch(slopes.wrapping_add(offset));
                if self.slope_size > size_of::<f32>() {
                    prefetch(slopes.wrapping_add(n * size_of::<f32>() + offset));
                }
            }
            slopes = slopes.wrapping_offset(self.slope_row);
        }
    }
}

impl<L> Step<'_, L> {
    pub fn vectors(&self, lanes: usize) -> usize {
        self.width.div_ceil(lanes)
    }
}

/// What a kernel has seen in a step.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    /// There are flags.
    pub undecided: bool,
    /// All values of plane p are moderate: known to the kernels that read in place.
    pub moderate: bool,
    /// There is a −0: known to the same.
    pub negative_zero: bool,
    /// A value is not as `Exact` says: known to the kernels that need it.
    pub inexact: bool,
}

impl Seen {
    pub const NOTHING: Seen = Seen { undecided: false, moderate: true, negative_zero: false, inexact: false };
}

/// Where vector `vector` of a row of `width` voxels begins.
#[inline(always)]
pub(crate) fn position(vector: usize, lanes: usize, width: usize) -> usize {
    (vector * lanes).min(width.saturating_sub(lanes))
}

/// Where a row of output goes.
#[derive(Clone, Copy)]
pub(crate) struct RowOut {
    /// Room for the width, and at least one vector.
    pub labels: *mut u8,
    /// Bit i of `flags[j]`: voxel i of vector j is undecided. Zero at first; the kernels of f32 write all of a row in
    /// each step that makes labels, those of integers none.
    pub flags: *mut u32,
    /// Room as for labels.
    pub slopes: Slopes,
}

/// What the kernels take from the rule.
pub(crate) struct Weights {
    /// By class (|dz|, |dy|, |dx| as bits 2, 1, 0).
    pub exact: [f64; 8],
    /// The same, relative to the smallest and times `best::SCALE`.
    pub class: [f32; 8],
    /// By class a number that only classes of the very same weight share: weights that differ may be equal in f32.
    pub group: [f32; 8],
    /// Weights are the same for all faces, all edges and all corners, and differ between them: voxels are cubes.
    pub isotropic: bool,
    /// Weights are as 1 / distance, for which the comparisons of `byte.rs` and `word.rs` are made.
    pub unit_ratios: bool,
    /// Best scores below this have label 13.
    pub threshold: f32,
    /// Best scores between these are undecided.
    pub band: [f32; 2],
    /// For integers: label 13 where the ranks of faces, edges and corners are all beyond these.
    pub byte_limits: [i16; 3],
    pub word_limits: [f32; 3],
    /// For integers: how to make slopes faster, where it is exact.
    pub split: Option<SplitWeights>,
}

impl Weights {
    /// Whether the rule may take the centre where no difference is larger than this.
    pub fn reaches_threshold(&self, difference: f32) -> bool {
        let largest = self.class[1..].iter().copied().fold(0.0, f32::max);
        difference * largest >= -0.99 * self.threshold
    }

    /// If these kernels may be used at all.
    pub fn new(rule: &Rule) -> Option<Weights> {
        let class = rule.class_weights()?;
        let least = class[1..].iter().copied().fold(f64::INFINITY, f64::min);
        let (threshold, band) = match rule.minima {
            Minima::Reference => {
                let threshold = REFERENCE_CENTER_SCORE / least * f64::from(SCALE);
                (threshold, -1e-5 * threshold)
            }
            Minima::Strict => (0.0, 0.0),
            Minima::Flat => (f64::from(f32::from_bits(1)), 0.0),
        };
        let unit = unit_weights();
        // Scores of 16-bit integers that differ do so by more than 3e-11 of themselves.
        let unit_ratios = (1..8).all(|i| (class[i] - class[1] * unit[i]).abs() <= 1e-13 * class[i]);
        let limits = [1, 3, 7].map(|i| integer_limit(rule.minima, class[i]));
        Some(Weights {
            exact: class,
            class: class.map(|w| (w / least) as f32 * SCALE),
            group: class.map(|w| class.iter().take_while(|&&other| other != w).count() as f32),
            // Where two of them are equal, their ties are the other kernel's.
            isotropic: class[1] == class[2]
                && class[1] == class[4]
                && class[3] == class[5]
                && class[3] == class[6]
                && class[1] != class[3]
                && class[3] != class[7]
                && class[1] != class[7],
            unit_ratios,
            threshold: threshold as f32,
            band: [threshold - band, threshold + band].map(|edge| edge as f32),
            byte_limits: limits.map(byte_limit),
            word_limits: limits.map(word_limit),
            split: None,
        })
    }
}

/// The weights of the classes where voxels are cubes of 1.
pub(crate) fn unit_weights() -> [f64; 8] {
    let unit = distance_weights([1.0; 3]);
    [0.0, 1.0, 1.0, unit[1], 1.0, unit[1], unit[1], unit[0]]
}

/// The integer differences of a class of this weight that lose to the centre lie below this: a half where none is
/// on it, else the one that ties with the centre's −100.
fn integer_limit(minima: Minima, weight: f64) -> f64 {
    match minima {
        Minima::Strict => -0.5,
        Minima::Flat => 0.5,
        Minima::Reference => {
            // Larger than any difference of 16-bit integers.
            const BEYOND: f64 = 70_000.0;
            // Near the quotient, the last that does not lose: by products rounded as the scores are.
            let mut last = (-REFERENCE_CENTER_SCORE / weight).min(BEYOND).floor();
            while last < BEYOND && -(last + 1.0) * weight >= REFERENCE_CENTER_SCORE {
                last += 1.0;
            }
            while -last * weight < REFERENCE_CENTER_SCORE {
                last -= 1.0;
            }
            if -last * weight == REFERENCE_CENTER_SCORE { -last } else { -last - 0.5 }
        }
    }
}
