//! Pixels on their way into a line: from the image's element type to the line's, with a look at what they are like.

use crate::steepest::byte::KEY_BIAS;
use crate::steepest::exact::{Exact, NO_SIGN};
use crate::volume::{Element, ElementType};

/// Values up to this one are moderate: no difference and no score of theirs is too large for f32. Rows with NaN, or with
/// values of more than twice this, are the definition's. (Where a vector sum tells, those between may pass; see `node.rs`.)
pub(crate) const MODERATE: f32 = 1.2e24;

/// What a line holds, besides its numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    /// No NaN, and no number that is not moderate (or twice that; see [`MODERATE`]), among the voxels that exist.
    pub moderate: bool,
    /// Every voxel that is somebody's neighbour exists. Those beyond a SKIP face are nobody's.
    pub complete: bool,
    /// All pixels are as [`Form::exact`] says, if it does.
    pub exact: bool,
}

impl Content {
    pub const PLAIN: Content = Content { moderate: true, complete: true, exact: true };

    pub fn and(&mut self, other: Content) {
        self.moderate &= other.moderate;
        self.complete &= other.complete;
        self.exact &= other.exact;
    }
}

/// An element of an image.
pub(crate) trait Pixel: Element {
    /// Integers are moderate, and have one zero.
    const INTEGER: bool;
    fn f32(self) -> f32;
    fn f64(self) -> f64;
    /// What makes a byte a signed one, in the same order.
    const BYTE_BIAS: i16;
    /// The value of a byte; 0 for wider types, which never become keys of bytes.
    fn byte(self) -> i16;
}

macro_rules! pixel {
    ($($t:ty, $integer:expr, $bias:expr, $byte:expr);*) => {$(
        impl Pixel for $t {
            const INTEGER: bool = $integer;
            const BYTE_BIAS: i16 = $bias;
            #[inline(always)]
            fn f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn byte(self) -> i16 {
                let byte: fn($t) -> i16 = $byte;
                byte(self)
            }
        }
    )*};
}
pixel!(
    u8, true, -128, i16::from; i8, true, 0, i16::from; u16, true, 0, |_| 0; i16, true, 0, |_| 0; u32, true, 0, |_| 0;
    i32, true, 0, |_| 0; f32, false, 0, |_| 0; f64, false, 0, |_| 0
);

/// The number type of a line.
pub(crate) trait LineElement: Element {
    /// What stands for a voxel that does not exist.
    const NOTHING: Self;
    /// The image types it holds without loss.
    const TAKES: &'static [ElementType];
    /// The image type that a kernel can read as it lies.
    const IN_PLACE: Option<ElementType>;
    /// A pixel as [`Form`] says.
    fn of<T: Pixel>(value: T, factor: f32, term: f32) -> Self;
    /// `self` if it is kept, else `NOTHING`. By its bits: the choice would become a branch around the reading of the
    /// pixel, and the loop over a line one without vectors, but where a tier reads with masks (bytes took ten times as
    /// long).
    fn kept(self, kept: bool) -> Self;
    /// Raises each number to the bits of a value without its sign, if the values are f32.
    fn raise(_: &[Self], _: &mut [u32]) {}
    fn all_nan(_: &[Self]) -> bool {
        false
    }
}

impl LineElement for f32 {
    const NOTHING: f32 = f32::INFINITY;
    const TAKES: &'static [ElementType] =
        &[ElementType::U8, ElementType::I8, ElementType::U16, ElementType::I16, ElementType::F32];
    const IN_PLACE: Option<ElementType> = Some(ElementType::F32);
    #[inline(always)]
    fn of<T: Pixel>(value: T, factor: f32, term: f32) -> f32 {
        value.f32() * factor + term
    }
    #[inline(always)]
    fn kept(self, kept: bool) -> f32 {
        let bits = u32::from(kept).wrapping_neg();
        f32::from_bits(self.to_bits() & bits | Self::NOTHING.to_bits() & !bits)
    }
    #[inline(always)]
    fn raise(values: &[f32], bits: &mut [u32]) {
        for (bits, value) in bits.iter_mut().zip(values) {
            *bits = (value.to_bits() & NO_SIGN).max(*bits);
        }
    }
    #[inline(always)]
    fn all_nan(values: &[f32]) -> bool {
        values.iter().fold(u32::MAX, |low, value| (value.to_bits() & NO_SIGN).min(low))
            > f32::INFINITY.to_bits()
    }
}

impl LineElement for f64 {
    const NOTHING: f64 = f64::INFINITY;
    const TAKES: &'static [ElementType] = &ElementType::ALL;
    // Not f64: the definition's kernel reads whole vectors, past the end of a row.
    const IN_PLACE: Option<ElementType> = None;
    #[inline(always)]
    fn of<T: Pixel>(value: T, factor: f32, _: f32) -> f64 {
        value.f64() * f64::from(factor)
    }
    #[inline(always)]
    fn kept(self, kept: bool) -> f64 {
        let bits = u64::from(kept).wrapping_neg();
        f64::from_bits(self.to_bits() & bits | Self::NOTHING.to_bits() & !bits)
    }
}

/// A key of a byte; see `byte.rs`.
impl LineElement for i16 {
    const NOTHING: i16 = i16::MAX;
    const TAKES: &'static [ElementType] = &[ElementType::U8, ElementType::I8];
    const IN_PLACE: Option<ElementType> = None;
    #[inline(always)]
    fn of<T: Pixel>(value: T, factor: f32, term: f32) -> i16 {
        // The second sum is the same for a whole line: one operation less for each byte than to make it signed first.
        let (factor, term) = (factor as i16, term as i16);
        let term = factor.wrapping_mul(T::BYTE_BIAS).wrapping_add(KEY_BIAS).wrapping_add(term);
        factor.wrapping_mul(value.byte()).wrapping_add(term)
    }
    #[inline(always)]
    fn kept(self, kept: bool) -> i16 {
        let bits = i16::from(kept).wrapping_neg();
        self & bits | Self::NOTHING & !bits
    }
}

/// `$body`, with `$t` the Rust type of the elements.
macro_rules! with_pixel {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            ElementType::U8 => {
                type $t = u8;
                $body
            }
            ElementType::I8 => {
                type $t = i8;
                $body
            }
            ElementType::U16 => {
                type $t = u16;
                $body
            }
            ElementType::I16 => {
                type $t = i16;
                $body
            }
            ElementType::U32 => {
                type $t = u32;
                $body
            }
            ElementType::I32 => {
                type $t = i32;
                $body
            }
            ElementType::F32 => {
                type $t = f32;
                $body
            }
            ElementType::F64 => {
                type $t = f64;
                $body
            }
        }
    };
}

pub(crate) use with_pixel;

/// What a line holds of a pixel.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// What a value is multiplied by: negative for ascent, so that the steepest way is always down.
    pub factor: f32,
    /// What is added then: the code of a key, else 0. (−0 keeps the sign of a zero, +0 makes it positive.)
    pub term: f32,
    /// If all pixels are to be as it says.
    pub exact: Option<Exact>,
}

/// What has been seen of the pixels of a line.
#[derive(Clone, Copy, Default)]
struct Look {
    /// The bits that `Exact::shift` loses.
    lost: u32,
    /// The highest bits: of the numbers without their signs, or as `Exact` takes them.
    high: u32,
}

impl Look {
    #[inline(always)]
    fn content<T: Pixel>(self, exact: Option<&Exact>, complete: bool) -> Content {
        let exact = exact.map(|exact| self.lost == 0 && self.high <= exact.bound.to_bits());
        let moderate = T::INTEGER || exact.unwrap_or(self.high <= MODERATE.to_bits());
        Content { moderate, complete, exact: exact.unwrap_or(true) }
    }
}

/// Converts a row, and takes out the voxels where `mask` is 0, unless it is empty.
#[inline(always)]
pub(crate) fn convert<T: Pixel, L: LineElement>(
    from: &[T],
    mask: &[u8],
    to: &mut [L],
    form: Form,
) -> Content {
    // Each loop without a choice in it, for the compiler to make vectors of.
    match (mask.is_empty(), form.exact.filter(|_| !T::INTEGER)) {
        (true, None) => chunks::<T, L, false, false>(from, mask, to, form, Exact::INTEGERS),
        (true, Some(exact)) => chunks::<T, L, false, true>(from, mask, to, form, exact),
        (false, None) => chunks::<T, L, true, false>(from, mask, to, form, Exact::INTEGERS),
        (false, Some(exact)) => chunks::<T, L, true, true>(from, mask, to, form, exact),
    }
}

/// Converts a single pixel. (As a row it takes ten times as long, and every line has two ends.)
#[inline(always)]
pub(crate) fn single<T: Pixel, L: LineElement>(pixel: T, kept: bool, to: &mut L, form: Form) -> Content {
    let exact = form.exact.filter(|_| !T::INTEGER);
    let mut look = Look::default();
    *to = match &exact {
        Some(exact) => one::<T, L, true>(pixel, kept, &form, exact, &mut look),
        None => one::<T, L, false>(pixel, kept, &form, &Exact::INTEGERS, &mut look),
    };
    look.content::<T>(exact.as_ref(), kept)
}

/// In chunks of a fixed length, of which the last overlaps the one before: whole vectors without a rest.
#[inline(always)]
fn chunks<T: Pixel, L: LineElement, const MASKED: bool, const EXACT: bool>(
    from: &[T],
    mask: &[u8],
    to: &mut [L],
    form: Form,
    exact: Exact,
) -> Content {
    const CHUNK: usize = 64;
    let n = to.len();
    let mut look = Look::default();
    // The least of the mask: a byte, as a wider number would make the loops of bytes as wide.
    let mut least = u8::MAX;
    if n < CHUNK {
        chunk::<T, L, MASKED, EXACT>(from, mask, to, form, &exact, &mut look, &mut least);
    } else {
        let whole = n / CHUNK * CHUNK;
        for part in [0..whole, n - CHUNK..n] {
            let mask = if MASKED { &mask[part.clone()] } else { mask };
            let (from, to) = (&from[part.clone()], &mut to[part]);
            chunk::<T, L, MASKED, EXACT>(from, mask, to, form, &exact, &mut look, &mut least);
            if whole == n {
                break;
            }
        }
    }
    look.content::<T>(Some(&exact).filter(|_| EXACT && !T::INTEGER), least != 0)
}

#[inline(always)]
fn chunk<T: Pixel, L: LineElement, const MASKED: bool, const EXACT: bool>(
    from: &[T],
    mask: &[u8],
    to: &mut [L],
    form: Form,
    exact: &Exact,
    look: &mut Look,
    least: &mut u8,
) {
    for (i, (to, &pixel)) in to.iter_mut().zip(from).enumerate() {
        let kept = !MASKED || mask[i] != 0;
        if MASKED {
            *least = mask[i].min(*least);
        }
        *to = one::<T, L, EXACT>(pixel, kept, &form, exact, look);
    }
}

/// One pixel.
#[inline(always)]
fn one<T: Pixel, L: LineElement, const EXACT: bool>(
    pixel: T,
    kept: bool,
    form: &Form,
    exact: &Exact,
    look: &mut Look,
) -> L {
    if !T::INTEGER {
        let pixel = f32::from_bits(pixel.f32().to_bits() & u32::from(kept).wrapping_neg());
        look.high = look.high.max(pixel.to_bits() & if EXACT { exact.mask.to_bits() } else { NO_SIGN });
        if EXACT {
            look.lost |= exact.lost(pixel);
        }
    }
    L::of(pixel, form.factor, form.term).kept(kept)
}
