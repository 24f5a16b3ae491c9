//! The traversal: how the image goes through the kernels, and the labels to the caller's memory.
//!
//! A task owns a block of the labels: `ROWS` rows, a piece of x, a range of planes. It marches along z. For every
//! plane, the block's rows and one more on either side are copied into padded lines (`border.rs`), which stay
//! in L1; the kernel takes the plane in, and the rows of the plane before leave: computed into a row of
//! scratch, the rare undecided voxel redone by the definition, faces and mask applied, then written to the
//! caller's array, once. Planes, rows and pieces overlap by one voxel in what they read, never in what they write.

use crate::error::Error;
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, Vector};
use crate::steepest::border::{Content, LineElement, Source};
use crate::steepest::direct::{self, Neighborhood};
use crate::steepest::float::{self, LINES, ROWS, RowOut, Step, Weights};
use crate::steepest::rule::{Border, LABEL_MASKED, Rule};
use crate::volume::{Element, ElementType, VolumeMut};

/// Widest piece of a row: lines and nodes of a block of this width fit L1 and a part of L2.
const WIDEST: usize = 256;
/// Longest march: two planes are read twice a task, and progress comes between tasks.
const LONGEST: usize = 256;
/// Elements of a padded line: whole vectors of any tier, and one vector for the two ends.
const PADDED: usize = WIDEST + 16;
/// Lines begin here in their place, so that the voxels themselves, one further, are aligned.
const LEAD: usize = 15;
const LINE: usize = PADDED + 16;

/// A call, as the tasks see it: everything checked.
pub(crate) struct Job<'a> {
    pub source: Source<'a>,
    pub rule: Rule,
    pub labels: VolumeMut<'a>,
    pub slope: Option<VolumeMut<'a>>,
    weights: Option<Weights>,
    cuts: [Cut; 3],
}

/// An axis of the output cut into equal pieces.
#[derive(Clone, Copy)]
struct Cut {
    start: usize,
    end: usize,
    piece: usize,
}

impl Cut {
    fn count(&self) -> usize {
        (self.end - self.start).div_ceil(self.piece)
    }

    fn range(&self, i: usize) -> [usize; 2] {
        let start = self.start + i * self.piece;
        [start, (start + self.piece).min(self.end)]
    }
}

impl<'a> Job<'a> {
    pub fn new(
        source: Source<'a>,
        rule: Rule,
        labels: VolumeMut<'a>,
        slope: Option<VolumeMut<'a>>,
        planes: [usize; 2],
        threads: usize,
    ) -> Self {
        let [_, rows, width] = source.image.shape();
        let depth = planes[1] - planes[0];
        let weights = Weights::new(&rule);
        let pieces = width.div_ceil(WIDEST);
        let x = Cut { start: 0, end: width, piece: width.div_ceil(pieces).next_multiple_of(16) };
        let y = Cut { start: 0, end: rows, piece: ROWS };
        // Shorter marches only where there would not be work for all.
        let blocks = x.count() * y.count();
        let marches = (4 * threads).div_ceil(blocks).min(depth.div_ceil(16)).max(depth.div_ceil(LONGEST));
        let z = Cut { start: planes[0], end: planes[1], piece: depth.div_ceil(marches) };
        Job { source, rule, labels, slope, weights, cuts: [z, y, x] }
    }

    pub fn tasks(&self) -> usize {
        self.cuts.iter().map(Cut::count).product()
    }

    /// The ranges of task `i`; neighbours in y follow each other.
    fn block(&self, i: usize) -> [[usize; 2]; 3] {
        let [_, y, x] = self.cuts.map(|cut| cut.count());
        let [cz, cy, cx] = &self.cuts;
        [cz.range(i / y / x), cy.range(i % y), cx.range(i / y % x)]
    }

    /// Whether an index lies on a face that the rule skips.
    fn skipped(&self, axis: usize, i: usize) -> bool {
        self.source.border[axis] == Border::Skip && (i == 0 || i + 1 == self.source.image.shape()[axis])
    }
}

/// A thread's working memory.
pub(crate) struct Workspace {
    single: Scratch<f32>,
    double: Scratch<f64>,
    nodes: [Scratch<f32>; 2],
    labels: Scratch<u8>,
    flags: Scratch<u32>,
    differences: Scratch<f32>,
    winners: Scratch<u8>,
    slopes: Scratch<f64>,
}

impl Workspace {
    pub fn new(job: &Job) -> Result<Self, Error> {
        let class = job.weights.is_some();
        let lines = |class: bool, n: usize| if class { n * LINE } else { 0 };
        let nodes = || Scratch::new(if class { float::slot_elements(WIDEST + 16) } else { 0 });
        Ok(Workspace {
            single: Scratch::new(lines(class, 3 * LINES))?,
            // Lines and marks: of the block, or of the one row of a class kernel that needs them.
            double: Scratch::new(2 * if class { 9 * LINE } else { 3 * LINES * LINE })?,
            nodes: [nodes()?, nodes()?],
            labels: Scratch::new(ROWS * LINE)?,
            flags: Scratch::new(ROWS * WIDEST)?,
            differences: Scratch::new(ROWS * LINE)?,
            winners: Scratch::new(ROWS * LINE)?,
            slopes: Scratch::new(LINE)?,
        })
    }
}

/// One task, as a kernel for the tier's shell.
pub(crate) struct Task<'a> {
    pub job: &'a Job<'a>,
    pub index: usize,
    pub workspace: &'a mut Workspace,
}

impl Kernel for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { job, index, workspace } = self;
        let block = job.block(index);
        match (&job.weights, job.slope.is_some()) {
            (Some(w), false) if w.isotropic => classes::<S, true, false>(simd, job, w, block, workspace),
            (Some(w), true) if w.isotropic => classes::<S, true, true>(simd, job, w, block, workspace),
            (Some(w), false) => classes::<S, false, false>(simd, job, w, block, workspace),
            (Some(w), true) => classes::<S, false, true>(simd, job, w, block, workspace),
            (None, _) => definition(simd, job, block, workspace),
        }
    }
}

/// The padded lines of three planes, plane t of the march in slot t mod 3.
struct Ring<'a, L> {
    lines: &'a mut [L],
    marks: &'a mut [f64],
    contents: [[Content; LINES]; 3],
}

impl<'a, L: LineElement> Ring<'a, L> {
    fn new(lines: &'a mut [L], marks: &'a mut [f64]) -> Self {
        let nothing = Content { finite: true, complete: true };
        Ring { lines, marks, contents: [[nothing; LINES]; 3] }
    }

    /// Fills the lines of plane `t` of the march through `block`.
    #[inline(always)]
    fn fill(&mut self, job: &Job, [z, y, x]: [[usize; 2]; 3], t: usize) {
        for row in 0..LINES {
            let place = (t % 3 * LINES + row) * LINE + LEAD;
            let end = place + x[1] - x[0] + 2;
            let marks = if self.marks.is_empty() { &mut [][..] } else { &mut self.marks[place..end] };
            let at = [z[0] as isize - 1 + t as isize, y[0] as isize - 1 + row as isize];
            // A last block may have fewer rows; lines past the one below them are nobody's.
            self.contents[t % 3][row] = if at[1] <= y[1] as isize {
                job.source.fill(at, x[0], &mut self.lines[place..end], marks)
            } else {
                Content { finite: true, complete: true }
            };
        }
    }

    /// Where line `row` of plane `t` begins.
    fn line(&self, t: usize, row: usize) -> *const L {
        self.lines[(t % 3 * LINES + row) * LINE + LEAD..].as_ptr()
    }

    /// Whether all nine lines around a row of output satisfy `test`; plane `t` is the last of the three.
    fn all(&self, row: usize, test: impl Fn(&Content) -> bool) -> bool {
        self.contents.iter().all(|plane| plane[row..row + 3].iter().all(&test))
    }
}

/// A block by the class kernel.
#[inline(always)]
fn classes<S: Simd, const ISOTROPIC: bool, const SLOPE: bool>(
    simd: S,
    job: &Job,
    weights: &Weights,
    block: [[usize; 2]; 3],
    workspace: &mut Workspace,
) {
    let Workspace { single, double, nodes, labels, flags, differences, winners, slopes } = workspace;
    let [z, y, x] = block;
    let n = x[1] - x[0];
    let nodes = nodes.each_mut().map(|slot| slot.as_mut_slice().as_mut_ptr());
    let (labels, flags) = (labels.as_mut_slice(), flags.as_mut_slice());
    let (differences, winners) = (differences.as_mut_slice(), winners.as_mut_slice());
    let (slopes, double) = (slopes.as_mut_slice(), double.as_mut_slice());
    let mut ring = Ring::new(single.as_mut_slice(), &mut []);
    for t in 0..z[1] - z[0] + 2 {
        ring.fill(job, block, t);
        let step = Step::new(
            t,
            n.div_ceil(S::F32::LANES),
            [t + 1, t + 2, t].map(|t| std::array::from_fn(|row| ring.line(t, row))),
            [nodes[t % 2], nodes[(t + 1) % 2]],
            std::array::from_fn(|row| RowOut {
                labels: labels[row * LINE..].as_mut_ptr(),
                flags: flags[row * WIDEST..].as_mut_ptr(),
                differences: differences[row * LINE..].as_mut_ptr(),
                winners: winners[row * LINE..].as_mut_ptr(),
            }),
        );
        if t < 2 {
            // SAFETY: lines have PADDED elements, nodes `slot_elements` of a width of at most WIDEST rounded
            // up, rows of output LINE or WIDEST: all above `vectors` whole vectors.
            unsafe { float::step::<S, ISOTROPIC, false, SLOPE>(simd, weights, &step) };
            continue;
        }
        // SAFETY: as above.
        unsafe { float::step::<S, ISOTROPIC, true, SLOPE>(simd, weights, &step) };
        let z = z[0] + t - 2;
        for (row, y) in (y[0]..y[1]).enumerate() {
            if job.skipped(0, z) || job.skipped(1, y) {
                job.write_zeros([z, y], x);
                continue;
            }
            let labels = &mut labels[row * LINE..][..PADDED];
            if ring.all(row, |content| content.finite) {
                if SLOPE {
                    for i in 0..n {
                        let weight = job.rule.weights[usize::from(winners[row * LINE + i] % 27)];
                        slopes[i] = f64::from(differences[row * LINE + i]) * weight;
                    }
                }
                for (vector, &bits) in flags[row * WIDEST..][..step.vectors].iter().enumerate() {
                    let mut bits = bits;
                    while bits != 0 {
                        let i = vector * S::F32::LANES + bits.trailing_zeros() as usize;
                        bits &= bits - 1;
                        if i < n {
                            redo(job, [z, y, x[0] + i], &mut labels[i], &mut slopes[i]);
                        }
                    }
                }
            } else {
                direct_row(simd, job, [z, y], x, double, labels, slopes);
            }
            job.write([z, y], x, labels, slopes);
        }
    }
}

/// One voxel by the definition.
#[inline(never)]
fn redo(job: &Job, voxel: [usize; 3], label: &mut u8, slope: &mut f64) {
    let outcome = job.rule.define(&job.source.neighborhood(voxel));
    (*label, *slope) = (outcome.label, outcome.slope);
}

/// One row of a class kernel's block in f64: for NaN and infinity.
#[inline(always)]
fn direct_row<S: Simd>(
    simd: S,
    job: &Job,
    [z, y]: [usize; 2],
    x: [usize; 2],
    double: &mut [f64],
    labels: &mut [u8],
    slopes: &mut [f64],
) {
    let n = x[1] - x[0];
    let (lines, marks) = double.split_at_mut(9 * LINE);
    let mut complete = true;
    for i in 0..9 {
        let at = [z as isize + i as isize / 3 - 1, y as isize + i as isize % 3 - 1];
        let place = i * LINE + LEAD..i * LINE + LEAD + n + 2;
        complete &= job.source.fill(at, x[0], &mut lines[place.clone()], &mut marks[place]).complete;
    }
    let around = Neighborhood {
        lines: std::array::from_fn(|i| lines[i * LINE + LEAD..].as_ptr()),
        marks: std::array::from_fn(|i| marks[i * LINE + LEAD..].as_ptr()),
        complete,
    };
    // SAFETY: lines, marks, labels and slopes have at least PADDED elements, `n` is at most WIDEST.
    unsafe { direct::row(simd, &job.rule, &around, n, labels.as_mut_ptr(), slopes.as_mut_ptr()) };
}

/// A block by the definition's arithmetic in vectors.
#[inline(always)]
fn definition<S: Simd>(simd: S, job: &Job, block: [[usize; 2]; 3], workspace: &mut Workspace) {
    let [z, y, x] = block;
    let (labels, slopes) = (workspace.labels.as_mut_slice(), workspace.slopes.as_mut_slice());
    let (lines, marks) = workspace.double.as_mut_slice().split_at_mut(3 * LINES * LINE);
    let mut ring = Ring::new(lines, marks);
    for t in 0..z[1] - z[0] + 2 {
        ring.fill(job, block, t);
        if t < 2 {
            continue;
        }
        let z = z[0] + t - 2;
        for (row, y) in (y[0]..y[1]).enumerate() {
            if job.skipped(0, z) || job.skipped(1, y) {
                job.write_zeros([z, y], x);
                continue;
            }
            let place = |i: usize| ((t + 1 + i / 3) % 3 * LINES + row + i % 3) * LINE + LEAD;
            let around = Neighborhood {
                lines: std::array::from_fn(|i| ring.lines[place(i)..].as_ptr()),
                marks: std::array::from_fn(|i| ring.marks[place(i)..].as_ptr()),
                complete: ring.all(row, |content| content.complete),
            };
            let n = x[1] - x[0];
            // SAFETY: lines, marks, labels and slopes have at least PADDED elements, `n` is at most WIDEST.
            unsafe {
                direct::row(simd, &job.rule, &around, n, labels.as_mut_ptr(), slopes.as_mut_ptr());
            }
            job.write([z, y], x, labels, slopes);
        }
    }
}

impl Job<'_> {
    /// Writes a piece of a row of labels, and of slopes, after mask and skipped faces.
    #[inline(always)]
    fn write(&self, [z, y]: [usize; 2], x: [usize; 2], labels: &mut [u8], slopes: &mut [f64]) {
        let n = x[1] - x[0];
        if let Some(mask) = self.source.mask {
            // SAFETY: the mask has the image's shape and type U8; the row's voxels lie within it.
            let from = unsafe { mask.at::<u8>([z, y, x[0]]) };
            for i in 0..n {
                // SAFETY: as above.
                if unsafe { *from.offset(i as isize * mask.stride()[2]) } == 0 {
                    (labels[i], slopes[i]) = (LABEL_MASKED, 0.0);
                }
            }
        }
        for face in [0, self.source.image.shape()[2] - 1] {
            if self.skipped(2, face) && (x[0]..x[1]).contains(&face) {
                (labels[face - x[0]], slopes[face - x[0]]) = (0, 0.0);
            }
        }
        let at = [z, y, x[0]];
        match self.labels.element_type() {
            ElementType::F32 => self.labels.put::<f32>(at, labels[..n].iter().map(|&v| f32::from(v))),
            _ => self.labels.put::<u8>(at, labels[..n].iter().copied()),
        }
        if let Some(slope) = &self.slope {
            match slope.element_type() {
                ElementType::F32 => slope.put::<f32>(at, slopes[..n].iter().map(|&v| v as f32)),
                _ => slope.put::<f64>(at, slopes[..n].iter().copied()),
            }
        }
    }

    fn write_zeros(&self, [z, y]: [usize; 2], x: [usize; 2]) {
        let at = [z, y, x[0]];
        let n = x[1] - x[0];
        for output in [Some(&self.labels), self.slope.as_ref()].into_iter().flatten() {
            match output.element_type() {
                ElementType::F64 => output.put(at, std::iter::repeat_n(0.0f64, n)),
                ElementType::F32 => output.put(at, std::iter::repeat_n(0.0f32, n)),
                _ => output.put(at, std::iter::repeat_n(0u8, n)),
            }
        }
    }
}

impl VolumeMut<'_> {
    /// Writes values along x, from voxel `at` on. All of them lie within the volume, and belong to the
    /// calling task alone.
    #[inline(always)]
    fn put<T: Element>(&self, at: [usize; 3], values: impl ExactSizeIterator<Item = T>) {
        debug_assert!(at[2] + values.len() <= self.shape()[2]);
        let step = self.stride()[2];
        // SAFETY: the index is within the volume, the type the volume's: the callers match on it.
        let to = unsafe { self.at::<T>(at) };
        if step == 1 {
            for (i, value) in values.enumerate() {
                // SAFETY: voxel `at` + i along x.
                unsafe { *to.add(i) = value };
            }
        } else {
            for (i, value) in values.enumerate() {
                // SAFETY: voxel `at` + i along x.
                unsafe { *to.offset(i as isize * step) = value };
            }
        }
    }
}
