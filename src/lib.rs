//! voxlane
#![deny(unsafe_op_in_unsafe_fn, missing_docs)]
#![deny(clippy::undocumented_unsafe_blocks)]

mod error;
mod gaussians;
mod isa;
mod simd;
mod threads;
mod volume;

pub use error::{Error, ErrorKind};
#[doc(hidden)]
pub use gaussians::reference as gaussians_reference;
pub use gaussians::{Coordinate, Gaussians, Grid, Normalization, Sampling, Sigmas, SumGaussians, Support};
pub use isa::Isa;
pub use threads::Progress;
pub use volume::{Element, ElementType, Volume, VolumeMut};
