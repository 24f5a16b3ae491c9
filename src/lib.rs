//! Steepest-neighbour labels and sums of Gaussians on 3-D grids: exact SIMD kernels, from Rust and from C.
//!
//! * [`Steepest`] gives every voxel the index, 0 to 26, of the neighbour with the largest difference per distance:
//!   the inner step of watersheds, Bader charge analysis and flow routing.
#![deny(unsafe_op_in_unsafe_fn, missing_docs)]
#![deny(clippy::undocumented_unsafe_blocks)]

mod error;
#[doc(hidden)]
pub mod ffi;
mod gaussians;
mod isa;
mod scratch;
mod simd;
mod steepest;
mod threads;
mod volume;

pub use error::{Error, ErrorKind};
#[doc(hidden)]
pub use gaussians::reference as gaussians_reference;
pub use gaussians::{Coordinate, Gaussians, Grid, Normalization, Sampling, Sigmas, SumGaussians, Support};
pub use isa::Isa;
pub use steepest::{Border, Direction, LABEL_CENTER, LABEL_MASKED, Minima, Steepest, neighbor_offset};
pub use threads::Progress;
pub use volume::{Element, ElementType, Volume, VolumeMut};
