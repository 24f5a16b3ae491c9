//! BALL in halo tiles: which voxels a narrow Gaussian keeps.
//!
//! A row at z and y keeps the voxels whose square along x is at most what the squares of z and y leave of R². That is one
//! comparison a row, in f64, so that what is kept is what the definition keeps. (In f32, with another pass to find the
//! Gaussians for which rounding may decide, narrow balls took 1.2 times as long.)

use crate::simd::{Simd, Vector};

use super::batch::Batch;
use super::halo::WIDEST;
use super::support::{Axis, Rules};

/// What one Gaussian keeps.
#[repr(C, align(64))]
pub(super) struct Kept {
    /// Squared distances in sigmas along x.
    squares: [f64; WIDEST],
    /// The largest of them that each row keeps.
    most: [[f64; WIDEST]; WIDEST],
}

impl Kept {
    pub(super) const NONE: Kept = Kept { squares: [0.0; WIDEST], most: [[0.0; WIDEST]; WIDEST] };

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
        assert!(W <= WIDEST && WIDEST.is_multiple_of(lanes));
        let squares = |j: usize, v: usize| batch.squares(simd, i, j, &axes[j], v);
        let limit = S::F64::splat(simd, rules.radius_squared);
        let mut planes = [0.0; WIDEST];
        for v in 0..WIDEST / lanes {
            // SAFETY: vectors of the WIDEST squares.
            unsafe {
                limit.sub(squares(0, v)).store(planes.as_mut_ptr().add(v * lanes));
                squares(2, v).store(self.squares.as_mut_ptr().add(v * lanes));
            }
        }
        for v in 0..W.div_ceil(lanes) {
            let rows = squares(1, v);
            for z in 0..W {
                let most = S::F64::splat(simd, planes[z]).sub(rows);
                // SAFETY: a vector of the WIDEST rows.
                unsafe { most.store(self.most[z].as_mut_ptr().add(v * lanes)) };
            }
        }
    }

    /// The squares along x, in one vector or in two.
    #[inline(always)]
    pub(super) fn squares<S: Simd>(&self, simd: S) -> [S::F64; 2] {
        let lanes = S::F64::LANES;
        assert!(WIDEST == lanes || WIDEST == 2 * lanes);
        // SAFETY: vectors of the WIDEST squares.
        [0, WIDEST - lanes].map(|at| unsafe { S::F64::load(simd, self.squares.as_ptr().add(at)) })
    }

    /// The largest square that a row keeps.
    #[inline(always)]
    pub(super) fn most<S: Simd>(&self, simd: S, z: usize, y: usize) -> S::F64 {
        S::F64::splat(simd, self.most[z][y])
    }
}
