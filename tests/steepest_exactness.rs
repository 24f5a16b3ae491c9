//! Labels and slopes, bit for bit, against the definition: every tier, thread count, type, border, rule.

mod common;

use common::{Random, tiers};
use ndarray::{Array3, ArrayView3, ArrayViewMut3, Axis, Slice, s};
use voxlane::{
    Border, Direction, Element, ElementType, LABEL_CENTER, LABEL_MASKED, Minima, Steepest, Volume, VolumeMut,
};

/// What the definition needs to know of a call.
#[derive(Debug, Clone)]
struct Options {
    direction: Direction,
    minima: Minima,
    border: [Border; 3],
    spacing: [f64; 3],
    weights: Option<[f64; 27]>,
    planes: Option<[usize; 2]>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            direction: Direction::Descent,
            minima: Minima::Reference,
            border: [Border::Skip; 3],
            spacing: [1.0; 3],
            weights: None,
            planes: None,
        }
    }
}

/// An image element, as the definition sees it.
trait Number: Element + Default + std::fmt::Debug {
    /// Whether differences are rounded in f32.
    const SINGLE: bool;
    fn f64(self) -> f64;
    fn random(random: &mut Random, kind: usize) -> Self;
}

const FLOAT_KINDS: usize = 12;

fn random_f64(random: &mut Random, kind: usize) -> f64 {
    match kind % FLOAT_KINDS {
        0 => random.unit(),
        1 => random.below(256) as f64,
        2 => random.below(3) as f64 - 1.0,
        3 => random.pick(&[0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5.0]),
        4 => (random.unit() - 0.5) * 6.0e38,
        5 => random.pick(&[0.0, -0.0, 1e-45, 3e-45, -1e-45, 1e-42, 1e-39, 2e-38]),
        // Differences around 100: −100 exactly, just above, just below, also over √2 and √3.
        6 => {
            let step = random.pick(&[0.0, 100.0, 141.421_356_237, 173.205_080_757, 200.0, 50.0]);
            step * random.pick(&[1.0, 1.0 - 1e-7, 1.0 + 1e-7, -1.0])
        }
        // Values below 1 beside 2^24: differences that round to one number.
        7 => {
            let small = random.unit();
            random.pick(&[16_777_216.0, small, 0.5, 0.25, 1e-3])
        }
        8 => 1000.0 + random.unit() * 1e-3,
        9 => 2f64.powi(random.below(250) as i32 - 125) * random.pick(&[1.0, -1.0]),
        10 => {
            if random.chance(0.02) {
                f64::NAN
            } else {
                random.unit()
            }
        }
        // One ulp apart in f64, equal in f32.
        _ => f64::from_bits(1.0f64.to_bits() + random.next() % 4),
    }
}

impl Number for f32 {
    const SINGLE: bool = true;
    fn f64(self) -> f64 {
        f64::from(self)
    }
    fn random(random: &mut Random, kind: usize) -> f32 {
        random_f64(random, kind) as f32
    }
}

impl Number for f64 {
    const SINGLE: bool = false;
    fn f64(self) -> f64 {
        self
    }
    fn random(random: &mut Random, kind: usize) -> f64 {
        random_f64(random, kind)
    }
}

macro_rules! integer {
    ($($t:ty, $single:literal);*) => {$(
        impl Number for $t {
            const SINGLE: bool = $single;
            fn f64(self) -> f64 {
                f64::from(self)
            }
            fn random(random: &mut Random, kind: usize) -> $t {
                match kind % 4 {
                    0 => random.next() as $t,
                    1 => random.below(4) as $t,
                    2 => random.pick(&[<$t>::MIN, <$t>::MIN + 1, <$t>::MAX, <$t>::MAX - 1, 0, 1]),
                    _ => (random.below(100) as $t).wrapping_add(7),
                }
            }
        }
    )*};
}
integer!(u8, true; i8, true; u16, true; i16, true; u32, false; i32, false);

/// The definition, voxel by voxel, written from the contract's words.
fn define<T: Number>(
    image: ArrayView3<T>,
    mask: Option<ArrayView3<u8>>,
    options: &Options,
    [z, y, x]: [usize; 3],
) -> (u8, f64) {
    let (nz, ny, nx) = image.dim();
    let n = [nz, ny, nx];
    let voxel = [z, y, x];
    for axis in 0..3 {
        if options.border[axis] == Border::Skip && (voxel[axis] == 0 || voxel[axis] + 1 == n[axis]) {
            return (0, 0.0);
        }
    }
    if mask.is_some_and(|mask| mask[voxel] == 0) {
        return (LABEL_MASKED, 0.0);
    }
    let c = image[voxel];
    let mut scores: Vec<(usize, f64)> = Vec::new();
    let mut neighbor_scores: Vec<f64> = Vec::new();
    for i in 0..27usize {
        let (dz, dy, dx) = (i as isize / 9 - 1, i as isize / 3 % 3 - 1, i as isize % 3 - 1);
        if i == 13 {
            if options.minima == Minima::Reference {
                scores.push((13, -100.0));
            }
            continue;
        }
        let mut at = [0; 3];
        let mut exists = true;
        for (axis, d) in [dz, dy, dx].into_iter().enumerate() {
            let mut k = voxel[axis] as isize + d;
            if options.border[axis] == Border::Periodic {
                k = k.rem_euclid(n[axis] as isize);
            }
            exists &= k >= 0 && k < n[axis] as isize;
            at[axis] = k as usize;
        }
        if !exists || mask.is_some_and(|mask| mask[at] == 0) {
            continue;
        }
        let weight = options.weights.map_or_else(
            || {
                let (a, b, c) = (
                    dz as f64 * options.spacing[0],
                    dy as f64 * options.spacing[1],
                    dx as f64 * options.spacing[2],
                );
                1.0 / (a * a + b * b + c * c).sqrt()
            },
            |weights| weights[i],
        );
        let (a, b) = match options.direction {
            Direction::Descent => (c.f64(), image[at].f64()),
            Direction::Ascent => (image[at].f64(), c.f64()),
        };
        let difference = if T::SINGLE { f64::from(a as f32 - b as f32) } else { a - b };
        scores.push((i, difference * weight));
        neighbor_scores.push(difference * weight);
    }
    let nan = scores.iter().find(|(_, score)| score.is_nan());
    if options.minima == Minima::Reference
        && let Some(&(i, nan)) = nan
    {
        return (i as u8, nan);
    }
    let first_largest = |scores: &mut dyn Iterator<Item = (usize, f64)>| {
        scores.filter(|(_, s)| !s.is_nan()).fold(None, |best: Option<(usize, f64)>, (i, s)| match best {
            Some((_, b)) if s <= b => best,
            _ => Some((i, s)),
        })
    };
    let slope =
        first_largest(&mut neighbor_scores.into_iter().enumerate()).map_or(f64::NEG_INFINITY, |b| b.1);
    let label = match first_largest(&mut scores.into_iter()) {
        Some((_, score)) if options.minima == Minima::Strict && score < 0.0 => LABEL_CENTER,
        Some((_, score)) if options.minima == Minima::Flat && score <= 0.0 => LABEL_CENTER,
        Some((i, _)) => i as u8,
        None => LABEL_CENTER,
    };
    (label, slope)
}

/// A view into a larger buffer, with strides of any sign and padding around; the buffer outlives it.
struct Strided<T> {
    buffer: Array3<T>,
    shape: [usize; 3],
    step: [isize; 3],
    /// Position in the buffer's axes of each of the view's.
    order: [usize; 3],
}

impl<T: Copy + Default> Strided<T> {
    fn new(random: &mut Random, shape: [usize; 3], fill: T) -> Self {
        let plain = random.chance(0.4);
        let step = [0; 3].map(|_| if plain { 1 } else { random.pick(&[1isize, 1, -1, 2, -3]) });
        let order =
            if plain { [0, 1, 2] } else { random.pick(&[[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1]]) };
        Strided::of(shape, step, order, fill)
    }

    fn of(shape: [usize; 3], step: [isize; 3], order: [usize; 3], fill: T) -> Self {
        let mut extent = [0; 3];
        for axis in 0..3 {
            extent[order[axis]] = (shape[axis] - 1) * step[axis].unsigned_abs() + 1;
        }
        Strided { buffer: Array3::from_elem(extent, fill), shape, step, order }
    }

    fn view_mut(&mut self) -> ArrayViewMut3<'_, T> {
        let mut view = self.buffer.view_mut();
        for axis in 0..3 {
            view.slice_axis_inplace(Axis(self.order[axis]), Slice::new(0, None, self.step[axis]));
        }
        let view = view.permuted_axes(self.order);
        assert_eq!(view.shape(), self.shape);
        view
    }

    fn view(&self) -> ArrayView3<'_, T> {
        let mut view = self.buffer.view();
        for axis in 0..3 {
            view.slice_axis_inplace(Axis(self.order[axis]), Slice::new(0, None, self.step[axis]));
        }
        view.permuted_axes(self.order)
    }
}

/// Computes with every tier and some thread counts, into strided outputs, and compares bit for bit.
fn check<T: Number>(
    image: ArrayView3<T>,
    mask: Option<ArrayView3<u8>>,
    options: &Options,
    random: &mut Random,
    what: &str,
) {
    let (nz, ny, nx) = image.dim();
    let shape = [nz, ny, nx];
    let expected = Array3::from_shape_fn((nz, ny, nx), |(z, y, x)| define(image, mask, options, [z, y, x]));
    for isa in tiers() {
        let threads = random.range(1, 4);
        let f32_labels = random.chance(0.3);
        let slope_kind = random.below(3);
        let mut bytes = Strided::new(random, shape, 99u8);
        let mut floats = Strided::new(random, shape, 99.0f32);
        let mut slope32 = Strided::new(random, shape, 77.0f32);
        let mut slope64 = Strided::new(random, shape, 77.0f64);
        let mut call = Steepest::new()
            .direction(options.direction)
            .minima(options.minima)
            .border(options.border)
            .spacing(options.spacing)
            .isa(isa)
            .threads(threads);
        if let Some(weights) = options.weights {
            call = call.weights(weights);
        }
        if let Some([start, end]) = options.planes {
            call = call.planes(start, end);
        }
        if let Some(mask) = mask {
            call = call.mask(mask);
        }
        match slope_kind {
            1 => call = call.slope(slope32.view_mut()),
            2 => call = call.slope(slope64.view_mut()),
            _ => {}
        }
        if f32_labels {
            call.label(image, floats.view_mut()).unwrap();
        } else {
            call.label(image, bytes.view_mut()).unwrap();
        }
        let [first, last] = options.planes.unwrap_or([0, nz]);
        for ((z, y, x), &(label, slope)) in expected.indexed_iter() {
            let written = (first..last).contains(&z);
            let got = if f32_labels { floats.view()[[z, y, x]] } else { f32::from(bytes.view()[[z, y, x]]) };
            let label = if written { f32::from(label) } else { 99.0 };
            let context = || format!("{what} {shape:?} {options:?} {} at {:?}", isa.name(), (z, y, x));
            assert_eq!(got, label, "label: {}", context());
            let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            match slope_kind {
                1 => {
                    let (got, slope) = (slope32.view()[[z, y, x]], if written { slope as f32 } else { 77.0 });
                    assert!(same(got.into(), slope.into()), "slope {got:e}, not {slope:e}: {}", context());
                }
                2 => {
                    let (got, slope) = (slope64.view()[[z, y, x]], if written { slope } else { 77.0 });
                    assert!(same(got, slope), "slope {got:e}, not {slope:e}: {}", context());
                }
                _ => {}
            }
        }
        // Nothing beside the view was written.
        let outside =
            |buffer: usize, view: usize, untouched: usize| buffer - view == untouched || buffer == view;
        let voxels = nz * ny * nx;
        if !f32_labels {
            let untouched = bytes.buffer.iter().filter(|&&v| v == 99).count();
            let inside = expected.indexed_iter().filter(|((z, _, _), _)| !(first..last).contains(z)).count();
            assert!(outside(bytes.buffer.len(), voxels, untouched - inside), "{what}: wrote beside the view");
        }
    }
}

fn random_options(random: &mut Random, nz: usize) -> Options {
    let borders = [Border::Skip, Border::Inside, Border::Periodic];
    let mut options = Options {
        direction: random.pick(&[Direction::Descent, Direction::Ascent]),
        minima: random.pick(&[Minima::Reference, Minima::Strict, Minima::Flat]),
        border: [0; 3].map(|_| random.pick(&borders)),
        ..Options::default()
    };
    match random.below(10) {
        8 => options.spacing = [random.pick(&[0.5, 0.7, 3.0, 1e-3, 0.01]); 3],
        0 => options.spacing = [2.5, 0.7, 0.7],
        1 => options.spacing = [1.0, 2.0, 3.0],
        2 => options.spacing = [0; 3].map(|_| random.pick(&[1.0, 0.5, 1e-3, 2.0])),
        3 => {
            options.spacing =
                random.pick(&[[1e-200; 3], [1e200; 3], [1e-200, 1.0, 1e200], [1e-9, 2e-9, 1e-9]])
        }
        4 => {
            let mut weights = [0.0; 27];
            weights.fill_with(|| random.pick(&[1.0, -1.0, 0.0, 0.5, 3.0, -0.0, 1e-30]));
            // The centre's is not looked at.
            weights[13] = random.pick(&[0.0, 1e9, f64::NAN, f64::INFINITY]);
            options.weights = Some(weights);
        }
        _ => {}
    }
    if random.chance(0.25) {
        let start = random.below(nz);
        options.planes = Some([start, random.range(start + 1, nz)]);
    }
    options
}

fn random_case<T: Number>(random: &mut Random) {
    let side = |random: &mut Random| match random.below(4) {
        0 => random.range(1, 4),
        1 => random.range(1, 40),
        _ => random.range(3, 12),
    };
    let shape =
        [side(random), side(random), if random.chance(0.3) { random.range(1, 70) } else { side(random) }];
    let kind = random.below(64);
    let mut image = Strided::new(random, shape, T::default());
    image.view_mut().map_inplace(|v| *v = T::random(random, kind));
    // A broadcast image, now and then.
    let view = image.view();
    let narrow = view.slice_axis(Axis(random.below(3)), Slice::new(0, Some(1), 1));
    let view = if random.chance(0.05) { narrow.broadcast(shape).unwrap() } else { view };
    let mut mask = Strided::new(random, shape, 1u8);
    let density = random.pick(&[0.0, 0.1, 0.5]);
    mask.view_mut().map_inplace(|v| *v = u8::from(!random.chance(density)) * 3);
    let masked = random.chance(0.3);
    let options = random_options(random, shape[0]);
    check(view, masked.then(|| mask.view()), &options, random, &format!("{:?} kind {kind}", T::TYPE));
}

#[test]
fn random_cases_of_everything() {
    let cases = std::env::var("VOXLANE_TEST_CASES").ok().map_or(24_000, |n| n.parse().unwrap());
    let mut random = Random(1);
    for i in 0..cases {
        match i % 12 {
            0..5 => random_case::<f32>(&mut random),
            5 => random_case::<f64>(&mut random),
            6 => random_case::<u8>(&mut random),
            7 => random_case::<i8>(&mut random),
            8 => random_case::<u16>(&mut random),
            9 => random_case::<i16>(&mut random),
            10 => random_case::<u32>(&mut random),
            _ => random_case::<i32>(&mut random),
        }
    }
    println!("{cases} random cases on each tier");
}

/// Volumes that are cut into several pieces along x, or into several marches along z.
#[test]
fn long_rows_and_long_marches() {
    let mut random = Random(2);
    for shape in
        [[3, 5, 700], [5, 4, 257], [4, 14, 530], [600, 4, 3], [300, 3, 20], [290, 12, 24], [40, 9, 64]]
    {
        for border in [[Border::Skip; 3], [Border::Inside; 3], [Border::Periodic; 3]] {
            let options = Options { border, ..Options::default() };
            let [nz, ny, nx] = shape;
            for kind in 0..3 {
                let image = Array3::from_shape_simple_fn(shape, || f32::random(&mut random, kind));
                check(image.view(), None, &options, &mut random, "long f32");
                let image = Array3::from_shape_simple_fn(shape, || u8::random(&mut random, kind));
                check(image.view(), None, &options, &mut random, "long u8");
                let image = Array3::from_shape_simple_fn((nz, ny, nx), || i16::random(&mut random, kind));
                check(image.view(), None, &options, &mut random, "long i16");
            }
        }
    }
}

/// Images and masks whose voxels lie side by side along axis 0 or 1, with more planes than a cache line has voxels.
#[test]
fn orders_of_memory() {
    fn image<T: Number>(random: &mut Random, shape: [usize; 3], order: [usize; 3], options: &Options) {
        let kind = random.below(3);
        let mut image = Strided::of(shape, [1; 3], order, T::default());
        image.view_mut().map_inplace(|v| *v = T::random(random, kind));
        let mut mask = Strided::of(shape, [1; 3], random.pick(&[order, [0, 1, 2]]), 1u8);
        mask.view_mut().map_inplace(|v| *v = u8::from(!random.chance(0.2)));
        let masked = random.chance(0.5);
        check(image.view(), masked.then(|| mask.view()), options, random, &format!("order {order:?}"));
    }
    let mut random = Random(12);
    for shape in [[150, 7, 20], [70, 5, 300], [20, 140, 18], [65, 4, 3], [9, 33, 1]] {
        for order in [[2, 1, 0], [0, 2, 1], [2, 0, 1]] {
            for border in [Border::Skip, Border::Inside, Border::Periodic] {
                let middle = shape[0] / 2;
                let planes = random.pick(&[None, None, Some([middle - 1, middle + 2]), Some([1, shape[0]])]);
                let options = Options { border: [border; 3], planes, ..Options::default() };
                image::<u8>(&mut random, shape, order, &options);
                image::<i16>(&mut random, shape, order, &options);
                image::<f32>(&mut random, shape, order, &options);
                image::<f64>(&mut random, shape, order, &options);
            }
        }
    }
}

/// Masks that take out whole vectors of voxels, with all their neighbours.
#[test]
fn masks_that_take_out_much_at_a_time() {
    let mut random = Random(13);
    let shape = [6, 9, 150];
    let mask = Array3::from_shape_fn(shape, |(z, y, x)| u8::from(z < 2 || y > 6 || !(20..140).contains(&x)));
    for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
        for border in [Border::Skip, Border::Inside, Border::Periodic] {
            let options = Options { minima, border: [border; 3], ..Options::default() };
            for kind in 0..4 {
                let bytes = Array3::from_shape_simple_fn(shape, || i8::random(&mut random, kind));
                check(bytes.view(), Some(mask.view()), &options, &mut random, "much, i8");
                let words = Array3::from_shape_simple_fn(shape, || u16::random(&mut random, kind));
                check(words.view(), Some(mask.view()), &options, &mut random, "much, u16");
                let floats = Array3::from_shape_simple_fn(shape, || f32::random(&mut random, kind));
                check(floats.view(), Some(mask.view()), &options, &mut random, "much, f32");
            }
        }
    }
}

/// Images of the definition's own arithmetic: neighbours that do not exist are told by infinities where all others are
/// moderate and weights positive, else by marks.
#[test]
fn missing_neighbours_of_wide_types() {
    let mut random = Random(23);
    let shape = [6, 7, 45];
    let unit = [1.0; 27];
    let mut zero = unit;
    zero[3] = 0.0;
    let mut negative = unit;
    negative[20] = -2.0;
    for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
        for direction in [Direction::Descent, Direction::Ascent] {
            for weights in [None, Some(unit), Some(zero), Some(negative)] {
                for odd in [1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e24, -1e300, 1.7e308] {
                    let border =
                        [0; 3].map(|_| random.pick(&[Border::Inside, Border::Periodic, Border::Skip]));
                    // (Of 1e-200 the weights are infinite.)
                    let spacing = [random.pick(&[1.0, 1.0, 1e-200, 1e200]); 3];
                    let options =
                        Options { minima, direction, weights, border, spacing, ..Options::default() };
                    let kept = random.pick(&[0.05, 0.5, 0.97]);
                    let mask = Array3::from_shape_simple_fn(shape, || u8::from(random.chance(kept)));
                    let mask = random.chance(0.8).then_some(mask.view());
                    // One odd voxel, kept or not: the rows beside it take the one way, those farther off the other.
                    let mut doubles = Array3::from_shape_simple_fn(shape, || random.below(400) as f64);
                    doubles[[2, 3, random.below(45)]] = odd;
                    check(doubles.view(), mask, &options, &mut random, "missing, f64");
                    let words = Array3::from_shape_simple_fn(shape, || i32::random(&mut random, 1));
                    check(words.view(), mask, &options, &mut random, "missing, i32");
                }
            }
        }
    }
}

/// Bytes under masks, above all at the ends of their range: there the keys of voxels that do not exist come nearest to
/// others, the more so the longer the march. Large voxels have limits of the reference rule that differences may reach.
#[test]
fn missing_neighbours_of_bytes() {
    let mut random = Random(29);
    let values = [0u8, 1, 20, 73, 74, 100, 107, 181, 230, 237, 253, 254, 255];
    for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
        for direction in [Direction::Descent, Direction::Ascent] {
            for spacing in [0.5, 1.0, 1.3, 1.4, 2.4] {
                let border = [0; 3].map(|_| random.pick(&[Border::Inside, Border::Periodic, Border::Skip]));
                let spacing = [spacing; 3];
                let options = Options { minima, direction, border, spacing, ..Options::default() };
                for shape in [[6, 7, 45], [258, 4, 34]] {
                    for kept in [0.05, 0.5, 0.97] {
                        let mask = Array3::from_shape_simple_fn(shape, || u8::from(random.chance(kept)));
                        let bytes = Array3::from_shape_simple_fn(shape, || random.pick(&values));
                        check(bytes.view(), Some(mask.view()), &options, &mut random, "missing, u8");
                        let signed = bytes.mapv(|byte| (byte ^ 0x80) as i8);
                        check(signed.view(), Some(mask.view()), &options, &mut random, "missing, i8");
                    }
                }
            }
        }
    }
}

/// 8- and 16-bit images at both ends of their range beside each other, and a byte image in which every
/// difference occurs.
#[test]
fn integers_at_both_ends_of_their_range() {
    let mut random = Random(3);
    for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
        for border in [Border::Skip, Border::Inside] {
            let options = Options { minima, border: [border; 3], ..Options::default() };
            let bytes =
                Array3::from_shape_simple_fn((9, 11, 70), || random.pick(&[0u8, 1, 99, 100, 101, 254, 255]));
            check(bytes.view(), None, &options, &mut Random(4), "u8 ends");
            let words =
                Array3::from_shape_simple_fn((9, 11, 70), || random.pick(&[0u16, 1, 100, 65534, 65535]));
            check(words.view(), None, &options, &mut Random(5), "u16 ends");
            let signed = Array3::from_shape_simple_fn((9, 11, 70), || {
                random.pick(&[i16::MIN, i16::MIN + 1, -1, 0, i16::MAX - 1, i16::MAX])
            });
            check(signed.view(), None, &options, &mut Random(6), "i16 ends");
        }
    }
}

/// Two neighbours of one class whose differences round to the same number though they differ: the lower index wins.
#[test]
fn differences_that_round_together() {
    let mut random = Random(7);
    for minima in [Minima::Reference, Minima::Strict] {
        let options = Options { minima, border: [Border::Inside; 3], ..Options::default() };
        let image = Array3::from_shape_simple_fn((8, 9, 40), || {
            if random.chance(0.3) { 16_777_216.0 } else { random.unit() as f32 }
        });
        check(image.view(), None, &options, &mut Random(8), "2^24 and below 1");
        // F64: one ulp apart, so that different differences give one product.
        let image = Array3::from_shape_simple_fn((8, 9, 40), || {
            1.0 + f64::EPSILON * random.below(5) as f64 + if random.chance(0.3) { 7.0 } else { 0.0 }
        });
        check(image.view(), None, &options, &mut Random(9), "f64 one ulp apart");
    }
}

/// The same image under every rule, direction and border; bits against the definition on every tier.
fn check_all_rules(image: &Array3<f32>, what: &str) {
    for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
        for direction in [Direction::Descent, Direction::Ascent] {
            for border in [Border::Skip, Border::Inside, Border::Periodic] {
                let options = Options { minima, direction, border: [border; 3], ..Options::default() };
                check(image.view(), None, &options, &mut Random(11), what);
            }
        }
    }
}

/// A volume of noise in which `place` puts something between the voxels.
fn planted(place: impl Fn(&mut Array3<f32>)) -> Array3<f32> {
    let mut random = Random(12);
    let mut image = Array3::from_shape_simple_fn((7, 8, 37), || random.unit() as f32);
    place(&mut image);
    image
}

#[test]
fn plateaus() {
    check_all_rules(&Array3::zeros((6, 7, 40)), "all equal");
    check_all_rules(&planted(|image| image.slice_mut(ndarray::s![2..5, .., 5..20]).fill(0.25)), "a plateau");
    check_all_rules(&planted(|image| image.mapv_inplace(|v| (v * 3.0).floor())), "three levels");
}

#[test]
fn scores_around_minus_100() {
    // The centre is 0; faces, edges or corners rise by 100, 100·√2 and 100·√3, just less and just more.
    for exact in [100.0f64, 141.421_356_237_309_5, 173.205_080_756_887_7] {
        for ulps in -2..=2i32 {
            let rise = f32::from_bits(((exact as f32).to_bits() as i32 + ulps) as u32);
            let lone = planted(|image| {
                image.fill(rise);
                image.slice_mut(ndarray::s![1..;3, 1..;3, 1..;3]).fill(0.0);
            });
            check_all_rules(&lone, "a pit around −100");
            let shell = planted(|image| {
                for ((z, y, x), v) in image.indexed_iter_mut() {
                    let distance = z.abs_diff(3) + y.abs_diff(3) + x.abs_diff(10);
                    *v = if distance == 0 {
                        0.0
                    } else if distance < 4 {
                        rise * distance as f32
                    } else {
                        1e4
                    };
                }
            });
            check_all_rules(&shell, "a shell around −100");
        }
    }
}

#[test]
fn nan_in_centre_face_edge_and_corner() {
    for offset in [[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]] {
        let image = planted(|image| image[[3 + offset[0], 3 + offset[1], 16 + offset[2]]] = f32::NAN);
        check_all_rules(&image, "one NaN");
    }
    check_all_rules(
        &planted(|image| image.slice_mut(ndarray::s![.., .., 10..30]).fill(f32::NAN)),
        "half NaN",
    );
    check_all_rules(&Array3::from_elem((5, 5, 20), f32::NAN), "all NaN");
}

/// Rows of which a part is NaN, or odd in another way: the rest of them stays the kernels'.
#[test]
fn backgrounds_of_nan() {
    let mut random = Random(29);
    for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
        for border in [Border::Skip, Border::Inside, Border::Periodic] {
            for odd in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e25, -3e38] {
                let direction = random.pick(&[Direction::Descent, Direction::Ascent]);
                let spacing = random.pick(&[[1.0; 3], [2.5, 0.7, 0.7]]);
                let options =
                    Options { minima, direction, border: [border; 3], spacing, ..Options::default() };
                let (width, kind) = (random.range(40, 300), random.below(3));
                let (first, last) = (random.below(width), random.below(width));
                let mut image =
                    Array3::from_shape_simple_fn([6, 7, width], || f32::random(&mut random, kind));
                for ((z, y, x), value) in image.indexed_iter_mut() {
                    // A slanting border, and one number alone in the background.
                    if (x < first + 3 * y || x > last + 5 * z) && (z, y, x) != (3, 3, 0) {
                        *value = odd;
                    }
                }
                let mask = Array3::from_shape_simple_fn(image.dim(), || u8::from(random.chance(0.9)));
                for mask in [None, Some(mask.view())] {
                    check(image.view(), mask, &options, &mut random, "background");
                }
            }
        }
    }
}

/// The parts of a row that meet NaN end where their neighbours do, wherever the last number lies.
#[test]
fn upright_walls_of_nan() {
    let mut random = Random(31);
    for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
        for wall in 20..54 {
            let options = Options { minima, ..Options::default() };
            let noise = Array3::from_shape_simple_fn((4, 6, 80), || f32::random(&mut random, wall % 3));
            for behind in [true, false] {
                let mut image = noise.clone();
                for ((_, _, x), value) in image.indexed_iter_mut() {
                    if (x >= wall) == behind {
                        *value = f32::NAN;
                    }
                }
                check(image.view(), None, &options, &mut random, "wall");
            }
        }
    }
}

/// Rows inside a large enough f32 image are read in place, or copied in vectors if there is a mask: what is not a plain
/// number is found wherever it lies in them, in the first or last voxel of a piece, too, and of no concern where the mask
/// has taken it out.
#[test]
fn one_odd_voxel_anywhere_in_rows_inside() {
    let mut random = Random(15);
    let integers = Array3::from_shape_simple_fn((6, 18, 39), || f32::from(random.pick(&[0u8, 1, 2])));
    let numbers = Array3::from_shape_simple_fn((6, 18, 39), || random.below(1 << 20) as f32 / 3.0);
    let kept = Array3::from_shape_simple_fn((6, 18, 39), || u8::from(random.chance(0.9)));
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 3e38, 1e-42] {
        for x in 0..39 {
            let place = [1 + x % 4, 2 + x * 5 % 13, x];
            for (i, image) in [&integers, &numbers].into_iter().enumerate() {
                let mut image = image.clone();
                image[place] = odd;
                let options = Options::default();
                check(image.view(), None, &options, &mut random, "one odd voxel");
                let mut mask = kept.clone();
                mask[place] = [0, 77][(x + i) % 2];
                check(image.view(), Some(mask.view()), &options, &mut random, "one, and a mask");
            }
        }
    }
}

/// A class without any neighbour, and a rule whose limit is beyond all differences of bytes: the centre wins all the
/// same.
#[test]
fn bytes_without_neighbours_where_no_difference_reaches_the_limit() {
    let mut random = Random(17);
    for size in [0.001, 0.7, 1.0, 1.47, 1.48, 1.6, 1.82, 2.0, 2.56, 3.0, 400.0] {
        for shape in [[1, 1, 1], [1, 3, 1], [5, 1, 20], [3, 5, 33]] {
            let image = Array3::from_shape_simple_fn(shape, || random.pick(&[0u8, 200, 255]));
            let mask = Array3::from_shape_simple_fn(shape, || u8::from(random.chance(0.1)));
            for mask in [None, Some(mask.view())] {
                let border = [Border::Inside; 3];
                let options = Options { spacing: [size; 3], border, ..Options::default() };
                check(image.view(), mask, &options, &mut random, "no neighbour");
            }
        }
    }
}

/// Integers times powers of two up to the largest f32, and weights of very different sizes: no score may overflow.
#[test]
fn large_exact_differences_and_unequal_weights() {
    let mut random = Random(18);
    for power in [60, 76, 79, 80, 81, 90, 94, 97, 100, 103, 120] {
        for spacing in [[1.0; 3], [1.0, 1.0, 5000.0], [100.0, 1.0, 1.0], [1.0, 9.7, 1874.0]] {
            for shape in [[2, 2, 1], [4, 9, 40]] {
                let image = Array3::from_shape_simple_fn(shape, || {
                    (random.below(40) as f32 - 10.0) * 2f32.powi(power)
                });
                let border = [Border::Inside; 3];
                let options = Options { spacing, border, minima: Minima::Flat, ..Options::default() };
                check(image.view(), None, &options, &mut random, &format!("times 2^{power}"));
            }
        }
    }
}

/// Integers, whose differences are all exact, and in one place two neighbours of 2²⁴ whose differences round to one: the
/// lower index wins, though its value is the higher. Whoever overlooks them takes the other.
#[test]
fn one_collision_anywhere_among_exact_differences() {
    let mut random = Random(16);
    let shape = [7, 14, 41];
    for case in 0..600 {
        let signed = random.chance(0.5);
        let mut image = Array3::from_shape_simple_fn(shape, || {
            let value = 1000.0 + random.below(3000) as f32;
            if signed { value - 3000.0 } else { value }
        });
        let at = shape.map(|n| 1 + random.below(n - 2));
        image[at] = 16_777_216.0;
        // Two faces, edges or corners; those at the lower index of the pair hold the higher value.
        let class = 1 + random.below(3);
        let places: Vec<[usize; 3]> = (0..27u8)
            .map(voxlane::neighbor_offset)
            .filter(|offset| offset.iter().filter(|&&o| o != 0).count() == class)
            .map(|offset| [0, 1, 2].map(|axis| at[axis].checked_add_signed(offset[axis]).unwrap()))
            .collect();
        let first = random.below(places.len() - 1);
        let second = first + 1 + random.below(places.len() - first - 1);
        let weight = (class as f32).sqrt();
        let low = -20_000.0 * weight * weight;
        (image[places[first]], image[places[second]]) = (low + 0.25, low + 0.125);
        let border = [0; 3].map(|_| random.pick(&[Border::Skip, Border::Inside, Border::Periodic]));
        let direction = random.pick(&[Direction::Descent, Direction::Ascent]);
        if direction == Direction::Ascent {
            image.mapv_inplace(|value| -value);
        }
        let spacing = random.pick(&[[1.0; 3], [1.0; 3], [2.5, 0.7, 0.7]]);
        let options = Options { direction, border, spacing, ..Options::default() };
        let kept = random.chance(0.2).then(|| {
            let mut mask = Array3::from_shape_simple_fn(shape, || u8::from(random.chance(0.9)));
            for place in [at, places[first], places[second]] {
                mask[place] = 1;
            }
            mask
        });
        check(
            image.view(),
            kept.as_ref().map(|mask| mask.view()),
            &options,
            &mut random,
            &format!("case {case}"),
        );
    }
}

#[test]
fn infinities_side_by_side() {
    let both = planted(|image| {
        image[[3, 3, 10]] = f32::INFINITY;
        image[[3, 3, 11]] = f32::NEG_INFINITY;
        image[[3, 4, 12]] = f32::INFINITY;
        image[[4, 4, 12]] = f32::INFINITY;
    });
    check_all_rules(&both, "infinities of both signs");
}

#[test]
fn signed_zeros_denormals_and_overflowing_differences() {
    let mut random = Random(13);
    let from = |values: &'static [f32], random: &mut Random| {
        Array3::from_shape_simple_fn((6, 7, 33), || random.pick(values))
    };
    check_all_rules(&from(&[0.0, -0.0], &mut random), "±0");
    check_all_rules(&from(&[0.0, -0.0, 1.0], &mut random), "±0 and 1");
    check_all_rules(&from(&[1e-45, 3e-45, 1e-42, 1.1e-38, 1.2e-38, 0.0, -1e-45], &mut random), "denormals");
    check_all_rules(&from(&[3e38, -3e38, 0.0, 1e38, 3.4e38, -3.4e38], &mut random), "±3e38");
}

#[test]
fn extreme_spacings_and_axes_of_one_and_two() {
    let mut random = Random(14);
    for shape in [[1, 1, 1], [1, 1, 9], [1, 9, 1], [9, 1, 1], [2, 2, 2], [1, 2, 17], [2, 5, 1], [2, 1, 33]] {
        for border in [Border::Skip, Border::Inside, Border::Periodic] {
            for spacing in
                [[1.0; 3], [1e-200; 3], [1e200; 3], [1.0, 1e-200, 1e200], [2.0, 1.0, 1.0], [1.0, 1e3, 1e5]]
            {
                for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
                    let options = Options { minima, spacing, border: [border; 3], ..Options::default() };
                    let image = Array3::from_shape_simple_fn(shape, || random.unit() as f32);
                    check(image.view(), None, &options, &mut Random(15), "small shapes");
                    let bytes = Array3::from_shape_simple_fn(shape, || random.below(4) as u8);
                    check(bytes.view(), None, &options, &mut Random(16), "small shapes");
                }
            }
        }
    }
}

/// Distances that differ by less than f32 can tell, as rounding makes them: equal differences do not tie.
#[test]
fn spacings_that_are_almost_equal() {
    let mut random = Random(22);
    let third = 0.1 + 0.2;
    assert!(third != 0.3);
    for spacing in [
        [third, 0.3, 0.3],
        [0.3, third, 0.3],
        [0.3, 0.3, third],
        [1.0, 1.0, 1.0 + 1e-9],
        [1.0, 1.0 - 1e-8, 1.0 + 1e-7],
        [1e-3, 0.5, 3.7],
        [3.7, 1e-3, 2.2],
    ] {
        for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
            for direction in [Direction::Descent, Direction::Ascent] {
                let options = Options { minima, direction, spacing, ..Options::default() };
                let image = Array3::from_shape_simple_fn((6, 9, 37), || random.below(4) as f32);
                check(image.view(), None, &options, &mut random, "almost cubes");
                let bytes = Array3::from_shape_simple_fn((6, 9, 37), || random.below(256) as u8);
                check(bytes.view(), None, &options, &mut random, "almost cubes");
                let words = Array3::from_shape_simple_fn((6, 9, 37), || random.below(4) as i16);
                check(words.view(), None, &options, &mut random, "almost cubes");
            }
        }
    }
}

/// Weights of faces, edges and corners that are not 1 / distance.
#[test]
fn weights_of_faces_edges_and_corners() {
    let mut random = Random(23);
    let [edge, corner] = [1.0 / 2f64.sqrt(), 1.0 / 3f64.sqrt()];
    for by_class in [
        [1.0, 1.0, 1.0],
        [1.0, 0.5, 0.25],
        [1.0, 1.0 / 2.0, 1.0 / 3.0],
        [1.0, 2.0, 3.0],
        [5.0, 1.0, corner],
        [1.0, 0.9, corner],
        [1.0, edge, 0.5],
        [1.0, edge + 1e-7, corner],
        [2.0, 2.0 * edge, 2.0 * corner],
    ] {
        let weights = std::array::from_fn(|i| {
            let steps = (i / 9).abs_diff(1) + (i / 3 % 3).abs_diff(1) + (i % 3).abs_diff(1);
            if steps == 0 { 0.0 } else { by_class[steps - 1] }
        });
        for minima in [Minima::Reference, Minima::Strict, Minima::Flat] {
            for direction in [Direction::Descent, Direction::Ascent] {
                let weights = Some(weights);
                let options = Options { minima, direction, weights, ..Options::default() };
                let image = Array3::from_shape_simple_fn((6, 9, 70), || random.below(4) as f32 * 50.0);
                check(image.view(), None, &options, &mut random, "weights of classes");
                let bytes = Array3::from_shape_simple_fn((6, 9, 70), || random.below(256) as u8);
                check(bytes.view(), None, &options, &mut random, "weights of classes");
                let signed = Array3::from_shape_simple_fn((6, 9, 70), || random.below(9) as i8 - 4);
                check(signed.view(), None, &options, &mut random, "weights of classes");
                let words = Array3::from_shape_simple_fn((6, 9, 70), || random.below(300) as u16);
                check(words.view(), None, &options, &mut random, "weights of classes");
            }
        }
    }
}

#[test]
fn rows_of_every_length_to_70() {
    let mut random = Random(17);
    for width in 1..=70 {
        let border = random.pick(&[Border::Skip, Border::Inside, Border::Periodic]);
        let options = Options { border: [border; 3], ..Options::default() };
        let image = Array3::from_shape_simple_fn((4, 5, width), || random.unit() as f32);
        check(image.view(), None, &options, &mut Random(18), "f32 rows");
        let bytes = Array3::from_shape_simple_fn((4, 5, width), || random.below(256) as u8);
        check(bytes.view(), None, &options, &mut Random(19), "u8 rows");
        let words = Array3::from_shape_simple_fn((4, 5, width), || random.below(65536) as u16);
        check(words.view(), None, &options, &mut Random(20), "u16 rows");
        let doubles = Array3::from_shape_simple_fn((4, 5, width), || random.unit());
        check(doubles.view(), None, &options, &mut Random(21), "f64 rows");
    }
}

/// A volume whose voxels are numbered beyond 2³²: most of it is never touched.
#[test]
fn volumes_beyond_32_bits() {
    let shape = (1100, 2048, 2048);
    let voxels = shape.0 * shape.1 * shape.2;
    let mut memory: Vec<u8> = Vec::new();
    if memory.try_reserve_exact(2 * voxels).is_err() {
        println!("SKIPPED: a volume of {voxels} voxels: no address space for it and its labels");
        return;
    }
    drop(memory);
    let mut random = Random(32);
    let mut image = Array3::<u8>::zeros(shape);
    for at in [(1097, 0, 0), (1098, 7, 2040), (1099, 2047, 2047), (1099, 1024, 3), (1096, 2046, 1)] {
        image[at] = 1 + (random.next() % 255) as u8;
    }
    let slab = image.slice(s![1096.., .., ..]).to_owned();
    let mut expected = Array3::<u8>::zeros(slab.dim());
    let options = || Steepest::new().minima(Minima::Flat).border([Border::Inside; 3]);
    options().planes(1, 4).label(&slab, &mut expected).unwrap();
    assert!(expected.iter().filter(|&&label| label != LABEL_CENTER).count() > 90);
    let mut labels = Array3::<u8>::zeros(shape);
    for isa in tiers() {
        labels.slice_mut(s![1096.., .., ..]).fill(99);
        options().planes(1097, 1100).isa(isa).label(&image, &mut labels).unwrap();
        assert!(labels.slice(s![1096, .., ..]).iter().all(|&label| label == 99), "{isa:?}: a plane too many");
        assert!(labels.slice(s![1097.., .., ..]) == expected.slice(s![1.., .., ..]), "{isa:?}");
        assert_eq!(labels[(0, 0, 0)], 0, "{isa:?}: the beginning");
    }
}

/// A stride along an axis of one voxel leads nowhere, and may be anything: nothing is to be computed from it.
#[test]
fn strides_of_axes_of_one_voxel() {
    let image: Vec<f32> = (0..10).map(|i| (i * 7 % 10) as f32).collect();
    for isa in tiers() {
        for far in [1, -1, isize::MAX, isize::MIN, 1 << 60, -(1 << 60), 1 << 61] {
            for axis in 0..3 {
                let (mut shape, mut stride) = ([1; 3], [far; 3]);
                (shape[axis], stride[axis]) = (10, 1);
                for borders in [Border::Inside, Border::Periodic] {
                    let mut border = [borders; 3];
                    border[axis] = Border::Inside;
                    let mut labels = [99u8; 10];
                    let data = image.as_ptr().cast();
                    // SAFETY: ten voxels, whichever axis they are along.
                    let volume =
                        unsafe { Volume::from_raw_parts(data, shape, stride, ElementType::F32, "image") };
                    let to = labels.as_mut_ptr();
                    // SAFETY: as above.
                    let output =
                        unsafe { VolumeMut::from_raw_parts(to, shape, stride, ElementType::U8, "labels") };
                    let call = Steepest::new().minima(Minima::Flat).border(border).isa(isa).threads(1);
                    call.label(volume.unwrap(), output.unwrap()).unwrap();
                    let step = [9, 3, 1][axis];
                    for (i, &label) in labels.iter().enumerate() {
                        let below = i.checked_sub(1).map_or(f32::INFINITY, |j| image[j]);
                        let above = image.get(i + 1).copied().unwrap_or(f32::INFINITY);
                        let expected = match () {
                            () if below < image[i] && below <= above => 13 - step,
                            () if above < image[i] => 13 + step,
                            () => 13,
                        };
                        assert_eq!(label, expected, "{isa:?}, axis {axis}, stride {far}, voxel {i}");
                    }
                }
            }
        }
    }
}

/// The same of one plane and its mask, whose inner rows are copied as they lie.
#[test]
fn strides_of_one_plane_with_a_mask() {
    let mut random = Random(29);
    let image: Vec<f32> = (0..12 * 60).map(|_| random.below(50) as f32).collect();
    let mask: Vec<u8> = (0..12 * 60).map(|_| u8::from(random.chance(0.8))).collect();
    for isa in tiers() {
        let label = |plane: isize| {
            let (shape, stride) = ([1, 12, 60], [plane, 60, 1]);
            let mut labels = vec![99u8; 12 * 60];
            let (data, kept, to) = (image.as_ptr().cast(), mask.as_ptr(), labels.as_mut_ptr());
            // SAFETY: all of them have a plane of 12 times 60 voxels.
            unsafe {
                let volume = Volume::from_raw_parts(data, shape, stride, ElementType::F32, "image");
                let kept = Volume::from_raw_parts(kept, shape, stride, ElementType::U8, "mask");
                let output = VolumeMut::from_raw_parts(to, shape, stride, ElementType::U8, "labels");
                let border = [Border::Inside, Border::Skip, Border::Skip];
                let call = Steepest::new().border(border).mask(kept.unwrap()).isa(isa).threads(1);
                call.label(volume.unwrap(), output.unwrap()).unwrap();
            }
            labels
        };
        let expected = label(12 * 60);
        assert!(expected.iter().any(|&label| label < 27));
        for far in [1, -1, isize::MAX, isize::MIN, 1 << 60, -(1 << 60), 1 << 61] {
            assert_eq!(label(far), expected, "{isa:?}, stride {far}");
        }
    }
}
