//! The blocks of a tile's buffer: cleared, and a pack added to them.

use crate::simd::{Simd, Vector};

use super::factors::Real;
use super::pack::{self, Pack, sides};
use super::tile::voxels;

/// Clears the blocks that a pack touches and none before it did. (To ask for their place in the grid meanwhile gained
/// nothing.)
#[inline(always)]
pub(super) fn clear<S: Simd, T: Real, const LONG: bool, const BZ: usize, const BY: usize>(
    pack: &Pack<T, LONG>,
    touched: &mut [[u64; 16]; 16],
    buffer: &mut [T],
) {
    let (sides, lanes) = (sides::<T, LONG>(), <T::Vector<S>>::LANES);
    for z in 0..sides[0] / BZ {
        for y in 0..sides[1] / BY {
            let rows = pack.touched[0][z] & pack.touched[1][y];
            if rows == 0 {
                continue;
            }
            for x in 0..sides[2] / lanes {
                if rows & pack.touched[2][x] == 0 || touched[z][y] >> x & 1 != 0 {
                    continue;
                }
                touched[z][y] |= 1 << x;
                for row in (0..BZ * BY).map(|i| (z * BZ + i / BY) * sides[1] + y * BY + i % BY) {
                    buffer[row * sides[2] + x * lanes..][..lanes].fill(T::ZERO);
                }
            }
        }
    }
}

/// Adds a pack to the tile's buffer, block by block.
#[inline(always)]
pub(super) fn add<S: Simd, T: Real, const LONG: bool, const BZ: usize, const BY: usize, const BALL: bool>(
    simd: S,
    pack: &Pack<T, LONG>,
    limit: f64,
    buffer: &mut [T],
) {
    let lanes = <T::Vector<S>>::LANES;
    assert!(BY <= <S::F64 as Vector>::LANES);
    assert!(buffer.len() >= voxels::<T, LONG>() && pack.factors.len() >= T::PACK * pack::rows::<T, LONG>());
    assert!(!BALL || pack.ball.serves::<S>(BZ, BY));
    let [touched_z, touched_y, touched_x] = &pack.touched;
    for z in 0..sides::<T, LONG>()[0] / BZ {
        if touched_z[z] == 0 {
            continue;
        }
        for y in 0..sides::<T, LONG>()[1] / BY {
            let touched_zy = touched_z[z] & touched_y[y];
            if touched_zy == 0 {
                continue;
            }
            for x in 0..sides::<T, LONG>()[2] / lanes {
                let mut touched = touched_zy & touched_x[x];
                if BALL && touched != 0 {
                    touched = pack.ball.near(simd, [z, y, x], touched, limit);
                }
                if touched == 0 {
                    continue;
                }
                let corner = [z * BZ, y * BY, x * lanes];
                // SAFETY: the block lies within the tile, and the buffer's length was checked.
                let block = unsafe {
                    buffer.as_mut_ptr().add(
                        (corner[0] * sides::<T, LONG>()[1] + corner[1]) * sides::<T, LONG>()[2] + corner[2],
                    )
                };
                let mut sums = [[<T::Vector<S>>::splat(simd, T::ZERO); BY]; BZ];
                for (dz, plane) in sums.iter_mut().enumerate() {
                    for (dy, sum) in plane.iter_mut().enumerate() {
                        // SAFETY: a row of the block.
                        *sum = unsafe {
                            <T::Vector<S>>::load(
                                simd,
                                block.add((dz * sides::<T, LONG>()[1] + dy) * sides::<T, LONG>()[2]),
                            )
                        };
                    }
                }
                while touched != 0 {
                    let slot = touched.trailing_zeros() as usize;
                    touched &= touched - 1;
                    // SAFETY: set bits are slots below T::PACK; the corner lies within the rows.
                    let (gz, gy, gx) = unsafe { rows::<T, LONG, _>(pack.factors, slot, corner) };
                    // SAFETY: as above.
                    let gx = unsafe { <T::Vector<S>>::load(simd, gx) };
                    let mut planes = [gx; BZ];
                    for (dz, plane) in planes.iter_mut().enumerate() {
                        // SAFETY: as above.
                        *plane = gx.mul(<T::Vector<S>>::splat(simd, unsafe { *gz.add(dz) }));
                    }
                    let (kept, bit) = pack.ball.block::<S>(slot, corner);
                    for dy in 0..BY {
                        // SAFETY: as above.
                        let g = <T::Vector<S>>::splat(simd, unsafe { *gy.add(dy) });
                        for dz in 0..BZ {
                            let sum = sums[dz][dy];
                            sums[dz][dy] = if BALL {
                                // SAFETY: a row of the block.
                                let word = unsafe { &*kept.add(dz * S::F64::LANES + dy) };
                                let mask = <T::Vector<S>>::mask(simd, word, bit);
                                planes[dz].mul_add_where(mask, g, sum)
                            } else {
                                planes[dz].mul_add(g, sum)
                            };
                        }
                    }
                }
                for (dz, plane) in sums.iter().enumerate() {
                    for (dy, sum) in plane.iter().enumerate() {
                        // SAFETY: a row of the block.
                        unsafe {
                            sum.store(block.add((dz * sides::<T, LONG>()[1] + dy) * sides::<T, LONG>()[2]))
                        };
                    }
                }
            }
        }
    }
}

/// A Gaussian's rows for z, y and x, from the corner on.
///
/// # Safety
/// The table has rows for the slot, and the corner lies within the tile.
#[inline(always)]
unsafe fn rows<T: Real, const LONG: bool, E>(
    table: &[E],
    slot: usize,
    corner: [usize; 3],
) -> (*const E, *const E, *const E) {
    // SAFETY: the caller's promise.
    unsafe {
        let first = table.as_ptr().add(slot * pack::rows::<T, LONG>());
        (
            first.add(corner[0]),
            first.add(pack::row::<T, LONG>(1) + corner[1]),
            first.add(pack::row::<T, LONG>(2) + corner[2]),
        )
    }
}
