//! Rows of an f32 image with NaN, infinities or values too large for the kernels of shared minima: which parts of a row
//! are theirs all the same, and which are to be made otherwise.
//!
//! Volumes often have a background of NaN. There every row meets some, but few voxels meet NaN and numbers both.

use crate::steepest::convert::{LineElement, MODERATE};
use crate::steepest::job::WIDEST;
use crate::steepest::lines::{Lines, PADDED};

/// Voxels that are dealt with together.
const PART: usize = 16;
const MOST_PARTS: usize = WIDEST.div_ceil(PART);

/// What makes a part of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// It is right as the kernel has made it, but for undecided voxels.
    Kernel,
    /// All centres are NaN, and have all their neighbours.
    Nan,
    Definition,
}

/// The parts of a row of so many voxels.
pub(crate) struct Parts {
    makers: [By; MOST_PARTS],
    n: usize,
}

impl Parts {
    /// A row made by one alone.
    pub fn all(by: By, n: usize) -> Parts {
        Parts { makers: [by; MOST_PARTS], n }
    }

    /// Those of row `row` of a block, plane t of whose march is the last that has arrived.
    #[inline(always)]
    pub fn find<L: LineElement>(lines: &Lines<L>, t: usize, row: usize, n: usize) -> Parts {
        let mut parts = Parts::all(By::Kernel, n);
        // A line begins one voxel before the row, and ends one behind it.
        let line = |i: usize| {
            let start: *const L = lines.starts(t + 1 + i / 3)[row + i % 3];
            // SAFETY: lines have a voxel more than the row at either end.
            unsafe { std::slice::from_raw_parts(start, n + 2) }
        };
        // The highest bits around each voxel of the nine lines.
        let mut highest = [0; PADDED];
        let highest = &mut highest[..n + 2];
        (0..9).for_each(|i| L::raise(line(i), highest));
        let (complete, centers) = (lines.complete(), &line(4)[1..=n]);
        for (part, by) in parts.makers[..n.div_ceil(PART)].iter_mut().enumerate() {
            let (start, end) = (part * PART, (part * PART + PART).min(n));
            // (Voxels that do not exist are infinite, and count as odd.)
            if highest[start..end + 2].iter().fold(0, |all, &bits| bits.max(all)) > MODERATE.to_bits() {
                let nan = complete && L::all_nan(&centers[start..end]);
                *by = if nan { By::Nan } else { By::Definition };
            }
        }
        // Many short runs take longer than the whole row.
        let makers = &parts.makers[..n.div_ceil(PART)];
        let odd = makers.iter().filter(|&&by| by == By::Definition).count();
        if 2 * odd > makers.len() { Parts::all(By::Definition, n) } else { parts }
    }

    /// Where parts that follow each other are, and what makes them.
    pub fn runs(&self) -> impl Iterator<Item = (std::ops::Range<usize>, By)> {
        let makers = &self.makers[..self.n.div_ceil(PART)];
        let mut start = 0;
        std::iter::from_fn(move || {
            let by = *makers.get(start)?;
            let end = (start..makers.len()).find(|&part| makers[part] != by).unwrap_or(makers.len());
            let run = start * PART..(end * PART).min(self.n);
            start = end;
            Some((run, by))
        })
    }

    /// Whether voxel i is as the kernel has made it.
    #[inline(always)]
    pub fn is_kernels(&self, i: usize) -> bool {
        self.makers[i / PART] == By::Kernel
    }
}
