//! voxlane
#![deny(unsafe_op_in_unsafe_fn, missing_docs)]
#![deny(clippy::undocumented_unsafe_blocks)]

mod error;
mod isa;
mod simd;
mod threads;
mod volume;

pub use error::{Error, ErrorKind};
pub use isa::Isa;
pub use threads::Progress;
pub use volume::{Element, ElementType, Volume, VolumeMut};
