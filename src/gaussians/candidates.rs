//! The centres that may reach a tile, in the order in which they are sorted.

use std::ops::Range;

use super::bins::Bins;
use super::sort::LEVELS;
use super::support::Axis;

impl Bins<'_> {
    /// The ranges of places that may reach the tile, in a fixed order. `runs` has room for `MOST_RUNS`.
    pub(super) fn runs(&self, axes: &[Axis; 3], start: [usize; 3], extent: [usize; 3], runs: &mut Vec<Run>) {
        runs.clear();
        for (class_index, class) in self.classes.iter().enumerate() {
            let near = [0, 1, 2].map(|j| class.near(j, &axes[j], start[j], extent[j]));
            for z in near[0].iter().flat_map(Range::clone) {
                for y in near[1].iter().flat_map(Range::clone) {
                    let row = class.first_cell + (z * class.cells[1] + y) * class.cells[2];
                    for x in near[2].iter().filter(|x| !x.is_empty()) {
                        let places = self.starts[row + x.start]..self.starts[row + x.end];
                        let full = runs.len() >= MOST_RUNS - LEVELS;
                        match runs.last_mut() {
                            // (With what lies between them, where there is no room: candidates are sifted.)
                            Some(last)
                                if last.class == class_index && (full || last.places.end == places.start) =>
                            {
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

/// Ranges for a tile, one for each of the classes among them. More would only save candidates.
pub(super) const MOST_RUNS: usize = 4096;

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
    pub(super) fn new(bins: &'b Bins<'b>, runs: &'b [Run], start: [isize; 3], extent: [usize; 3]) -> Self {
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
