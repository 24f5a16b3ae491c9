//! The caller's Gaussians: type-erased arrays of centres, amplitudes and sigmas, checked once.

use ndarray::{ArrayView1, ArrayView2, Axis};

use crate::error::{Error, ErrorKind};
use crate::volume::{Element, ElementType, Volume};

/// The element types of centres, amplitudes and sigmas: `f32` and `f64`.
pub trait Coordinate: Element + Into<f64> {}

impl Coordinate for f32 {}
impl Coordinate for f64 {}

/// Standard deviations, in the unit of the coordinates. Each must be finite and above zero.
#[derive(Debug, Clone, Copy)]
pub enum Sigmas<'a, T> {
    /// One for all centres and axes.
    One(T),
    /// One per axis, the same for all centres.
    PerAxis([T; 3]),
    /// One per centre, the same on its three axes.
    PerCenter(ArrayView1<'a, T>),
    /// One per centre and axis: shape (count, 3).
    PerCenterAndAxis(ArrayView2<'a, T>),
}

/// A set of 3-D Gaussians, borrowed from the caller's arrays.
///
/// ```
/// use ndarray::array;
/// use voxlane::{Gaussians, Sigmas};
/// // Two centres, in the axis order of the grid (axis 0 first); each with its own width and height.
/// let centers = array![[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]];
/// let (sigmas, amplitudes) = (array![0.5, 0.8], array![1.0, -2.0]);
/// let gaussians = Gaussians::new(centers.view(), Sigmas::PerCenter(sigmas.view()))?
///     .amplitudes(amplitudes.view())?;
/// assert_eq!(gaussians.count(), 2);
/// # Ok::<(), voxlane::Error>(())
/// ```
#[derive(Debug)]
pub struct Gaussians<'a> {
    count: usize,
    /// (count, 3, 1); none where the count is 0.
    centers: Option<Volume<'a>>,
    /// (count, 1, 1), or (1, 1, 1) for one shared; none: all 1.
    amplitudes: Option<Volume<'a>>,
    sigmas: SigmaValues<'a>,
}

#[derive(Debug)]
enum SigmaValues<'a> {
    /// The same three for every centre; and where they lie, if in the caller's memory.
    Shared { values: [f64; 3], memory: Option<Volume<'a>> },
    /// (count, 1, 1) or (count, 3, 1).
    Each(Volume<'a>),
}

impl<'a> Gaussians<'a> {
    /// Gaussians of amplitude 1 at `centers`, an array of shape (count, 3) whose columns are the
    /// coordinates along axis 0, 1 and 2 of the grid. Values are checked when they are summed.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if `centers` has not three columns, or the sigmas do not match the count.
    pub fn new<T: Coordinate>(centers: ArrayView2<'a, T>, sigmas: Sigmas<'a, T>) -> Result<Self, Error> {
        let count = centers.nrows();
        if centers.ncols() != 3 {
            return Err(shape_error("centers", centers.shape(), "(count, 3)"));
        }
        let sigmas = match sigmas {
            Sigmas::One(sigma) => SigmaValues::Shared { values: [sigma.into(); 3], memory: None },
            Sigmas::PerAxis(sigmas) => SigmaValues::Shared { values: sigmas.map(Into::into), memory: None },
            Sigmas::PerCenter(sigmas) if sigmas.len() == count => {
                SigmaValues::Each(sigmas.insert_axis(Axis(1)).insert_axis(Axis(2)).into())
            }
            Sigmas::PerCenter(sigmas) => {
                return Err(shape_error("sigmas", sigmas.shape(), &format!("({count},)")));
            }
            Sigmas::PerCenterAndAxis(sigmas) if sigmas.dim() == (count, 3) => {
                SigmaValues::Each(sigmas.insert_axis(Axis(2)).into())
            }
            Sigmas::PerCenterAndAxis(sigmas) => {
                return Err(shape_error("sigmas", sigmas.shape(), &format!("({count}, 3)")));
            }
        };
        let centers = (count > 0).then(|| centers.insert_axis(Axis(2)).into());
        Ok(Gaussians { count, centers, amplitudes: None, sigmas })
    }

    /// Sets the amplitudes, one per centre, of any sign.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if their number differs from that of the centres.
    pub fn amplitudes<T: Coordinate>(mut self, amplitudes: ArrayView1<'a, T>) -> Result<Self, Error> {
        if amplitudes.len() != self.count {
            return Err(shape_error("amplitudes", amplitudes.shape(), &format!("({},)", self.count)));
        }
        let volume = || amplitudes.insert_axis(Axis(1)).insert_axis(Axis(2)).into();
        self.amplitudes = (self.count > 0).then(volume);
        Ok(self)
    }

    /// Gaussians described by pointers and strides in elements, as in the C interface.
    ///
    /// `center_stride` steps between centres and between coordinates. `amplitudes` may be NULL (all 1),
    /// `amplitude_stride` 0 shares one. `sigma_stride` of `[0, 0]` is one sigma for all, `[s, 0]` one per
    /// centre, `[0, s]` one per axis, `[s, t]` one per centre and axis. With a count of 0 no pointer is used.
    ///
    /// # Safety
    /// For `'a`, everything that count and strides name is readable and not written by anyone else.
    ///
    /// # Errors
    /// [`ErrorKind::Dtype`] unless the element type is F32 or F64; [`ErrorKind::Null`],
    /// [`Stride`](ErrorKind::Stride), [`Shape`](ErrorKind::Shape) or [`Align`](ErrorKind::Align) for an
    /// array that cannot be.
    #[allow(clippy::too_many_arguments)]
    pub unsafe fn from_raw_parts(
        count: usize,
        dtype: ElementType,
        centers: *const u8,
        center_stride: [isize; 2],
        amplitudes: *const u8,
        amplitude_stride: isize,
        sigmas: *const u8,
        sigma_stride: [isize; 2],
    ) -> Result<Self, Error> {
        if !matches!(dtype, ElementType::F32 | ElementType::F64) {
            return Err(Error::new(
                ErrorKind::Dtype,
                format!("gaussians: element type {dtype:?} ({}) is neither F32 nor F64", dtype as i32),
            ));
        }
        if count == 0 {
            let sigmas = SigmaValues::Shared { values: [1.0; 3], memory: None };
            return Ok(Gaussians { count, centers: None, amplitudes: None, sigmas });
        }
        let array = |data, rows: usize, columns: usize, stride: [isize; 2], name| {
            // SAFETY: the caller's promise; a dimension of stride 0 has been cut to its one element.
            unsafe {
                Volume::from_raw_parts(data, [rows, columns, 1], [stride[0], stride[1], 0], dtype, name)
            }
        };
        let rows = |stride| if stride == 0 { 1 } else { count };
        let centers = array(centers, count, 3, center_stride, "centers")?;
        let amplitudes = if amplitudes.is_null() {
            None
        } else {
            Some(array(amplitudes, rows(amplitude_stride), 1, [amplitude_stride, 0], "amplitudes")?)
        };
        let columns = if sigma_stride[1] == 0 { 1 } else { 3 };
        let memory = array(sigmas, rows(sigma_stride[0]), columns, sigma_stride, "sigmas")?;
        let sigmas = if sigma_stride[0] == 0 {
            let column = Column::of(&memory, 1);
            let values = [0, 1, 2].map(|axis| column.get(0, axis));
            SigmaValues::Shared { values, memory: Some(memory) }
        } else {
            SigmaValues::Each(memory)
        };
        Ok(Gaussians { count, centers: Some(centers), amplitudes, sigmas })
    }

    /// The number of Gaussians.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Every array of the caller, with its name.
    pub(super) fn memory(&self) -> impl Iterator<Item = (&Volume<'a>, &'static str)> {
        let sigmas = match &self.sigmas {
            SigmaValues::Shared { memory, .. } => memory.as_ref(),
            SigmaValues::Each(volume) => Some(volume),
        };
        let arrays = [
            (self.centers.as_ref(), "centers"),
            (self.amplitudes.as_ref(), "amplitudes"),
            (sigmas, "sigmas"),
        ];
        arrays.into_iter().filter_map(|(volume, name)| volume.map(|volume| (volume, name)))
    }

    /// The centres as a table of `count` rows and 3 columns.
    pub(super) fn center_table(&self) -> Column {
        self.centers.as_ref().map_or(Column::EMPTY, |volume| Column::of(volume, self.count))
    }

    /// The amplitudes as a table of one column; none: all 1.
    pub(super) fn amplitude_table(&self) -> Option<Column> {
        self.amplitudes.as_ref().map(|volume| Column::of(volume, self.count))
    }

    /// The sigmas: three for all, or a table of three columns (of which all may be one).
    pub(super) fn sigma_table(&self) -> Result<[f64; 3], Column> {
        match &self.sigmas {
            SigmaValues::Shared { values, .. } => Ok(*values),
            SigmaValues::Each(volume) => Err(Column::of(volume, self.count)),
        }
    }
}

fn shape_error(name: &str, shape: &[usize], expected: &str) -> Error {
    Error::new(ErrorKind::Shape, format!("{name}: shape {shape:?} is not {expected}"))
}

/// A table of f32 or f64 in the caller's memory, read as f64. Dimensions of one element repeat it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pointer: *const u8,
    stride: [isize; 2],
    rows: usize,
    /// 1 where all columns are the same elements.
    pub columns: usize,
    wide: bool,
}

// SAFETY: a Column only reads memory that its Volume borrows for reading.
unsafe impl Send for Column {}
// SAFETY: as above.
unsafe impl Sync for Column {}

impl Column {
    const EMPTY: Column =
        Column { pointer: std::ptr::null(), stride: [0; 2], rows: 0, columns: 3, wide: true };

    fn of(volume: &Volume, rows: usize) -> Column {
        let shape = volume.shape();
        if shape.contains(&0) {
            return Column::EMPTY;
        }
        let stride = [0, 1].map(|axis| if shape[axis] == 1 { 0 } else { volume.stride()[axis] });
        let wide = volume.element_type() == ElementType::F64;
        // SAFETY: element (0, 0, 0) exists, and the type is the volume's.
        let pointer = unsafe {
            if wide {
                volume.at::<f64>([0; 3]).cast_const().cast()
            } else {
                volume.at::<f32>([0; 3]).cast_const().cast()
            }
        };
        debug_assert!(shape[0] == 1 || shape[0] >= rows);
        Column { pointer, stride, rows, columns: shape[1], wide }
    }

    /// One element as f64, which is exact.
    #[inline(always)]
    pub(super) fn get(&self, row: usize, column: usize) -> f64 {
        assert!(row < self.rows && column < 3);
        let offset = row as isize * self.stride[0] + column as isize * self.stride[1];
        // SAFETY: the row is in range, columns up to 2 are or repeat the first; the Volume behind this
        // was checked to lie in readable memory.
        unsafe {
            if self.wide {
                *self.pointer.cast::<f64>().offset(offset)
            } else {
                f64::from(*self.pointer.cast::<f32>().offset(offset))
            }
        }
    }

    /// One column of some rows as f64, which is exact.
    #[inline(always)]
    pub(super) fn read_column(&self, first_row: usize, column: usize, to: &mut [f64]) {
        if self.wide {
            self.read_column_of::<f64>(first_row, column, to);
        } else {
            self.read_column_of::<f32>(first_row, column, to);
        }
    }

    #[inline(always)]
    fn read_column_of<T: Coordinate>(&self, first_row: usize, column: usize, to: &mut [f64]) {
        assert!(column < 3 && first_row <= self.rows && to.len() <= self.rows - first_row);
        for (i, to) in to.iter_mut().enumerate() {
            let offset = (first_row + i) as isize * self.stride[0] + column as isize * self.stride[1];
            // SAFETY: as in `get`.
            *to = unsafe { *self.pointer.cast::<T>().offset(offset) }.into();
        }
    }

    /// Whether every element of the rows is finite, and if asked above zero. No branch per element.
    pub(super) fn all_good(&self, rows: std::ops::Range<usize>, positive: bool) -> bool {
        if self.wide {
            self.all_good_of::<f64>(rows, positive)
        } else {
            self.all_good_of::<f32>(rows, positive)
        }
    }

    fn all_good_of<T: Coordinate>(&self, rows: std::ops::Range<usize>, positive: bool) -> bool {
        assert!(rows.start <= rows.end && rows.end <= self.rows);
        let good = |value: T| {
            let value: f64 = value.into();
            (value.abs() < f64::INFINITY) & (!positive | (value > 0.0))
        };
        let first = self.pointer.cast::<T>();
        if rows.is_empty() {
            return true;
        }
        if self.stride == [self.columns as isize, if self.columns == 1 { 0 } else { 1 }] {
            // SAFETY: dense rows within the checked memory.
            let values = unsafe {
                std::slice::from_raw_parts(first.add(rows.start * self.columns), rows.len() * self.columns)
            };
            return values.iter().fold(true, |all, &value| all & good(value));
        }
        (0..self.columns).all(|column| {
            rows.clone().fold(true, |all, row| {
                let offset = row as isize * self.stride[0] + column as isize * self.stride[1];
                // SAFETY: as in `get`.
                all & good(unsafe { *first.offset(offset) })
            })
        })
    }
}
