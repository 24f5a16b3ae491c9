//! The rule of the labels: weights, minima rules, and the definition of one voxel's label in plain arithmetic.
//!
//! [`Rule::define`] is what every faster path must reproduce bit for bit, and what the vector kernels fall back to for the
//! rare voxel they cannot decide. (The tests compare with a definition of their own.)

/// Which way is steepest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(i32)]
pub enum Direction {
    /// Scores are centre minus neighbour: towards the lowest values (watersheds, flow).
    #[default]
    Descent = 0,
    /// Scores are neighbour minus centre: towards the highest values (Bader basins, density peaks).
    Ascent = 1,
}

/// What a voxel without a better neighbour is, and what NaN does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(i32)]
pub enum Minima {
    /// NumPy's arithmetic in the question this kernel answers: the centre takes part with score −100, and the
    /// first NaN score wins. Only to reproduce that code: label 13 then means that all neighbours score
    /// below −100.
    #[default]
    Reference = 0,
    /// Label 13 where every neighbour's score is below 0, or there is no neighbour. NaN never wins.
    Strict = 1,
    /// Label 13 where every neighbour's score is at most 0: the labels of the other neighbours lead strictly
    /// downhill (uphill, for ascent), so that labels can be followed without cycles, as long as weights are
    /// above 0. NaN never wins. The 0 of a skipped face leads nowhere, but looks like that of neighbour 0:
    /// to follow labels, take [`Border::Inside`] or [`Border::Periodic`].
    Flat = 2,
}

/// What happens at the two faces of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(i32)]
pub enum Border {
    /// Voxels on the faces get label 0 and slope 0 (what the question's code does).
    #[default]
    Skip = 0,
    /// Voxels on the faces use the neighbours that exist.
    Inside = 1,
    /// Neighbours wrap around to the other face.
    Periodic = 2,
}

/// Label of a voxel that has no better neighbour: the centre's own index.
pub const LABEL_CENTER: u8 = 13;

/// Label of a voxel that the mask removes.
pub const LABEL_MASKED: u8 = 27;

/// The score with which the centre takes part under [`Minima::Reference`].
pub(crate) const REFERENCE_CENTER_SCORE: f64 = -100.0;

/// Offset (dz, dy, dx), each −1, 0 or 1, of neighbour `index` (0 to 26).
///
/// ```
/// assert_eq!(voxlane::neighbor_offset(0), [-1, -1, -1]);
/// assert_eq!(voxlane::neighbor_offset(13), [0, 0, 0]);
/// assert_eq!(voxlane::neighbor_offset(14), [0, 0, 1]);
/// ```
pub const fn neighbor_offset(index: u8) -> [isize; 3] {
    assert!(index < 27);
    let i = index as isize;
    [i / 9 - 1, i / 3 % 3 - 1, i % 3 - 1]
}

/// 1 / distance of every neighbour for voxels of this size; 0 for the centre. Every operation is rounded
/// once in f64, in this order.
pub(crate) fn distance_weights(spacing: [f64; 3]) -> [f64; 27] {
    std::array::from_fn(|i| {
        if i == usize::from(LABEL_CENTER) {
            return 0.0;
        }
        let [z, y, x] = neighbor_offset(i as u8);
        let (z, y, x) = (z as f64 * spacing[0], y as f64 * spacing[1], x as f64 * spacing[2]);
        1.0 / (z * z + y * y + x * x).sqrt()
    })
}

/// All that decides a label, once a neighbourhood is at hand.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub direction: Direction,
    pub minima: Minima,
    pub weights: [f64; 27],
    /// Differences are rounded in f32 (U8, I8, U16, I16, F32 images), not in f64 (U32, I32, F64).
    pub single: bool,
}

/// Label and slope (the largest score among the neighbours that took part) of one voxel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    pub label: u8,
    pub slope: f64,
}

impl Rule {
    /// The definition: `values[i]` is neighbour `i`, `None` where there is none; `values[13]` the centre.
    pub fn define(&self, values: &[Option<f64>; 27]) -> Outcome {
        let center = values[13].expect("the voxel itself is there");
        let reference = self.minima == Minima::Reference;
        let mut best = f64::NEG_INFINITY;
        let mut outcome = Outcome { label: LABEL_CENTER, slope: f64::NEG_INFINITY };
        for (i, value) in values.iter().enumerate() {
            if i == usize::from(LABEL_CENTER) {
                if reference && REFERENCE_CENTER_SCORE > best {
                    (best, outcome.label) = (REFERENCE_CENTER_SCORE, LABEL_CENTER);
                }
                continue;
            }
            let Some(neighbor) = *value else { continue };
            let (from, to) = match self.direction {
                Direction::Descent => (center, neighbor),
                Direction::Ascent => (neighbor, center),
            };
            let difference = if self.single { f64::from(from as f32 - to as f32) } else { from - to };
            let score = difference * self.weights[i];
            if reference && score.is_nan() {
                return Outcome { label: i as u8, slope: score };
            }
            if score > best {
                (best, outcome.label) = (score, i as u8);
            }
            if score > outcome.slope {
                outcome.slope = score;
            }
        }
        let lowest = match self.minima {
            Minima::Reference => false,
            Minima::Strict => best < 0.0,
            Minima::Flat => best <= 0.0,
        };
        if lowest {
            outcome.label = LABEL_CENTER;
        }
        outcome
    }

    /// Label and slope of a centre that is NaN, and has all its neighbours: of their scores none is a number.
    pub fn of_nan(&self) -> (u8, f64) {
        match self.minima {
            Minima::Reference => (0, f64::NAN),
            Minima::Strict | Minima::Flat => (LABEL_CENTER, f64::NEG_INFINITY),
        }
    }

    /// Whether all neighbours' weights are above zero, and finite.
    pub fn has_positive_weights(&self) -> bool {
        let mut others = self.weights.iter().enumerate().filter(|&(i, _)| i != usize::from(LABEL_CENTER));
        others.all(|(_, &weight)| weight > 0.0 && weight.is_finite())
    }

    /// The weights of the classes (|dz|, |dy|, |dx| as bits 2, 1, 0), if the class kernel of `float.rs` may be
    /// used: differences in f32, one positive weight a class, and no product near the ends of f32's range.
    pub fn class_weights(&self) -> Option<[f64; 8]> {
        if !self.single {
            return None;
        }
        let mut classes = [f64::NAN; 8];
        for (i, &weight) in self.weights.iter().enumerate() {
            let class = neighbor_offset(i as u8).iter().fold(0, |bits, &o| bits * 2 + o.unsigned_abs());
            if class != 0 && classes[class].is_nan() {
                classes[class] = weight;
            }
            if class != 0 && classes[class].to_bits() != weight.to_bits() {
                return None;
            }
        }
        let least = classes[1..].iter().copied().fold(f64::INFINITY, f64::min);
        let largest = classes[1..].iter().copied().fold(0.0, f64::max);
        (least >= 1e-20 && largest <= 1e20 && largest <= 1e4 * least).then_some(classes)
    }
}
