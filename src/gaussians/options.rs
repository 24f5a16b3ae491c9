//! The choices of a sum of Gaussians.

/// The factor `N` in front of each Gaussian `A·N·exp(−Σ(x−c)²/2σ²)`. The discriminants are the C values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Normalization {
    /// 1: the amplitude is the height of the peak.
    #[default]
    Peak = 0,
    /// 1/√(2πσ²), the one-dimensional factor in all three dimensions. For code that has always done so, as NumPy's
    /// `1./np.sqrt(2*np.pi*sigma**2) * np.exp(-dist**2/(2*sigma**2))` over a 3-D grid; it needs the same sigma on all
    /// axes.
    Reference = 1,
    /// 1/((2π)^(3/2) σ₀σ₁σ₂): the amplitude is the integral over space, the grid a density per unit of volume that
    /// does not depend on the spacing. For electron densities, as in crystallography. Of the integral, the cutoff
    /// takes 4e-7 (box) or 4e-6 (ball) at eps 1e-6; 6e-4 or 3e-3 at 1e-3.
    Integral = 2,
    /// The samples that the lattice keeps of each centre, continued without end, add up to the amplitude, to 1e-6
    /// on an f32 grid and 1e-12 on an f64 grid, whatever the cutoff and the position within a voxel. For counts in
    /// voxels: molecules or photons in an image of localisations. (A Gaussian of which no voxel is kept has nothing
    /// to scale, and adds nothing.)
    Mass = 3,
}

/// Where a Gaussian is cut off, with R² = −2 ln eps. The discriminants are the C values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Support {
    /// A voxel is kept where |x−c| ≤ Rσ on every axis.
    #[default]
    Box = 0,
    /// A voxel is kept where Σ((x−c)/σ)² ≤ R².
    Ball = 1,
}

/// What a voxel holds of a Gaussian. The discriminants are the C values.
///
/// A detector's pixel holds a mean, and a sum over the voxels of some region is its content only if they hold
/// means. Point samples are too high on a peak and too low on its flanks: along one axis, with a sigma of one
/// voxel and an integral of 1, the peak is 0.399 and not 0.383, off by 1.6 % of the integral and 4 % of itself. At
/// two voxels these are 0.2 % and 1 %, at half a voxel 12 % and 17 %.
///
/// ```
/// use ndarray::{Array3, array};
/// use voxlane::{Gaussians, Grid, Normalization, Sampling, Sigmas, SumGaussians};
///
/// let center = array![[0.0, 0.0, 10.0]];
/// let gaussians = Gaussians::new(center.view(), Sigmas::PerAxis([1e6, 1e6, 1.0]))?;
/// let peak = |sampling| {
///     let mut row = Array3::<f64>::zeros((1, 1, 21));
///     let sum = SumGaussians::new().normalization(Normalization::Mass).sampling(sampling).eps(1e-9);
///     sum.sum(&gaussians, Grid::new(&mut row, [0.0; 3], [1.0; 3]))?;
///     Ok::<f64, voxlane::Error>(row[[0, 0, 10]] / row.sum())
/// };
/// assert!((peak(Sampling::Point)? - 0.3989).abs() < 1e-4);
/// assert!((peak(Sampling::Voxel)? - 0.3829).abs() < 1e-4);
/// # Ok::<(), voxlane::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Sampling {
    /// The value at its middle.
    #[default]
    Point = 0,
    /// The mean over the voxel, as a detector's pixel has it. A Gaussian much narrower than a voxel is still there:
    /// its whole content in the voxel around its centre.
    Voxel = 1,
}
