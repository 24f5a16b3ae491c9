//! Packs filled with the Gaussians that come next: one at a time, or of batches of centres.

use crate::simd::Simd;

use super::Support;
use super::batch::{BATCH, Batch};
use super::candidates::Candidates;
use super::factors::Real;
use super::output::Job;
use super::pack::{Along, Images, Pack, images};

/// The tile that packs are for.
pub(super) struct Target {
    /// Its first voxel, perhaps before the grid, and its voxels.
    pub start: [isize; 3],
    pub extent: [usize; 3],
    /// What weights are multiplied by.
    pub scale: f64,
}

/// Gaussians on their way into packs, one at a time.
#[derive(Default)]
pub(super) struct Singles {
    /// One whose images do not all fit in a pack, and how many of them are done.
    waiting: Option<(usize, u64)>,
}

impl Singles {
    /// Fills a pack with the Gaussians that come next.
    #[inline(always)]
    pub(super) fn fill<S: Simd, T: Real, const LONG: bool>(
        &mut self,
        simd: S,
        job: &Job<T>,
        pack: &mut Pack<T, LONG>,
        coming: &mut Candidates,
        target: &Target,
    ) {
        let Job { axes, rules, bins, .. } = job;
        let Target { start, extent, scale } = *target;
        let first = start.map(|v| v as f64);
        let last = [0, 1, 2].map(|j| (start[j] + extent[j] as isize - 1) as f64);
        while pack.len < T::PACK {
            let (index, done) = match self.waiting.take() {
                Some(next) => next,
                None => match coming.next() {
                    Some(index) => (index, 0),
                    None => break,
                },
            };
            let (center, sigma) = (bins.center(index), bins.sigma(index));
            let spans = [0, 1, 2].map(|j| rules.span(&axes[j], center[j], sigma[j]));
            let (Some(z), Some(y), Some(x)) = (
                images(&axes[0], spans[0], first[0], last[0]),
                images(&axes[1], spans[1], first[1], last[1]),
                images(&axes[2], spans[2], first[2], last[2]),
            ) else {
                continue;
            };
            let mut reaching = [z, y, x];
            if rules.support == Support::Ball {
                // A box sums its images axis by axis; the images of a ball are Gaussians of their own.
                let combinations = z.count * y.count * x.count;
                if done + 1 < combinations {
                    self.waiting = Some((index, done + 1));
                }
                let mut rest = done;
                for j in 0..3 {
                    let Images { first, count } = reaching[j];
                    let image = (rest % count) as f64;
                    rest /= count;
                    reaching[j] = Images { first: first + image * axes[j].n as f64, count: 1 };
                }
            }
            let weight = T::from_f64((bins.weight(index) * scale).clamp(-T::MAX, T::MAX));
            for j in 0..3 {
                let weight = if j == 0 { weight } else { T::from_f64(1.0) };
                let (axis, center, sigma) = (&axes[j], center[j], sigma[j]);
                let along =
                    Along { axis, center, sigma, span: spans[j], images: reaching[j], extent: extent[j] };
                pack.fill(simd, j, rules, along, weight);
            }
            if rules.support == Support::Ball {
                let middle = [0, 1, 2].map(|j| spans[j].middle - reaching[j].first);
                pack.fill_ball(simd, rules, axes, middle, sigma);
            }
            pack.len += 1;
        }
    }
}

/// Batches of centres on their way into packs of f32.
pub(super) struct Lines {
    batch: Batch,
    places: [usize; BATCH],
    next: usize,
    len: usize,
    shared: bool,
}

impl Lines {
    #[inline(always)]
    pub(super) fn new<T: Real>(job: &Job<T>) -> Lines {
        let mut batch = Batch::new();
        let shared = job.bins.shared_sigma();
        if let Some(sigma) = shared {
            (0..BATCH).for_each(|i| batch.set_sigma(i, &job.axes, &job.rules, sigma));
        }
        Lines { batch, places: [0; BATCH], next: 0, len: 0, shared: shared.is_some() }
    }

    /// Fills a pack with the Gaussians that come next.
    #[inline(always)]
    pub(super) fn fill<S: Simd, T: Real, const LONG: bool>(
        &mut self,
        simd: S,
        job: &Job<T>,
        pack: &mut Pack<T, LONG>,
        coming: &mut Candidates,
        target: &Target,
    ) {
        let Job { axes, rules, bins, .. } = job;
        let Target { start, extent, scale } = *target;
        while pack.len < T::PACK {
            if self.next == self.len {
                (self.next, self.len) = (0, 0);
                while self.len < BATCH
                    && let Some(place) = coming.next()
                {
                    if !self.shared {
                        self.batch.set_sigma(self.len, axes, rules, bins.sigma(place));
                    }
                    self.places[self.len] = place;
                    self.len += 1;
                }
                if self.len == 0 {
                    break;
                }
                self.batch.take_pack(simd, axes, bins, &self.places[..self.len], start, extent);
            }
            let i = self.next;
            self.next += 1;
            let ends = [
                self.batch.range(i, 0, extent[0]),
                self.batch.range(i, 1, extent[1]),
                self.batch.range(i, 2, extent[2]),
            ];
            if ends.iter().any(|(first, end)| first >= end) {
                continue;
            }
            let weight = T::from_f64((bins.weight(self.places[i]) * scale).clamp(-T::MAX, T::MAX));
            for j in 0..3 {
                let weight = if j == 0 { weight } else { T::from_f64(1.0) };
                pack.fill_line(simd, &self.batch, i, j, (ends[j].0, ends[j].1 - 1), weight);
            }
            if rules.support == Support::Ball {
                let (center, sigma) = (bins.center(self.places[i]), bins.sigma(self.places[i]));
                pack.fill_squares(simd, axes, &self.batch, i, ends);
                let middle = [0, 1, 2].map(|j| axes[j].index(center[j]) - self.batch.tile_first(i, j));
                pack.fill_ball(simd, rules, axes, middle, sigma);
            }
            pack.len += 1;
        }
    }
}
