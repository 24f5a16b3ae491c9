//! BALL in halo tiles: which voxels a narrow Gaussian keeps.
//!
//! A row at z and y keeps the voxels whose square along x is at most what the squares of z and y leave of R². That is
//! one comparison a row, in f64 and as other tiles make it, so that what is kept is what the definition keeps, but for
//! rounding on the very surface. (In f32, with another pass to find the Gaussians for which rounding may decide, narrow
//! balls took 1.2 times as long.)

use crate::simd::{Simd, Vector};

use super::batch::Batch;
use super::halo::MOST_VECTORS;
use super::support::{Axis, Rules};

/// What one Gaussian keeps.
#[repr(C, align(64))]
pub(super) struct Kept<const H: usize> {
    /// Squared distances in sigmas along x.
    squares: [f64; H],
    /// The largest of them that each row keeps.
    most: [[f64; H]; H],
}

impl<const H: usize> Kept<H> {
    pub(super) const NONE: Self = Kept { squares: [0.0; H], most: [[0.0; H]; H] };

    /// For the first W planes and rows of Gaussian i of a batch.
    #[inline(always)]
    pub(super) fn find<S: Simd, const W: usize>(
        &mut self,
        simd: S,
        axes: &[Axis; 3],
        rules: &Rules,
        batch: &Batch,
        i: usize,
    ) {
        let lanes = S::F64::LANES;
        assert!(W <= H && H.is_multiple_of(lanes));
        let squares = |j: usize, v: usize| batch.squares(simd, i, j, &axes[j], v);
        let limit = S::F64::splat(simd, rules.radius_squared);
        let mut planes = [0.0; H];
        for v in 0..H / lanes {
            // SAFETY: vectors of the H squares.
            unsafe {
                limit.sub(squares(0, v)).store(planes.as_mut_ptr().add(v * lanes));
                squares(2, v).store(self.squares.as_mut_ptr().add(v * lanes));
            }
        }
        for v in 0..W.div_ceil(lanes) {
            let rows = squares(1, v);
            for z in 0..W {
                let most = S::F64::splat(simd, planes[z]).sub(rows);
                // SAFETY: a vector of the H rows.
                unsafe { most.store(self.most[z].as_mut_ptr().add(v * lanes)) };
            }
        }
    }

    /// The squares along x, in as many vectors as it takes.
    #[inline(always)]
    pub(super) fn squares<S: Simd>(&self, simd: S) -> [S::F64; MOST_VECTORS] {
        let lanes = S::F64::LANES;
        assert!(H.is_multiple_of(lanes) && H / lanes <= MOST_VECTORS);
        let mut squares = [S::F64::splat(simd, 0.0); MOST_VECTORS];
        for v in 0..H / lanes {
            // SAFETY: a vector of the H squares.
            squares[v] = unsafe { S::F64::load(simd, self.squares.as_ptr().add(v * lanes)) };
        }
        squares
    }

    /// The largest square that a row keeps.
    #[inline(always)]
    pub(super) fn most<S: Simd>(&self, simd: S, z: usize, y: usize) -> S::F64 {
        S::F64::splat(simd, self.most[z][y])
    }
}
