//! The lines around a block: for every plane of the march, where its rows are to be read.
//!
//! Rows of an f32 image that can be read as they are, are read in place: they have all their neighbours along x, no
//! mask, and nothing to be turned round. All others are copied into padded lines (`border.rs`), which stay in L1.
//! A plane is read in place as a whole, or copied as a whole. What a copy would have found out, whether there is
//! NaN, infinity or −0 in a line, the kernel then reports.

use crate::simd::{Kernel, Simd, Vector, dispatch};
use crate::steepest::border::{Ends, Line, prefetch_row};
use crate::steepest::convert::{Content, Form, LineElement, Pixel, convert, with_pixel};
use crate::steepest::direct::{Gaps, Neighborhood};
use crate::steepest::exact::Exact;
use crate::steepest::job::{Job, WIDEST};
use crate::steepest::masked::MaskedRows;
use crate::steepest::rule::Direction;
use crate::steepest::shared::{LINES, ROWS, Seen};
use crate::steepest::turned::Inlets;
use crate::volume::{Element, ElementType};

/// Elements of a padded line that are used: the widest piece, or one vector of any tier, and the two ends.
pub(crate) const PADDED: usize = WIDEST + 2;
/// In a line's place, what is copied into it as it lies begins here.
const LEAD: usize = 32;
/// Elements of memory for a padded line.
pub(crate) const LINE: usize = LEAD + PADDED + 30;
const _: () = assert!(LINE.is_multiple_of(32));
/// Elements of memory for the padded lines of a block.
pub(crate) const THREE_PLANES: usize = 3 * LINES * LINE;

/// Lanes of a vector of f32 on the tier with the longest.
const MOST_LANES: usize = 16;

/// The lines of the last three planes of a march. Plane t of the march is plane z − 1 + t of the image, z being the
/// block's first.
pub(crate) struct Lines<'a, 'b, L> {
    job: &'a Job<'b>,
    block: [[usize; 2]; 3],
    values: &'a mut [L],
    /// Empty, or like `values`.
    marks: &'a mut [f64],
    /// `Shared::KEY_SCALE`.
    key_scale: Option<f32>,
    /// What the values have to be like.
    exact: Option<Exact>,
    inlets: Inlets<'a>,
    ends: Ends,
    /// Planes may be read in place.
    in_place: bool,
    /// By t modulo 3.
    planes: [Plane<L>; 3],
}

struct Plane<L> {
    starts: [*const L; LINES],
    contents: [Content; LINES],
    all: Content,
    in_place: bool,
}

impl<'a, 'b, L: LineElement> Lines<'a, 'b, L> {
    pub fn new(
        job: &'a Job<'b>,
        block: [[usize; 2]; 3],
        values: &'a mut [L],
        marks: &'a mut [f64],
        key_scale: Option<f32>,
        exact: Option<Exact>,
        inlets: Inlets<'a>,
    ) -> Self {
        let image = &job.source.image;
        let [_, y, x] = block;
        // All lines exist, hold a voxel more at either end, and are long enough not to be read past their end.
        let in_place = x[1] - x[0] >= MOST_LANES
            && y[1] - y[0] == ROWS
            && job.source.is_inside(y, x)
            && key_scale.is_none()
            && L::IN_PLACE == Some(image.element_type())
            && image.stride()[2] == 1
            && job.source.mask.is_none()
            && job.source.direction == Direction::Descent;
        let plane = || Plane {
            starts: [std::ptr::null(); LINES],
            contents: [Content::PLAIN; LINES],
            all: Content::PLAIN,
            in_place: false,
        };
        Lines {
            job,
            block,
            values,
            marks,
            key_scale,
            exact,
            inlets,
            ends: Ends::new(&job.source, x),
            in_place,
            planes: [plane(), plane(), plane()],
        }
    }

    /// Lets plane `t` of the march in.
    pub fn arrive<S: Simd>(&mut self, t: usize) {
        let Lines { job, block, values, marks, key_scale, exact, inlets, ends, .. } = self;
        let plane = &mut self.planes[t % 3];
        let image = &job.source.image;
        let [z, y, x] = *block;
        let at = z[0] as isize - 1 + t as isize;
        if self.in_place && at >= 0 && at < image.shape()[0] as isize {
            let step = image.stride()[1];
            // SAFETY: `new` has checked that the first voxel of the first line and all lines lie within the image.
            let first = unsafe { image.at::<L>([at as usize, y[0] - 1, x[0] - 1]) }.cast_const();
            for (row, start) in plane.starts.iter_mut().enumerate() {
                *start = first.wrapping_offset(row as isize * step);
            }
            plane.contents = [Content::PLAIN; LINES];
            (plane.all, plane.in_place) = (Content::PLAIN, true);
            return;
        }
        inlets.arrive(&job.source, *block, t);
        let contents = &mut plane.contents;
        let (key_scale, exact) = (*key_scale, *exact);
        let fill =
            Fill { job, block: *block, t, lines: values, marks, key_scale, exact, inlets, ends, contents };
        plane.all = dispatch(S::ISA, fill);
        for (row, start) in plane.starts.iter_mut().enumerate() {
            *start = values[place(ends.start(), t, row)..].as_ptr();
        }
        plane.in_place = false;
    }

    /// Hands in what the kernel has seen in plane `t`.
    pub fn note(&mut self, t: usize, seen: Seen) {
        let plane = &mut self.planes[t % 3];
        if !plane.in_place {
            return;
        }
        plane.all.exact = !seen.inexact;
        if !seen.moderate {
            plane.all.moderate = false;
            plane.contents = [plane.all; LINES];
        }
        // From now on copies make −0 to +0.
        if seen.negative_zero && !self.job.source.signed_zeros {
            self.in_place = false;
        }
    }

    /// Where the lines of plane `t` begin, one voxel before the block.
    pub fn starts(&self, t: usize) -> &[*const L; LINES] {
        &self.planes[t % 3].starts
    }

    /// Plane `t` is read in place: nobody looks at its voxels before the kernel.
    pub fn in_place(&self, t: usize) -> bool {
        self.planes[t % 3].in_place
    }

    /// All voxels of plane `t` are as `Job::exact` says. In place it is known only once the kernel has seen them.
    pub fn exact(&self, t: usize) -> bool {
        self.planes[t % 3].all.exact
    }

    /// All voxels of the three planes are moderate.
    pub fn moderate(&self) -> bool {
        self.planes.iter().all(|plane| plane.all.moderate)
    }

    /// All voxels around row `row` of the block are moderate.
    pub fn moderate_around(&self, row: usize) -> bool {
        self.around(row, |content| content.moderate)
    }

    /// All voxels of the three planes have all their neighbours.
    pub fn complete(&self) -> bool {
        self.planes.iter().all(|plane| plane.all.complete)
    }

    /// Whether all nine lines around a row of output satisfy `test`.
    fn around(&self, row: usize, test: impl Fn(&Content) -> bool) -> bool {
        self.planes.iter().all(|plane| plane.contents[row..row + 3].iter().all(&test))
    }
}

impl Lines<'_, '_, f64> {
    /// The neighbourhood of row `row` of the block, plane `t` being the last that has arrived.
    pub fn neighborhood(&self, t: usize, row: usize) -> Neighborhood {
        let place = |i: usize| place(self.ends.start(), t + 1 + i / 3, row + i % 3);
        let gaps = if self.marks.is_empty() || self.around(row, |content| content.complete) {
            Gaps::None
        } else if self.moderate_around(row) && self.job.rule.has_positive_weights() {
            Gaps::Infinite
        } else {
            Gaps::Marked
        };
        Neighborhood {
            lines: std::array::from_fn(|i| self.values[place(i)..].as_ptr()),
            // Without marks every neighbour exists.
            marks: std::array::from_fn(|i| self.marks.get(place(i)..).unwrap_or(&[]).as_ptr()),
            gaps,
        }
    }
}

/// Where padded line `row` of plane `t` of the march begins, element `start` being the first that is copied as it lies:
/// that is written in aligned vectors. (With the voxels themselves aligned instead, one further where the row goes on,
/// 16-bit integers took 1.07 of the time, bytes 1.03.)
#[inline(always)]
fn place(start: usize, t: usize, row: usize) -> usize {
    (t % 3 * LINES + row) * LINE + LEAD - start
}

/// The lines of one plane of a block, to be filled: a kernel of its own. Answers what is true of all of them.
struct Fill<'a, 'b, L> {
    job: &'a Job<'b>,
    block: [[usize; 2]; 3],
    t: usize,
    lines: &'a mut [L],
    marks: &'a mut [f64],
    key_scale: Option<f32>,
    exact: Option<Exact>,
    inlets: &'a Inlets<'a>,
    ends: &'a Ends,
    contents: &'a mut [Content; LINES],
}

impl<L: LineElement> Kernel for Fill<'_, '_, L> {
    type Output = Content;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Content {
        with_pixel!(self.job.source.image.element_type(), T => {
            if L::TAKES.contains(&T::TYPE) {
                self.run_on::<S, T>(simd)
            } else {
                unreachable!("{:?} in lines of {:?}", T::TYPE, L::TYPE)
            }
        })
    }
}

impl<L: LineElement> Fill<'_, '_, L> {
    #[inline(always)]
    fn run_on<S: Simd, T: Pixel>(self, simd: S) -> Content {
        let Fill { job, block: [z, y, x], t, lines, marks, key_scale, exact, inlets, ends, contents } = self;
        let sign = if job.source.direction == Direction::Ascent { -1.0 } else { 1.0 };
        let zero = if job.source.signed_zeros { -0.0 } else { 0.0 };
        // The code of the middle neighbour in the first row, and how much more it is in the next; see `shared.rs`.
        let (term, next) = match (key_scale, job.source.along_y) {
            // (−0 and not 0: what is added to a −0 must not take its sign.)
            (None, _) => (zero, -0.0),
            (Some(_), false) => ((9 * t + 1) as f32, 3.0),
            (Some(_), true) => ((3 * t + 1) as f32, 9.0),
        };
        let mut form = Form { factor: sign * key_scale.unwrap_or(1.0), term, exact };
        let n = x[1] - x[0] + 2;
        let plane = (z[0] + t).wrapping_sub(1);
        let mut all = Content::PLAIN;
        // (A block of fewer rows is not to read the lines behind the one below them, even if there are any.)
        if marks.is_empty() && y[1] - y[0] == ROWS && job.source.is_plain(plane, y, x) {
            let start = [plane, y[0] - 1, x[0] - 1];
            // SAFETY: the first voxel of the first line; all lines lie within the image.
            let mut from = unsafe { job.source.image.at::<T>(start) }.cast_const();
            // SAFETY: the same voxel of the mask, which has the image's shape and type U8.
            let mut mask =
                job.source.mask.as_ref().map(|mask| (unsafe { mask.at::<u8>(start) }.cast_const(), mask));
            if let (ElementType::F32, ElementType::F32, Some((mask, volume))) = (T::TYPE, L::TYPE, mask)
                && n >= S::F32::LANES
            {
                let rows = MaskedRows {
                    from: from.cast(),
                    mask,
                    step: job.source.image.stride()[1],
                    mask_step: volume.stride()[1],
                    mask_plane: volume.stride()[0],
                    width: n,
                };
                assert!(place(0, t, LINES - 1) + n <= lines.len());
                let first: *mut L = lines.as_mut_ptr();
                let to = std::array::from_fn(|row| first.wrapping_add(place(0, t, row)).cast());
                // SAFETY: the rows lie within the image and the mask, and `is_plain` says that their voxels are adjacent; the
                // lines lie within theirs. T and L are f32, and n is a vector at least.
                let seen = unsafe { rows.copy::<S, LINES>(simd, to, form) };
                if seen.moderate {
                    contents.fill(seen);
                    return seen;
                }
                // A value is odd, or their sum too large: the lines are converted, and looked at, one by one.
            }
            for (row, content) in contents.iter_mut().enumerate() {
                let place = place(0, t, row);
                // SAFETY: a line of n adjacent voxels.
                let line = unsafe { std::slice::from_raw_parts(from, n) };
                let kept = mask.map_or(&[][..], |(row, mask)| {
                    prefetch_row(row.wrapping_offset(mask.stride()[0]), n);
                    // SAFETY: `is_plain` says that its voxels are adjacent, too.
                    unsafe { std::slice::from_raw_parts(row, n) }
                });
                *content = convert(line, kept, &mut lines[place..place + n], form);
                all.and(*content);
                from = from.wrapping_offset(job.source.image.stride()[1]);
                mask = mask.map(|(row, mask)| (row.wrapping_offset(mask.stride()[1]), mask));
                form.term += next;
            }
            return all;
        }
        for (row, content) in contents.iter_mut().enumerate() {
            let place = place(ends.start(), t, row);
            let end = place + n;
            let marks = if marks.is_empty() { &mut [][..] } else { &mut marks[place..end] };
            let line = Line { values: &mut lines[place..end], marks, form };
            let at = [z[0] as isize - 1 + t as isize, y[0] as isize - 1 + row as isize];
            *content = if at[1] <= y[1] as isize {
                job.source.fill::<T, L>(at, ends, line, inlets.line(&job.source, t, row))
            } else {
                // A last block may have fewer rows; lines past the one below them are nobody's.
                Content::PLAIN
            };
            all.and(*content);
            form.term += next;
        }
        all
    }
}
