//! Values out of range: found in one pass without a branch per centre, named once found.

use std::ops::Range;

use crate::error::{Error, ErrorKind};

use super::sort::Sort;
use super::{Normalization, Support};

impl Sort<'_> {
    fn needs_isotropic(&self) -> bool {
        self.rules.normalization == Normalization::Reference
    }

    /// Whether all values of some rows are in range.
    pub(super) fn all_good(&self, rows: Range<usize>) -> bool {
        let mut good = self.centers.all_good(rows.clone(), false)
            && self.amplitudes.is_none_or(|table| table.all_good(rows.clone(), false));
        if let Err(table) = &self.sigmas {
            good &= table.all_good(rows.clone(), true);
            if self.needs_isotropic() && table.columns == 3 {
                good &= rows.fold(true, |all, row| {
                    let [a, b, c] = [0, 1, 2].map(|axis| table.get(row, axis));
                    all & (a == b) & (b == c)
                });
            }
        }
        good
    }

    pub(super) fn bad_shared_sigma(&self) -> bool {
        let good = |values: &[f64; 3]| {
            values.iter().all(|sigma| sigma.is_finite() && *sigma > 0.0)
                && !(self.needs_isotropic() && values.iter().any(|sigma| *sigma != values[0]))
        };
        self.count > 0 && self.sigmas.is_ok_and(|values| !good(&values))
    }

    /// The error for the first value that did not pass.
    pub(super) fn first_bad_value(&self) -> Error {
        let mut by_axis = [0; 3];
        self.order.iter().enumerate().for_each(|(j, &axis)| by_axis[axis] = j);
        for row in 0..self.count {
            let (center, sigma) = (self.center(row), self.sigma(row));
            for (axis, j) in by_axis.into_iter().enumerate() {
                let (c, s) = (center[j], sigma[j]);
                if !c.is_finite() {
                    let text = format!("centers: centre {row}, axis {axis} is {c:?}, not finite");
                    return Error::new(ErrorKind::Value, text);
                }
                if !(s.is_finite() && s > 0.0) {
                    let text =
                        format!("sigmas: centre {row}, axis {axis} is {s:?}, not finite and above zero");
                    return Error::new(ErrorKind::Value, text);
                }
            }
            let amplitude = self.amplitude(row);
            if !amplitude.is_finite() {
                let text = format!("amplitudes: centre {row} is {amplitude:?}, not finite");
                return Error::new(ErrorKind::Value, text);
            }
            if self.needs_isotropic() && sigma.iter().any(|s| *s != sigma[0]) {
                let sigma = by_axis.map(|j| sigma[j]);
                return Error::new(
                    ErrorKind::Option,
                    format!(
                        "the reference normalization needs one sigma for all axes; centre {row} has {sigma:?}"
                    ),
                );
            }
        }
        unreachable!("a bad value was seen")
    }

    pub(super) fn infeasible(&self, row: usize) -> Error {
        self.rules.infeasible(self.axes, self.order, row, self.center(row), self.sigma(row))
    }

    /// Whether no voxel of the grid is kept, or no image of one: then it does not matter how large the
    /// normalised amplitude would be. Asked only where it would be the largest so far, or overflows.
    #[cold]
    pub(super) fn adds_nothing(&self, center: [f64; 3], sigma: [f64; 3]) -> bool {
        let nearest = [0, 1, 2].map(|j| {
            let axis = &self.axes[j];
            let mut k = axis.index(center[j]).round();
            if !axis.periodic {
                k = k.clamp(0.0, (axis.n - 1) as f64);
            }
            // The rounding of the index may have chosen the second nearest.
            [k - 1.0, k, k + 1.0]
                .into_iter()
                .filter(|k| axis.periodic || (0.0..axis.n as f64).contains(k))
                .map(|k| self.rules.square(axis, axis.position(k) - center[j], sigma[j]))
                .fold(f64::INFINITY, f64::min)
        });
        let limit = self.rules.radius_squared;
        match self.rules.support {
            Support::Box => nearest.iter().any(|square| *square > limit),
            Support::Ball => nearest.iter().sum::<f64>() > limit,
        }
    }

    /// The centre of the largest amplitude at this position.
    pub(super) fn row_at(&self, position: [f64; 3]) -> usize {
        let at = |row: &usize| self.center(*row).map(f64::to_bits) == position.map(f64::to_bits);
        let larger = |a: &usize, b: &usize| self.amplitude(*a).abs().total_cmp(&self.amplitude(*b).abs());
        (0..self.count).filter(at).max_by(larger).expect("a centre of the sort")
    }

    pub(super) fn weight_overflow(&self, row: usize) -> Error {
        let amplitude = self.amplitude(row);
        let mut sigma = [0.0; 3];
        self.order.iter().enumerate().for_each(|(j, &axis)| sigma[axis] = self.sigma(row)[j]);
        Error::new(
            ErrorKind::Value,
            format!(
                "amplitudes: centre {row} is {amplitude:?}, which overflows once it is normalised, with sigmas {sigma:?}"
            ),
        )
    }
}
