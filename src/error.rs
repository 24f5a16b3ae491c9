//! The one error type: what went wrong as a kind, and a sentence that carries the offending numbers.

use std::fmt;

/// What went wrong. The discriminants are the status codes of the C interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorKind {
    /// A pointer that must not be NULL was NULL.
    Null = -1,
    /// A shape is empty, too large, or differs from the shape it must equal.
    Shape = -2,
    /// Strides leave the address space, or let two elements of an output share memory.
    Stride = -3,
    /// Data that is not aligned to its element type.
    Align = -4,
    /// An element type the function does not take.
    Dtype = -5,
    /// An output overlaps an input or another output.
    Overlap = -6,
    /// An option outside its range, or a combination that has no meaning.
    Option = -7,
    /// A value (coordinate, sigma, amplitude, spacing, weight) outside its range.
    Value = -8,
    /// An instruction set that is unknown or that this machine lacks.
    Isa = -9,
    /// Memory could not be allocated.
    Memory = -10,
    /// Threads could not be started, or `VOXLANE_THREADS` is not a number.
    Thread = -11,
    /// The progress callback asked to stop.
    Cancelled = -12,
    /// A bug in this library: a panic was caught at the C boundary.
    Panic = -100,
}

/// The error of every fallible function of this crate.
///
/// ```
/// use voxlane::{Border, ErrorKind, Steepest};
/// let image = ndarray::Array3::<f32>::zeros((4, 4, 4));
/// let mut labels = ndarray::Array3::<u8>::zeros((4, 4, 5));
/// let error = Steepest::new().border([Border::Inside; 3]).label(&image, &mut labels).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Shape);
/// assert_eq!(error.to_string(), "labels: shape [4, 4, 5] differs from the image's shape [4, 4, 4]");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into() }
    }

    pub(crate) fn memory(bytes: usize, what: &str) -> Self {
        Error::new(ErrorKind::Memory, format!("could not allocate {bytes} bytes for {what}"))
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
