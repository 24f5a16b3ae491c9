//! A call, checked and cut into tasks.

use std::sync::atomic::AtomicBool;

use crate::isa::Isa;
use crate::steepest::border::Source;
use crate::steepest::byte::{SLOPE_SCALE, empty_is_below};
use crate::steepest::exact::Exact;
use crate::steepest::node::{ANYTHING, GAPS, PLAIN};
use crate::steepest::rule::{Border, Rule};
use crate::steepest::shared::{Ahead, ROWS, Weights};
use crate::steepest::slopes::SplitWeights;
use crate::steepest::turned::is_turned;
use crate::volume::{ElementType, VolumeMut};

/// Widest piece of a row: lines and nodes of a block of this width fit L1 and a part of L2. Pieces of 64 or 128
/// fit L1 whole, and lost more by the shorter runs of memory: 256³ f32 took 1.4 times as long.
pub(crate) const WIDEST: usize = 256;
/// Longest march: two planes are read twice a task, and progress comes between tasks.
pub(crate) const LONGEST: usize = 256;
/// A call, as the tasks see it: everything checked.
pub(crate) struct Job<'a> {
    pub source: Source<'a>,
    pub rule: Rule,
    pub labels: VolumeMut<'a>,
    pub slope: Option<VolumeMut<'a>>,
    pub weights: Option<Weights>,
    pub way: Way,
    /// What all values may be like, for the kernels of f32, until one is found that is not.
    pub exact: Option<Exact>,
    pub inexact: AtomicBool,
    /// What the kernels may meet with, if they are so; see `node.rs`.
    pub care: u8,
    cuts: [Cut; 3],
}

/// An axis of the output cut into equal pieces.
#[derive(Clone, Copy)]
struct Cut {
    start: usize,
    end: usize,
    piece: usize,
}

impl Cut {
    fn count(&self) -> usize {
        (self.end - self.start).div_ceil(self.piece)
    }

    fn range(&self, i: usize) -> [usize; 2] {
        let start = self.start + i * self.piece;
        [start, (start + self.piece).min(self.end)]
    }
}

impl<'a> Job<'a> {
    pub fn new(
        mut source: Source<'a>,
        rule: Rule,
        mut labels: VolumeMut<'a>,
        mut slope: Option<VolumeMut<'a>>,
        planes: [usize; 2],
        isa: Isa,
        threads: usize,
    ) -> Self {
        let mut weights = Weights::new(&rule);
        let way = Way::new(&source, weights.as_ref());
        if let (Some(weights), true) = (&mut weights, slope.is_some()) {
            weights.split = match way {
                Way::Bytes => SplitWeights::new(isa, &weights.exact, SLOPE_SCALE, 255),
                Way::Words => SplitWeights::of_words(isa, &weights.exact),
                _ => None,
            };
        }
        let [_, rows, width] = source.image.shape();
        let (mut along_z, mut along_y) = (planes, [0, rows]);
        // Keys are in order whichever axis the march takes. From row to row it stays within a page of memory for longer
        // than from plane to plane: 256³ in pages of 4 KiB takes 0.87 of the time.
        let stride = source.image.stride();
        let turned_along_y = is_turned([stride[1], stride[0], stride[2]]);
        let along_y_is_long = rows >= (planes[1] - planes[0]).min(32) && !is_turned(stride);
        if matches!(way, Way::Bytes | Way::Words) && (turned_along_y || along_y_is_long) {
            source.exchange_axes(0, 1);
            source.along_y = true;
            labels.exchange_axes(0, 1);
            if let Some(slope) = &mut slope {
                slope.exchange_axes(0, 1);
            }
            std::mem::swap(&mut along_z, &mut along_y);
        }
        let depth = along_z[1] - along_z[0];
        let exact = match way {
            Way::Float | Way::Anisotropic => Exact::guess(&source.image, along_z),
            _ => None,
        };
        let reach =
            exact.zip(weights.as_ref()).is_none_or(|(e, w)| w.reaches_threshold(e.largest_difference()));
        let care = if reach {
            ANYTHING
        } else if source.may_empty_a_class() {
            GAPS
        } else {
            PLAIN
        };
        let pieces = width.div_ceil(WIDEST);
        let x = Cut { start: 0, end: width, piece: width.div_ceil(pieces).next_multiple_of(16) };
        let y = Cut { start: along_y[0], end: along_y[1], piece: ROWS };
        // Shorter marches only where there would not be work for all.
        let blocks = x.count() * y.count();
        let marches =
            threads.saturating_mul(4).div_ceil(blocks).min(depth.div_ceil(16)).max(depth.div_ceil(LONGEST));
        let z = Cut { start: along_z[0], end: along_z[1], piece: depth.div_ceil(marches) };
        Job {
            source,
            rule,
            labels,
            slope,
            weights,
            way,
            exact,
            inexact: AtomicBool::new(false),
            care,
            cuts: [z, y, x],
        }
    }

    pub fn tasks(&self) -> usize {
        self.cuts.iter().map(Cut::count).product()
    }

    /// The ranges of task `i`; neighbours in y follow each other.
    pub fn block(&self, i: usize) -> [[usize; 2]; 3] {
        let [_, y, x] = self.cuts.map(|cut| cut.count());
        let [cz, cy, cx] = &self.cuts;
        [cz.range(i / y / x), cy.range(i % y), cx.range(i / y % x)]
    }

    /// What the first step of the march through a block reads and writes.
    pub fn ahead(&self, [z, y, x]: [[usize; 2]; 3]) -> Ahead {
        let at = [z[0] as isize - 1, y[0] as isize - 1, x[0] as isize];
        let below = [at[0] - 1, at[1] + 1, at[2]];
        let nowhere = (std::ptr::from_ref(self).cast::<u8>(), [0; 3], 0);
        // Where voxels do not lie side by side, always the same: there is nothing that could be asked for.
        let walk = |(address, stride, size): (*const u8, [isize; 3], usize)| {
            let (address, stride, size) = if stride[2] == 1 { (address, stride, size) } else { nowhere };
            (address, stride[1].wrapping_mul(size as isize), stride[0].wrapping_mul(size as isize))
        };
        let output =
            |volume: &VolumeMut| (volume.address_of(below), volume.stride(), volume.element_type().size());
        let (image, slope) = (&self.source.image, self.slope.as_ref());
        let size = image.element_type().size();
        let (lines, row, plane) = walk((image.address_of(at), image.stride(), size));
        let (labels, label_row, label_plane) = walk(output(&self.labels));
        let (slopes, slope_row, slope_plane) = walk(slope.map_or(nowhere, output));
        let slope_size = slope.map_or(0, |slope| slope.element_type().size());
        Ahead {
            lines,
            row,
            plane,
            labels,
            label_row,
            label_plane,
            slopes,
            slope_row,
            slope_plane,
            size,
            slope_size,
        }
    }

    /// A piece of a row without the voxels on skipped faces, if a vector is left then.
    pub fn without_skipped(&self, x: [usize; 2], lanes: usize) -> [usize; 2] {
        let inner =
            [x[0] + usize::from(self.skipped(2, x[0])), x[1] - usize::from(self.skipped(2, x[1] - 1))];
        if inner[0] + lanes <= inner[1] { inner } else { x }
    }

    /// Whether an index lies on a face that the rule skips.
    pub fn skipped(&self, axis: usize, i: usize) -> bool {
        self.source.border[axis] == Border::Skip && (i == 0 || i + 1 == self.source.image.shape()[axis])
    }
}

/// Which kernel a call takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Bytes on cubic voxels.
    Bytes,
    /// 16-bit integers on cubic voxels; bytes where theirs is not to be had.
    Words,
    /// F32 on cubic voxels; integers, too, whose weights are not 1 / distance.
    Float,
    /// The same on voxels that are not cubes.
    Anisotropic,
    /// All others: the definition's arithmetic.
    Definition,
}

impl Way {
    fn new(source: &Source, weights: Option<&Weights>) -> Way {
        let Some(weights) = weights else { return Way::Definition };
        if !weights.isotropic {
            return Way::Anisotropic;
        }
        match source.image.element_type() {
            // (Twice as fast as words. Not where the reference rule, voxels longer than 1.34, and a mask or an axis of one
            // voxel come together.)
            ElementType::U8 | ElementType::I8
                if weights.unit_ratios
                    && (empty_is_below(weights.byte_limits) || !source.may_empty_a_class()) =>
            {
                Way::Bytes
            }
            ElementType::U8 | ElementType::I8 | ElementType::U16 | ElementType::I16
                if weights.unit_ratios =>
            {
                Way::Words
            }
            _ => Way::Float,
        }
    }
}
