//! Steepest-neighbour labels and sums of Gaussians on 3-D grids: exact SIMD kernels, from Rust and from C.
//!
//! * [`Steepest`] gives every voxel the index, 0 to 26, of the neighbour with the largest difference per distance:
//!   the inner step of watersheds, Bader charge analysis and flow routing.
//! * [`SumGaussians`] adds up Gaussians on a regular grid, each cut off at a tolerance: densities from atoms, images
//!   from localisations.
//!
//! Both take `ndarray` views of any stride, or raw parts ([`Volume`], [`VolumeMut`]), and are options in builder
//! style. `include/voxlane.h` is the same for C.
//!
//! # The numeric contract
//!
//! Labels and slopes are the same bits as the scalar definition for every input, on every instruction set, for every
//! number of threads, strides and any split into planes. Sums keep a written error bound (see [`SumGaussians`]) and
//! are the same bits for every number of threads.
//!
//! # Instruction sets
//!
//! The code for every tier of [`Isa`] is in the binary. A call takes the highest that the machine runs; the
//! environment variable `VOXLANE_ISA` and the option `isa` can lower it, and nothing can raise it.
//!
//! # Floating-point mode
//!
//! Rust takes the default one for granted, and so do these functions. Calls through the C interface set it themselves.
//!
//! # Threads
//!
//! A call uses its own thread and helpers from a pool that belongs to this crate and that sleeps between calls; never
//! rayon's global pool. `VOXLANE_THREADS` and the option `threads` limit them. A forked child may call, too.
//!
//! # From atoms to labels
//!
//! ```
//! use ndarray::{Array3, array};
//! use voxlane::{Border, Direction, Gaussians, Grid, LABEL_CENTER, Minima, Sigmas, Steepest, SumGaussians};
//!
//! let atoms = array![[2.0, 2.0, 2.0], [2.0, 2.0, 3.5]];
//! let mut density = Array3::<f32>::zeros((41, 41, 56));
//! let grid = Grid::new(&mut density, [0.0; 3], [0.1; 3]);
//! SumGaussians::new().sum(&Gaussians::new(atoms.view(), Sigmas::One(0.35))?, grid)?;
//!
//! let mut labels = Array3::<u8>::zeros(density.dim());
//! Steepest::new()
//!     .direction(Direction::Ascent)
//!     .minima(Minima::Flat)
//!     .border([Border::Inside; 3])
//!     .label(&density, &mut labels)?;
//! let peaks = labels.indexed_iter().filter(|(at, label)| **label == LABEL_CENTER && density[*at] > 0.5);
//! assert_eq!(peaks.map(|(at, _)| at).collect::<Vec<_>>(), [(20, 20, 20), (20, 20, 35)]);
//! # Ok::<(), voxlane::Error>(())
//! ```
#![deny(unsafe_op_in_unsafe_fn, missing_docs)]
#![deny(clippy::undocumented_unsafe_blocks)]

mod environment;
mod error;
// Not with the unit tests: its exported functions would have every kernel of every tier compiled once more (a build
// of minutes, not of seconds). It is tested through the library's C interface, as a unit test in it would not run.
#[doc(hidden)]
#[cfg(not(test))]
pub mod ffi;
mod gaussians;
mod isa;
mod overlap;
mod process;
mod scratch;
mod signals;
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
