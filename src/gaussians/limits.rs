//! Supports so large that they could not be summed, or not in a bearable time: found and named before any work.

use crate::error::{Error, ErrorKind};

use super::mass::{MOST_HELD, MOST_POINTS, MOST_ROWS};
use super::support::{Axis, Rules, Span};
use super::{Normalization, Support};

/// Lattice points beyond this are not all whole numbers in f64, with room for sums of a few.
const FARTHEST: f64 = (1u64 << 50) as f64;
/// The farthest reach on a periodic axis.
const LONGEST: f64 = (1u64 << 31) as f64;
/// The most periodic images of a ball, which are Gaussians of their own.
const MOST_IMAGES: f64 = (1u64 << 20) as f64;
/// Supports of this reach are within every limit.
const SMALL: f64 = 32.0;

/// What is too much.
pub(super) enum Excess {
    /// Voxels along an axis, and how many there may be.
    Voxels(usize, f64, f64),
    /// The distance from the grid along an axis, in voxels.
    Distance(usize, f64),
    /// Rows of a ball whose mass is to be counted.
    Rows(f64),
    /// Periodic images of a ball.
    Images(f64),
}

impl Rules {
    /// Whether a Gaussian is within all limits.
    #[inline(always)]
    pub(super) fn feasible(
        &self,
        axes: &[Axis; 3],
        spans: &[Span; 3],
        center: [f64; 3],
        sigma: [f64; 3],
    ) -> bool {
        let small = |span: &Span| span.reach <= SMALL && span.middle.abs() <= FARTHEST;
        (small(&spans[0]) & small(&spans[1]) & small(&spans[2]))
            || self.excess(axes, spans, center, sigma).is_none()
    }

    #[inline(never)]
    fn excess(
        &self,
        axes: &[Axis; 3],
        spans: &[Span; 3],
        center: [f64; 3],
        sigma: [f64; 3],
    ) -> Option<Excess> {
        let mass = self.normalization == Normalization::Mass;
        let ball = self.support == Support::Ball;
        let (mut images, mut rows, mut widest) = (1.0, 1.0, 0.0f64);
        for j in 0..3 {
            let (axis, Span { middle, reach }) = (&axes[j], spans[j]);
            let width = 2.0 * reach + 1.0;
            let meets = middle - reach < FARTHEST && middle + reach > -FARTHEST;
            if reach > FARTHEST && meets {
                return Some(Excess::Voxels(j, width, 2.0 * FARTHEST));
            }
            if (axis.periodic || mass) && middle.abs() > FARTHEST {
                return Some(Excess::Distance(j, middle.abs()));
            }
            if axis.periodic {
                if reach > LONGEST {
                    return Some(Excess::Voxels(j, width, 2.0 * LONGEST));
                }
                let count = width * axis.inverse_period + 1.0;
                images *= count;
                if !ball && count > MOST_POINTS && !axis.sums_wide(center[j], sigma[j], axis.period()) {
                    return Some(Excess::Voxels(j, width, MOST_POINTS * axis.n as f64));
                }
            }
            if mass && ball && width > MOST_HELD {
                return Some(Excess::Voxels(j, width, MOST_HELD));
            }
            if mass && !ball && width > MOST_POINTS && !axis.sums_wide(center[j], sigma[j], axis.spacing) {
                return Some(Excess::Voxels(j, width, MOST_POINTS));
            }
            rows *= width;
            widest = widest.max(width);
        }
        rows /= widest;
        if mass && ball && rows > MOST_ROWS {
            return Some(Excess::Rows(rows));
        }
        (ball && images > MOST_IMAGES).then_some(Excess::Images(images))
    }

    /// The error for centre `row`, which is not feasible. `order` has the caller's axis for each of the kernel's.
    pub(super) fn infeasible(
        &self,
        axes: &[Axis; 3],
        order: [usize; 3],
        row: usize,
        center: [f64; 3],
        sigma: [f64; 3],
    ) -> Error {
        let spans = [0, 1, 2].map(|j| self.span(&axes[j], center[j], sigma[j]));
        let mut all = sigma;
        order.iter().enumerate().for_each(|(j, &axis)| all[axis] = sigma[j]);
        let mass =
            if self.normalization == Normalization::Mass { " under the mass normalization" } else { "" };
        let text = match self.excess(axes, &spans, center, sigma) {
            Some(Excess::Voxels(j, width, most)) => format!(
                "sigmas: centre {row}, axis {} is {:?}, which reaches over {width:.4e} voxels, more than {most:.4e}{mass}",
                order[j], sigma[j]
            ),
            Some(Excess::Distance(j, distance)) => format!(
                "centers: centre {row}, axis {} is {:?}, {distance:.4e} voxels from the grid's first, too far for their positions to be told apart",
                order[j], center[j]
            ),
            Some(Excess::Rows(rows)) => format!(
                "sigmas: centre {row} has {all:?}: the mass normalization counts a ball's rows of voxels, here {rows:.4e}, more than {MOST_ROWS}"
            ),
            Some(Excess::Images(images)) => format!(
                "sigmas: centre {row} has {all:?}: a ball that reaches {images:.4e} periodic images, more than {MOST_IMAGES}; a box has no such limit"
            ),
            None => format!("centre {row} cannot be summed"),
        };
        Error::new(ErrorKind::Value, text)
    }
}
