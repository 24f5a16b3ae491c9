//! The kernels of shared minima in f32: exact by a guard, or because all differences are.
//!
//! In words:
//!
//! 1. Multiplying by one positive weight keeps the order of f32 differences, and two different f32
//!    differences never give the same f64 product. So among neighbours at one distance (a class) the first
//!    largest difference is the first largest score, and only one candidate a class needs its weight.
//! 2. Rounded subtraction is monotone: the largest `c − n` is `c − min n`. Minima do not depend on the
//!    centre, so they are shared: pairs of a row, then a plane's, then three planes'. A node is a minimum
//!    and the code of its neighbour; merging prefers the lower code on a tie.
//! 3. But two different n may round to one difference, and then the lower code must win although its n is
//!    not the minimum. That can only be where a merge preferred `b < a` by a gap within the rounding of the
//!    winning difference. So every merge keeps the smallest such gap; where it is that small, the voxel is
//!    flagged, and the caller decides it by the definition.
//! 4. The candidates are compared in f32. Where two scores lie within the rounding of their weights, or
//!    the best is near the centre's −100, the voxel is flagged, too.
//! 5. Where all values are multiples of one number, and near enough to each other for their differences to be exact,
//!    there is nothing to guard: integers kept as f32, or random numbers made of 24 bits. That is tried first where
//!    a few voxels look like it; every value is then looked at as it passes, and a block with one that does not
//!    fit begins anew with the guard.
//!
//! The smallest gap is kept by a minimum of the bits as signed integers: gaps of merges that preferred `b`
//! are negative floats, the smallest of them the lowest integers; all others are positive. One operation and
//! no mask, on every tier.

use crate::simd::{Mask, Simd, Vector};
use crate::steepest::best::{Best, INTEGER};
use crate::steepest::node::{Guard, Guarded, Node, Nodes, Unguarded, merge, pair};
use crate::steepest::shared::{ROWS, Seen, Shared, Step, Weights, position};

/// Labels of f32 images, and of anything where voxels are not cubes. `EXACT`: all differences are exact.
/// `CARE`: what may be met with; see `node.rs`.
pub(crate) struct Float<const ISOTROPIC: bool, const EXACT: bool, const CARE: u8>;

impl<const ISOTROPIC: bool, const EXACT: bool, const CARE: u8> Shared for Float<ISOTROPIC, EXACT, CARE> {
    type Line = f32;
    const KEPT: usize = if ISOTROPIC { 4 } else { 6 } + if EXACT { 0 } else { 1 };
    const EXACT: bool = EXACT;
    const KEY_SCALE: Option<f32> = None;

    fn lanes<S: Simd>() -> usize {
        S::F32::LANES
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const EMIT: bool, const SLOPE: bool>(
        simd: S,
        weights: &Weights,
        step: &Step<f32>,
    ) -> Seen {
        // SAFETY: the caller's promise.
        unsafe {
            if EXACT {
                sweep::<S, Unguarded<CARE>, ISOTROPIC, EMIT, SLOPE>(simd, weights, step)
            } else {
                sweep::<S, Guarded<CARE>, ISOTROPIC, EMIT, SLOPE>(simd, weights, step)
            }
        }
    }
}

/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn sweep<S: Simd, G: Guard<S>, const ISOTROPIC: bool, const EMIT: bool, const SLOPE: bool>(
    simd: S,
    weights: &Weights,
    step: &Step<f32>,
) -> Seen {
    let codes = Codes::new(step.plane);
    let mut notes = Notes::<S, G> { watch: G::watch(simd), flags: 0 };
    for vector in 0..step.vectors(S::F32::LANES) {
        let at = At { weights, step, codes: &codes, vector };
        step.ahead.prefetch(vector * S::F32::LANES);
        if SLOPE {
            step.ahead.prefetch_slopes(vector * S::F32::LANES, S::F32::LANES);
        }
        // SAFETY: the caller's promise.
        unsafe {
            let first = Passage {
                above: input::<S, G, 0>(simd, at, &mut notes),
                here: input::<S, G, 1>(simd, at, &mut notes),
                pending: None,
            };
            // Written out, as a loop would be kept one: all addresses are then constants.
            let next = row::<S, G, 0, 2, ISOTROPIC, EMIT, SLOPE>(simd, at, first, &mut notes);
            let next = row::<S, G, 1, 3, ISOTROPIC, EMIT, SLOPE>(simd, at, next, &mut notes);
            let next = row::<S, G, 2, 4, ISOTROPIC, EMIT, SLOPE>(simd, at, next, &mut notes);
            let last = row::<S, G, 3, 5, ISOTROPIC, EMIT, SLOPE>(simd, at, next, &mut notes);
            if let Some(pending) = last.pending {
                pending.decide::<ISOTROPIC, SLOPE>(simd, at, &mut notes);
            }
        }
    }
    if looks::<S, G>(step) {
        // `input` has looked at all but the last two voxels.
        let last = step.width.saturating_sub(S::F32::LANES) + 2;
        for line in step.lines[2] {
            // SAFETY: the caller's promise.
            G::look(simd, step.exact, unsafe { S::F32::load(simd, line.add(last)) }, &mut notes.watch);
        }
    }
    Seen { undecided: notes.flags != 0, ..G::seen(simd, step.exact, notes.watch) }
}

/// Whether this step has to look at the values of plane p. (With a guard and no masks it always does: asked there, too, rows
/// read in place took 1.05 of the time. Without a guard to ask made them faster, 0.97.)
#[inline(always)]
fn looks<S: Simd, G: Guard<S>>(step: &Step<f32>) -> bool {
    G::GAPS > 0 && !G::MASKED || step.unseen
}

/// What is noted on the way through a step.
struct Notes<S: Simd, G: Guard<S>> {
    watch: G::Watch,
    /// All flags, one over the other.
    flags: u32,
}

/// The codes of a step, in memory, from where they are broadcast.
struct Codes {
    /// Of each line's left, middle and right neighbour in plane p.
    plane: [f32; 3 * (ROWS + 2)],
    /// Of the first corner of each row's neighbourhoods in plane p − 1.
    corner: [f32; ROWS],
    /// Of each row's neighbour in the middle of plane p − 2.
    up: [f32; ROWS],
}

impl Codes {
    fn new(plane: usize) -> Codes {
        let first = INTEGER + 9.0 * plane as f32;
        Codes {
            plane: std::array::from_fn(|i| first + i as f32),
            corner: std::array::from_fn(|row| first - INTEGER - 18.0 + 3.0 * row as f32),
            up: std::array::from_fn(|row| first - 18.0 + 3.0 * row as f32 + 4.0),
        }
    }
}

/// One vector of a block's rows at one step.
#[derive(Clone, Copy)]
struct At<'a> {
    weights: &'a Weights,
    step: &'a Step<'a, f32>,
    codes: &'a Codes,
    vector: usize,
}

/// One line of the arriving plane: the voxels themselves, and the lower of their two neighbours along x.
struct Row<S: Simd, G: Guard<S>> {
    middle: Node<S>,
    pair: Node<S>,
    gaps: G::Gaps,
}

/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn input<S: Simd, G: Guard<S>, const LINE: usize>(
    simd: S,
    at: At,
    notes: &mut Notes<S, G>,
) -> Row<S, G> {
    let x = position(at.vector, S::F32::LANES, at.step.width);
    // SAFETY: the caller's promise.
    let value = |dx: usize| unsafe { S::F32::load(simd, at.step.lines[2][LINE].add(x + dx)) };
    let node = |dx: usize, value| [value, S::F32::splat(simd, at.codes.plane[3 * LINE + dx])];
    let left = value(0);
    if looks::<S, G>(at.step) {
        G::look(simd, at.step.exact, left, &mut notes.watch);
    }
    let (pair, gaps) = pair::<S, G>(node(0, left), node(2, value(2)));
    Row { middle: node(1, value(1)), pair, gaps }
}

/// What goes from one row of a block to the next.
struct Passage<S: Simd, G: Guard<S>> {
    /// The line above the row, and the row's own.
    above: Row<S, G>,
    here: Row<S, G>,
    /// The row before, whose labels are still to be made.
    pending: Option<Pending<S, G>>,
}

/// The candidates of one row, on their way to labels.
struct Pending<S: Simd, G: Guard<S>> {
    /// One a class: of three if voxels are cubes, else of seven.
    candidates: [Node<S>; 7],
    gaps: G::Gaps,
    center: S::F32,
    best: Best<S>,
    row: usize,
}

impl<S: Simd, G: Guard<S>> Pending<S, G> {
    /// Compares candidates `FROM` to `TO`.
    #[inline(always)]
    fn compare<const ISOTROPIC: bool, const FROM: usize, const TO: usize>(
        &mut self,
        simd: S,
        weights: &Weights,
    ) {
        for i in FROM..TO {
            let class = if ISOTROPIC { 2 * i + 1 + i / 2 * 2 } else { i + 1 };
            let candidate = self.candidates[i];
            if i == 0 {
                self.best.first(simd, weights, self.center, candidate, class);
            } else {
                self.best.next::<ISOTROPIC>(simd, weights, self.center, candidate, class);
            }
        }
    }

    /// Makes the labels at once.
    ///
    /// # Safety
    /// As [`Shared::step`].
    #[inline(always)]
    unsafe fn decide<const ISOTROPIC: bool, const SLOPE: bool>(
        mut self,
        simd: S,
        at: At,
        notes: &mut Notes<S, G>,
    ) {
        if ISOTROPIC {
            self.compare::<ISOTROPIC, 0, 3>(simd, at.weights);
        } else {
            self.compare::<ISOTROPIC, 0, 7>(simd, at.weights);
        }
        // SAFETY: the caller's promise.
        unsafe { self.finish::<SLOPE>(simd, at, notes) };
    }

    /// Applies the minima rule, and stores the labels and where they are undecided.
    ///
    /// # Safety
    /// As [`Shared::step`].
    #[inline(always)]
    unsafe fn finish<const SLOPE: bool>(self, simd: S, at: At, notes: &mut Notes<S, G>) {
        let Pending { gaps, center, best, row, .. } = self;
        let x = position(at.vector, S::F32::LANES, at.step.width);
        let mut undecided = best.undecided::<G>(simd, at.weights, gaps);
        if G::MASKED && G::GAPS > 0 {
            // A voxel that the mask has taken out is +∞, and has nothing to decide.
            undecided = undecided.and(center.lt(S::F32::splat(simd, f32::INFINITY)));
        }
        let flags = undecided.bits();
        let corner = S::F32::splat(simd, at.codes.corner[row]);
        let out = &at.step.rows[row];
        // SAFETY: the caller's promise.
        unsafe {
            *out.flags.add(at.vector) = flags;
            notes.flags |= flags;
            best.store::<G, SLOPE>(simd, at.weights, corner, at.step.gaps.then_some(center), out, x);
        }
    }
}

/// One row of the block: takes its nodes in, and takes the labels of the row before out. `NEXT` is the line below the
/// row.
///
/// The two go side by side: one row's chain of comparisons alone leaves half of the machine idle, since the processor
/// does not look far enough ahead to find the next row's by itself. (256³ f32: 1.02 ns to 0.92, in L2 0.97 to
/// 0.82. Both rows' nodes and labels side by side took 1.3 times as long: too many registers.)
///
/// # Safety
/// As [`Shared::step`].
#[inline(always)]
unsafe fn row<
    S: Simd,
    G: Guard<S>,
    const ROW: usize,
    const NEXT: usize,
    const ISOTROPIC: bool,
    const EMIT: bool,
    const SLOPE: bool,
>(
    simd: S,
    at: At,
    passage: Passage<S, G>,
    notes: &mut Notes<S, G>,
) -> Passage<S, G> {
    let lanes = S::F32::LANES;
    let weights = at.weights;
    let Passage { above, here, mut pending } = passage;
    if let Some(pending) = &mut pending {
        pending.compare::<ISOTROPIC, 0, 1>(simd, weights);
    }
    // SAFETY: the caller's promise.
    let below = unsafe { input::<S, G, NEXT>(simd, at, notes) };
    if let Some(pending) = &mut pending {
        if ISOTROPIC {
            pending.compare::<ISOTROPIC, 1, 2>(simd, weights);
        } else {
            pending.compare::<ISOTROPIC, 1, 4>(simd, weights);
        }
    }
    let mut gaps = G::both(above.gaps, G::both(here.gaps, below.gaps));
    // Isotropic: faces and edges within the plane. Else: the neighbours along y, along y and x, and along x.
    let current: Nodes<S, G> = if ISOTROPIC {
        let faces = merge::<S, G>(above.middle, here.pair, &mut gaps);
        let faces = merge::<S, G>(faces, below.middle, &mut gaps);
        let edges = merge::<S, G>(above.pair, below.pair, &mut gaps);
        Nodes { a: faces, b: edges, c: here.pair, gaps }
    } else {
        let column = merge::<S, G>(above.middle, below.middle, &mut gaps);
        let diagonal = merge::<S, G>(above.pair, below.pair, &mut gaps);
        Nodes { a: column, b: diagonal, c: here.pair, gaps }
    };
    if let Some(pending) = &mut pending {
        if ISOTROPIC {
            pending.compare::<ISOTROPIC, 2, 3>(simd, weights);
        } else {
            pending.compare::<ISOTROPIC, 4, 7>(simd, weights);
        }
    }
    let place = (at.vector * ROWS + ROW) * (G::GAPS + if ISOTROPIC { 4 } else { 6 }) * lanes;
    // SAFETY: the caller's promise.
    let [far_place, near_place] = at.step.nodes.map(|slot| unsafe { slot.add(place) });
    let mut following = None;
    if EMIT {
        let x = position(at.vector, lanes, at.step.width);
        // SAFETY: the caller's promise.
        let (far, near, up, center) = unsafe {
            (
                Nodes::<S, G>::load::<ISOTROPIC>(simd, far_place),
                Nodes::<S, G>::load::<ISOTROPIC>(simd, near_place),
                S::F32::load(simd, at.step.lines[0][ROW + 1].add(x + 1)),
                S::F32::load(simd, at.step.lines[1][ROW + 1].add(x + 1)),
            )
        };
        let up = [up, S::F32::splat(simd, at.codes.up[ROW])];
        let mut gaps = G::both(G::both(far.gaps, near.gaps), current.gaps);
        let candidates = if ISOTROPIC {
            let faces = merge::<S, G>(up, near.a, &mut gaps);
            let edges = merge::<S, G>(far.a, near.b, &mut gaps);
            let corners = merge::<S, G>(far.b, current.b, &mut gaps);
            let faces = merge::<S, G>(faces, here.middle, &mut gaps);
            let edges = merge::<S, G>(edges, current.a, &mut gaps);
            [faces, edges, corners, corners, corners, corners, corners]
        } else {
            let up_down = merge::<S, G>(up, here.middle, &mut gaps);
            let up_down_pair = merge::<S, G>(far.c, current.c, &mut gaps);
            let up_down_column = merge::<S, G>(far.a, current.a, &mut gaps);
            let corners = merge::<S, G>(far.b, current.b, &mut gaps);
            [near.c, near.a, near.b, up_down, up_down_pair, up_down_column, corners]
        };
        following = Some(Pending { candidates, gaps, center, best: Best::new(simd), row: ROW });
    }
    // SAFETY: the caller's promise.
    unsafe {
        current.store::<ISOTROPIC>(far_place);
        if let Some(pending) = pending {
            pending.finish::<SLOPE>(simd, at, notes);
        }
    }
    Passage { above: here, here: below, pending: following }
}
